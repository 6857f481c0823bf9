"""Small array tools: one-hot labels, normalised vectors."""
import numpy as np

__all__ = ["normalize", "to_categorical"]


def to_categorical(y, num_classes=None, dtype="float32"):
    """One row per label with a one at the label's place: [0, 2] -> [[1, 0, 0], [0, 0, 1]].

    Args:     y: integer labels from 0 on; a last axis of size 1 is dropped.
              num_classes: size of the new last axis; the largest label + 1 by default.
              dtype: dtype of the result.
    Raises:   ValueError for a label that is negative, too large or no integer.
    """
    given = np.asarray(y)
    labels = given.astype("int64")
    if not np.array_equal(labels, given):
        raise ValueError("[to_categorical] integer labels are required; dtype %s with fractions "
                         "was given." % given.dtype)
    shape = labels.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    labels = labels.ravel()
    classes = num_classes or (int(labels.max()) + 1 if labels.size else 0)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError("[to_categorical] labels from 0 to %d are required for %d classes; the "
                         "labels are from %d to %d."
                         % (classes - 1, classes, labels.min(), labels.max()))
    rows = np.zeros((labels.size, classes), dtype=dtype)
    rows[np.arange(labels.size), labels] = 1
    return rows.reshape(shape + (classes,))


def normalize(x, axis=-1, order=2):
    """x / norm(x) along an axis; a zero vector stays zero.

    Args:     order: the norm's; 2 is the Euclidean one.
    """
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return x / np.expand_dims(norms, axis)
