"""Checks derivatives of both modes by finite differences, along random directions in float64."""
import numpy as np

from .. import ops
from ..graph import DtypeError, GraphError
from ..graph import reference
from .forward import jvp
from .reverse import grad

__all__ = ["check", "check_forward"]

# Differences of fourth order: at a step of 1e-3 the error is about 1e-12 by the formula and 1e-13
# by rounding, both far below the tolerance.
_STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))


def check(expression, inputs, wrt=None, tolerance=1e-6, directions=2, seed=0, step=1e-3,
          evaluate=reference.evaluate):
    """Compares `grad` of an expression with differences along random directions.

    Args:
        expression: a float64 Variable of any shape; it is projected on random weights.
        inputs: {placeholder: array}.
        wrt: the placeholders in which the derivatives are taken; by default all that are float64.
        tolerance: the largest error, relative to the derivative (absolute if that is below 0.1).
        step: the largest change of an element; a short one (1e-6) keeps clear of kinks.
        evaluate: evaluate(outputs, inputs) -> arrays; by default the NumPy meanings.
    Returns:  the largest error found.
    Raises:   GraphError when it is above the tolerance; DtypeError when nothing is float64.
    """
    generator = np.random.default_rng(seed)
    wrt = _moving(expression, inputs, wrt)
    loss = _projected(expression, inputs, generator, evaluate)
    gradients = grad(loss, wrt)
    known = [0.0 if g is None else evaluate([g], inputs)[0] for g in gradients]
    largest = 0.0
    for variable, gradient in zip(wrt, known):
        for _ in range(directions):
            direction = generator.standard_normal(np.shape(inputs[variable]))
            slope = _slope(loss, inputs, {variable: direction}, step, evaluate)
            stated = float(np.sum(gradient * direction))
            largest = max(largest, _compare("gradient", expression, stated, slope, tolerance))
    return largest


def check_forward(expression, inputs, wrt=None, tolerance=1e-6, directions=2, seed=0, step=1e-3,
                  evaluate=reference.evaluate):
    """Compares `jvp` of an expression with differences along random directions of all of `wrt`.

    Args, Returns, Raises: as `check`.
    """
    generator = np.random.default_rng(seed)
    wrt = _moving(expression, inputs, wrt)
    loss = _projected(expression, inputs, generator, evaluate)
    largest = 0.0
    for _ in range(directions):
        tangents = [generator.standard_normal(np.shape(inputs[v])) for v in wrt]
        stated = float(evaluate([jvp(loss, wrt, tangents)], inputs)[0])
        slope = _slope(loss, inputs, dict(zip(wrt, tangents)), step, evaluate)
        largest = max(largest, _compare("jvp", expression, stated, slope, tolerance))
    return largest


def _moving(expression, inputs, wrt):
    """The placeholders in which differences are taken: all that are float64 unless said."""
    wrt = [v for v in inputs if v.dtype == "float64"] if wrt is None else list(wrt)
    if not wrt or any(v.dtype != "float64" for v in [expression, *wrt]):
        raise DtypeError("[verify] differences need float64; the expression is %r, the "
                         "inputs are %s." % (expression, ", ".join(map(repr, inputs))))
    return wrt


def _projected(expression, inputs, generator, evaluate):
    """The expression as a scalar, by random weights for its elements."""
    value, = evaluate([expression], inputs)
    return ops.sum(expression * ops.constant(generator.standard_normal(value.shape)))


def _compare(what, expression, stated, slope, tolerance):
    """The error of a derivative, relative where the slope is not small."""
    error = abs(stated - slope) / max(abs(slope), 0.1)
    if not error <= tolerance:
        raise GraphError("[verify] the %s of %r must be its slope; along a random direction it is "
                         "%.12g, by differences %.12g." % (what, expression, stated, slope))
    return error


def _slope(loss, inputs, directions, step, evaluate):
    """The derivative of the loss along a direction of some inputs, by differences."""
    step = step / max(np.max(np.abs(d), initial=1.0) for d in directions.values())
    total = 0.0
    for count, weight in _STENCIL:
        moved = {v: inputs[v] + count * step * d for v, d in directions.items()}
        total += weight * float(evaluate([loss], {**inputs, **moved})[0])
    return total / step
