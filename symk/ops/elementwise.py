"""Elementwise ops. A row: name, meaning, NumPy reference, gradient, and where tests draw.

The arithmetic of each stands once in csrc/math under the same name. Gradients at the points where
there is none are those of TensorFlow: 0 for abs and relu at 0, the first operand for ties.
"""
import math
import statistics

import numpy as np

from ..graph import TensorType, apply
from .checks import ANY, BOOL, NUMBERS, broadcast_shapes, need_dtype, need_equal_dtypes
from .convert import as_variable, fit, meet
from .kinds import Elementwise, binary, ternary, unary
from .samples import sample, values
from .shape import full

_erf = np.frompyfunc(math.erf, 1, 1)


def _zero(x):
    return full(x.shape, 0, x.dtype)


def _erfinv(x):
    """The inverse of erf: the normal quantile, and one step of Newton for its relative accuracy."""
    if not -1 < x < 1:
        return math.copysign(math.inf, x) if x * x == 1 else math.nan
    y = statistics.NormalDist().inv_cdf((x + 1) / 2) / math.sqrt(2)
    return y - (math.erf(y) - x) * math.sqrt(math.pi) / 2 * math.exp(y * y)


_two_by_root_pi = 2 / math.sqrt(math.pi)

# Numbers -> same.
neg = unary("neg", "-x.", np.negative, lambda x, y, g: -g, accepts=NUMBERS)
sign = unary("sign", "-1, 0 or 1, as x is negative, zero or positive.", np.sign,
             lambda x, y, g: _zero(x), accepts=NUMBERS, smooth=False)
abs = unary("abs", "|x|.", np.abs, lambda x, y, g: g * sign(x), accepts=NUMBERS,
            smooth=False)
square = unary("square", "x * x.", np.square, lambda x, y, g: g * (x + x), accepts=NUMBERS)
relu = unary("relu", "max(x, 0).", lambda x: np.maximum(x, 0).astype(x.dtype),
             lambda x, y, g: where(greater(y, 0), g, 0), accepts=NUMBERS, smooth=False)

# Exponentials and powers.
exp = unary("exp", "e ** x.", np.exp, lambda x, y, g: g * y)
expm1 = unary("expm1", "e ** x - 1, exact near 0.", np.expm1, lambda x, y, g: g * (y + 1))
log = unary("log", "The natural logarithm.", np.log, lambda x, y, g: g / x, domain=(0.1, 4.0))
log1p = unary("log1p", "log(1 + x), exact near 0.", np.log1p, lambda x, y, g: g / (x + 1),
              domain=(-0.8, 4.0))
sqrt = unary("sqrt", "The square root.", np.sqrt, lambda x, y, g: g * 0.5 / y, domain=(0.1, 4.0))
rsqrt = unary("rsqrt", "1 / sqrt(x).", lambda x: (1 / np.sqrt(x)).astype(x.dtype),
              lambda x, y, g: g * (-0.5) * y / x, domain=(0.1, 4.0))
reciprocal = unary("reciprocal", "1 / x.", lambda x: (1 / x).astype(x.dtype),
                   lambda x, y, g: -g * y * y, domain=(0.2, 3.0))

# Trigonometry.
sin = unary("sin", "The sine of x in radians.", np.sin, lambda x, y, g: g * cos(x))
cos = unary("cos", "The cosine of x in radians.", np.cos, lambda x, y, g: -g * sin(x))
tan = unary("tan", "sin(x) / cos(x).", np.tan, lambda x, y, g: g * (square(y) + 1),
            domain=(-1.2, 1.2))
asin = unary("asin", "The angle in [-pi/2, pi/2] whose sine is x.", np.arcsin,
             lambda x, y, g: g * rsqrt(1 - square(x)), domain=(-0.9, 0.9))
acos = unary("acos", "The angle in [0, pi] whose cosine is x.", np.arccos,
             lambda x, y, g: -g * rsqrt(1 - square(x)), domain=(-0.9, 0.9))
atan = unary("atan", "The angle in (-pi/2, pi/2) whose tangent is x.", np.arctan,
             lambda x, y, g: g / (square(x) + 1))
sinh = unary("sinh", "(exp(x) - exp(-x)) / 2.", np.sinh, lambda x, y, g: g * cosh(x))
cosh = unary("cosh", "(exp(x) + exp(-x)) / 2.", np.cosh, lambda x, y, g: g * sinh(x))
tanh = unary("tanh", "sinh(x) / cosh(x).", np.tanh, lambda x, y, g: g * (1 - square(y)))
asinh = unary("asinh", "log(x + sqrt(x**2 + 1)).", np.arcsinh,
              lambda x, y, g: g * rsqrt(square(x) + 1))
acosh = unary("acosh", "log(x + sqrt(x**2 - 1)).", np.arccosh,
              lambda x, y, g: g * rsqrt(square(x) - 1), domain=(1.2, 4.0))
atanh = unary("atanh", "log((1 + x) / (1 - x)) / 2.", np.arctanh,
              lambda x, y, g: g / (1 - square(x)), domain=(-0.9, 0.9))

# Activations.
sigmoid = unary("sigmoid", "1 / (1 + exp(-x)), without overflow.",
                lambda x: np.exp(-np.logaddexp(0, -x)).astype(x.dtype),
                lambda x, y, g: g * y * (1 - y), domain=(-8.0, 8.0))
softplus = unary("softplus", "log(1 + exp(x)), without overflow. Source: Maechler 2012, log1mexp.",
                 lambda x: np.logaddexp(x, 0).astype(x.dtype),
                 lambda x, y, g: g * sigmoid(x), domain=(-8.0, 8.0))
softsign = unary("softsign", "x / (1 + |x|).", lambda x: x / (1 + np.abs(x)),
                 lambda x, y, g: g / square(abs(x) + 1), smooth=False)
erf = unary("erf", "2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.",
            lambda x: _erf(x).astype(x.dtype) if x.ndim else np.asarray(_erf(x), x.dtype),
            lambda x, y, g: g * _two_by_root_pi * exp(-square(x)))
erfinv = unary("erfinv", "The y with erf(y) = x.",
               lambda x: np.vectorize(_erfinv, otypes=[x.dtype])(x),
               lambda x, y, g: g * (1 / _two_by_root_pi) * exp(square(y)), domain=(-0.9, 0.9))

# Rounding and tests.
floor = unary("floor", "The largest integer not above x.", np.floor)
ceil = unary("ceil", "The smallest integer not below x.", np.ceil)
round = unary("round", "The nearest integer; of two equally near, the even one.", np.round)
isnan = unary("isnan", "Whether x is not a number.", np.isnan, result="bool")
isinf = unary("isinf", "Whether x is infinite.", np.isinf, result="bool")
logical_not = unary("logical_not", "not x.", np.logical_not, accepts=BOOL, result="bool")

# Arithmetic of two.
add = binary("add", "a + b.", np.add, lambda a, b, z, g: (g, g), accepts=NUMBERS)
sub = binary("sub", "a - b.", np.subtract, lambda a, b, z, g: (g, -g), accepts=NUMBERS)
mul = binary("mul", "a * b.", np.multiply, lambda a, b, z, g: (g * b, g * a), accepts=NUMBERS)
div = binary("div", "a / b; integers become floats first.", lambda a, b: (a / b).astype(a.dtype),
             lambda a, b, z, g: (g / b, -g * z / b), domain=(0.3, 3.0))
floor_div = binary("floor_div", "floor(a / b); an integer divided by 0 is 0.", np.floor_divide,
                   accepts=NUMBERS, domain=(0.6, 9.0))
mod = binary("mod", "a - b * floor(a / b), with the sign of b; an integer modulo 0 is 0.",
             np.mod, lambda a, b, z, g: (g, -g * floor(a / b)), accepts=NUMBERS,
             domain=(0.6, 9.0), smooth=False)
maximum = binary("maximum", "The larger; NaN if one is NaN.", np.maximum,
                 lambda a, b, z, g: _to_chosen(greater_equal(a, b), g), accepts=NUMBERS,
                 smooth=False)
minimum = binary("minimum", "The smaller; NaN if one is NaN.", np.minimum,
                 lambda a, b, z, g: _to_chosen(less_equal(a, b), g), accepts=NUMBERS,
                 smooth=False)
atan2 = binary("atan2", "The angle of the point (b, a) in (-pi, pi].", np.arctan2,
               lambda a, b, z, g: _atan2_grad(a, b, g), domain=(0.2, 3.0))


def _to_chosen(first, g):
    """The gradient g for the operand that was chosen."""
    return where(first, g, 0), where(first, 0, g)


def _atan2_grad(a, b, g):
    scale = g / (square(a) + square(b))
    return b * scale, -a * scale


def _power(a, b):
    """a ** b; for integers a negative power is that of the rational number, cut to an integer."""
    if a.dtype.kind == "f":
        return np.power(a, b)
    whole = np.power(a, np.maximum(b, 0))
    unit = np.where(a == 1, 1, np.where(a == -1, 1 - 2 * (b % 2), 0))
    return np.where(b < 0, unit, whole).astype(a.dtype)


def _power_grad(a, b, z, g):
    """The slope in a is 0 where b is 0; that in b is 0 where a is not positive (as TensorFlow)."""
    safe = where(greater(a, 0), a, 1)
    slope = where(equal(b, 0), 0, b * pow(a, b - 1))
    return g * slope, where(greater(a, 0), g * z * log(safe), 0)


pow = binary("pow", "a ** b.", _power, _power_grad, accepts=NUMBERS, domain=(0.3, 2.5))

# Comparisons and logic.
equal = binary("equal", "a == b.", np.equal, accepts=ANY, result="bool", domain=(0.0, 3.0))
not_equal = binary("not_equal", "a != b.", np.not_equal, accepts=ANY, result="bool",
                   domain=(0.0, 3.0))
less = binary("less", "a < b.", np.less, accepts=NUMBERS, result="bool")
less_equal = binary("less_equal", "a <= b.", np.less_equal, accepts=NUMBERS, result="bool")
greater = binary("greater", "a > b.", np.greater, accepts=NUMBERS, result="bool")
greater_equal = binary("greater_equal", "a >= b.", np.greater_equal, accepts=NUMBERS, result="bool")
logical_and = binary("logical_and", "a and b.", np.logical_and, accepts=BOOL, result="bool")
logical_or = binary("logical_or", "a or b.", np.logical_or, accepts=BOOL, result="bool")
logical_xor = binary("logical_xor", "a or b, but not both.", np.logical_xor, accepts=BOOL,
                     result="bool")

# Two operands of different meaning.
elu = binary("elu", "x where x > 0, else alpha * (exp(x) - 1). Source: Clevert et al. 2015.",
             lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))).astype(x.dtype),
             lambda x, a, y, g: (where(greater(x, 0), g, g * (y + a)),
                                 where(greater(x, 0), 0, g * expm1(minimum(x, 0)))),
             operands=("x", "alpha"), smooth=False)
sigmoid_cross_entropy = binary(
    "sigmoid_cross_entropy",
    "max(x, 0) - x * t + log1p(exp(-|x|)): the cross-entropy of sigmoid(logits) and targets.",
    lambda x, t: (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))).astype(x.dtype),
    lambda x, t, z, g: (g * (sigmoid(x) - t), -g * x), operands=("logits", "targets"))


class _Where(Elementwise):
    """The first operand is bool, the others of one dtype."""

    def infer(self, condition, a, b):
        need_dtype(self.name, "the condition", condition, BOOL)
        need_equal_dtypes(self.name, a, b)
        return TensorType(a.dtype, broadcast_shapes(self.name, condition, a, b))


_condition = values((3, 4), "bool")
_where = ternary(
    "where", "a where the condition holds, else b.", np.where,
    lambda c, a, b, y, g: (None, where(c, g, 0), where(c, 0, g)),
    base=_Where, accepts=ANY, operands=("condition", "a", "b"), in_place=((0, 1), (0, 2)),
    samples=[sample(_condition, (3, 4), (3, 4)), sample(_condition, (), (4,)),
             sample(values((), "bool"), (2, 3), (2, 3)), sample(values((3, 1), "bool"), (4,), ()),
             sample(values((0, 4), "bool"), (4,), (0, 4))],
    bad=[sample(values((3,), "float32"), (3,), (3,), error="the condition is (3,) float32"),
         sample(_condition, (3, 4), (3,), error="the shapes must broadcast")])

_clip = ternary(
    "clip", "min(max(x, low), high).",
    lambda x, low, high: np.minimum(np.maximum(x, low), high),
    lambda x, low, high, y, g: (
        where(logical_and(greater_equal(x, low), less_equal(x, high)), g, 0),
        where(logical_and(less(x, low), less_equal(low, high)), g, 0),
        where(logical_or(greater(x, high), less(high, low)), g, 0)),
    accepts=NUMBERS, operands=("x", "low", "high"), smooth=False, in_place=((0, 0),),
    samples=[sample((3, 4), values((), low=-1.0, high=-0.5), values((), low=0.5, high=1.0)),
             sample((3, 4), (4,), (3, 1)), sample((0,), (), ()), sample((1, 1), (), ())],
    bad=[sample((3,), (4,), (), error="the shapes must broadcast")])


def where(condition, a, b):
    """a where the condition holds, else b; the three broadcast."""
    return apply(_where, fit(as_variable(condition), BOOL), *meet(a, b))


def clip(x, low, high):
    """min(max(x, low), high); the gradient passes where low <= x <= high."""
    return apply(_clip, *meet(x, low, high))
