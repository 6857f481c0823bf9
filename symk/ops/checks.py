"""What `infer` rules share: axes, broadcasting and dtypes, checked and refused in one form."""
import contextlib
import operator
import threading

import numpy as np

from ..graph import DtypeError, GraphError, ShapeError, dims
from ..graph.dtype import DTYPES, FLOATS, INTEGERS

__all__ = ["ANY", "BOOL", "FLOATS", "INTEGERS", "NUMBERS", "integer_of", "axis_in", "axes_in",
           "need_axes", "broadcast_shapes", "same_size", "at_least", "need_broadcast",
           "recorded_needs", "need_dtype", "need_equal_dtypes", "need_rank", "number", "whole",
           "flag", "text", "callable_in", "one_of", "possible"]

ANY = DTYPES
BOOL = ("bool",)
NUMBERS = FLOATS + INTEGERS
_WIDE = 2 ** 63      # attributes of ops are integers of 64 bits
_LARGEST = 2 ** 48   # elements: more than addresses can tell apart


def integer_of(value):
    """`operator.index`, but None for what is no integer. A bool is none."""
    try:
        return None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        return None


def axis_in(name, axis, rank):
    """`axis` counted from the front.

    Raises:   ShapeError if it is outside of the rank, or no integer.
    """
    given = axis
    axis = integer_of(axis)
    if axis is None:
        raise ShapeError("[%s] an axis must be an integer; %r was given." % (name, given))
    if not -rank <= axis < rank:
        possible = "it must be in %d..%d" % (-rank, rank - 1) if rank else "a scalar has no axes"
        raise ShapeError("[%s] axis %d is outside rank %d; %s." % (name, axis, rank, possible))
    return axis + rank if axis < 0 else axis


def whole(name, what, value):
    """A Python integer of 64 bits.

    Raises:   GraphError for anything else.
    """
    found = integer_of(value)
    if found is None or not -_WIDE <= found < _WIDE:
        raise GraphError("[%s] %s must be an integer of 64 bits; %r was given."
                         % (name, what, value))
    return found


def number(name, what, value):
    """A finite Python number; an integer of 64 bits.

    Raises:   GraphError for anything else.
    """
    if isinstance(value, (int, np.integer)):
        fits = -_WIDE <= value < _WIDE
    else:
        fits = isinstance(value, (float, np.floating)) and np.isfinite(value)
    if not fits:
        raise GraphError("[%s] %s must be a finite number; %r was given." % (name, what, value))
    return value


def flag(name, what, value):
    """A choice as True or False; numbers and None count as Python takes them.

    Raises:   GraphError for anything else.
    """
    if value is None or isinstance(value, (bool, np.bool_, int, float, np.integer, np.floating)):
        return bool(value)
    raise GraphError("[%s] %s must be True or False; %r was given." % (name, what, value))


def text(name, what, value):
    """A text, or None.

    Raises:   GraphError for anything else.
    """
    if value is None or isinstance(value, str):
        return value
    raise GraphError("[%s] %s must be a text; %r was given." % (name, what, value))


def one_of(name, what, value, allowed):
    """A word of a list.

    Raises:   GraphError for anything else.
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise GraphError("[%s] %s must be %s; %r was given."
                     % (name, what, " or ".join(map(repr, allowed)), value))


def possible(name, made):
    """The type of a result that may be larger than the operands, if it can exist.

    Raises:   ShapeError.
    """
    count = 1
    for size in made.shape:
        count *= size if isinstance(size, int) and size else 1
    if count >= _LARGEST:
        raise ShapeError("[%s] the result must have fewer than 2**48 elements; it would be %r."
                         % (name, made))
    return made


def callable_in(name, what, value):
    """A function.

    Raises:   GraphError for what cannot be called.
    """
    if not callable(value):
        raise GraphError("[%s] %s must be a function; %r was given." % (name, what, value))
    return value


def axes_in(name, axes, rank):
    """Sorted axes, counted from the front; None means all of them. Arrays of integers are lists."""
    if axes is None:
        return tuple(range(rank))
    if isinstance(axes, (np.ndarray, range)) and np.ndim(axes):
        axes = list(axes)
    given = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
    found = sorted(axis_in(name, axis, rank) for axis in given)
    if len(set(found)) < len(found):
        raise ShapeError("[%s] an axis may be named once; axes %r of rank %d were given."
                         % (name, given, rank))
    return tuple(found)


def need_axes(name, axes, rank):
    """Raises ShapeError unless these are axes of an op: from the front, ascending, each once."""
    for axis in axes:
        if not 0 <= axis < rank:
            raise ShapeError("[%s] axis %d is outside rank %d." % (name, axis, rank))
    if any(a >= b for a, b in zip(axes, axes[1:])):
        raise ShapeError("[%s] an axis may be named once, in ascending order; axes %s of rank %d "
                         "were given." % (name, axes, rank))


def broadcast_shapes(name, *types):
    """The shape at which types meet by NumPy's rule."""
    shape = types[0].shape
    for other in types[1:]:
        if other.shape == shape:
            continue
        rank = max(len(shape), other.ndim)
        first = (1,) * (rank - len(shape)) + shape
        second = (1,) * (rank - other.ndim) + other.shape
        shape = tuple(_meet(name, types, a, b) for a, b in zip(first, second))
    return shape


def _meet(name, types, a, b):
    """The size at which two axes meet. Whether an unknown one fits is left to the Plan."""
    size = dims.broadcast(a, b)
    if size is not None and (isinstance(size, dims.Dim) or a == b or _is_one(a) or _is_one(b)):
        return size
    what = ("the shapes must broadcast: sizes equal, or one of them 1; they are %s"
            % " and ".join(map(repr, types)))
    if size is None:
        raise ShapeError("[%s] %s." % (name, what))
    same_size(name, dims.checked_broadcast(a, b), size, what)
    return size


_state = threading.local()


@contextlib.contextmanager
def recorded_needs():
    """Collects what `infer` rules called inside had to leave open: [(size, size, message)]."""
    needs = _state.needs = []
    try:
        yield needs
    finally:
        _state.needs = None


def same_size(name, a, b, what):
    """The size of two axes that must be equal: the known one, if only one is known.

    Where that shows only in a call, the need is recorded, and becomes a check of the Plan.

    Raises:   ShapeError, saying `what` was required, when they differ for certain.
    """
    if dims.known_different(a, b):
        raise ShapeError("[%s] %s: %s != %s." % (name, what, a, b))
    needs = getattr(_state, "needs", None)
    if needs is not None and a != b:
        needs.append((a, b, "[%s] %s" % (name, what)))
    return a if isinstance(b, dims.Dim) else b


def at_least(name, size, bound, what):
    """Requires size >= bound, as `same_size` requires equality."""
    larger = dims.maximum(size, bound)
    if dims.known_different(larger, size):
        raise ShapeError("[%s] %s: %s < %s." % (name, what, size, bound))
    if larger != size:
        same_size(name, larger, size, what)


def need_broadcast(name, shape, wanted, what):
    """Requires that `shape` repeats to `wanted` by NumPy's rule."""
    lead = len(wanted) - len(shape)
    if lead < 0:
        raise ShapeError("[%s] %s." % (name, what))
    for size, target in zip(shape, wanted[lead:]):
        common = dims.broadcast(size, target)
        if common is None or dims.known_different(common, target):
            raise ShapeError("[%s] %s." % (name, what))
        if size != target and not _is_one(size):
            same_size(name, dims.checked_broadcast(size, target), target, what)


def _is_one(size):
    return not isinstance(size, dims.Dim) and size == 1


def need_dtype(name, operand, type, accepted):
    """Raises DtypeError unless the operand's dtype is among `accepted`."""
    if type.dtype not in accepted:
        raise DtypeError("[%s] the dtype must be one of %s; %s is %r. Cast it first."
                         % (name, ", ".join(accepted), operand, type))


def need_equal_dtypes(name, *types):
    """Raises DtypeError unless all types have one dtype."""
    if any(type.dtype != types[0].dtype for type in types):
        raise DtypeError("[%s] the dtypes must be equal; they are %s. Cast first."
                         % (name, " and ".join(map(repr, types))))


def need_type(name, what, given, needed):
    """Requires one type to be another, `what`; sizes that only a call knows become a check."""
    message = "%s; it is %r, not %r" % (what, given, needed)
    if given.dtype != needed.dtype:
        raise DtypeError("[%s] %s." % (name, message))
    if given.ndim != needed.ndim:
        raise ShapeError("[%s] %s." % (name, message))
    for a, b in zip(given.shape, needed.shape):
        same_size(name, a, b, message)


def need_rank(name, operand, type, rank, axes):
    """Raises ShapeError unless the operand has this rank; `axes` names them for the message."""
    if type.ndim != rank:
        raise ShapeError("[%s] %s must have %d axes %s; it is %r."
                         % (name, operand, rank, axes, type))
