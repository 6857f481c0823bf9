"""What the ops of ONNX mean in symk: the table of `elementwise.py` read backwards, and functions
for the other ops on elements, shapes and order. Axes and shapes may be operands; they are read as
sizes.
"""
import math

import numpy as np

from ... import ops
from ...graph import GraphError, dims
from ...graph import dtype as dtypes
from ...graph.node import Constant
from .elementwise import SAME
from .table import MEANINGS, meaning

__all__ = ["number_of", "numbers_of", "spatial"]

_FAR = 2 ** 31 - 1       # as a place in a slice: beyond every end

def _plain(function):
    return lambda r, a, *operands: function(*operands)


MEANINGS.update({onnx: _plain(getattr(ops, name)) for name, onnx in SAME.items()})
MEANINGS.update({
    "Relu": _plain(ops.relu), "Identity": _plain(ops.identity),
    "Not": _plain(ops.logical_not), "Shape": lambda r, a, x: ops.shape_of(x)[
        a("start", 0):a("end", _FAR) if a("end", _FAR) < _FAR else None],
    "Size": lambda r, a, x: ops.size_of(x.type.size),
    "Elu": lambda r, a, x: ops.elu(x, a("alpha", 1.0)),
    "LeakyRelu": lambda r, a, x: ops.where(x < 0, x * a("alpha", 0.01), x),
    "PRelu": lambda r, a, x, slope: ops.where(x < 0, x * slope, x),
    "ThresholdedRelu": lambda r, a, x: ops.where(x > a("alpha", 1.0), x, 0),
    "HardSigmoid": lambda r, a, x: ops.clip(x * a("alpha", 0.2) + a("beta", 0.5), 0, 1),
    "HardSwish": lambda r, a, x: x * ops.clip(x * (1 / 6) + 0.5, 0, 1),
    "Selu": lambda r, a, x: ops.elu(x, a("alpha", 1.6732632)) * a("gamma", 1.0507010),
    "Celu": lambda r, a, x: ops.maximum(x, 0) + a("alpha", 1.0) * ops.expm1(
        ops.minimum(x, 0) / a("alpha", 1.0)),
    "Mish": lambda r, a, x: x * ops.tanh(ops.softplus(x)),
    "Sum": lambda r, a, *parts: _joined(ops.add, parts),
    "Max": lambda r, a, *parts: _joined(ops.maximum, parts),
    "Min": lambda r, a, *parts: _joined(ops.minimum, parts),
    "Mean": lambda r, a, *parts: _joined(ops.add, parts) / len(parts),
    "MatMul": lambda r, a, x, y: _matmul(x, y),
    "Softmax": lambda r, a, x: ops.softmax(x, a("axis", -1)),
    "LogSoftmax": lambda r, a, x: ops.log_softmax(x, a("axis", -1)),
    "Concat": lambda r, a, *parts: ops.concat(parts, a("axis")),
    "Transpose": lambda r, a, x: ops.transpose(x, a("perm")),
    "Gather": lambda r, a, x, indices: ops.gather(x, indices, a("axis", 0)),
    "Tile": lambda r, a, x, counts: ops.tile(x, ops.as_sizes(counts)),
    "GlobalAveragePool": lambda r, a, x: ops.mean(x, spatial(x), keepdims=True),
    "GlobalMaxPool": lambda r, a, x: ops.max(x, spatial(x), keepdims=True),
})


def _joined(function, parts):
    result = parts[0]
    for part in parts[1:]:
        result = function(result, part)
    return result


def spatial(x):
    """The axes of an image but for batch and channels."""
    return tuple(range(2, x.ndim))


def number_of(variable, what):
    """The number that an operand is, which must be fixed."""
    values = numbers_of(variable, what)
    if len(values) != 1:
        raise GraphError("%s must be one number; it is %r." % (what, variable))
    return values[0]


def numbers_of(variable, what):
    """The numbers of an operand, which must be fixed."""
    if not isinstance(variable, Constant):
        raise GraphError("%s must be fixed numbers; they are %r." % (what, variable))
    return variable.value.reshape(-1).tolist()


def _matmul(a, b):
    """NumPy's rule: vectors are rows or columns."""
    x = ops.expand_dims(a, 0) if a.ndim == 1 else a
    y = ops.expand_dims(b, 1) if b.ndim == 1 else b
    z = ops.matmul(x, y)
    z = ops.squeeze(z, -1) if b.ndim == 1 else z
    return ops.squeeze(z, -2 if b.ndim > 1 else -1) if a.ndim == 1 else z


# --- elements ---

@meaning("Div")
def _div(r, a, x, y):
    """Integers are cut towards zero."""
    if dtypes.is_float(x.dtype):
        return ops.div(x, y)
    if _are_sizes(x, y):
        return ops.floor_div(x, y)
    return ops.sign(x) * ops.sign(y) * ops.floor_div(ops.abs(x), ops.abs(y))


def _are_sizes(*variables):
    """Whether variables are made of sizes, which are not negative."""
    try:
        sizes = [size for variable in variables for size in ops.as_sizes(variable)]
    except GraphError:
        return False
    return all(isinstance(size, dims.Dim) or size >= 0 for size in sizes)


@meaning("Mod")
def _mod(r, a, x, y):
    """With the sign of y; with fmod of x."""
    if a("fmod", 0):
        return ops.sign(x) * ops.mod(ops.abs(x), ops.abs(y))
    return ops.mod(x, y)


@meaning("IsInf")
def _is_inf(r, a, x):
    found = ops.isinf(x)
    found = found if a("detect_positive", 1) else ops.logical_and(found, x < 0)
    return found if a("detect_negative", 1) else ops.logical_and(found, x > 0)


@meaning("Dropout")
def _dropout(r, a, x, rate=None, training=None):
    if training is not None and number_of(training, "training_mode"):
        raise GraphError("training_mode must be False.")
    return [x, ops.full(x.shape, True, "bool")]


@meaning("Pow")
def _pow(r, a, x, y):
    return ops.pow(x, ops.cast(y, x.dtype))


@meaning("Clip")
def _clip(r, a, x, low=None, high=None):
    x = x if low is None else ops.maximum(x, low)
    return x if high is None else ops.minimum(x, high)


@meaning("Cast")
def _cast(r, a, x):
    return ops.cast(x, r.onnx.helper.tensor_dtype_to_np_dtype(a("to")))


@meaning("CastLike")
def _cast_like(r, a, x, like):
    return ops.cast(x, like.dtype)


@meaning("Gelu")
def _gelu(r, a, x):
    if a("approximate", "none") == "tanh":
        return x * 0.5 * (1 + ops.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return x * 0.5 * (1 + ops.erf(x * math.sqrt(0.5)))


# --- constants ---

@meaning("Constant")
def _constant(r, a):
    for name, dtype in (("value", None), ("value_float", "float32"), ("value_floats", "float32"),
                        ("value_int", "int64"), ("value_ints", "int64")):
        if a(name) is not None:
            return Constant(np.asarray(a(name), dtype))
    raise GraphError("a constant must be of numbers.")


@meaning("ConstantOfShape")
def _constant_of_shape(r, a, shape):
    value = a("value", np.zeros(1, "float32"))
    return ops.full(ops.as_sizes(shape), value.reshape(()), value.dtype)


@meaning("Range")
def _range(r, a, start, limit, delta):
    if not dtypes.is_integer(start.dtype):
        start, limit, delta = (number_of(v, "a range of floats") for v in (start, limit, delta))
        return ops.arange(start, limit, delta, dtype="float32")
    (first,), (last,), (step,) = map(ops.as_sizes, (start, limit, delta))
    return ops.arange(first, last, step, dtype=start.dtype)


@meaning("OneHot")
def _one_hot(r, a, indices, depth, values):
    depth, = ops.as_sizes(depth)
    indices = ops.cast(indices, "int64")
    chosen = ops.one_hot(ops.where(indices < 0, indices + depth, indices), depth, "bool")
    axis = a("axis", -1) % chosen.ndim
    order = list(range(chosen.ndim - 1))
    order.insert(axis, chosen.ndim - 1)
    return ops.where(ops.transpose(chosen, order), values[1], values[0])


# --- shapes ---

@meaning("Reshape")
def _reshape(r, a, x, shape):
    sizes = list(ops.as_sizes(shape))
    if not a("allowzero", 0):
        sizes = [x.shape[axis] if not isinstance(size, dims.Dim) and size == 0 else size
                 for axis, size in enumerate(sizes)]
    return ops.reshape(x, sizes)


@meaning("Flatten")
def _flatten(r, a, x):
    axis = a("axis", 1) + (x.ndim if a("axis", 1) < 0 else 0)
    return ops.reshape(x, (dims.product(x.shape[:axis]), dims.product(x.shape[axis:])))


@meaning("Squeeze")
def _squeeze(r, a, x, axes=None):
    chosen = ([axis for axis, size in enumerate(x.shape) if not isinstance(size, dims.Dim)
               and size == 1] if axes is None else
              [axis % x.ndim for axis in ops.as_sizes(axes)])
    for axis in sorted(chosen, reverse=True):
        x = ops.squeeze(x, axis)
    return x


@meaning("Unsqueeze")
def _unsqueeze(r, a, x, axes):
    axes = ops.as_sizes(axes)
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = ops.expand_dims(x, axis)
    return x


@meaning("Expand")
def _expand(r, a, x, shape):
    wanted = ops.as_sizes(shape)
    rank = max(len(wanted), x.ndim)
    pairs = zip((1,) * (rank - x.ndim) + x.shape, (1,) * (rank - len(wanted)) + wanted)
    sizes = [dims.broadcast(have, want) for have, want in pairs]
    if None in sizes:
        raise GraphError("the shapes must broadcast; they are %s and %s." % (x.shape, wanted))
    return ops.broadcast_to(x, sizes)


@meaning("Slice")
def _slice(r, a, x, starts, ends, axes=None, steps=None):
    starts, ends = ops.as_sizes(starts), ops.as_sizes(ends)
    axes = range(len(starts)) if axes is None else ops.as_sizes(axes)
    steps = (1,) * len(starts) if steps is None else ops.as_sizes(steps)
    key = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        key[axis] = slice(_place(start), _place(end), step)
    return x[tuple(key)]


def _place(value):
    """A place in a slice; None for one that is beyond every end."""
    return None if not isinstance(value, dims.Dim) and abs(value) >= _FAR else value


@meaning("Split")
def _split(r, a, x, sizes=None):
    axis = a("axis", 0)
    if sizes is not None:
        return ops.split(x, list(ops.as_sizes(sizes)), axis)
    count = a("num_outputs", len(a.outputs))
    size = dims.ceil_div(x.shape[axis], count)
    rest = x.shape[axis] - size * (count - 1)
    return ops.split(x, [size] * (count - 1) + [rest], axis)


@meaning("DepthToSpace")
def _depth_to_space(r, a, x):
    size = a("blocksize")
    batch, channels, rows, columns = x.shape
    left = dims.floor_div(channels, size * size)
    if a("mode", "DCR") == "DCR":
        x = ops.transpose(ops.reshape(x, (batch, size, size, left, rows, columns)),
                          (0, 3, 4, 1, 5, 2))
    else:
        x = ops.transpose(ops.reshape(x, (batch, left, size, size, rows, columns)),
                          (0, 1, 4, 2, 5, 3))
    return ops.reshape(x, (batch, left, rows * size, columns * size))


@meaning("SpaceToDepth")
def _space_to_depth(r, a, x):
    a.need("mode", "DCR")
    size = a("blocksize")
    batch, channels, rows, columns = x.shape
    rows, columns = dims.floor_div(rows, size), dims.floor_div(columns, size)
    x = ops.transpose(ops.reshape(x, (batch, channels, rows, size, columns, size)),
                      (0, 3, 5, 1, 2, 4))
    return ops.reshape(x, (batch, channels * size * size, rows, columns))


# --- reductions and order ---

def _reduction(compute):
    def said(r, a, x, axes=None):
        chosen = a("axes") if axes is None else list(ops.as_sizes(axes))
        if not chosen:
            if a("noop_with_empty_axes", 0):
                return x
            chosen = list(range(x.ndim))
        return compute(x, tuple(chosen), bool(a("keepdims", 1)))
    return said


MEANINGS.update({
    "ReduceSum": _reduction(ops.sum), "ReduceMean": _reduction(ops.mean),
    "ReduceMax": _reduction(ops.max), "ReduceMin": _reduction(ops.min),
    "ReduceProd": _reduction(ops.prod), "ReduceLogSumExp": _reduction(ops.logsumexp),
    "ReduceL1": _reduction(lambda x, axes, keep: ops.sum(ops.abs(x), axes, keep)),
    "ReduceL2": _reduction(lambda x, axes, keep: ops.sqrt(ops.sum(ops.square(x), axes, keep))),
    "ReduceSumSquare": _reduction(lambda x, axes, keep: ops.sum(ops.square(x), axes, keep)),
    "ReduceLogSum": _reduction(lambda x, axes, keep: ops.log(ops.sum(x, axes, keep)))})


def _position(compute):
    def said(r, a, x):
        a.need("select_last_index", 0)
        found = compute(x, a("axis", 0))
        return ops.expand_dims(found, a("axis", 0) % x.ndim) if a("keepdims", 1) else found
    return said


MEANINGS.update({"ArgMax": _position(ops.argmax), "ArgMin": _position(ops.argmin)})


@meaning("TopK")
def _top_k(r, a, x, k):
    a.need("largest", 1)
    a.need("axis", -1, x.ndim - 1)
    return ops.top_k(x, ops.as_sizes(k)[0])


@meaning("CumSum")
def _cumsum(r, a, x, axis):
    return ops.cumsum(x, ops.as_sizes(axis)[0], bool(a("exclusive", 0)), bool(a("reverse", 0)))


@meaning("ScatterND")
def _scatter_nd(r, a, x, indices, updates):
    if a("reduction") != "add" or dims.known_different(indices.shape[-1], 1):
        raise GraphError("rows must be added; the indices are %r." % indices.type)
    return x + ops.scatter_add(updates, ops.squeeze(indices, -1), 0, x.shape[0])
