"""Derives every polynomial of csrc/math: `python3 csrc/math/coefficients.py` prints the tables that the headers hold.

Needs mpmath, which nothing else of symk does. Each row is a near-minimax polynomial of a function whose
leading terms were taken out by hand; coefficients are rounded to the target's precision from the lowest degree up, the
remaining ones being fitted again after each rounding.
"""
import struct
import sys

import mpmath as mp

mp.mp.dps = 50
GRID = 200


def nodes(low, high):
    """Chebyshev's points: least squares on them is within a bit of the minimax polynomial."""
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle + half * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / GRID) for i in range(GRID)]


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


def fit(name, function, low, high, degree, weight, rounding=to_float):
    """Prints one table, lowest degree first."""
    points = nodes(mp.mpf(low), mp.mpf(high))
    rest, weights = [function(x) for x in points], [weight(x) for x in points]
    fixed = []
    for step in range(degree + 1):
        coefficients = least_squares(rest, points, weights, range(step, degree + 1))
        fixed.append(rounding(coefficients[0]))
        rest = [value - fixed[-1] * x ** step for x, value in zip(points, rest)]
    error = max(abs(w * r) for w, r in zip(weights, rest))
    text = ", ".join(mp.nstr(c, 9) + "f" if rounding is to_float else mp.nstr(c, 17) for c in fixed)
    print("%s: error 2^%.2f\n  %s" % (name, mp.log(error, 2), text))


def series(function, terms, start=0):
    """`function` where it is well conditioned, its Taylor polynomial next to zero."""
    def value(x):
        if abs(x) > mp.mpf(10) ** -8:
            return function(x)
        return sum(c * x ** i for i, c in enumerate(terms))
    return value


third = mp.mpf(1) / 3
LN2_HALF = mp.log(2) / 2 + mp.mpf(2) ** -12
QUARTER_PI = mp.pi / 4 + mp.mpf(2) ** -12

ROWS = {
    # (exp(r) - 1 - r) / r^2; the error counts against expm1(r), about r
    "exp": lambda: fit("exp", series(lambda r: (mp.expm1(r) - r) / r ** 2, [mp.mpf(1) / 2, mp.mpf(1) / 6]),
                       -LN2_HALF, LN2_HALF, 5, lambda r: abs(r) + mp.mpf(2) ** -20),
    # (log(1 + f) - f + f^2 / 2) / f^3, for 1 + f between the square roots of 1/2 and 2
    "log": lambda: fit("log", series(lambda f: (mp.log1p(f) - f + f * f / 2) / f ** 3, [third, mp.mpf(-1) / 4]),
                       mp.sqrt(mp.mpf(1) / 2) - 1, mp.sqrt(2) - 1, 8, lambda f: f ** 2 + mp.mpf(2) ** -20),
    "exp_double": lambda: fit("exp_double", series(lambda r: (mp.expm1(r) - r) / r ** 2, [mp.mpf(1) / 2, mp.mpf(1) / 6]),
                              -LN2_HALF, LN2_HALF, 10, lambda r: abs(r) + mp.mpf(2) ** -20, to_double),
    # (log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2; s = f / (2 + f) stays below 0.1716
    "log_double": lambda: fit("log_double", series(lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
                                                   [2 * third, mp.mpf(2) / 5]),
                              0, mp.mpf("0.02945"), 7, lambda z: z + mp.mpf(2) ** -20, to_double),
    # erf(x) / x - 1 in z = x^2, for |x| <= 1
    "erf_near": lambda: fit("erf_near", series(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1,
                                               [2 / mp.sqrt(mp.pi) - 1, -2 / (3 * mp.sqrt(mp.pi))]),
                            0, 1, 6, lambda z: 1),
    # -log(erfc(x)) / x, for 1 <= x <= 4; the error counts against erf(x)
    "erf_far": lambda: fit("erf_far", lambda x: -mp.log(mp.erfc(x)) / x, 1, 4, 7, lambda x: x * mp.erfc(x)),
    # erfinv(x) / x in w = -log(1 - x^2), centred
    "erfinv_near": lambda: fit("erfinv_near", lambda t: erfinv_ratio(t + mp.mpf(5) / 2), -2.5, 2.5, 10, lambda t: 1),
    # erfinv(x) / x in sqrt(w) - 3
    "erfinv_far": lambda: fit("erfinv_far", lambda t: erfinv_ratio((t + 3) ** 2), mp.sqrt(5) - 3, mp.mpf("1.1"), 9,
                              lambda t: 1),
    # (sin(x) / x - 1) / x^2 in z = x^2
    "sin": lambda: fit("sin", series(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
                                     [-mp.mpf(1) / 6, mp.mpf(1) / 120]), 0, QUARTER_PI ** 2, 2, lambda z: z + mp.mpf(2) ** -20),
    # (cos(x) - 1 + x^2 / 2) / x^4 in z = x^2
    "cos": lambda: fit("cos", series(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z ** 2,
                                     [mp.mpf(1) / 24, -mp.mpf(1) / 720]), 0, QUARTER_PI ** 2, 2, lambda z: z ** 2 + mp.mpf(2) ** -20),
    # (tan(x) / x - 1) / x^2 in z = x^2
    "tan": lambda: fit("tan", series(lambda z: (mp.tan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, [third, mp.mpf(2) / 15]),
                       0, QUARTER_PI ** 2, 5, lambda z: z + mp.mpf(2) ** -20),
    # (asin(x) / x - 1) / x^2 in z = x^2, for |x| <= 1/2
    "asin": lambda: fit("asin", series(lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
                                       [mp.mpf(1) / 6, mp.mpf(3) / 40]), 0, 0.25, 4, lambda z: z + mp.mpf(2) ** -20),
    # (atan(x) / x - 1) / x^2 in z = x^2, for |x| <= 1
    "atan": lambda: fit("atan", series(lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
                                       [-third, mp.mpf(1) / 5]), 0, 1, 7, lambda z: z + mp.mpf(2) ** -20),
    # (atanh(s) / s - 1) / s^2 in z = s^2, for float32 powers in double lanes
    "log2_wide": lambda: fit("log2_wide", series(lambda z: 2 / mp.log(2) * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
                                                 [2 / mp.log(2) / 3, 2 / mp.log(2) / 5]),
                             0, mp.mpf("0.02945"), 5, lambda z: z + mp.mpf(2) ** -20, to_double),
    # 2^r for |r| <= 1/2, in double lanes
    "exp2_wide": lambda: fit("exp2_wide", lambda r: mp.mpf(2) ** r, -0.5, 0.5, 7, lambda r: 1, to_double),
}


def erfinv_ratio(w):
    """erfinv(x) / x as a function of w = -log(1 - x^2)."""
    if w < mp.mpf(10) ** -10:
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-w))
    start = mp.sqrt(mp.mpf(w)) * mp.sqrt(mp.pi) / 2 if w < 5 else mp.sqrt(w) - mp.mpf("0.3")
    complement = mp.exp(-w) / (1 + x)  # 1 - x without cancellation
    return mp.findroot(lambda y: mp.log(mp.erfc(y)) - mp.log(complement), start) / x


if __name__ == "__main__":
    for row in sys.argv[1:] or ROWS:
        ROWS[row]()
