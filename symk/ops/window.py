"""The geometry that conv2d and the pools share: TensorFlow's rule for windows over two axes."""
from ..graph import ShapeError, dims
from .checks import at_least

__all__ = ["output_size", "check_geometry", "pad_widths", "tap", "pair"]

LARGEST = 2 ** 31 - 1  # of a window, stride or dilation: their products stay within 64 bits


def pair(name, what, value):
    """Two positive integers, from one or two of them.

    Raises:   ShapeError for anything else.
    """
    two = (value, value) if hasattr(value, "__index__") else tuple(value)
    if len(two) != 2 or any(not hasattr(v, "__index__") or not 0 < v <= LARGEST for v in two):
        raise ShapeError("[%s] %s must be one or two integers from 1 to %d; %r was given."
                         % (name, what, LARGEST, value))
    return tuple(int(v) for v in two)


def output_size(name, size, window, stride, dilation, padding):
    """The number of windows along an axis of `size`.

    Raises:   ShapeError when the axis is smaller than one window without padding.
    """
    if padding == "same":
        return dims.ceil_div(size, stride)
    reach = (window - 1) * dilation + 1
    at_least(name, size, reach, "without padding the input must be at least as large as a window; "
             "an axis has size %s, the window spans %s" % (size, reach))
    return dims.floor_div(size - reach, stride) + 1


def check_geometry(name, x, padding, **sizes):
    """Raises ShapeError unless x has four axes, the padding is known, and the sizes are pairs."""
    for what, two in sizes.items():
        pair(name, what, two)
    if x.ndim != 4:
        raise ShapeError("[%s] x must have 4 axes (batch, rows, columns, channels); it is %r."
                         % (name, x))
    if padding not in ("same", "valid"):
        raise ShapeError('[%s] padding must be "same" or "valid"; %r was given.' % (name, padding))


def pad_widths(size, window, stride, dilation, padding):
    """(windows, before, after): how often the window fits, and the padding that it needs."""
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return (size - reach) // stride + 1, 0, 0
    count = -(-size // stride)
    total = max(0, (count - 1) * stride + reach - size)
    return count, total // 2, total - total // 2


def tap(array, row, column, counts, strides):
    """The view of a padded (b, h, w, c) array that one position of the window sees."""
    rows, columns = counts
    return array[:, row:row + strides[0] * (rows - 1) + 1:strides[0],
                 column:column + strides[1] * (columns - 1) + 1:strides[1], :]
