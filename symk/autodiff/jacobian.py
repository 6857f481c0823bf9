"""The whole Jacobian: one row per element of the result, or one column per element of the variable.

A row is a reverse walk, a column a forward walk; the way with fewer of them is taken. A few are
written out, more are the steps of a loop, which may have as many as only a call tells.
"""
import numpy as np

from .. import ops
from ..graph import GraphError, Variable, dims
from ..graph.dtype import is_float
from .forward import jvp
from .reverse import grad, need_choice

__all__ = ["jacobian"]

# More walks than this are a loop: the graph stays small, and is compiled once for all of them.
_MOST_WRITTEN_OUT = 8


def jacobian(expression, wrt, disconnected="zero"):
    """All derivatives of the elements of an expression.

    Args:
        expression: a float Variable.
        wrt: a Variable, or several.
        disconnected: as for `grad`.
    Shapes:   expression (a, b), wrt (m, n) -> (a, b, m, n); for any number of axes.
    Returns:  one Variable, or a list for several.
    Raises:   what `grad` raises.
    """
    single = isinstance(wrt, Variable)
    wrt = [wrt] if single else list(wrt)
    need_choice("jacobian", disconnected, [expression] + wrt)
    found = [_jacobian(expression, variable, disconnected) for variable in wrt]
    return found[0] if single else found


def _jacobian(expression, variable, disconnected):
    """The Jacobian in one variable; None if that is the caller's choice for no connection."""
    if not is_float(expression.dtype):
        raise GraphError("[jacobian] the expression must be floating; it is %r. Cast it."
                         % (expression,))
    shape = expression.shape + variable.shape
    connected = grad(expression, variable, disconnected=_strictest(disconnected))
    if connected is None:
        return None if disconnected == "none" else ops.full(shape, 0, expression.dtype)
    if _fewer(expression, variable):
        rows = _for_each_unit(expression, lambda unit: grad(
            None, variable, known={expression: unit}, disconnected="zero"))
        return ops.reshape(rows, shape)
    columns = _for_each_unit(variable, lambda unit: jvp(expression, variable, unit))
    axes = tuple(range(1, expression.ndim + 1)) + (0,)
    return ops.reshape(ops.transpose(columns, axes), shape)


def _strictest(disconnected):
    return "raise" if disconnected == "raise" else "none"


def _fewer(a, b):
    """Whether a has no more elements than b; a known number counts as less than an unknown one."""
    count, other = a.type.size, b.type.size
    if isinstance(count, dims.Dim) or isinstance(other, dims.Dim):
        return not isinstance(count, dims.Dim) or isinstance(other, dims.Dim)
    return count <= other


def _for_each_unit(variable, derive):
    """derive(unit) for each array of this type that is 1 in one place and 0 elsewhere, stacked."""
    count = variable.type.size
    if isinstance(count, dims.Dim) or count > _MOST_WRITTEN_OUT or count == 0:
        def step(rows, states):
            unit = ops.one_hot(rows[0], count, variable.dtype)
            return [], [derive(ops.reshape(unit, variable.shape))]
        _, (stacked,) = ops.scan(step, [ops.arange(count, dtype="int64")])
        return stacked
    units = np.eye(count, dtype=variable.dtype).reshape((count,) + variable.shape)
    return ops.stack([derive(unit) for unit in units])
