"""Arguments of convolutions and pooling windows."""
import numpy as np

__all__ = ["normalize_tuple", "normalize_padding_sizes"]


def normalize_tuple(value, n, name, minimum=1):
    """A tuple of n integers from an integer or from n of them.

    Raises:   ValueError, naming the argument, for anything else or below `minimum`.
    """
    values = (value,) * n if _is_integer(value) else value
    try:
        values = tuple(values)
    except TypeError:
        values = ()
    if len(values) != n or not all(_is_integer(one) and one >= minimum for one in values):
        raise ValueError("[%s] an integer or %d integers, each at least %d, are required; %r was "
                         "given." % (name, n, minimum, value))
    return tuple(int(one) for one in values)


def normalize_padding_sizes(padding, n, name):
    """((before, after), ...) for n axes, from an integer, n integers or n pairs."""
    if _is_integer(padding):
        padding = (padding,) * n
    try:
        sides = [(side, side) if _is_integer(side) else tuple(side) for side in padding]
    except TypeError:
        sides = []
    if len(sides) != n or not all(len(side) == 2 for side in sides):
        raise ValueError("[%s] an integer, %d integers or %d pairs (before, after) are required; "
                         "%r was given." % (name, n, n, padding))
    return tuple(normalize_tuple(side, 2, name, minimum=0) for side in sides)


def _is_integer(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
