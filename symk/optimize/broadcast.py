"""Broadcasting as late as possible: broadcast_to goes away where the op that reads it repeats the
operand by itself, and moves behind ops of one operand, which then see fewer elements.
"""
import collections

from ..graph.dims import broadcast
from ..graph.node import apply
from ..graph.walk import nodes_of
from .rewrite import remake

__all__ = ["drop_broadcasts"]

_NAME = "f(broadcast_to(x), y) -> f(x, y)"
_UNARY_NAME = "f(broadcast_to(x)) -> broadcast_to(f(x))"


def drop_broadcasts(results):
    """The results without needless repetition, and how many operands that freed."""
    new = {}
    counts = collections.Counter()
    for node in nodes_of(results):
        inputs = [new.get(variable, variable) for variable in node.inputs]
        if node.op.kind == "elementwise" and len(inputs) == 1 and _is_broadcast(inputs[0]):
            counts[_UNARY_NAME] += 1
            new[node.outputs[0]] = _behind(node, inputs[0])
            continue
        if node.op.kind == "elementwise":
            counts[_NAME] += _free(inputs, node.outputs[0].shape)
        if any(a is not b for a, b in zip(inputs, node.inputs)):
            new.update(zip(node.outputs, remake(node, inputs)))
    return [new.get(variable, variable) for variable in results], +counts


def _is_broadcast(variable):
    return variable.node is not None and variable.node.op.name == "broadcast_to"


def _behind(node, repeated):
    """The op on what is repeated, then the repetition."""
    made = apply(node.op, *repeated.node.inputs, origin_=node.origin)
    return apply(repeated.node.op, made, origin_=repeated.node.origin)


def _free(inputs, shape):
    """Replaces operands in place while the shape of the result stays; returns how many."""
    freed = 0
    for position, variable in enumerate(inputs):
        if not _is_broadcast(variable):
            continue
        trial = list(inputs)
        trial[position] = variable.node.inputs[0]
        if _meet([operand.shape for operand in trial]) == shape:
            inputs[position] = trial[position]
            freed += 1
    return freed


def _meet(shapes):
    """The shape at which shapes meet by NumPy's rule."""
    rank = max(map(len, shapes))
    result = (1,) * rank
    for shape in shapes:
        result = tuple(map(broadcast, result, (1,) * (rank - len(shape)) + shape))
    return result
