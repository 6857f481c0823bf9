"""A node of a loop's body for all steps at once: its operands and result with time as a new axis 0.

This is what allows work to move out of a loop. A rule is given the operands, each either `stacked`
(the values of all steps) or plain (the same in each step), and makes the stacked result; where it
gives None the node has to stay inside.
"""
import dataclasses

from .. import ops
from ..graph.node import apply
from ..ops.kinds import Reduction

__all__ = ["for_all_steps", "has_rule"]


def for_all_steps(node, operands, stacked, length):
    """The result of a node of one output for all steps, or None.

    Args:     operands: a Variable for each input. stacked: whether it has the axis of time.
    """
    if not has_rule(node):
        return None
    result = _rule(node)(node, operands, stacked, length)
    wanted = (length,) + node.outputs[0].shape
    return result if result is not None and result.shape == wanted else None


def has_rule(node):
    """Whether there is a rule for a node; it may still decline."""
    return _rule(node) is not None and len(node.outputs) == 1 and not node.op.effect


def _rule(node):
    return _RULES.get(node.op.name) or _BY_KIND.get(node.op.kind)


def _with_rank(x, inner_shape, rank, length):
    """A stacked value with axes of size 1 after time, so that it broadcasts as without time."""
    return ops.reshape(x, (length,) + (1,) * (rank - len(inner_shape)) + inner_shape)


def _elementwise(node, operands, stacked, length):
    rank = node.outputs[0].ndim
    return apply(node.op, *(_with_rank(x, v.shape, rank, length) if has_time else x
                            for x, v, has_time in zip(operands, node.inputs, stacked)))


def _reshape(node, operands, stacked, length):
    return ops.reshape(operands[0], (length,) + node.outputs[0].shape)


def _broadcast(node, operands, stacked, length):
    shape = node.outputs[0].shape
    return ops.broadcast_to(_with_rank(operands[0], node.inputs[0].shape, len(shape), length),
                            (length,) + shape)


def _transpose(node, operands, stacked, length):
    return ops.transpose(operands[0], (0,) + tuple(axis + 1 for axis in node.op.perm))


def _slice(node, operands, stacked, length):
    op = node.op
    return ops.slice(operands[0], (0,) + op.begin, (1,) + op.step, (length,) + op.shape)


def _pad(node, operands, stacked, length):
    op = node.op
    return ops.pad(operands[0], (0,) + op.before, (0,) + op.after, op.value)


def _concat(node, operands, stacked, length):
    operands = [x if has_time else ops.broadcast_to(x, (length,) + x.shape)
                for x, has_time in zip(operands, stacked)]
    return ops.concat(operands, node.op.axis + 1)


def _reduce(node, operands, stacked, length):
    if not isinstance(node.op, Reduction):
        return None
    axes = tuple(axis + 1 for axis in node.op.axes)
    return apply(dataclasses.replace(node.op, axes=axes), *operands)


def _sum_to(node, operands, stacked, length):
    shape = node.outputs[0].shape
    lead = (1,) * (node.inputs[0].ndim - len(shape))
    return ops.reshape(ops.sum_to(operands[0], (length,) + lead + shape), (length,) + shape)


def _along_axis(node, operands, stacked, length):
    if not all(stacked):
        return None
    return apply(dataclasses.replace(node.op, axis=node.op.axis + 1), *operands)


def _matmul(node, operands, stacked, length):
    """With one matrix for all steps, time is one more axis of rows: one large product."""
    (a, b), op = operands, node.op
    if len(node.inputs) != 2:
        return None
    if stacked[0] and not stacked[1] and b.ndim == 2 and not op.transpose_a:
        rows = ops.reshape(a, (-1, a.shape[-1]))
        return ops.reshape(apply(op, rows, b), (length,) + node.outputs[0].shape)
    rank = node.outputs[0].ndim
    return apply(op, *(_with_rank(x, v.shape, rank, length) if has_time else x
                       for x, v, has_time in zip(operands, node.inputs, stacked)))


def _images(node, operands, stacked, length):
    """With one kernel for all steps, time is one more axis of the batch."""
    if stacked != [True] + [False] * (len(stacked) - 1):
        return None
    batch = ops.reshape(operands[0], (-1,) + node.inputs[0].shape[1:])
    made = apply(node.op, batch, *operands[1:])
    return ops.reshape(made, (length,) + node.outputs[0].shape)


def _gather(node, operands, stacked, length):
    if stacked != [False, True] or node.op.axis:
        return None
    return apply(node.op, *operands)


_RULES = {"broadcast_to": _broadcast, "transpose": _transpose, "slice": _slice, "pad": _pad,
          "concat": _concat, "sum_to": _sum_to, "matmul": _matmul, "gather": _gather,
          "softmax": _along_axis, "log_softmax": _along_axis, "softmax_grad": _along_axis,
          "log_softmax_grad": _along_axis, "conv": _images}
_BY_KIND = {"elementwise": _elementwise, "shape": _reshape, "reduce": _reduce}
