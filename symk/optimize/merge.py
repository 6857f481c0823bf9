"""Common subexpressions: equal ops on equal operands, and equal constants, are made once."""
import collections

from ..graph.node import Constant
from ..graph.walk import nodes_of
from .pattern import COMMUTATIVE
from .rewrite import remake

__all__ = ["merge"]

_NAME = "equal expressions -> one"


def merge(results):
    """The results with equal expressions joined, and how many nodes that saved.

    A random op is a function of its key, so two draws from one key are equal too.
    """
    new, known, numbers = {}, {}, {}
    counts = collections.Counter()

    def final(variable):
        if variable.node is None and variable not in new:
            new[variable] = _merged_source(variable, known)
        variable = new[variable]
        numbers.setdefault(variable, len(numbers))
        return variable

    for node in nodes_of(results):
        inputs = [final(variable) for variable in node.inputs]
        key = _key(node.op, [numbers[variable] for variable in inputs])
        outputs = known.get(key)
        if outputs is None:
            same = all(a is b for a, b in zip(inputs, node.inputs))
            outputs = known[key] = node.outputs if same else remake(node, inputs)
        else:
            counts[_NAME] += 1
        new.update(zip(node.outputs, outputs))
    return [final(variable) for variable in results], counts


def _key(op, operands):
    return (op, tuple(sorted(operands) if op.name in COMMUTATIVE else operands))


def _merged_source(variable, known):
    if not isinstance(variable, Constant):
        return variable
    key = (variable.dtype, variable.shape, variable.value.tobytes())
    return known.setdefault(key, variable)
