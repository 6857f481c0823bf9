"""Rules that say the same with less work. None changes a value beyond rounding, for any input:
x * 0 and x - x stay for floats, because x may be infinite or not a number.
"""
from .. import ops
from ..graph import dims
from ..graph.dtype import is_bool, is_float, is_integer
from .pattern import NUMBER, number_of
from .rewrite import rule, use

__all__ = ["SIMPLIFY"]

# Integers of so many bits are exact in the float dtype.
_EXACT_BITS = {"float16": 11, "float32": 24, "float64": 53}
_INTEGER_BITS = {"int8": 7, "uint8": 8, "int16": 15, "int32": 31, "int64": 63}


def _fits(narrow, wide):
    """Whether every value of one dtype is a value of another."""
    if narrow == wide or is_bool(narrow):
        return True
    if is_float(narrow):
        return is_float(wide) and _EXACT_BITS[narrow] <= _EXACT_BITS[wide]
    if is_float(wide):
        return _INTEGER_BITS[narrow] <= _EXACT_BITS[wide]
    signed = narrow != "uint8" or wide != "int8"
    return (is_integer(wide) and signed and wide != "uint8"
            and _INTEGER_BITS[narrow] <= _INTEGER_BITS[wide])


def _known_condition(m):
    """The branch that a known condition takes."""
    return ops.broadcast_to(m.a if m.number("c") else m.b, m.root.shape)


def _sum_of_sum(m):
    """One sum over the axes of both, as axes of x."""
    inner, outer = m.op("i"), m.op("y")
    if inner.keepdims != outer.keepdims:
        return None
    left = [axis for axis in range(m.x.ndim) if inner.keepdims or axis not in inner.axes]
    axes = set(inner.axes) | {left[axis] for axis in outer.axes}
    return ops.sum(m.x, sorted(axes), inner.keepdims)


def _sum_of_number(m):
    """The sum of elements that are all one number; only where that is exact."""
    number = number_of(m.c)
    if number not in (-1, 0, 1):
        return None
    count = ops.size_of(dims.product(m.c.shape[axis] for axis in m.op("s").axes))
    return ops.broadcast_to(ops.cast(count, m.c.dtype) * number, m.root.shape)


def _power(m):
    """x ** c for the few small c that are cheaper as products."""
    number = m.number("c")
    if number == 1:
        return m.x
    if number == 2:
        return ops.square(m.x)
    if number == 3:
        return ops.mul(m.x, ops.square(m.x))
    return ops.reciprocal(m.x) if number == -1 and is_float(m.x.dtype) else None


def _is_whole_slice(m):
    op = m.op("y")
    return all(step == 1 for step in op.step) and op.shape == m.x.shape


SIMPLIFY = [
    # --- neutral elements ---
    rule("x * 1 -> x", ("mul", "x", 1), "x", example=lambda x: x * 1),
    rule("x + 0 -> x", ("add", "x", 0), "x", example=lambda x: x + 0),
    rule("x - 0 -> x", ("sub", "x", 0), "x", example=lambda x: x - 0),
    rule("x / 1 -> x", ("div", "x", 1), "x", example=lambda x: x / 1),
    rule("x * -1 -> -x", ("mul", "x", -1), ("neg", "x"), example=lambda x: x * -1),
    rule("x * 0 -> 0, integers", ("mul", "x", 0), lambda m: ops.full(m.root.shape, 0, m.x.dtype),
         when=lambda m: is_integer(m.x.dtype), dtype="int32", example=lambda x: x * 0),
    rule("x - x -> 0, integers", ("sub", "x", "x"),
         lambda m: ops.full(m.root.shape, 0, m.x.dtype),
         when=lambda m: is_integer(m.x.dtype), dtype="int32", example=lambda x: x - x),
    rule("x and True -> x", ("logical_and", "x", True), "x", dtype="bool",
         example=lambda x: ops.logical_and(x, True)),
    rule("x or False -> x", ("logical_or", "x", False), "x", dtype="bool",
         example=lambda x: ops.logical_or(x, False)),
    # --- undoing ---
    rule("-(-x) -> x", ("neg", ("neg", "x")), "x", example=lambda x: ops.neg(-x)),
    rule("-(x - y) -> y - x", ("neg", ("sub", "x", "y")), ("sub", "y", "x"),
         shapes=((3, 4), (3, 4)), example=lambda x, y: -(x - y)),
    rule("not not x -> x", ("logical_not", ("logical_not", "x")), "x", dtype="bool",
         example=lambda x: ops.logical_not(ops.logical_not(x))),
    rule("sqrt(square(x)) -> |x|", ("sqrt", ("square", "x")), ("abs", "x"),
         example=lambda x: ops.sqrt(ops.square(x))),
    rule("reciprocal(reciprocal(x)) -> x", ("reciprocal", ("reciprocal", "x")), "x", low=0.5,
         example=lambda x: ops.reciprocal(ops.reciprocal(x))),
    # --- signs ---
    rule("square(-x) -> square(x)", ("square", ("neg", "x")), ("square", "x"),
         example=lambda x: ops.square(-x)),
    rule("square(|x|) -> square(x)", ("square", ("abs", "x")), ("square", "x"),
         example=lambda x: ops.square(ops.abs(x))),
    rule("|-x| -> |x|", ("abs", ("neg", "x")), ("abs", "x"), example=lambda x: ops.abs(-x)),
    rule("||x|| -> |x|", ("abs", ("abs:y", "x")), "y", example=lambda x: ops.abs(ops.abs(x))),
    # --- choices ---
    rule("where(known, a, b) -> a or b", ("where", NUMBER("c"), "a", "b"), _known_condition,
         shapes=((3, 4), (3, 4)), example=lambda a, b: ops.where(True, a, b)),
    rule("where(c, x, x) -> x", ("where", "c", "x", "x"), "x",
         example=lambda x: ops.where(ops.greater(x, 0), x, x)),
    rule("maximum(x, 0) -> relu(x)", ("maximum", "x", 0), ("relu", "x"),
         example=lambda x: ops.maximum(x, 0)),
    rule("relu(relu(x)) -> relu(x)", ("relu", ("relu:y", "x")), "y",
         example=lambda x: ops.relu(ops.relu(x))),
    # --- powers ---
    rule("x ** c -> products, c = 1, 2, 3, -1", ("pow", "x", NUMBER("c")), _power, low=0.5,
         example=lambda x: x ** 3),
    # --- dtypes ---
    rule("cast(x), same dtype -> x", ("cast", "x"), "x",
         example=lambda x: use("cast", x, dtype="float32") + 1),
    rule("cast(cast(x)) -> cast(x), middle dtype holds all", ("cast", ("cast:i", "x")),
         lambda m: ops.cast(m.x, m.root.dtype), when=lambda m: _fits(m.x.dtype, m.i.dtype),
         example=lambda x: ops.cast(ops.cast(x, "float64"), "int32")),
    # --- sums and slices ---
    rule("sum(c) -> c * count", ("sum:s", "c"), _sum_of_number,
         example=lambda x: ops.sum(ops.full(x.shape, 1.0, "float32"), 1) + x[:, 0]),
    rule("sum(sum(x)) -> sum(x)", ("sum:y", ("sum:i", "x")), _sum_of_sum, shapes=((2, 3, 4),),
         example=lambda x: ops.sum(ops.sum(x, 1), 1)),
    rule("sum_to(sum_to(x)) -> sum_to(x)", ("sum_to", ("sum_to", "x")),
         lambda m: ops.sum_to(m.x, m.root.shape), shapes=((2, 3, 4),),
         example=lambda x: ops.sum_to(ops.sum_to(x, (3, 4)), (4,))),
    rule("slice(x) of all -> x", ("slice:y", "x"), "x", when=_is_whole_slice,
         example=lambda x: use("slice", x, begin=(0, 0), step=(1, 1), shape=(3, 4)) + 1),
]
