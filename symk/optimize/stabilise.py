"""Rules that say the same so that rounding, overflow and underflow do less harm.

They are exact in real arithmetic. They hold for expressions as users and Keras's losses write them;
where a loss clips probabilities by epsilon, the clip stands between and no rule fires, because the
clip is part of the value.
"""
from .. import ops
from .rewrite import rule, use

__all__ = ["STABILISE"]


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


_PAIR = ((3, 4), (3, 4))

STABILISE = [
    # --- logarithms of probabilities ---
    rule("log(softmax(x)) -> log_softmax(x)", ("log", ("softmax:s", "x")),
         lambda m: ops.log_softmax(m.x, m.op("s").axis), example=lambda x: ops.log(ops.softmax(x))),
    rule("log(sigmoid(x)) -> -softplus(-x)", ("log", ("sigmoid", "x")),
         ("neg", ("softplus", ("neg", "x"))), example=lambda x: ops.log(ops.sigmoid(x))),
    rule("log(1 - sigmoid(x)) -> -softplus(x)", ("log", ("sub", 1, ("sigmoid", "x"))),
         ("neg", ("softplus", "x")), example=lambda x: ops.log(1 - ops.sigmoid(x))),
    rule("log(sum(exp(x))) -> logsumexp(x)", ("log", ("sum:s", ("exp", "x"))), _axes_of_sum,
         example=lambda x: ops.log(ops.sum(ops.exp(x), 1))),
    # --- near zero ---
    rule("log(1 + x) -> log1p(x)", ("log", ("add", 1, "x")), ("log1p", "x"), low=-0.5,
         example=lambda x: ops.log(1 + x)),
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
