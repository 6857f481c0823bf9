"""Finds the first value that is not finite, in reference mode. csrc/runtime/finite.cpp is the
native counterpart and says the same.
"""
import numpy as np

from ..graph.errors import NotFiniteError
from ..graph.node import Placeholder, Shared
from ..graph.type import TensorType
from .lower import describe_origin

__all__ = ["need_finite"]


def need_finite(variable, value, operands):
    """Raises NotFiniteError unless all elements are finite; names op, layer and line.

    Args:     variable: the result of a node; operands: the arrays of the node's inputs.
    """
    if not _first_not_finite(value):
        return
    where = describe_origin(variable.origin)
    where = "in %s: " % where if where else ""
    name = variable.node.op.name
    for operand, array in zip(variable.node.inputs, operands):
        found = _first_not_finite(array)
        if found and isinstance(_source(operand), (Placeholder, Shared)):
            raise NotFiniteError("%s[%s] a finite value is required by %s; %s."
                                 % (where, _label(_source(operand)), name, found))
    raise NotFiniteError("%s[%s] a finite result is required; %s. The operands were %s."
                         % (where, name, _first_not_finite(value),
                            ", ".join(map(_range, operands)) or "none"))


def _first_not_finite(array):
    """Where the first value that is not finite is, as in messages; empty if there is none."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return ""
    position = int(np.argmin(np.isfinite(array).reshape(-1)))
    return "%s came out at position %d of %r" % (array.reshape(-1)[position], position,
                                                 TensorType(array.dtype, array.shape))


def _source(variable):
    """The variable itself, or what it is a view of."""
    while variable.node is not None and variable.node.op.kind == "shape":
        variable = variable.node.inputs[0]
    return variable


def _label(variable):
    return "%s %s" % ("input" if isinstance(variable, Placeholder) else "shared", variable.name)


def _range(array):
    """The type of an operand, and between which values it lies."""
    type = repr(TensorType(array.dtype, array.shape))
    if not array.size or array.dtype.kind != "f":
        return type
    if np.isnan(array).any():
        return "%s with nan" % type
    return "%s from %.6g to %.6g" % (type, array.min(), array.max())
