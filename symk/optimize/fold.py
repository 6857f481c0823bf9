"""Constant folding: what depends on constants alone is computed now, by the NumPy meaning."""
import collections

import numpy as np

from .. import ops
from ..graph import dims
from ..graph.errors import SymkError
from ..graph.node import Constant, apply
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from .pattern import number_of
from .rewrite import remake

__all__ = ["fold"]

# Bytes of a result up to which it is stored instead of computed in each call.
_LIMIT_BYTES = 1 << 20
_NAME = "constants -> constant"


def fold(results):
    """The results with constant expressions computed, and how many nodes that were."""
    new = {}
    counts = collections.Counter()
    for node in nodes_of(results):
        inputs = [new.get(variable, variable) for variable in node.inputs]
        outputs = _folded(node, inputs)
        if outputs is not None:
            counts[_NAME] += 1
        elif any(a is not b for a, b in zip(inputs, node.inputs)):
            outputs = remake(node, inputs)
        if outputs is not None:
            new.update(zip(node.outputs, outputs))
    return [new.get(variable, variable) for variable in results], counts


def _folded(node, inputs):
    """The outputs as constants, or None."""
    if node.op.effect:
        return None
    if all(isinstance(variable, Constant) for variable in inputs):
        return _computed(node, [variable.value for variable in inputs])
    if node.op.kind == "elementwise":
        return _uniform(node, inputs)
    return None


def _computed(node, arrays):
    """The values of a node; None if they are large, depend on sizes, or cannot be computed."""
    if node.op.name == "broadcast_to" or not _is_static(node):
        return None   # one number is kept as one number
    if sum(int(v.type.size) * 8 for v in node.outputs) > _LIMIT_BYTES:
        return None
    try:
        with np.errstate(all="ignore"):
            values = node.op.reference(*arrays)
    except SymkError:
        return None   # the mistake is reported when the function is called
    values = values if isinstance(values, tuple) else (values,)
    return [Constant(np.asarray(value).reshape(variable.shape), variable.dtype, variable.name)
            for variable, value in zip(node.outputs, values)]


def _is_static(node):
    return not any(isinstance(item, dims.Dim)
                   for value in (list(node.op.attributes().values())
                                 + [variable.shape for variable in node.outputs])
                   for item in (value if isinstance(value, tuple) else (value,)))


def _uniform(node, inputs):
    """An elementwise op on operands that are one number each: computed once, then repeated."""
    numbers = [number_of(variable) for variable in inputs]
    if any(number is None for number in numbers):
        return None
    scalars = [Constant(number, variable.dtype) for number, variable in zip(numbers, inputs)]
    with acting_for(node.origin):
        value = _folded(apply(node.op, *scalars).node, scalars)[0]
        return [ops.broadcast_to(value, node.outputs[0].shape)]
