"""Shapes and layouts: reshaping, moving axes, joining, repeating and picking."""
from builtins import slice as python_slice

from .. import ops
from ..config import settings
from ..graph import ShapeError, dims
from ..ops.checks import axis_in, flag
from .common import listed
from .sparse import is_sparse, sparse_concatenate, to_dense

__all__ = ["reshape", "permute_dimensions", "transpose", "concatenate", "stack", "flatten",
           "batch_flatten", "expand_dims", "squeeze", "repeat", "repeat_elements", "tile",
           "reverse", "slice", "gather", "one_hot", "arange", "pattern_broadcast"]


def reshape(x, shape):
    """The elements of x, in order, in another shape; one size may be -1."""
    return ops.reshape(x, shape)


def permute_dimensions(x, pattern):
    """Axis i of the result is axis `pattern[i]` of x."""
    return ops.transpose(x, listed("permute_dimensions", pattern))


def transpose(x):
    """All axes in the opposite order."""
    return ops.transpose(x)


def concatenate(tensors, axis=-1):
    """The tensors one after the other along an axis; a sparse one, if all are sparse."""
    tensors = listed("concatenate", tensors)
    if tensors and all(map(is_sparse, tensors)):
        return sparse_concatenate(tensors, axis_in("concatenate", axis, 2))
    return ops.concat([to_dense(tensor) for tensor in tensors], axis)


def stack(x, axis=0):
    """The tensors one after the other along a new axis."""
    return ops.stack(listed("stack", x), axis)


def flatten(x):
    """All elements along one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x):
    """All elements of each sample along one axis: (batch, n)."""
    x = ops.as_variable(x)
    if not x.ndim:
        raise ShapeError("[batch_flatten] a tensor with a batch axis is required; %r was given."
                         % (x.type,))
    return ops.reshape(x, (x.shape[0], dims.product(x.shape[1:])))


def expand_dims(x, axis=-1):
    """A new axis of size 1 at position `axis` of the result."""
    return ops.expand_dims(x, axis)


def squeeze(x, axis):
    """Without the axis `axis`, whose size is 1."""
    return ops.squeeze(x, axis)


def repeat(x, n):
    """Each sample n times along a new axis: (batch, features) -> (batch, n, features)."""
    x = ops.as_variable(x)
    if x.ndim != 2:
        raise ShapeError("[repeat] a tensor (batch, features) is required; %r was given."
                         % (x.type,))
    return ops.broadcast_to(ops.expand_dims(x, 1), (x.shape[0], n, x.shape[1]))


def repeat_elements(x, rep, axis):
    """Each element `rep` times in a row along an axis."""
    return ops.repeat(x, rep, axis)


def tile(x, n):
    """The whole of x repeated n[i] times along axis i; fewer numbers are those of the last axes."""
    counts = [n] if hasattr(n, "__index__") else n
    if isinstance(counts, (tuple, list)):
        counts = (1,) * (ops.as_variable(x).ndim - len(counts)) + tuple(counts)
    return ops.tile(x, counts)


def reverse(x, axes):
    """The opposite order along one axis or several."""
    return ops.flip(x, axes)


def slice(x, start, size):
    """`size[i]` elements from `start[i]` along axis i; a size of -1 is all that are left.

    Raises:   ShapeError when elements outside of x are asked for.
    """
    x = ops.as_variable(x)
    starts, sizes = ops.as_sizes(start), ops.as_sizes(size)
    if len(starts) != x.ndim or len(sizes) != x.ndim:
        raise ShapeError("[slice] a start and a size are required for each axis of %r; %r and %r "
                         "were given." % (x.type, starts, sizes))
    ends = [None if _is_rest(length) else begin + length for begin, length in zip(starts, sizes)]
    for begin, end, available in zip(starts, ends, x.shape):
        if _known_negative(begin) or end is not None and _known_negative(available - end):
            raise ShapeError("[slice] the elements must be inside of %r; starts %r and sizes %r "
                             "were given." % (x.type, starts, sizes))
    return x[tuple(python_slice(begin, end) for begin, end in zip(starts, ends))]


def _is_rest(size):
    return not isinstance(size, dims.Dim) and size == -1


def _known_negative(size):
    return not isinstance(size, dims.Dim) and size < 0


def gather(reference, indices):
    """The entries `indices` of the first axis."""
    return ops.gather(reference, indices, axis=0)


def one_hot(indices, num_classes):
    """1 at each index along a new last axis, else 0; dtype floatx."""
    return ops.one_hot(indices, num_classes, settings.floatx)


def arange(start, stop=None, step=1, dtype="int32"):
    """start, start + step, ... below stop; from 0 below `start` if no stop is given."""
    if stop is None:
        start, stop = 0, start
    return ops.arange(start, stop, step, dtype)


def pattern_broadcast(x, broadcastable):
    """x, of which the axes marked True must have size 1.

    Raises:   ShapeError when one has another size, or the marks do not fit the axes.
    """
    x = ops.as_variable(x)
    broadcastable = listed("pattern_broadcast", broadcastable)
    if len(broadcastable) != x.ndim:
        raise ShapeError("[pattern_broadcast] a mark is required for each axis of %r; %r was given."
                         % (x.type, broadcastable))
    marks = [flag("pattern_broadcast", "a mark", marked) for marked in broadcastable]
    shape = tuple(1 if marked else size for size, marked in zip(x.shape, marks))
    if any(map(dims.known_different, shape, x.shape)):
        raise ShapeError("[pattern_broadcast] a marked axis must have size 1; the tensor is %r, "
                         "the marks are %r." % (x.type, tuple(broadcastable)))
    return ops.reshape(x, shape)
