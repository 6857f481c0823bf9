"""Derives every polynomial of csrc/math: `python3 csrc/math/coefficients.py` prints them all.

Needs mpmath, which nothing else of symk does. Each row is a near-minimax polynomial of a function
whose leading terms were taken out by hand. Coefficients are rounded to the target's precision from
the lowest degree up, the others being fitted again after each rounding.
"""
import struct
import sys

import mpmath as mp

mp.mp.dps = 50
NODES = 200  # even, so that none is zero


def nodes(low, high):
    """Chebyshev's points: least squares on them is within a bit of the minimax polynomial."""
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle + half * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / NODES) for i in range(NODES)]


def least_squares(values, points, weights, powers):
    """Coefficients of x**p, for p in `powers`, that make the weighted square error least."""
    columns = [[w * x ** p for x, w in zip(points, weights)] for p in powers]
    right = [w * v for v, w in zip(values, weights)]
    matrix = mp.matrix([[mp.fdot(a, b) for b in columns] for a in columns])
    return mp.lu_solve(matrix, mp.matrix([mp.fdot(a, right) for a in columns]))


def to_float(value):
    return mp.mpf(struct.unpack("f", struct.pack("f", float(value)))[0])


def to_double(value):
    return mp.mpf(float(value))


def fit(function, low, high, degree, weight, rounding):
    """The coefficients, lowest degree first, and the largest weighted error."""
    points = nodes(mp.mpf(low), mp.mpf(high))
    rest, weights = [function(x) for x in points], [weight(x) for x in points]
    fixed = []
    for step in range(degree + 1):
        found = least_squares(rest, points, weights, range(step, degree + 1))
        fixed.append(rounding(found[0]))
        rest = [value - fixed[-1] * x ** step for x, value in zip(points, rest)]
    return fixed, max(abs(w * r) for w, r in zip(weights, rest))


def exp_rest(r):
    """(exp(r) - 1 - r) / r^2."""
    return (mp.expm1(r) - r) / r ** 2


def log_rest(f):
    """(log(1 + f) - f + f^2 / 2) / f^3."""
    return (mp.log1p(f) - f + f * f / 2) / f ** 3


def atanh_rest(z):
    """(2 atanh(s) - 2 s) / s^3 with z = s^2; log((1 + s) / (1 - s)) is 2 atanh(s)."""
    return 2 * odd_rest(mp.atanh)(z)


def odd_rest(function):
    """(function(x) / x - 1) / x^2 as a function of x^2."""
    return lambda z: (function(mp.sqrt(z)) / mp.sqrt(z) - 1) / z


def cos_rest(z):
    """(cos(x) - 1 + x^2 / 2) / x^4 with z = x^2."""
    return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z ** 2


def erf_rest(z):
    """erf(x) / x - 1 with z = x^2."""
    return mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1


def erf_exponent(x):
    """-log(erfc(x)) / x."""
    return -mp.log(mp.erfc(x)) / x


def erfinv_ratio(w):
    """erfinv(x) / x with w = -log(1 - x^2)."""
    x = mp.sqrt(-mp.expm1(-w))
    complement = mp.exp(-w) / (1 + x)  # 1 - x without cancellation
    start = mp.sqrt(mp.pi * w) / 2 if w < 5 else mp.sqrt(w) - mp.mpf("0.3")
    return mp.findroot(lambda y: mp.log(mp.erfc(y)) - mp.log(complement), start) / x


def about(power):
    """A weight: the error counts as much as x^power, the degree of what was taken out."""
    return lambda x: abs(x) ** power + mp.mpf(2) ** -20


def equal(x):
    return mp.mpf(1)


LN2_HALF = mp.log(2) / 2 + mp.mpf(2) ** -12
PI_QUARTER_SQUARE = (mp.pi / 4 + mp.mpf(2) ** -12) ** 2
ROOT = mp.sqrt(2)
S_SQUARE = "0.02945"  # s = f / (2 + f) stays below 0.1716 for 1 + f up to the root of 2

# name: function, interval, degree, weight, precision
ROWS = {
    "exp": (exp_rest, -LN2_HALF, LN2_HALF, 5, about(1), to_float),
    "exp_double": (exp_rest, -LN2_HALF, LN2_HALF, 10, about(1), to_double),
    "log": (log_rest, 1 / ROOT - 1, ROOT - 1, 8, about(2), to_float),
    "log_double": (atanh_rest, 0, S_SQUARE, 7, about(1), to_double),
    "log2_wide": (lambda z: atanh_rest(z) / mp.log(2), 0, S_SQUARE, 5, about(1), to_double),
    "exp2_wide": (lambda r: mp.mpf(2) ** r, -0.5, 0.5, 7, equal, to_double),
    "erf_near": (erf_rest, 0, 1, 6, equal, to_float),
    "erf_far": (erf_exponent, 1, 4, 7, lambda x: x * mp.erfc(x), to_float),
    "erfinv_near": (lambda t: erfinv_ratio(t + 2.5), -2.5, 2.5, 10, equal, to_float),
    "erfinv_far": (lambda t: erfinv_ratio((t + 3) ** 2), mp.sqrt(5) - 3, "1.1", 9, equal, to_float),
    "sin": (odd_rest(mp.sin), 0, PI_QUARTER_SQUARE, 2, about(1), to_float),
    "cos": (cos_rest, 0, PI_QUARTER_SQUARE, 2, about(2), to_float),
    "tan": (odd_rest(mp.tan), 0, PI_QUARTER_SQUARE, 5, about(1), to_float),
    "asin": (odd_rest(mp.asin), 0, 0.25, 4, about(1), to_float),
    "atan": (odd_rest(mp.atan), 0, 1, 7, about(1), to_float),
}


def main(names):
    for name in names or ROWS:
        coefficients, error = fit(*ROWS[name])
        digits = 9 if ROWS[name][-1] is to_float else 17
        print("%s: error 2^%.1f" % (name, mp.log(error, 2)))
        print("  " + ", ".join(mp.nstr(c, digits) for c in coefficients))


if __name__ == "__main__":
    main(sys.argv[1:])
