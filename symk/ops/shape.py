"""Ops that only move elements: reshape, transpose, broadcast_to, concat, pad, and what is made of
them. The ops of kind "shape" keep the elements in order: they are lowered to an alias.
"""
import numpy as np

from ..graph import Op, ShapeError, Variable, apply, dims, op
from .checks import ANY, axis_in, need_axes, need_broadcast, need_equal_dtypes, possible, same_size
from .convert import as_variable, constant, meet
from .samples import sample
from .sizes import as_size, as_sizes, size_of
from .slice import cut

__all__ = ["reshape", "identity", "stop_gradient", "cut_padding", "transpose", "broadcast_to",
           "concat", "pad", "expand_dims", "squeeze", "stack", "tile", "repeat", "full", "shape_of"]


class _Move(Op):
    """What the ops of this file share: any dtype, and a linear meaning."""

    accepts = ANY
    domain = (-2.0, 2.0)
    smooth = True


@op("reshape", kind="shape")
class Reshape(_Move):
    """The elements of x in the same order, with another shape.  Dtypes: any -> same."""

    shape: tuple = ()

    def infer(self, x):
        if dims.known_different(x.size, dims.product(self.shape)):
            raise ShapeError("[reshape] the number of elements must stay; x is %r with %s, the "
                             "shape %s needs %s." % (x, x.size, self.shape,
                                                     dims.product(self.shape)))
        return x.with_shape(self.shape)

    def reference(self, x):
        if x.size != np.prod(self.shape, dtype=np.int64):
            raise ShapeError("[reshape] the number of elements must stay; x has shape %s, the "
                             "shape %s was asked for." % (x.shape, self.shape))
        return x.reshape(self.shape)

    def grad(self, x, y, g):
        return reshape(g, x.shape)

    samples = [sample((3, 4), shape=(4, 3)), sample((2, 3, 4), shape=(24,)),
               sample((), shape=(1, 1)), sample((0, 3), shape=(3, 0))]
    bad = [sample((3, 4), shape=(5,), error="the number of elements must stay")]


@op("identity", kind="shape")
class Identity(_Move):
    """x.  Shapes: x -> same.  Dtypes: any -> same."""

    def infer(self, x):
        return x

    def reference(self, x):
        return x

    def grad(self, x, y, g):
        return g

    samples = [sample((3, 4)), sample(())]


@op("stop_gradient", kind="shape")
class StopGradient(_Move):
    """x, through which no gradient flows.  Shapes: x -> same.  Dtypes: any -> same."""

    def infer(self, x):
        return x

    def reference(self, x):
        return x

    def grad(self, x, y, g):
        return None

    samples = [sample((3, 4)), sample(())]


@op("cut_padding", kind="shape")
class CutPadding(_Move):
    """x; a function that gives it out leaves away what is `value` at the end of all rows.

    Sizes in a graph follow from sizes of inputs. Where the length of a result depends on data, it
    is padded in the graph, and cut to the longest row of the last axis where it leaves a function.
    Shapes: x -> same.  Dtypes: any -> same.
    """

    value: float = 0.0

    def infer(self, x):
        need_axes(self.name, (0,), x.ndim)
        return x

    def reference(self, x):
        return x

    def grad(self, x, y, g):
        return g

    def finish(self, array):
        if not array.size:
            return array
        used = np.flatnonzero((array != self.value).reshape(-1, array.shape[-1]).any(0))
        return array[..., :used[-1] + 1 if used.size else 0]

    samples = [sample((2, 3), value=100.0), sample((4,), value=-100.0)]   # values that none has
    bad = [sample((), error="axis 0 is outside rank 0")]


@op("transpose", kind="index")
class Transpose(_Move):
    """x with its axes in the order `perm`.  Dtypes: any -> same."""

    perm: tuple = ()

    def infer(self, x):
        if sorted(self.perm) != list(range(x.ndim)):
            raise ShapeError("[transpose] perm must name each axis of x once; x is %r, perm is %s."
                             % (x, self.perm))
        return x.with_shape(x.shape[axis] for axis in self.perm)

    def reference(self, x):
        return np.transpose(x, self.perm)

    def grad(self, x, y, g):
        return transpose(g, np.argsort(self.perm).tolist())

    samples = [sample((3, 4), perm=(1, 0)), sample((2, 3, 4), perm=(2, 0, 1)),
               sample((2, 3, 4, 5), perm=(0, 3, 1, 2)), sample((17, 33), perm=(1, 0)),
               sample((0, 3), perm=(1, 0)), sample((1, 4, 1), perm=(2, 1, 0)),
               sample((2, 3, 4), perm=(0, 1, 2))]
    bad = [sample((3, 4), perm=(0, 0), error="perm must name each axis"),
           sample((3, 4), perm=(0,), error="perm must name each axis")]


@op("broadcast_to", kind="index")
class BroadcastTo(_Move):
    """x repeated to `shape` by NumPy's rule.  Dtypes: any -> same."""

    shape: tuple = ()

    def infer(self, x):
        need_broadcast(self.name, x.shape, self.shape, "each size of x must be 1 or the one "
                       "wanted; x is %r, the shape %s was asked for" % (x, self.shape))
        return possible(self.name, x.with_shape(self.shape))

    def reference(self, x):
        return np.broadcast_to(x, self.shape)

    def grad(self, x, y, g):
        return g  # the gradient walk sums it back

    samples = [sample((4,), shape=(3, 4)), sample((3, 1), shape=(3, 5)), sample((), shape=(2, 2)),
               sample((2, 1, 3), shape=(4, 2, 5, 3)), sample((1, 3), shape=(0, 3)),
               sample((3, 4), shape=(3, 4))]
    bad = [sample((3,), shape=(4,), error="each size of x must be 1 or the one wanted"),
           sample((3, 4), shape=(4,), error="each size of x must be 1 or the one wanted")]


@op("concat", kind="index")
class Concat(_Move):
    """The operands one after the other along `axis`.  Dtypes: any, all the same -> same."""

    axis: int = 0

    def infer(self, *types):
        if not types:
            raise ShapeError("[concat] at least one tensor is required; none was given.")
        need_equal_dtypes(self.name, *types)
        first = types[0]
        axis = self.axis
        need_axes(self.name, (axis,), first.ndim)
        shape = list(first.shape)
        for other in types[1:]:
            if other.ndim != first.ndim:
                raise ShapeError("[concat] the ranks must be equal; the operands are %s."
                                 % " and ".join(map(repr, types)))
            for k, size in enumerate(other.shape):
                shape[k] = shape[k] + size if k == axis else same_size(
                    self.name, shape[k], size,
                    "sizes off axis %d must agree; the operands are %s"
                    % (axis, " and ".join(map(repr, types))))
        return first.with_shape(shape)

    def reference(self, *arrays):
        return np.concatenate(arrays, self.axis)

    def grad(self, *values):
        *inputs, y, g = values
        grads, start = [], 0
        for x in inputs:
            grads.append(cut(g, self.axis, start, x.shape[self.axis]))
            start = start + x.shape[self.axis]
        return tuple(grads)

    def jvp(self, *values):
        count = (len(values) - 1) // 2
        moved = [full(x.shape, 0, x.dtype) if tangent is None else tangent
                 for x, tangent in zip(values[:count], values[count + 1:])]
        return apply(self, *moved)

    samples = [sample((2, 3), (4, 3), axis=0), sample((2, 3), (2, 1), (2, 5), axis=1),
               sample((2, 0), (2, 3), axis=1), sample((3,), axis=0),
               sample((2, 3, 4), (2, 2, 4), axis=1)]
    bad = [sample((2, 3), (2, 4), axis=0, error="sizes off axis 0 must agree"),
           sample((2, 3), (2,), axis=0, error="the ranks must be equal"),
           sample((2,), axis=1, error="axis 1 is outside rank 1")]


@op("pad", kind="index")
class Pad(_Move):
    """x with `before[k]` and `after[k]` elements of `value` around axis k.  Dtypes: any -> same."""

    before: tuple = ()
    after: tuple = ()
    value: float = 0.0

    def infer(self, x):
        if len(self.before) != x.ndim or len(self.after) != x.ndim or any(
                dims.known_different(dims.maximum(width, 0), width)
                for width in self.before + self.after):
            raise ShapeError("[pad] one width that is not negative is required before and after "
                             "each axis; x is %r, before is %s, after is %s."
                             % (x, self.before, self.after))
        return possible(self.name, x.with_shape(
            size + b + a for size, b, a in zip(x.shape, self.before, self.after)))

    def reference(self, x):
        y = np.full([size + b + a for size, b, a in zip(x.shape, self.before, self.after)],
                    self.value, x.dtype)
        y[tuple(slice(b, b + size) for b, size in zip(self.before, x.shape))] = x
        return y

    def grad(self, x, y, g):
        for axis, (width, size) in enumerate(zip(self.before, x.shape)):
            g = cut(g, axis, width, size)
        return g

    samples = [sample((3, 4), before=(1, 0), after=(0, 2)),
               sample((2, 3, 3, 1), before=(0, 1, 2, 0), after=(0, 1, 0, 0), value=1.0),
               sample((3,), before=(0,), after=(0,)), sample((0, 2), before=(1, 1), after=(1, 0)),
               sample((), before=(), after=())]
    bad = [sample((3,), before=(1, 1), after=(0, 0), error="before and after each axis"),
           sample((3,), before=(-1,), after=(0,), error="not negative")]


def reshape(x, shape):
    """x with another shape; one size may be -1 and follows from the others.

    Raises:   ShapeError when the number of elements differs, or -1 stands twice.
    """
    x, shape = as_variable(x), as_sizes(shape)
    unknown = [axis for axis, size in enumerate(shape) if _is_minus_one(size)]
    if len(unknown) > 1:
        raise ShapeError("[reshape] only one size may be -1; the shape is %s." % (shape,))
    if unknown:
        axis, = unknown
        rest = dims.product(shape[:axis] + shape[axis + 1:])
        shape = shape[:axis] + (_missing_size(x, rest, shape),) + shape[axis + 1:]
    return x if shape == x.shape else apply(Reshape(shape), x)


def _is_minus_one(size):
    return not isinstance(size, dims.Dim) and size == -1


def _missing_size(x, rest, shape):
    """The size that -1 stands for, when the other sizes have the product `rest`."""
    total = x.type.size
    whole = not (isinstance(total, dims.Dim) or isinstance(rest, dims.Dim))
    if not isinstance(rest, dims.Dim) and (rest == 0 or whole and total % rest):
        raise ShapeError("[reshape] -1 must stand for a whole size; x is %r with %s elements, the "
                         "shape is %s." % (x.type, total, shape))
    return dims.floor_div(total, rest)


def identity(x, name=None):
    """x as a Variable of its own, which may have another name."""
    y = apply(Identity(), as_variable(x))
    y.name = name
    return y


def stop_gradient(x):
    """x, through which no gradient flows."""
    return apply(StopGradient(), as_variable(x))


def cut_padding(x, value):
    """x, without what is `value` at the end of all rows when it leaves a function."""
    return apply(CutPadding(float(value)), as_variable(x))


def transpose(x, perm=None):
    """x with its axes in the order `perm`; reversed by default."""
    x = as_variable(x)
    perm = range(x.ndim)[::-1] if perm is None else perm
    perm = tuple(axis_in("transpose", axis, x.ndim) for axis in perm)
    return x if perm == tuple(range(x.ndim)) else apply(Transpose(perm), x)


def broadcast_to(x, shape):
    """x repeated to `shape` by NumPy's rule."""
    x, shape = as_variable(x), as_sizes(shape)
    return x if x.shape == shape else apply(BroadcastTo(shape), x)


def concat(tensors, axis=0):
    """Tensors one after the other along `axis`, in the dtype in which they meet."""
    tensors = meet(*tensors)
    if not tensors:
        raise ShapeError("[concat] at least one tensor is required; none was given.")
    axis = axis_in("concat", axis, tensors[0].ndim)
    return tensors[0] if len(tensors) == 1 else apply(Concat(axis), *tensors)


def pad(x, before, after, value=0):
    """x with `before[k]` and `after[k]` elements of `value` around axis k."""
    x, before, after = as_variable(x), as_sizes(before), as_sizes(after)
    nothing = len(before) == len(after) == x.ndim and not any(
        isinstance(width, dims.Dim) or width for width in before + after)
    return x if nothing else apply(Pad(before, after, float(value)), x)


def expand_dims(x, axis=-1):
    """x with a new axis of size 1 at `axis` of the result."""
    x = as_variable(x)
    axis = axis_in("expand_dims", axis, x.ndim + 1)
    return reshape(x, x.shape[:axis] + (1,) + x.shape[axis:])


def squeeze(x, axis):
    """x without `axis`, whose size must be 1."""
    x = as_variable(x)
    axis = axis_in("squeeze", axis, x.ndim)
    if dims.known_different(x.shape[axis], 1):
        raise ShapeError("[squeeze] the size of axis %d must be 1; x is %r." % (axis, x.type))
    return reshape(x, x.shape[:axis] + x.shape[axis + 1:])


def stack(tensors, axis=0):
    """Tensors of one shape along a new axis."""
    tensors = meet(*tensors)
    if not tensors:
        raise ShapeError("[stack] at least one tensor is required; none was given.")
    axis = axis_in("stack", axis, tensors[0].ndim + 1)
    for other in tensors[1:]:
        if other.ndim != tensors[0].ndim:
            raise ShapeError("[stack] the shapes must be equal; they are %s."
                             % " and ".join(repr(t.type) for t in tensors))
    return concat([expand_dims(x, axis) for x in tensors], axis)


def tile(x, counts):
    """x repeated `counts[k]` times along axis k, as a whole: ab -> abab."""
    x, counts = as_variable(x), as_sizes(counts)
    if len(counts) != x.ndim:
        raise ShapeError("[tile] one count per axis is required; x is %r, counts are %s."
                         % (x.type, counts))
    apart = [size for pair in zip((1,) * x.ndim, x.shape) for size in pair]
    repeated = [size for pair in zip(counts, x.shape) for size in pair]
    whole = [count * size for count, size in zip(counts, x.shape)]
    return reshape(broadcast_to(reshape(x, apart), repeated), whole)


def repeat(x, count, axis):
    """Each element of x `count` times along `axis`: ab -> aabb."""
    x, count = as_variable(x), as_size(count)
    axis = axis_in("repeat", axis, x.ndim)
    head, tail = x.shape[:axis + 1], x.shape[axis + 1:]
    apart = broadcast_to(reshape(x, head + (1,) + tail), head + (count,) + tail)
    return reshape(apart, head[:-1] + (head[-1] * count,) + tail)


def full(shape, value, dtype):
    """A tensor of one value; a scalar Variable may be the value."""
    if not isinstance(value, Variable):
        value = constant(np.asarray(value).astype(dtype))
    return broadcast_to(value, shape)


def shape_of(x):
    """The shape as an int64 vector, which `as_sizes` can read back."""
    x = as_variable(x)
    if not any(isinstance(size, dims.Dim) for size in x.shape):
        return constant(np.asarray(x.shape, dtype="int64"))
    return stack([size_of(size) for size in x.shape])
