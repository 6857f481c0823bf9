"""The geometry that convolutions and pools share: windows over one to three axes, channels last.

`padding` is "valid" for none, or TensorFlow's "same": ceil(size / stride) windows, the odd element
of padding at the end. "causal" puts as many windows, and all the padding before the axis, so that
a result sees nothing that comes after it.
"""
import numpy as np

from ..graph import ShapeError, dims
from .checks import at_least, integer_of

__all__ = ["AXES", "output_size", "check_geometry", "pad_widths", "inside", "tap", "per_axis"]

LARGEST = 2 ** 31 - 1  # of a window, stride or dilation: their products stay within 64 bits

AXES = {1: "(batch, steps, channels)", 2: "(batch, rows, columns, channels)",
        3: "(batch, planes, rows, columns, channels)"}


def per_axis(name, what, value, rank):
    """`rank` positive integers, from one or as many.

    Raises:   ShapeError for anything else.
    """
    values = value if isinstance(value, (tuple, list, np.ndarray)) else (value,) * rank
    values = tuple(map(integer_of, values))
    if len(values) != rank or any(v is None or not 0 < v <= LARGEST for v in values):
        raise ShapeError("[%s] %s must be one integer or %d of them, from 1 to %d; %r was given."
                         % (name, what, rank, LARGEST, value))
    return values


def output_size(name, size, window, stride, dilation, padding):
    """The number of windows along an axis of `size`.

    Raises:   ShapeError when the axis is smaller than one window without padding.
    """
    if padding != "valid":
        return dims.ceil_div(size, stride)
    reach = (window - 1) * dilation + 1
    at_least(name, size, reach, "without padding the input must be at least as large as a window; "
             "an axis has size %s, the window spans %s" % (size, reach))
    return dims.floor_div(size - reach, stride) + 1


def check_geometry(name, x, padding, known, **sizes):
    """The number of axes that windows move over.

    Args:     known: the words that `padding` may be. sizes: what must have one integer per axis.
    Raises:   ShapeError when one of these or the rank of x does not fit.
    """
    for what, values in sizes.items():
        per_axis(name, what, values, len(values))
        if len(values) + 2 != x.ndim:
            raise ShapeError("[%s] x must have %d axes, two more than %s %s; it is %r."
                             % (name, len(values) + 2, what, values, x))
    if x.ndim - 2 not in AXES:
        raise ShapeError("[%s] x must have 3 to 5 axes, batch first and channels last; it is %r."
                         % (name, x))
    if padding not in known:
        raise ShapeError("[%s] padding must be %s; %r was given."
                         % (name, " or ".join('"%s"' % word for word in known), padding))
    return x.ndim - 2


def pad_widths(size, window, stride, dilation, padding):
    """(windows, before, after): how often the window fits, and the padding that it needs."""
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return (size - reach) // stride + 1, 0, 0
    count = -(-size // stride)
    if padding == "causal":
        return count, reach - 1, 0
    total = max(0, (count - 1) * stride + reach - size)
    return count, total // 2, total - total // 2


def inside(widths, shape):
    """The region that np.pad(x, widths) holds x of `shape` in."""
    return tuple(slice(before, before + size) for (before, _), size in zip(widths, shape))


def tap(array, offsets, counts, strides):
    """The view of a padded (batch, ..., channels) array that one position of the window sees."""
    steps = (slice(offset, offset + stride * (count - 1) + 1, stride) if count else slice(0)
             for offset, count, stride in zip(offsets, counts, strides))
    return array[(np.s_[:],) + tuple(steps)]
