"""Broadcasting as late as possible: broadcast_to goes away where the op that reads it repeats the
operand by itself, and moves behind ops that would see the same elements again and again.
"""
import collections

from .. import ops
from ..graph.dims import broadcast
from ..graph.node import apply
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from .rewrite import remake

__all__ = ["drop_broadcasts"]

_NAME = "f(broadcast_to(x), y) -> f(x, y)"
_LATER_NAME = "f(broadcast_to(x)) -> broadcast_to(f(x))"
_ONE_NAME = "reshape(f(x)) -> f(reshape(x)), one element"


def drop_broadcasts(results):
    """The results without needless repetition, and how many operands that freed."""
    new = {}
    counts = collections.Counter()
    for node in nodes_of(results):
        inputs = [new.get(variable, variable) for variable in node.inputs]
        moved = _moved(node, inputs)
        if moved is not None:
            name, new[node.outputs[0]] = moved
            counts[name] += 1
            continue
        if node.op.kind == "elementwise":
            counts[_NAME] += _free(inputs, node.outputs[0].shape)
        if any(a is not b for a, b in zip(inputs, node.inputs)):
            new.update(zip(node.outputs, remake(node, inputs)))
    return [new.get(variable, variable) for variable in results], +counts


def _is_broadcast(variable):
    return variable.node is not None and variable.node.op.name == "broadcast_to"


def _moved(node, inputs):
    """(what was done, the new result) where a broadcast or reshape moves through an op, or None."""
    if node.op.kind == "elementwise" and any(map(_is_broadcast, inputs)):
        made = _behind(node, inputs)
        return None if made is None else (_LATER_NAME, made)
    if node.op.name == "reshape" and _is_one_element(inputs[0]):
        inner, shape = inputs[0].node, node.outputs[0].shape
        with acting_for(inner.origin):
            return _ONE_NAME, apply(inner.op, *(ops.reshape(v, shape) for v in inner.inputs))
    return None


def _behind(node, inputs):
    """The op on what is repeated, then the repetition; None if it would see as many elements."""
    if not all(_is_broadcast(v) or v.type.size == 1 for v in inputs):
        return None
    sources = [v.node.inputs[0] if _is_broadcast(v) else v for v in inputs]
    shape = node.outputs[0].shape
    small = _meet([v.shape for v in sources])
    if small == shape or len(small) > len(shape):
        return None
    with acting_for(node.origin):
        return ops.broadcast_to(apply(node.op, *sources), shape)


def _is_one_element(variable):
    """Whether a variable is one element, made elementwise from single elements."""
    return (variable.type.size == 1 and variable.node is not None
            and variable.node.op.kind == "elementwise"
            and all(v.type.size == 1 for v in variable.node.inputs))


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
