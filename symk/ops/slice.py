"""Slices: the op, its transpose, and the functions that cut a tensor along axes.

A slice is begin and step for each axis, and the result's shape; Python's start:stop:step is
resolved to these here, also where the size is symbolic.
"""
import numpy as np

from ..graph import Op, ShapeError, TensorType, apply, dims, op
from .checks import ANY, at_least, axes_in, axis_in
from .convert import as_variable
from .samples import sample
from .sizes import as_size, as_sizes

__all__ = ["Slice", "SliceGrad", "cut", "flip", "split", "strided_slice", "resolve"]


@op("slice", kind="index")
class Slice(Op):
    """y[i, ...] = x[begin[0] + step[0] * i, ...].  Shapes: -> shape.  Dtypes: any -> same."""

    begin: tuple = ()
    step: tuple = ()
    shape: tuple = ()

    accepts = ANY
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, x):
        if not x.ndim == len(self.begin) == len(self.step) == len(self.shape):
            raise ShapeError("[slice] one begin, step and size per axis is required; x is %r, "
                             "begin is %s, step is %s, the sizes are %s."
                             % (x, self.begin, self.step, self.shape))
        for axis in range(x.ndim):
            self._check_axis(x, axis)
        return x.with_shape(self.shape)

    def _check_axis(self, x, axis):
        begin, step, size = self.begin[axis], self.step[axis], self.shape[axis]
        if step == 0:
            raise ShapeError("[slice] a step must not be 0; the steps are %s." % (self.step,))
        if isinstance(size, dims.Dim) or size == 0:
            return
        for index in (begin, begin + step * (size - 1)):
            what = "index %s is outside axis %d of x, which is %r" % (index, axis, x)
            at_least(self.name, index, 0, what)
            at_least(self.name, x.shape[axis] - 1, index, what)

    def reference(self, x):
        self.infer(TensorType("bool", x.shape))
        return x[_region(self.begin, self.step, self.shape)]

    def grad(self, x, y, g):
        return apply(SliceGrad(self.begin, self.step, x.shape), g)

    samples = [sample((5, 4), begin=(1, 0), step=(2, 1), shape=(2, 3)),
               sample((5,), begin=(4,), step=(-1,), shape=(5,)),
               sample((5, 3), begin=(3, 0), step=(-2, 1), shape=(2, 3)),
               sample((3, 4), begin=(0, 0), step=(1, 1), shape=(3, 4)),
               sample((3, 4), begin=(3, 0), step=(1, 1), shape=(0, 4)),
               sample((), begin=(), step=(), shape=())]
    bad = [sample((3,), begin=(2,), step=(1,), shape=(2,), error="index 3 is outside axis 0"),
           sample((3,), begin=(0,), step=(-1,), shape=(2,), error="index -1 is outside axis 0"),
           sample((3,), begin=(0,), step=(0,), shape=(2,), error="a step must not be 0"),
           sample((3, 4), begin=(0,), step=(1,), shape=(2,), error="per axis is required")]


@op("slice_grad", kind="index")
class SliceGrad(Op):
    """The transpose of slice: zeros of `shape` with g laid in.  Dtypes: any -> same."""

    begin: tuple = ()
    step: tuple = ()
    shape: tuple = ()

    accepts = ANY
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, g):
        Slice(self.begin, self.step, g.shape).infer(g.with_shape(self.shape))
        return g.with_shape(self.shape)

    def reference(self, g):
        x = np.zeros(self.shape, g.dtype)
        x[_region(self.begin, self.step, g.shape)] = g
        return x

    def grad(self, g, x, v):
        return apply(Slice(self.begin, self.step, g.shape), v)

    samples = [sample((2, 3), begin=(1, 0), step=(2, 1), shape=(5, 4)),
               sample((5,), begin=(4,), step=(-1,), shape=(5,)),
               sample((0, 4), begin=(0, 0), step=(1, 1), shape=(3, 4))]
    bad = [sample((3,), begin=(2,), step=(1,), shape=(4,), error="index 4 is outside axis 0")]


def _region(begin, step, shape):
    """Python's slices for begin, step and result sizes."""
    region = []
    for start, stride, size in zip(begin, step, shape):
        stop = start + stride * size
        if size == 0:
            region.append(slice(0, 0))
        else:
            region.append(slice(start, stop if stop >= 0 else None, stride))
    return tuple(region)


def strided_slice(x, begin, step, shape):
    """y[i, ...] = x[begin[0] + step[0] * i, ...]; x itself if that is all of it."""
    whole = shape == x.shape and all(s == 1 for s in step)
    return x if whole else apply(Slice(tuple(begin), tuple(step), tuple(shape)), x)


def cut(x, axis, start, size):
    """`size` elements of x along `axis`, from `start`."""
    x = as_variable(x)
    begin = [0] * x.ndim
    begin[axis] = start
    return strided_slice(x, begin, (1,) * x.ndim, x.shape[:axis] + (size,) + x.shape[axis + 1:])


def flip(x, axis):
    """x in reverse order along `axis`, an integer or several."""
    x = as_variable(x)
    axes = axes_in("flip", axis, x.ndim)
    begin = [size - 1 if k in axes else 0 for k, size in enumerate(x.shape)]
    return strided_slice(x, begin, [-1 if k in axes else 1 for k in range(x.ndim)], x.shape)


def split(x, sizes, axis=0):
    """Pieces of x along `axis`.

    Args:     sizes: the size of each piece, or one integer: so many equal pieces.
    Raises:   ShapeError when the pieces do not make up the axis.
    """
    x = as_variable(x)
    axis = axis_in("split", axis, x.ndim)
    total = x.shape[axis]
    if isinstance(sizes, (tuple, list)):
        sizes = as_sizes(sizes)
    else:
        count = as_size(sizes)
        if count < 1:
            raise ShapeError("[split] at least one piece is required; %d were asked for." % count)
        sizes = (dims.floor_div(total, count),) * count
    if dims.known_different(sum(sizes), total):
        raise ShapeError("[split] the pieces must make up axis %d; x is %r, the pieces are %s."
                         % (axis, x.type, sizes))
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return [cut(x, axis, start, size) for start, size in zip(starts, sizes)]


def resolve(item, size):
    """A Python slice over an axis of `size`, as (begin, step, size of the result)."""
    step = 1 if item.step is None else as_sizes(item.step)[0]
    start, stop = (None if v is None else as_sizes(v)[0] for v in (item.start, item.stop))
    if isinstance(step, dims.Dim) or step == 0:
        raise ShapeError("[slice] a step must be an integer that is not 0; %r was given." % (step,))
    if not any(isinstance(v, dims.Dim) for v in (start, stop, size)):
        begin, end, step = slice(start, stop, step).indices(size)
        return begin, step, len(range(begin, end, step))
    return _resolve_symbolic(start, stop, step, size)


def _resolve_symbolic(start, stop, step, size):
    """Python's clamping rules with symbolic sizes; a symbolic start or stop is not negative."""
    low, high = (0, size) if step > 0 else (-1, size - 1)

    def clamp(bound, otherwise):
        if bound is None:
            return otherwise
        if not isinstance(bound, dims.Dim) and bound < 0:
            return dims.maximum(size + bound, low)
        return dims.minimum(bound, high)

    if step > 0:
        end = clamp(stop, size)
        # A start past the end gives no elements, so it needs no clamp: x[1:] has size max(n-1, 0).
        begin = start if _is_count(start) else clamp(start, 0)
        return begin, step, dims.maximum(dims.ceil_div(end - begin, step), 0)
    begin, end = clamp(start, size - 1), clamp(stop, -1)
    return begin, step, dims.maximum(dims.ceil_div(begin - end, -step), 0)


def _is_count(start):
    return start is not None and (isinstance(start, dims.Dim) or start >= 0)
