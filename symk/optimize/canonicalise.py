"""Rules that give one form to what can be written in several, so that later rules have few forms.

They also take out what only steered the building of the graph: identity, stop_gradient.
"""
from .. import ops
from ..graph import dims
from .pattern import NUMBER
from .rewrite import rule, use

__all__ = ["CANONICALISE"]


def _reshape_inner(m):
    return ops.reshape(m.x, m.root.shape)


def _is_exact_power_of_two(number):
    """Whether multiplying by 1 / number gives the same floats as dividing by it."""
    try:
        mantissa, exponent = float(number).hex().split("p")
    except (ValueError, OverflowError):
        return False
    return mantissa.lstrip("-") == "0x1.0000000000000" and abs(int(exponent)) <= 14


def _moves_only_ones(m):
    """Whether a transpose leaves the order of all axes that are longer than 1."""
    long = [axis for axis in m.op("y").perm if dims.known_different(m.x.shape[axis], 1)
            or isinstance(m.x.shape[axis], dims.Dim)]
    return long == sorted(long)


def _negated_sum(m):
    total = m.op("s")
    return ops.neg(ops.sum(m.x, total.axes, total.keepdims))


def _composed(m):
    outer, inner = m.op("y").perm, m.op("i").perm
    return ops.transpose(m.x, [inner[axis] for axis in outer])


def _transposed_before(m):
    """Fewer elements are transposed before they are repeated."""
    perm = m.op("y").perm
    x = ops.reshape(m.x, (1,) * (len(perm) - m.x.ndim) + m.x.shape)
    return ops.broadcast_to(ops.transpose(x, perm), m.root.shape)


def _adds_only_ones(m):
    shape = m.root.shape
    lead = len(shape) - m.x.ndim
    return shape[lead:] == m.x.shape and all(dims.known_equal(size, 1) for size in shape[:lead])


def _sum_over_repeated(m):
    """The sum over the axes that the shape of the result repeats, if it is certain which."""
    shape = m.root.shape
    lead = m.x.ndim - len(shape)
    axes = list(range(lead))
    for axis, (size, have) in enumerate(zip(shape, m.x.shape[lead:]), lead):
        if size == have:
            continue
        if not dims.known_equal(size, 1):
            return None
        axes.append(axis)
    return ops.reshape(ops.sum(m.x, axes) if axes else m.x, shape)


CANONICALISE = [
    # --- what only steered the building ---
    rule("identity(x) -> x", ("identity", "x"), "x", example=lambda x: ops.identity(x) + 1),
    rule("stop_gradient(x) -> x", ("stop_gradient", "x"), "x",
         example=lambda x: ops.stop_gradient(x) + 1),
    # --- moving elements ---
    rule("reshape(reshape(x)) -> reshape(x)", ("reshape", ("reshape", "x")), _reshape_inner,
         example=lambda x: ops.reshape(ops.reshape(x, (12,)), (2, 6))),
    rule("reshape(x), same shape -> x", ("reshape", "x"), "x",
         example=lambda x: use("reshape", x, shape=(3, 4)) + 1),
    rule("transpose(transpose(x)) -> transpose(x)", ("transpose:y", ("transpose:i", "x")),
         _composed, shapes=((2, 3, 4),),
         example=lambda x: ops.transpose(ops.transpose(x, (1, 2, 0)), (0, 2, 1))),
    rule("transpose(x) of axes of size 1 -> reshape(x)", ("transpose:y", "x"), _reshape_inner,
         when=_moves_only_ones, shapes=((3, 1, 4),),
         example=lambda x: ops.transpose(x, (1, 0, 2))),
    rule("transpose(broadcast_to(x)) -> broadcast_to(transpose(x))",
         ("transpose:y", ("broadcast_to", "x")), _transposed_before, shapes=((3, 1),),
         example=lambda x: ops.transpose(ops.broadcast_to(x, (2, 3, 4)), (2, 0, 1))),
    rule("broadcast_to(broadcast_to(x)) -> broadcast_to(x)",
         ("broadcast_to", ("broadcast_to", "x")), lambda m: ops.broadcast_to(m.x, m.root.shape),
         example=lambda x: ops.broadcast_to(ops.broadcast_to(x, (2, 3, 4)), (5, 2, 3, 4))),
    rule("broadcast_to(x), same shape -> x", ("broadcast_to", "x"), "x",
         example=lambda x: use("broadcast_to", x, shape=(3, 4)) + 1),
    rule("broadcast_to(x), axes of size 1 added -> reshape(x)", ("broadcast_to", "x"),
         _reshape_inner, when=_adds_only_ones,
         example=lambda x: ops.broadcast_to(x, (1, 3, 4))),
    rule("reshape(broadcast_to(c)) -> broadcast_to(c), c one element",
         ("reshape", ("broadcast_to", "c")),
         lambda m: ops.broadcast_to(ops.reshape(m.c, ()), m.root.shape),
         when=lambda m: m.c.type.size == 1, shapes=((1,),),
         example=lambda c: ops.reshape(ops.broadcast_to(c, (3, 4)), (12,))),
    rule("sum_to(x), same shape -> x", ("sum_to", "x"), "x",
         example=lambda x: use("sum_to", x, shape=(3, 4)) + 1),
    rule("sum_to(x) -> sum(x), its axes known", ("sum_to", "x"), _sum_over_repeated,
         example=lambda x: ops.sum_to(x, (4,))),
    # --- arithmetic ---
    rule("sum(-x) -> -sum(x)", ("sum:s", ("neg", "x")), _negated_sum,
         example=lambda x: ops.sum(-x, 1)),
    rule("x + -y -> x - y", ("add", "x", ("neg", "y")), ("sub", "x", "y"),
         shapes=((3, 4), (3, 4)), example=lambda x, y: x + -y),
    rule("x - -y -> x + y", ("sub", "x", ("neg", "y")), ("add", "x", "y"),
         shapes=((3, 4), (3, 4)), example=lambda x, y: x - -y),
    rule("0 - x -> -x", ("sub", 0, "x"), ("neg", "x"), example=lambda x: 0 - x),
    rule("x * x -> square(x)", ("mul", "x", "x"), ("square", "x"), example=lambda x: x * x),
    rule("-x * -y -> x * y", ("mul", ("neg", "x"), ("neg", "y")), ("mul", "x", "y"),
         shapes=((3, 4), (3, 4)), example=lambda x, y: -x * -y),
    rule("-x * c -> x * -c", ("mul", ("neg", "x"), NUMBER("c")),
         lambda m: ops.mul(m.x, -m.number("c")), when=lambda m: m.root.dtype != "uint8",
         example=lambda x: -x * 3),
    rule("x / c -> x * (1 / c), c a power of two", ("div", "x", NUMBER("c")),
         lambda m: ops.mul(m.x, 1 / m.number("c")),
         when=lambda m: _is_exact_power_of_two(m.number("c")), example=lambda x: x / 4),
]
