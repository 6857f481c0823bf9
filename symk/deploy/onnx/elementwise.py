"""Elementwise ops: most have an op of the same meaning in ONNX, the others are put together."""
import numpy as np

from ...graph import dtype as dtypes
from ...graph.node import Constant
from .table import First, rule

__all__ = ["SAME", "write_unary"]

# symk -> ONNX, where the meaning is the same for all dtypes that symk takes.
SAME = {
    "neg": "Neg", "sign": "Sign", "abs": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
    "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin",
    "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh",
    "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "sigmoid": "Sigmoid",
    "softplus": "Softplus", "softsign": "Softsign", "erf": "Erf", "floor": "Floor", "ceil": "Ceil",
    "round": "Round", "isnan": "IsNaN", "isinf": "IsInf", "logical_not": "Not", "add": "Add",
    "sub": "Sub", "mul": "Mul", "div": "Div", "maximum": "Max", "minimum": "Min", "pow": "Pow",
    "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
    "greater_equal": "GreaterOrEqual", "logical_and": "And", "logical_or": "Or",
    "logical_xor": "Xor", "where": "Where"}


def _relu(w, op, dtype, x):
    if dtypes.is_float(dtype):
        return w.emit("Relu", x)
    return w.emit("Max", x, w.constant(0, dtype=dtype))


def _expm1(w, op, dtype, x):
    """exp(x) - 1 as 2 exp(x / 2) sinh(x / 2), which keeps its digits near 0."""
    half = w.emit("Mul", x, w.constant(0.5, dtype=dtype))
    product = w.emit("Mul", w.emit("Exp", half), w.emit("Sinh", half))
    return w.emit("Mul", product, w.constant(2, dtype=dtype))


def _log1p(w, op, dtype, x):
    """log(1 + x) as 2 atanh(x / (x + 2)), which keeps its digits near 0."""
    ratio = w.emit("Div", x, w.emit("Add", x, w.constant(2, dtype=dtype)))
    return w.emit("Mul", w.emit("Atanh", ratio), w.constant(2, dtype=dtype))


def _floor_div(w, op, dtype, a, b):
    if dtypes.is_float(dtype):
        return w.emit("Floor", w.emit("Div", a, b))
    return w.emit("Div", w.emit("Sub", a, w.emit("Mod", a, b)), b)


def _mod(w, op, dtype, a, b):
    if not dtypes.is_float(dtype):
        return w.emit("Mod", a, b)
    return w.emit("Sub", a, w.emit("Mul", b, w.emit("Floor", w.emit("Div", a, b))))


def _elu(w, op, dtype, x, alpha):
    """x where it is positive, else alpha (exp(x) - 1)."""
    zero = w.constant(0, dtype=dtype)
    below = w.emit("Elu", w.emit("Min", x, zero))
    return w.emit("Add", w.emit("Max", x, zero), w.emit("Mul", alpha, below))


def _clip(w, op, dtype, x, low, high):
    return w.emit("Min", w.emit("Max", x, low), high)


_COMPOSED = {
    "square": lambda w, op, dtype, x: w.emit("Mul", x, x),
    "rsqrt": lambda w, op, dtype, x: w.emit("Reciprocal", w.emit("Sqrt", x)),
    "not_equal": lambda w, op, dtype, a, b: w.emit("Not", w.emit("Equal", a, b)),
    "relu": _relu, "expm1": _expm1, "log1p": _log1p, "floor_div": _floor_div, "mod": _mod,
    "elu": _elu, "clip": _clip}


def write_unary(w, name, dtype, x):
    """The op of one operand with this name, of a value that is known by its name alone."""
    if name in SAME:
        return w.emit(SAME[name], x)
    return _COMPOSED[name](w, None, dtype, x)


@rule(*SAME)
def _same(w, node):
    kind = SAME[node.op.name]
    return _in_layout(w, node, lambda *names: w.emit(kind, *names))


@rule(*_COMPOSED)
def _composed(w, node):
    compute, dtype = _COMPOSED[node.op.name], node.inputs[0].dtype
    if node.op.name == "elu" and _number(node.inputs[1]) is not None:
        alpha = _number(node.inputs[1])
        compute = lambda w, op, dtype, x, _: w.emit("Elu", x, alpha=alpha)
    if node.op.name == "clip" and not node.inputs[1].ndim and not node.inputs[2].ndim:
        compute = lambda w, op, dtype, *names: w.emit("Clip", *names)
    return _in_layout(w, node, lambda *names: compute(w, node.op, dtype, *names))


@rule("cast")
def _cast(w, node):
    x, to = node.inputs[0], node.op.dtype
    if dtypes.is_float(x.dtype) and dtypes.is_integer(to):
        limit = np.iinfo(to)
        low, high = (w.constant(_inside(value, x.dtype), dtype=x.dtype)
                     for value in (limit.min, limit.max))
        zero = w.constant(0, dtype=x.dtype)
        return _in_layout(w, node, lambda name: w.cast(
            w.emit("Where", w.emit("IsNaN", name), zero, w.emit("Clip", name, low, high)), to))
    return _in_layout(w, node, lambda name: w.cast(name, to))


def _inside(limit, dtype):
    """The float nearest to a limit of an integer dtype that is not beyond it."""
    value = np.dtype(dtype).type(limit)
    if not np.isfinite(value):
        return np.copysign(np.finfo(dtype).max, value)
    return value if abs(int(value)) <= abs(limit) else np.nextafter(value, np.dtype(dtype).type(0))


def _number(variable):
    """The number that a constant is everywhere, or None."""
    value = variable.value if isinstance(variable, Constant) else None
    return float(value.flat[0]) if value is not None and value.size == 1 else None


def _in_layout(w, node, compute):
    """compute(names) with the operands in the form in which they are there."""
    rank = node.outputs[0].ndim
    if rank > 2 and any(w.is_only_first(variable) for variable in node.inputs):
        names = [_with_channels_first(w, variable, rank) for variable in node.inputs]
        if None not in names:
            return First(compute(*names))
    return compute(*(w.name(variable) for variable in node.inputs))


def _with_channels_first(w, variable, rank):
    """The name of an operand whose channels meet the second axis; None if it has to be moved."""
    if variable.ndim == rank:
        return w.first(variable)
    if variable.ndim == 0:
        return w.name(variable)
    if variable.ndim == 1 and isinstance(variable, Constant):
        value = variable.value
        return w.constant(value.reshape(value.shape + (1,) * (rank - 2)), variable.name)
    return None
