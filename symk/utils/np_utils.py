"""Small array tools: one-hot labels, normalised vectors; and those that Keras 1 had besides."""
import numpy as np

from .. import backend as K
from .. import renames
from .conv_utils import conv_input_length as _conv_input_length
from .conv_utils import conv_output_length as _conv_output_length
from .conv_utils import convert_kernel as _convert_kernel

__all__ = ["accuracy", "binary_logloss", "categorical_probas_to_classes", "conv_input_length",
           "conv_output_length", "convert_kernel", "multiclass_logloss", "normalize",
           "probas_to_classes", "to_categorical"]

_LEAST = 1e-15      # probabilities are cut here, so that their logarithms are finite


@renames.accepts("to_categorical")
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


@renames.accepts("normalize")
def normalize(x, axis=-1, order=2):
    """x / norm(x) along an axis; a zero vector stays zero.

    Args:     order: the norm's; 2 is the Euclidean one.
    """
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return x / np.expand_dims(norms, axis)


# ---- what Keras 1 had besides

def accuracy(p, y):
    """The part of the elements of p that are equal to those of y."""
    return np.mean(np.asarray(p) == np.asarray(y))


def probas_to_classes(y_pred):
    """The number of the greatest probability in each row; of a single one whether it is > 0.5."""
    y_pred = np.asarray(y_pred)
    if y_pred.ndim > 1 and y_pred.shape[1] > 1:
        return categorical_probas_to_classes(y_pred)
    return np.array([1 if probability > 0.5 else 0 for probability in y_pred.ravel()])


def categorical_probas_to_classes(p):
    """The number of the greatest probability in each row."""
    return np.argmax(p, axis=1)


def binary_logloss(p, y):
    """The mean of -y log(p) - (1 - y) log(1 - p)."""
    p, y = np.clip(p, _LEAST, 1 - _LEAST), np.asarray(y)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


@renames.accepts("multiclass_logloss")
def multiclass_logloss(p, y):
    """The mean of -log of the probability that p gives to the class that a one in y marks."""
    chosen = np.asarray(p)[np.arange(len(p)), np.argmax(y, axis=1)]
    return -np.mean(np.log(np.clip(chosen, _LEAST, 1)))


def conv_output_length(input_length, filter_size, border_mode, stride, dilation=1):
    """The number of outputs of a convolution along an axis."""
    return _conv_output_length(input_length, filter_size, border_mode, stride, dilation)


def conv_input_length(output_length, filter_size, border_mode, stride):
    """The size of an input that gives a number of outputs, the smallest of them."""
    return _conv_input_length(output_length, filter_size, border_mode, stride)


def convert_kernel(kernel, dim_ordering="default"):
    """A convolution kernel between Keras 1 on Theano and on TensorFlow: rows and columns reversed.

    Args:     dim_ordering: "th" if the kernel begins with its outputs and inputs, "tf" if it ends
                  with its inputs and outputs; the setting by default.
    """
    if dim_ordering == "default":
        dim_ordering = "tf" if K.image_data_format() == "channels_last" else "th"
    if dim_ordering not in ("tf", "th"):
        raise ValueError("[convert_kernel] dim_ordering must be 'th', 'tf' or 'default'; %r was "
                         "given." % (dim_ordering,))
    if dim_ordering == "tf":
        return _convert_kernel(kernel)
    return np.moveaxis(_convert_kernel(np.moveaxis(kernel, (0, 1), (-1, -2))), (-1, -2), (0, 1))
