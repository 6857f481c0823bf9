"""What users give as data, made into lists of arrays that fit a model's placeholders, or refused.

Every message names the input or output, what it needs and what was given.
"""
import collections
import warnings

import numpy as np

from ..graph import DtypeError, dims
from .rows import Rows, is_read_by_rows

__all__ = ["arrays_of", "batches", "check_cardinality", "check_finite", "check_labels",
           "check_predicted", "class_weights", "fitted", "parts", "sliced", "split_validation",
           "weights_of"]


def arrays_of(data, names, what):
    """The data of several inputs or outputs, in the order of their names.

    Args:     data: an array, a list of arrays or a dict from names to arrays.
              what: "input" or "target", for messages.
    Raises:   ValueError for missing or surplus data; what else is in a dict is left, as in Keras,
              with a warning.
    """
    if isinstance(data, dict) and not is_read_by_rows(data):    # one format of SciPy is a dict
        missing = [name for name in names if name not in data]
        if missing:
            raise ValueError("[%s] a dict with the keys %s is required; missing: %s."
                             % (what, ", ".join(map(repr, names)), ", ".join(missing)))
        surplus = sorted(set(data).difference(names))
        if surplus:
            warnings.warn("[%s] the model has none of the name %s, which is not used; it has %s."
                          % (what, " or ".join(surplus), ", ".join(names)), stacklevel=2)
        return [_array(data[name], what, name) for name in names]
    if isinstance(data, (list, tuple)):
        if len(names) == 1 and _is_one_array(data):
            data = [data]
        if len(data) != len(names):
            raise ValueError("[%s] %d arrays are required (%s); %d were given."
                             % (what, len(names), ", ".join(names), len(data)))
        return [_array(one, what, name) for one, name in zip(data, names)]
    if data is None or len(names) != 1:
        raise ValueError("[%s] %s required (%s); %s given."
                         % (what,
                            "an array is" if len(names) == 1 else "%d arrays are" % len(names),
                            ", ".join(names) or "none",
                            "nothing was" if data is None else "one was"))
    return [_array(data, what, names[0])]


def _is_one_array(data):
    """Whether a list is itself the data of a single input, as numbers or rows of numbers."""
    return not any(hasattr(one, "shape") and len(one.shape) for one in data) and (
        len(data) != 1 or np.ndim(data[0]) == 0)


def _array(value, what, name):
    """An array of numbers, or the Rows of data that are read part by part."""
    if is_read_by_rows(value):
        array = Rows(value)
    else:
        array = _of_numbers(value.to_numpy() if hasattr(value, "to_numpy") else value, what, name)
    if array.dtype.kind not in "biuf":
        raise DtypeError("[%s %s] an array of numbers is required; dtype %s was given."
                         % (what, name, array.dtype))
    return array


def _of_numbers(value, what, name):
    """An array; one of objects, as a table with columns of several dtypes gives, as floats."""
    try:
        array = np.asarray(value)
        return array.astype("float64") if array.dtype == object else array
    except (TypeError, ValueError) as error:
        unequal = _differ_in_length(value)
        raise ValueError("[%s %s] %s" % (
            what, name, "rows of one length are required; those given have several. Pad them: "
            "preprocessing.sequence.pad_sequences." if unequal else
            "an array of numbers is required; %s." % error)) from error


def _differ_in_length(rows):
    return len({len(row) for row in rows if hasattr(row, "__len__")}) > 1


def fitted(arrays, placeholders, names, what):
    """The arrays, with a last axis of 1 where users leave it out, checked against placeholders.

    Raises:   ValueError, naming the input or output.
    """
    result = []
    for array, placeholder, name in zip(arrays, placeholders, names):
        if array.ndim == placeholder.ndim - 1 and _is_one(placeholder.shape[-1]):
            array = with_last_axis(array)
        if array.ndim != placeholder.ndim or any(
                not isinstance(size, dims.Dim) and size != given
                for size, given in zip(placeholder.shape[1:], array.shape[1:])):
            raise ValueError("[%s %s] arrays of shape %s are required; the shape %s was given."
                             "%s" % (what, name, _shape_text(placeholder), array.shape,
                                     _missing_batch(array, placeholder)))
        result.append(array.kept_sparse() if placeholder.is_sparse and isinstance(array, Rows)
                      else array)
    return result


def with_last_axis(array):
    """The array with a new last axis of size 1."""
    return array.with_last_axis() if isinstance(array, Rows) else array[..., np.newaxis]


def _is_one(size):
    """Whether a last axis may be left out: its size is 1, or any."""
    return isinstance(size, dims.Dim) or size == 1


def _shape_text(placeholder):
    sizes = ["any" if isinstance(size, dims.Dim) else str(size) for size in placeholder.shape]
    return "(%s)" % ", ".join(["batch"] + sizes[1:])


def _missing_batch(array, placeholder):
    if array.ndim == placeholder.ndim - 1:
        return " Is the batch axis missing? Use x[np.newaxis]."
    return ""


def check_cardinality(groups):
    """The number of samples that all arrays have.

    Args:     groups: {"inputs": arrays, ...}.
    Raises:   ValueError when the numbers differ, or there are no samples.
    """
    counts = {what: sorted({len(array) for array in arrays}) for what, arrays in groups.items()
              if arrays}
    every = sorted({count for found in counts.values() for count in found})
    if len(every) > 1:
        raise ValueError("[data] all arrays must have as many samples; %s."
                         % "; ".join("%s have %s" % (what, " and ".join(map(str, found)))
                                     for what, found in counts.items()))
    return every[0] if every else 0


def check_predicted(arrays):
    """Takes inputs of as many samples; the first array says how many, as in Keras.

    Others may go on: a warning says what is left out.

    Raises:   ValueError when another ends before the first.
    """
    counts = sorted({len(array) for array in arrays})
    if len(counts) < 2:
        return
    first = len(arrays[0])
    if counts[0] < first:
        check_cardinality({"inputs": arrays})
    warnings.warn("[predict] the inputs have %s samples. Predictions are made for the %d of the "
                  "first; the rest of the others is not used."
                  % (" and ".join(map(str, counts)), first), stacklevel=3)


def check_labels(array, classes, name):
    """Integer labels below the number of classes, or ValueError."""
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError("[target %s] labels from 0 to %d are required; NaN or infinity is "
                             "among them." % (name, classes - 1))
        if (array != np.floor(array)).any():
            raise ValueError("[target %s] integer labels are required; %s is among them."
                             % (name, array[array != np.floor(array)].flat[0]))
    if array.size:
        low, high = array.min(), array.max()
        if low < 0 or (isinstance(classes, int) and high >= classes):
            raise ValueError("[target %s] labels from 0 to %s are required, as the output has %s "
                             "classes; labels from %d to %d were given."
                             % (name, classes - 1, classes, low, high))


def check_finite(array, name):
    """Raises ValueError, with the first place, for NaN or infinity in the data of an input."""
    first = 0
    for part in parts(array):
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            place = np.argwhere(~np.isfinite(part))[0]
            place[0] += first
            raise ValueError("[input %s] finite numbers are required; NaN or infinity at %s was "
                             "given." % (name, tuple(int(index) for index in place)))
        first += len(part)


# ---- weights of samples

def weights_of(given, names, what):
    """One entry per output from one value, a list or a dict; None where there is none."""
    if given is None:
        return [None] * len(names)
    if isinstance(given, dict):
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError("[%s] the keys must be names of outputs (%s); %s is none."
                             % (what, ", ".join(names), ", ".join(map(repr, unknown))))
        return [given.get(name) for name in names]
    if len(names) == 1:
        return [given[0] if isinstance(given, list) and len(given) == 1
                and np.ndim(given[0]) else given]
    if isinstance(given, (list, tuple)) and len(given) == len(names):
        return list(given)
    raise ValueError("[%s] a list of %d or a dict is required for the outputs %s; %s was given."
                     % (what, len(names), ", ".join(names), type(given).__name__))


def class_weights(targets, weights, name):
    """The weight of each sample's class.

    Args:     targets: labels (samples, 1), or one-hot rows (samples, classes).
              weights: dict from a class to its weight.
    Raises:   ValueError for a class without a weight.
    """
    if not isinstance(weights, dict):
        raise ValueError("[class_weight] a dict from classes to weights is required; %s was given."
                         % type(weights).__name__)
    if targets.ndim > 2:
        raise ValueError("[class_weight] targets with two axes are required; those of %r have the "
                         "shape %s. Use sample_weight." % (name, targets.shape))
    targets = np.concatenate(list(parts(targets)))
    labels = targets.argmax(axis=1) if targets.shape[1] > 1 else targets.reshape(-1)
    present, places = np.unique(labels, return_inverse=True)
    missing = [label for label in present.tolist() if label not in weights]
    if missing:
        raise ValueError("[class_weight] every class needs a weight; none was given for %s%s."
                         % (", ".join("%g" % label for label in missing[:_MOST_NAMED]),
                            ", ..." if len(missing) > _MOST_NAMED else ""))
    return np.array([weights[label] for label in present])[places]


# ---- parts

def sliced(arrays, picked):
    """The picked samples of each array; `picked` is a slice or an array of indices."""
    if isinstance(picked, slice):
        return [array[picked] for array in arrays]
    return [array.take(picked, axis=0) for array in arrays]


# Classes that a message names.
_MOST_NAMED = 8

# Rows of data in files that are looked at together.
_PART = 4096


def parts(array):
    """The array itself; the Rows of a file as arrays, one after the other."""
    if not isinstance(array, Rows):
        yield array
        return
    for start, stop in batches(len(array), _PART):
        yield array[start:stop]


def split_validation(arrays, fraction):
    """The first and the last samples: (for training, for validation).

    Raises:   ValueError when one side would be empty.
    """
    count = len(arrays[0])
    border = int(count * (1.0 - fraction))
    if not 0 < border < count:
        raise ValueError("[validation_split] both sides must have samples; %s of %d samples leaves "
                         "%d for training." % (fraction, count, border))
    return _ranges(arrays, 0, border), _ranges(arrays, border, count)


def _ranges(arrays, start, stop):
    """A range of samples of each array, of which nothing is read yet."""
    return [array.range(start, stop) if isinstance(array, Rows) else array[start:stop]
            for array in arrays]


Batch = collections.namedtuple("Batch", "start stop")


def batches(count, size):
    """Borders of batches of at most `size` samples; no samples are one empty batch."""
    return [Batch(start, min(start + size, count)) for start in range(0, max(count, 1), size)]
