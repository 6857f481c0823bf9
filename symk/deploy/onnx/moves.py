"""Ops that move elements: shapes, slices, padding, and choosing by index."""
import numpy as np

from ...graph import dims
from .table import First, rule
from .writer import to_first, to_last

__all__ = ["numbers"]

_END = np.iinfo("int64")


@rule("identity", "stop_gradient", "after", "placed", "with_rows")
def _alias(w, node):
    x = node.inputs[0]
    return First(w.first(x)) if w.is_only_first(x) else w.name(x)


@rule("size")
def _size(w, node):
    return w.emit("Squeeze", w.size(node.op.size), w.integers(0))


@rule("reshape")
def _reshape(w, node):
    x, shape = node.inputs[0], node.op.shape
    if x.shape == shape:
        return _alias(w, node)
    names = [None if isinstance(size, dims.Dim) else size for size in shape]
    kept = [axis for axis, size in enumerate(shape)
            if names[axis] is None and axis < x.ndim and x.shape[axis] == size]
    open_axes = [axis for axis, name in enumerate(names) if name is None and axis not in kept]
    if 0 in names or len(open_axes) > 1:
        return w.emit("Reshape", w.name(x), w.shape(shape), allowzero=1)
    for axis in range(len(shape)):
        names[axis] = 0 if axis in kept else -1 if axis in open_axes else names[axis]
    return w.emit("Reshape", w.name(x), w.integers(*names))


@rule("transpose")
def _transpose(w, node):
    x, order = node.inputs[0], node.op.perm
    if x.ndim > 2 and order == to_first(x.ndim) and w.has_first(x):
        return w.first(x)
    if x.ndim > 2 and order == to_last(x.ndim):
        return First(w.name(x))
    return w.emit("Transpose", w.name(x), perm=order)


@rule("broadcast_to")
def _broadcast_to(w, node):
    return w.emit("Expand", w.name(node.inputs[0]), w.shape(node.op.shape))


@rule("concat")
def _concat(w, node):
    rank, axis = node.outputs[0].ndim, node.op.axis
    if rank > 2 and any(map(w.is_only_first, node.inputs)):
        return First(w.emit("Concat", *map(w.first, node.inputs),
                            axis=to_first(rank).index(axis)))
    return w.emit("Concat", *map(w.name, node.inputs), axis=axis)


@rule("pad")
def _pad(w, node):
    x, op = node.inputs[0], node.op
    if not any(isinstance(width, dims.Dim) or width for width in op.before + op.after):
        return _alias(w, node)
    value = w.constant(op.value, dtype=x.dtype)
    if w.is_only_first(x):
        before, after = ([widths[axis] for axis in to_first(x.ndim)]
                         for widths in (op.before, op.after))
        return First(w.emit("Pad", w.first(x), w.shape(before + after), value))
    return w.emit("Pad", w.name(x), w.shape(op.before + op.after), value)


@rule("slice")
def _slice(w, node):
    x, op = node.inputs[0], node.op
    axes = [axis for axis in range(x.ndim) if op.step[axis] != 1 or op.begin[axis] != 0
            or op.shape[axis] != x.shape[axis]]
    if not axes:
        return _alias(w, node)
    begin, step, shape = ([values[axis] for axis in axes]
                          for values in (op.begin, op.step, op.shape))
    ends = _ends(w, begin, step, shape)
    if w.is_only_first(x):
        places = [to_first(x.ndim).index(axis) for axis in axes]
        return First(w.emit("Slice", w.first(x), w.shape(begin), ends, w.integers(*places),
                            w.integers(*step)))
    return w.emit("Slice", w.name(x), w.shape(begin), ends, w.integers(*axes), w.integers(*step))


def _ends(w, begin, step, shape):
    """Where slices stop. Before the first element is no place in ONNX: -1 is the last one."""
    ends = [start + stride * size for start, stride, size in zip(begin, step, shape)]
    ends = [_END.min if not isinstance(end, dims.Dim) and end < 0 else end for end in ends]
    name = w.shape(ends)
    if not any(isinstance(end, dims.Dim) and stride < 0 for end, stride in zip(ends, step)):
        return name
    return w.emit("Where", w.emit("Less", name, w.integers(0)), w.integers(_END.min), name)


@rule("slice_grad")
def _slice_grad(w, node):
    """The slice laid into zeros: padded, where no elements are left out between."""
    x, op = node.inputs[0], node.op
    if any(step != 1 for step in op.step):
        w.refuse(node, "there is none with a step other than 1")
    after = [size - start - inner for size, start, inner in zip(op.shape, op.begin, x.shape)]
    return w.emit("Pad", w.name(x), w.shape(list(op.begin) + after),
                  w.constant(0, dtype=x.dtype))


@rule("gather")
def _gather(w, node):
    x, indices = node.inputs
    return w.emit("Gather", w.name(x), _as_index(w, indices), axis=node.op.axis)


def _as_index(w, indices):
    """Indices in a dtype that ONNX takes."""
    known = indices.dtype in ("int32", "int64")
    return w.name(indices) if known else w.cast(w.name(indices), "int64")


@rule("scatter_add")
def _scatter_add(w, node):
    """The axis first, so that rows are added."""
    (g, indices), op = node.inputs, node.op
    axes = list(range(g.ndim))
    front = axes[op.axis:op.axis + indices.ndim]
    rest = axes[:op.axis] + axes[op.axis + indices.ndim:]
    rows = w.emit("Transpose", w.name(g), perm=front + rest) if axes else w.name(g)
    shape = [op.size] + [g.shape[axis] for axis in rest]
    zeros = w.emit("Expand", w.constant(0, dtype=g.dtype), w.shape(shape))
    places = w.emit("Unsqueeze", w.cast(w.name(indices), "int64"), w.integers(-1))
    total = w.emit("ScatterND", zeros, places, rows, reduction="add")
    back = list(range(1, op.axis + 1)) + [0] + list(range(op.axis + 1, len(shape)))
    return w.emit("Transpose", total, perm=back)


@rule("one_hot")
def _one_hot(w, node):
    """Compared with the numbers of the classes: an index that is none of them gives zeros."""
    indices, op = node.inputs[0], node.op
    column = w.emit("Unsqueeze", w.cast(w.name(indices), "int64"), w.integers(-1))
    hit = w.emit("Equal", column, numbers(w, op.depth))
    return hit if op.dtype == "bool" else w.cast(hit, op.dtype)


def numbers(w, size):
    """The name of 0, 1, ..., size - 1 as int64."""
    if not isinstance(size, dims.Dim):
        return w.constant(np.arange(size, dtype="int64"))
    stop = w.emit("Squeeze", w.size(size), w.integers(0))
    return w.emit("Range", w.constant(np.int64(0)), stop, w.constant(np.int64(1)))


@rule("arange")
def _arange(w, node):
    op = node.op
    if not isinstance(op.size, dims.Dim):
        return w.constant(op.reference())
    steps = w.cast(numbers(w, op.size), op.dtype)
    scaled = w.emit("Mul", steps, w.constant(op.step, dtype=op.dtype))
    return w.emit("Add", scaled, w.constant(op.start, dtype=op.dtype))
