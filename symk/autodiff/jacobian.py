"""The whole Jacobian: one row per element of the result, or one column per element of the variable.

A row is a reverse walk, a column a forward walk; the way with fewer of them is taken. Each walk is
written out, so one of the two must have a known number of elements.
"""
import numpy as np

from .. import ops
from ..graph import GraphError, Variable, dims
from ..graph.dtype import is_float
from .forward import jvp
from .reverse import grad, need_choice

__all__ = ["jacobian"]


def jacobian(expression, wrt, disconnected="zero"):
    """All derivatives of the elements of an expression.

    Args:
        expression: a float Variable.
        wrt: a Variable, or several.
        disconnected: as for `grad`.
    Shapes:   expression (a, b), wrt (m, n) -> (a, b, m, n); for any number of axes.
    Returns:  one Variable, or a list for several.
    Raises:   GraphError when neither shape is known; what `grad` raises.
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
    connected = grad(expression, variable, disconnected=_strictest(disconnected))
    if connected is None:
        shape = expression.shape + variable.shape
        return None if disconnected == "none" else ops.full(shape, 0, expression.dtype)
    rows, columns = _count(expression), _count(variable)
    if rows is None and columns is None:
        raise GraphError("[jacobian] the shape of the expression or of the variable must be known; "
                         "they are %r and %r." % (expression, variable))
    if columns is None or rows is not None and rows <= columns:
        return _by_rows(expression, variable)
    return _by_columns(expression, variable)


def _strictest(disconnected):
    return "raise" if disconnected == "raise" else "none"


def _count(variable):
    """The number of elements, or None if that is known only at a call."""
    count = dims.product(variable.shape)
    return None if isinstance(count, dims.Dim) else int(count)


def _by_rows(expression, variable):
    """One reverse walk for each element of the expression."""
    rows = [grad(None, variable, known={expression: unit}, disconnected="zero")
            for unit in _units(expression)]
    return _joined(rows, variable, 0, expression.shape + variable.shape)


def _by_columns(expression, variable):
    """One forward walk for each element of the variable."""
    columns = [jvp(expression, variable, unit) for unit in _units(variable)]
    return _joined(columns, expression, -1, expression.shape + variable.shape)


def _units(variable):
    """For each element the array that is 1 there and 0 elsewhere."""
    for number in range(_count(variable)):
        unit = np.zeros(variable.shape, variable.dtype)
        unit.flat[number] = 1
        yield unit


def _joined(parts, like, axis, shape):
    """The walks' results along a new axis, in the Jacobian's shape."""
    if not parts:
        return ops.full(shape, 0, like.dtype)
    return ops.reshape(ops.stack(parts, axis), shape)
