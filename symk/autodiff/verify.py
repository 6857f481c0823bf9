"""Checks a gradient by finite differences, along random directions in float64."""
import numpy as np

from .. import ops
from ..graph import DtypeError, GraphError
from ..graph import reference
from .reverse import grad

__all__ = ["check"]

# Differences of fourth order: the error is about h**4 by the formula and 1e-16 / h by rounding, so
# that both are far below the tolerance.
_STEP = 1e-3
_STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))


def check(expression, inputs, tolerance=1e-6, directions=2, seed=0, evaluate=reference.evaluate):
    """Compares `grad` of an expression with differences along random directions.

    Args:
        expression: a float64 Variable of any shape; it is projected on random weights.
        inputs: {placeholder: array}. The derivatives are taken in those that are float64.
        tolerance: the largest error, relative to the derivative (absolute if that is below 0.1).
        evaluate: evaluate(outputs, inputs) -> arrays; by default the NumPy meanings.
    Returns:  the largest error found.
    Raises:   GraphError when it is above the tolerance; DtypeError when nothing is float64.
    """
    generator = np.random.default_rng(seed)
    wrt = [v for v in inputs if v.dtype == "float64"]
    if expression.dtype != "float64" or not wrt:
        raise DtypeError("[verify] differences need float64; the expression is %r, the inputs are "
                         "%s." % (expression, ", ".join(map(repr, inputs))))
    value, = evaluate([expression], inputs)
    weights = generator.standard_normal(value.shape)
    loss = ops.sum(expression * ops.constant(weights))
    gradients = grad(loss, wrt)
    largest = 0.0
    for variable, gradient in zip(wrt, gradients):
        for _ in range(directions):
            direction = generator.standard_normal(np.shape(inputs[variable]))
            slope = _slope(loss, inputs, variable, direction, evaluate)
            stated = 0.0
            if gradient is not None:
                stated = float(np.sum(evaluate([gradient], inputs)[0] * direction))
            error = abs(stated - slope) / max(abs(slope), 0.1)
            if not error <= tolerance:
                raise GraphError("[verify] the gradient of %r in %r must be its slope; along a "
                                 "random direction it is %.12g, by differences %.12g."
                                 % (expression, variable, stated, slope))
            largest = max(largest, error)
    return largest


def _slope(loss, inputs, variable, direction, evaluate):
    """The derivative of the loss along a direction of one input, by differences."""
    scale = np.max(np.abs(direction), initial=1.0)
    total = 0.0
    for steps, weight in _STENCIL:
        moved = inputs[variable] + steps * _STEP / scale * direction
        total += weight * float(evaluate([loss], {**inputs, variable: moved})[0])
    return total / _STEP * scale
