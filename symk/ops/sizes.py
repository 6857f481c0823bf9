"""Sizes as tensors, and tensors as sizes: `size_of` a Dim, and `as_sizes` the way back.

A tensor made of sizes by plain arithmetic and indexing stays readable as sizes, so that
`reshape(x, shape_of(y) * 2)` has a known symbolic shape.
"""
import numpy as np

from ..graph import GraphError, Op, ShapeError, TensorType, Variable, apply, dims, op
from ..graph.node import Constant
from ..graph.walk import nodes_of
from .checks import integer_of, possible
from .samples import sample

__all__ = ["Size", "size_of", "as_size", "as_sizes", "known_sizes"]


@op("size", kind="size")
class Size(Op):
    """The number `size`, evaluated when the function is called.  Shapes: -> ()."""

    size: object = 0

    def infer(self):
        return TensorType("int64", ())

    def reference(self):
        return np.asarray(self.size)

    def grad(self, y, g):
        return ()

    samples = [sample(size=3)]


def size_of(size):
    """A size (an int or a Dim) as an int64 scalar Variable."""
    return apply(Size(size)) if isinstance(size, dims.Dim) else Constant(size, "int64")


def as_sizes(value):
    """A shape as a tuple of ints and Dims.

    Args:     value: an int, a Dim, an integer Variable made of sizes, or a sequence of them.
    Raises:   GraphError when a Variable depends on data and not only on sizes.
    """
    if isinstance(value, Variable):
        return tuple(_symbolic_values(value).reshape(-1))
    if isinstance(value, np.ndarray):
        value = value.reshape(-1).tolist()
    if not isinstance(value, (tuple, list)):
        value = (value,)
    return tuple(size for item in value for size in _one(item))


def as_size(value):
    """One size, as `as_sizes` takes it."""
    sizes = as_sizes(value)
    if len(sizes) != 1:
        raise GraphError("[shape] one size is required; %r was given." % (value,))
    return sizes[0]


def known_sizes(name, shape):
    """A shape as integers that an array can have.

    Raises:   ShapeError.
    """
    sizes = as_sizes(shape)
    if any(isinstance(size, dims.Dim) for size in sizes):
        raise ShapeError("[%s] sizes must be known; the shape %s was given." % (name, sizes))
    if any(size < 0 for size in sizes):
        raise ShapeError("[%s] sizes must not be negative; the shape %s was given." % (name, sizes))
    possible(name, TensorType("float32", sizes))
    return sizes


def _one(item):
    """The sizes that one item of a shape stands for."""
    if isinstance(item, dims.Dim):
        return (item,)
    if isinstance(item, Variable):
        return as_sizes(item)
    size = integer_of(item)
    if size is not None and -2 ** 63 <= size < 2 ** 63:
        return (size,)
    raise GraphError("[shape] a size must be an integer of 64 bits, a symbolic size or a tensor "
                     "made of sizes; %r was given." % (item,))


def _symbolic_values(variable):
    """The value of a Variable as an array of ints and Dims."""
    known = {}
    for node in nodes_of([variable]):
        rule = _RULES.get(node.op.name, _data_dependent)
        operands = [_source(v) if v.node is None else known[v] for v in node.inputs]
        known[node.outputs[0]] = np.asarray(rule(node.op, *operands), dtype=object)
    return known[variable] if variable.node is not None else _source(variable)


def _source(variable):
    if not isinstance(variable, Constant) or variable.value.dtype.kind not in "iu":
        _data_dependent(variable)
    return variable.value.astype(object)


def _data_dependent(what, *operands):
    raise GraphError("[shape] a shape must follow from the sizes of the inputs; it depends on the "
                     "data of %r. Give the size as an integer, or compute it from shapes."
                     % (what,))


def _by_reference(op, *operands):
    """NumPy's meaning works on arrays of ints and Dims alike."""
    return op.reference(*operands)


_RULES = dict.fromkeys(
    ("add", "sub", "mul", "floor_div", "mod", "neg", "sum", "prod", "reshape", "identity",
     "stop_gradient", "concat", "slice", "gather", "transpose", "broadcast_to"), _by_reference)
_RULES["size"] = lambda op: op.size
_RULES["cast"] = lambda op, x: x
_RULES["maximum"] = lambda op, a, b: np.frompyfunc(dims.maximum, 2, 1)(a, b)
_RULES["minimum"] = lambda op, a, b: np.frompyfunc(dims.minimum, 2, 1)(a, b)
