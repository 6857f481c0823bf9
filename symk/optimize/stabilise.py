"""Rules that say the same so that rounding, overflow and underflow do less harm.

They are exact in real arithmetic. They hold for expressions as users and Keras's losses write them;
where a loss clips probabilities by epsilon, or adds it, the epsilon stands between and no rule
fires, because it is part of the value.

Derivatives are taken of the stable form (`stable`): that of log(1 + exp(x)) as written is
exp(x) / (1 + exp(x)), which is NaN for large x and cannot be mended afterwards; that of softplus(x)
is sigmoid(x).
"""
import math

from .. import ops
from ..graph import dims
from ..graph.node import Placeholder
from ..graph.walk import nodes_of, rebuild
from .inside import inside
from .rewrite import rewrite, rule, use

__all__ = ["STABILISE", "BEFORE_GRADIENTS", "stable"]


def _last_axis(m):
    """Whether a softmax and the sum over its logarithm are both along the last axis alone."""
    last = m.z.ndim - 1
    return m.op("l").axis == last and m.op("s").axes == (last,) and not m.op("s").keepdims


def _axes_of_sum(m):
    total = m.op("s")
    return ops.logsumexp(m.x, total.axes, total.keepdims)


def _log_softmax_grad(m):
    """The gradient of log(softmax(z)) that reaches z."""
    axis = m.op("s").axis
    return use("log_softmax_grad", ops.log_softmax(m.z, axis), m.g, axis=axis)


def _same_axis(m):
    return m.op("r").axis == m.op("s").axis and m.s.type == m.g.type


def _softmax_grad(s, g):
    """What the gradient of log(softmax(z)) is before any rule has fired."""
    return use("softmax_grad", s, g / s, axis=1)


def _there_and_back(g, y):
    return g / y * y


def _log_mean_exp(m):
    """logsumexp(x) - log(n): the mean divides by a number that is known, or a size."""
    mean = m.op("s")
    count = dims.product(m.x.shape[axis] for axis in mean.axes)
    log_count = (ops.log(ops.cast(ops.size_of(count), m.x.dtype)) if isinstance(count, dims.Dim)
                 else math.log(count) if count else -math.inf)
    return ops.logsumexp(m.x, mean.axes, mean.keepdims) - log_count


def _one_kept_axis(m):
    """Whether a sum is over one axis, which stays with size 1."""
    total = m.op("s")
    return len(total.axes) == 1 and total.keepdims


def _same_along_axis(m):
    """Whether c has one element along the axis of a softmax of x - c."""
    axis = m.op("s").axis - (m.x.ndim - m.c.ndim)
    return m.x.type == m.s.type and (axis < 0 or dims.known_equal(m.c.shape[axis], 1))


def _norm(m):
    total = m.op("s")
    return ops.l2_norm(m.x, total.axes, total.keepdims)


def _root_of_mean(m):
    """sqrt(sum(x^2)) / sqrt(n)."""
    mean = m.op("s")
    count = dims.product(m.x.shape[axis] for axis in mean.axes)
    if isinstance(count, dims.Dim) or not count:
        return None
    return ops.l2_norm(m.x, mean.axes, mean.keepdims) * (1 / math.sqrt(count))


# Ops whose results are never negative, whatever they are given, and those that keep that.
_NOT_NEGATIVE = ("square", "abs", "exp", "sigmoid", "softplus", "relu", "softmax", "l2_norm")
_KEEP_SIGN = ("sum", "mean", "max", "min", "add", "mul", "maximum", "sqrt", "reshape",
              "broadcast_to")


def _is_not_negative(variable, depth=4):
    """Whether no element of a variable can be negative, as far as a look a few nodes down tells."""
    node = variable.node
    if node is None or depth == 0:
        return False
    if node.op.name == "mul" and node.inputs[0] is node.inputs[1]:
        return True
    return node.op.name in _NOT_NEGATIVE or (
        node.op.name in _KEEP_SIGN and all(_is_not_negative(v, depth - 1) for v in node.inputs))


_PAIR = ((3, 4), (3, 4))

STABILISE = [
    # --- logarithms of probabilities ---
    rule("log(exp(x)) -> x", ("log", ("exp", "x")), "x", example=lambda x: ops.log(ops.exp(x))),
    rule("log(softmax(x)) -> log_softmax(x)", ("log", ("softmax:s", "x")),
         lambda m: ops.log_softmax(m.x, m.op("s").axis), example=lambda x: ops.log(ops.softmax(x))),
    rule("log(sigmoid(x)) -> -softplus(-x)", ("log", ("sigmoid", "x")),
         ("neg", ("softplus", ("neg", "x"))), example=lambda x: ops.log(ops.sigmoid(x))),
    rule("log(1 - sigmoid(x)) -> -softplus(x)", ("log", ("sub", 1, ("sigmoid", "x"))),
         ("neg", ("softplus", "x")), example=lambda x: ops.log(1 - ops.sigmoid(x))),
    rule("log1p(-sigmoid(x)) -> -softplus(x)", ("log1p", ("neg", ("sigmoid", "x"))),
         ("neg", ("softplus", "x")), example=lambda x: ops.log1p(-ops.sigmoid(x))),
    rule("log(sum(exp(x))) -> logsumexp(x)", ("log", ("sum:s", ("exp", "x"))), _axes_of_sum,
         example=lambda x: ops.log(ops.sum(ops.exp(x), 1))),
    rule("log(mean(exp(x))) -> logsumexp(x) - log(n)", ("log", ("mean:s", ("exp", "x"))),
         _log_mean_exp, example=lambda x: ops.log(ops.mean(ops.exp(x), 1))),
    rule("log(cosh(x)) -> x + softplus(-2 x) - log(2)", ("log", ("cosh", "x")),
         lambda m: m.x + ops.softplus(m.x * -2) - math.log(2),
         example=lambda x: ops.log(ops.cosh(x))),
    # --- quotients of exponentials ---
    rule("exp(x) / sum(exp(x)) -> softmax(x)", ("div", ("exp", "x"), ("sum:s", ("exp", "x"))),
         lambda m: ops.softmax(m.x, m.op("s").axes[0]), when=_one_kept_axis,
         example=lambda x: ops.exp(x) / ops.sum(ops.exp(x), 1, keepdims=True)),
    rule("softmax(x - c) -> softmax(x), c one element along the axis",
         ("softmax:s", ("sub", "x", "c")), lambda m: ops.softmax(m.x, m.op("s").axis),
         when=_same_along_axis, example=lambda x: ops.softmax(x - ops.max(x, 1, keepdims=True))),
    rule("1 / (1 + exp(x)) -> sigmoid(-x)", ("div", 1, ("add", 1, ("exp", "x"))),
         ("sigmoid", ("neg", "x")), example=lambda x: 1 / (1 + ops.exp(-x))),
    rule("reciprocal(1 + exp(x)) -> sigmoid(-x)", ("reciprocal", ("add", 1, ("exp", "x"))),
         ("sigmoid", ("neg", "x")), example=lambda x: ops.reciprocal(ops.exp(-x) + 1)),
    rule("exp(x) / (1 + exp(x)) -> sigmoid(x)", ("div", ("exp", "x"), ("add", 1, ("exp", "x"))),
         ("sigmoid", "x"), example=lambda x: ops.exp(x) / (1 + ops.exp(x))),
    rule("a / (1 + exp(x)) -> a * sigmoid(-x)", ("div", "a", ("add", 1, ("exp", "x"))),
         lambda m: m.a * ops.sigmoid(-m.x), example=lambda x: 2 / (1 + ops.exp(-x)) - 1),
    rule("(exp(x) - exp(-x)) / (exp(x) + exp(-x)) -> tanh(x)",
         ("div", ("sub", ("exp", "x"), ("exp", ("neg", "x"))),
          ("add", ("exp", "x"), ("exp", ("neg", "x")))), ("tanh", "x"),
         example=lambda x: (ops.exp(x) - ops.exp(-x)) / (ops.exp(x) + ops.exp(-x))),
    # --- near zero ---
    rule("log(1 + x) -> log1p(x)", ("log", ("add", 1, "x")), ("log1p", "x"), low=-0.5,
         example=lambda x: ops.log(1 + x)),
    rule("log(1 - x) -> log1p(-x)", ("log", ("sub", 1, "x")), ("log1p", ("neg", "x")), high=0.5,
         example=lambda x: ops.log(1 - x)),
    rule("log1p(exp(x)) -> softplus(x)", ("log1p", ("exp", "x")), ("softplus", "x"),
         example=lambda x: ops.log1p(ops.exp(x))),
    rule("exp(x) - 1 -> expm1(x)", ("sub", ("exp", "x"), 1), ("expm1", "x"),
         example=lambda x: ops.exp(x) - 1),
    rule("exp(x) + -1 -> expm1(x)", ("add", ("exp", "x"), -1), ("expm1", "x"),
         example=lambda x: ops.exp(x) + -1),
    # --- cross-entropy ---
    rule("-sum(t * log_softmax(z)) -> softmax_cross_entropy(z, t)",
         ("neg", ("sum:s", ("mul", "t", ("log_softmax:l", "z")))),
         ("softmax_cross_entropy", "z", "t"),
         when=lambda m: _last_axis(m) and m.t.type == m.z.type, shapes=_PAIR,
         example=lambda z, t: -ops.sum(t * ops.log_softmax(z), 1)),
    # --- gradients of the above ---
    rule("softmax_grad(s, g / s) -> log_softmax_grad(log(s), g)",
         ("softmax_grad:r", ("softmax:s", "z"), ("div", "g", "s")), _log_softmax_grad,
         when=_same_axis, shapes=_PAIR, example=lambda z, g: _softmax_grad(ops.softmax(z), g)),
    rule("(g / y) * y -> g, y = sigmoid(x)", ("mul", ("div", "g", ("sigmoid:y", "x")), "y"), "g",
         shapes=_PAIR, example=lambda x, g: _there_and_back(g, ops.sigmoid(x))),
]

# Rules for what is about to be differentiated. A norm has a derivative of its own, 0 at 0, where
# the square root has none; afterwards it is a root of a sum of squares again.
BEFORE_GRADIENTS = STABILISE + [
    rule("maximum(x, 0) -> x, x not negative", ("maximum", "x", 0), "x",
         when=lambda m: _is_not_negative(m.x), example=lambda x: ops.maximum(ops.square(x), 0) + 1),
    rule("x ** 0.5 -> sqrt(x), x not negative", ("pow", "x", 0.5), ("sqrt", "x"),
         when=lambda m: _is_not_negative(m.x),
         example=lambda x: ops.pow(ops.sum(ops.square(x), 1), 0.5) + 1),
    rule("sqrt(sum(square(x))) -> l2_norm(x)", ("sqrt", ("sum:s", ("square", "x"))), _norm,
         example=lambda x: ops.sqrt(ops.sum(ops.square(x), 1))),
    rule("sqrt(sum(x * x)) -> l2_norm(x)", ("sqrt", ("sum:s", ("mul", "x", "x"))), _norm,
         example=lambda x: ops.sqrt(ops.sum(x * x, 1))),
    rule("sqrt(mean(square(x))) -> l2_norm(x) / sqrt(n)", ("sqrt", ("mean:s", ("square", "x"))),
         _root_of_mean, example=lambda x: ops.sqrt(ops.mean(ops.square(x), 1))),
]


def _before_gradients(results):
    return rewrite(results, BEFORE_GRADIENTS)


def stable(results, wrt):
    """The results, and the steps of their loops, in the form of which derivatives in `wrt` are to
    be taken.

    Variables of `wrt` inside the graph stay what they are, and so do nodes with an effect.
    """
    results = list(results)
    kept = [v for v in wrt if v.node is not None]
    kept += [v for node in nodes_of(results) if node.op.effect for v in node.outputs]
    stand_ins = {v: Placeholder(v.dtype, v.shape) for v in kept}
    changed, _ = inside(_before_gradients)(rebuild(results, stand_ins))
    return rebuild(changed, {stand_in: v for v, stand_in in stand_ins.items()})
