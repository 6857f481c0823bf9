"""Ops that choose elements by index: gather and its transposes, one_hot, arange, eye, x[...]."""
import numpy as np

from ..graph import (GraphError, Op, OutOfRangeError, ShapeError, TensorType, Variable,
                     apply, dims, op)
from ..graph.dtype import canonical
from .checks import (ANY, INTEGERS, NUMBERS, axis_in, need_axes, need_dtype, number, possible,
                     same_size)
from .convert import as_variable
from .samples import sample, values
from .shape import reshape
from .sizes import as_size
from .slice import resolve, strided_slice

__all__ = ["gather", "scatter_add", "one_hot", "arange", "eye", "getitem"]


@op("gather", kind="index")
class Gather(Op):
    """The elements of x along `axis` at `indices`; -1..-n count from the end.

    Shapes: x (..., n, ...), indices (any) -> x's with n replaced by the shape of the indices.
    Raises: OutOfRangeError when called with an index outside of -n..n-1.
    """

    axis: int = 0

    accepts = ANY
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, x, indices):
        need_dtype(self.name, "indices", indices, INTEGERS)
        need_axes(self.name, (self.axis,), x.ndim)
        return x.with_shape(x.shape[:self.axis] + indices.shape + x.shape[self.axis + 1:])

    def reference(self, x, indices):
        check_range(self.name, indices, x.shape[self.axis])
        return np.take(x, indices.astype("int64"), self.axis)

    def grad(self, x, indices, y, g):
        return apply(ScatterAdd(self.axis, x.shape[self.axis]), g, indices), None

    samples = [sample((5, 3), values((4,), "int64", -5, 4), axis=0),
               sample((5, 3), values((2, 2), "int32", 0, 2), axis=1),
               sample((2, 5, 3), values((4,), "int64", 0, 4), axis=1),
               sample((5,), values((), "int64", 0, 4), axis=0),
               sample((5, 3), values((0,), "int64", 0, 4), axis=0)]
    bad = [sample((5, 3), values((2,), "int64", 0, 2), axis=2, error="axis 2 is outside rank 2"),
           sample((5,), values((2,), "float32"), error="indices is (2,) float32")]


@op("scatter_add", kind="index")
class ScatterAdd(Op):
    """The transpose of gather: zeros with `size` elements along `axis`, and g added at the indices.

    Shapes: g as gather's result, indices -> g's with the axes of the indices replaced by size.
    """

    axis: int = 0
    size: object = 0

    accepts = NUMBERS
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, g, indices):
        need_dtype(self.name, "g", g, self.accepts)
        need_dtype(self.name, "indices", indices, INTEGERS)
        if not 0 <= self.axis <= g.ndim - indices.ndim:
            raise ShapeError("[scatter_add] g must have the axes of the indices from axis %d; g is "
                             "%r, the indices are %r." % (self.axis, g, indices))
        for k, size in enumerate(indices.shape):
            same_size(self.name, g.shape[self.axis + k], size, "the sizes of g and of the indices "
                      "must agree; g is %r, the indices are %r" % (g, indices))
        return g.with_shape(g.shape[:self.axis] + (self.size,)
                            + g.shape[self.axis + indices.ndim:])

    def reference(self, g, indices):
        x = np.zeros(g.shape[:self.axis] + (self.size,) + g.shape[self.axis + indices.ndim:],
                     g.dtype)
        check_range(self.name, indices, self.size)
        np.add.at(x, (slice(None),) * self.axis + (indices.astype("int64"),), g)
        return x

    def grad(self, g, indices, x, v):
        return apply(Gather(self.axis), v, indices), None

    samples = [sample((4, 3), values((4,), "int64", -5, 4), axis=0, size=5),
               sample((5, 2, 2), values((2, 2), "int32", 0, 2), axis=1, size=3),
               sample((3,), values((), "int64", 0, 4), axis=0, size=5),
               sample((0, 3), values((0,), "int64", 0, 4), axis=0, size=5)]
    bad = [sample((4, 3), values((5,), "int64", 0, 2), axis=0, size=5, error="must agree"),
           sample((4,), values((4,), "int64", 0, 2), axis=1, size=5, error="axes of the indices")]


@op("scatter_into", kind="index")
class ScatterInto(Op):
    """x with g added at the indices along `axis`, as scatter_add does with zeros.

    Shapes: x (..., n, ...), g as gather's result, indices (any) -> x's.
    """

    axis: int = 0

    accepts = NUMBERS
    domain = (-2.0, 2.0)
    smooth = True
    in_place = ((0, 0),)

    def infer(self, x, g, indices):
        need_axes(self.name, (self.axis,), x.ndim)
        added = ScatterAdd(self.axis, x.shape[self.axis]).infer(g, indices)
        if added.dtype != x.dtype or added.ndim != x.ndim:
            raise ShapeError("[scatter_into] g must have the shape of the rows of x at the "
                             "indices, and its dtype; x is %r, g is %r, the indices are %r."
                             % (x, g, indices))
        for given, wanted in zip(added.shape, x.shape):
            same_size(self.name, given, wanted, "the other sizes of g must be those of x; x is "
                      "%r, g is %r" % (x, g))
        return x

    def reference(self, x, g, indices):
        return x + ScatterAdd(self.axis, x.shape[self.axis]).reference(g, indices)

    def expand(self, x, g, indices):
        return x + apply(ScatterAdd(self.axis, x.shape[self.axis]), g, indices)

    def grad(self, x, g, indices, y, v):
        return v, apply(Gather(self.axis), v, indices), None

    samples = [sample((5, 3), (4, 3), values((4,), "int64", -5, 4), axis=0),
               sample((5, 3, 2), (5, 2, 2, 2), values((2, 2), "int32", 0, 2), axis=1),
               sample((5,), (), values((), "int64", 0, 4), axis=0),
               sample((700, 65), (33, 65), values((33,), "int32", 0, 7), axis=0),
               sample((5, 3), (0, 3), values((0,), "int64", 0, 4), axis=0)]
    bad = [sample((5, 3), (4, 2), values((4,), "int64", 0, 2), axis=0, error="must be those of x"),
           sample((5, 3), (4, 3), values((5,), "int64", 0, 2), axis=0, error="must agree")]


@op("one_hot", kind="index")
class OneHot(Op):
    """1 at the index along a new last axis of size `depth`, else 0; nothing for other indices.

    Shapes: indices (any) -> (..., depth).  Dtypes: integers -> dtype.
    """

    depth: object = 0
    dtype: str = "float32"

    accepts = INTEGERS
    domain = (-2, 6)

    def infer(self, indices):
        need_dtype(self.name, "indices", indices, INTEGERS)
        return possible(self.name, TensorType(self.dtype, indices.shape + (self.depth,)))

    def reference(self, indices):
        return (indices[..., None] == np.arange(self.depth)).astype(self.dtype)

    def grad(self, indices, y, g):
        return None

    samples = [sample((4,), depth=5, dtype="float32"), sample((2, 3), depth=3, dtype="float64"),
               sample((), depth=4, dtype="int32"), sample((3,), depth=4, dtype="bool"),
               sample((0,), depth=4, dtype="float32"), sample((3,), depth=0, dtype="float32")]
    bad = [sample(values((3,), "float32"), depth=4, error="indices is (3,) float32")]


@op("arange", kind="index")
class Arange(Op):
    """start, start + step, ...: `size` numbers.  Shapes: -> (size,).  Dtypes: -> dtype."""

    start: float = 0
    step: float = 1
    size: object = 0
    dtype: str = "int32"

    def infer(self):
        need_dtype(self.name, "the result", TensorType(self.dtype, ()), NUMBERS)
        return possible(self.name, TensorType(self.dtype, (self.size,)))

    def reference(self):
        return (self.start + self.step * np.arange(self.size)).astype(self.dtype)

    def grad(self, y, g):
        return ()

    samples = [sample(size=5), sample(start=2.0, step=-0.5, size=4, dtype="float32"),
               sample(start=3, step=-2, size=7, dtype="int64"), sample(size=0, dtype="float64")]
    bad = [sample(size=3, dtype="bool", error="the result is () bool")]


def check_range(name, indices, size, lowest=None):
    """Raises OutOfRangeError unless all indices are in lowest..size-1 (by default -size)."""
    lowest = -size if lowest is None else lowest
    wrong = (indices < lowest) | (indices >= size)
    if wrong.any():
        position = int(np.argmax(wrong))
        raise OutOfRangeError("[%s] an index must be in %d..%d; %d was given at position %d."
                              % (name, lowest, size - 1, indices.reshape(-1)[position], position))


def gather(x, indices, axis=0):
    """The elements of x along `axis` at integer `indices`; negative ones count from the end."""
    x = as_variable(x)
    return apply(Gather(axis_in("gather", axis, x.ndim)), x, as_variable(indices))


def scatter_add(g, indices, axis, size):
    """Zeros with `size` elements along `axis`, and g added at the indices, in their order."""
    size = as_size(size)
    return apply(ScatterAdd(axis, size), as_variable(g), as_variable(indices))


def one_hot(indices, depth, dtype="float32"):
    """1 at the index along a new last axis of size `depth`, else 0."""
    depth = as_size(depth)
    return apply(OneHot(depth, canonical(dtype)), as_variable(indices))


def arange(start, stop=None, step=1, dtype=None):
    """The numbers from start (by default 0) to before stop.

    Args:     dtype: by default int32, or floatx's float32 if one of the numbers is a float.
    Raises:   ShapeError when the step is 0.
    """
    start, stop = (0, start) if stop is None else (start, stop)
    start, stop = (as_size(v) if isinstance(v, Variable) else v for v in (start, stop))
    for what, value in (("start", start), ("stop", stop), ("step", step)):
        if not isinstance(value, dims.Dim):
            number("arange", what, value)
    if step == 0:
        raise ShapeError("[arange] the step must not be 0.")
    real = any(isinstance(v, float) for v in (start, stop, step))
    if isinstance(stop, dims.Dim) or isinstance(start, dims.Dim):
        if real or isinstance(start, dims.Dim):
            raise GraphError("[arange] up to a symbolic size the numbers must be integers from an "
                             "integer; start is %r, stop is %r, step is %r." % (start, stop, step))
        length = stop - start if step > 0 else start - stop
        size = dims.maximum(dims.ceil_div(length, abs(step)), 0)
    else:
        size = max(0, int(np.ceil((stop - start) / step)))
    dtype = canonical(("float32" if real else "int32") if dtype is None else dtype)
    return apply(Arange(start, step, size, dtype))


def eye(size, columns=None, dtype="float32"):
    """1 on the diagonal of a matrix, else 0."""
    size = as_size(size)
    columns = size if columns is None else as_size(columns)
    return one_hot(arange(size, dtype="int64"), columns, dtype)


def getitem(x, key):
    """x[key] for integers, slices, None and Ellipsis, with NumPy's meaning.

    One of them may be a tensor of integers: it is as `gather` along its axis.

    Raises:   OutOfRangeError for an integer outside its axis, ShapeError for too many of them.
    """
    x = as_variable(x)
    items = _full_key(x, key if isinstance(key, tuple) else (key,))
    begin, step, sizes, shape = [], [], [], []
    axis, gathered = 0, None
    for item in items:
        if item is None:
            shape.append(1)
            continue
        if isinstance(item, Variable):
            gathered, item = (item, len(shape)), slice(None)
        if isinstance(item, slice):
            start, stride, size = resolve(item, x.shape[axis])
            shape.append(size)
        else:
            start, stride, size = _position(x, item, axis), 1, 1
        begin.append(start)
        step.append(stride)
        sizes.append(size)
        axis += 1
    result = reshape(strided_slice(x, begin, step, tuple(sizes)), shape)
    return result if gathered is None else gather(result, *gathered)


def _full_key(x, key):
    """The key with Ellipsis written out and missing axes added."""
    for item in key:
        if not (item is None or item is Ellipsis or isinstance(item, slice)
                or _is_integers(item)
                or hasattr(item, "__index__") and not isinstance(item, (bool, np.ndarray))):
            raise GraphError("[getitem] an index must be an integer, a slice, None, ... or a "
                             "tensor of integers; %r was given. Use gather for other indices."
                             % (item,))
    if sum(_is_integers(item) for item in key) > 1:
        raise GraphError("[getitem] at most one tensor may be an index; %s were given. Use gather."
                         % (key,))
    used = sum(item is not None and item is not Ellipsis for item in key)
    dots = sum(item is Ellipsis for item in key)
    if used > x.ndim or dots > 1:
        raise ShapeError("[getitem] at most one ... and one index per axis is possible; x is %r, "
                         "the index is %s." % (x.type, key))
    rest = (slice(None),) * (x.ndim - used)
    if not dots:
        return key + rest
    at = next(k for k, item in enumerate(key) if item is Ellipsis)
    return key[:at] + rest + key[at + 1:]


def _is_integers(item):
    return isinstance(item, Variable) and item.dtype in INTEGERS


def _position(x, item, axis):
    """An integer index counted from the front."""
    index, size = int(item), x.shape[axis]
    if not isinstance(size, dims.Dim) and not -size <= index < size:
        raise OutOfRangeError("[getitem] an index of axis %d must be in %d..%d; x is %r, %d was "
                              "given." % (axis, -size, size - 1, x.type, index))
    return index + size if index < 0 else index
