"""A node of a loop's body for all steps at once: its operands and result with time as a new axis 0.

This is what allows work to move out of a loop. A rule is given the operands, each either `stacked`
(the values of all steps) or plain (the same in each step), and makes the stacked result; a node
without a rule has to stay inside.
"""
import dataclasses

from .. import ops
from ..graph import Constant
from ..graph.node import apply
from ..graph.walk import sources_of
from ..ops.kinds import Reduction
from .rewrite import remake

__all__ = ["outside", "operands_outside", "has_rule", "for_all_steps"]


def operands_outside(loop):
    """{row or invariant of a loop: (value outside, whether it has an axis of time)}.

    Sequences whose lengths only a call can compare get the loop's length as theirs.
    """
    found = {row: (ops.reshape(x, (loop.length,) + row.shape), True)
             for row, x in loop.rows.items()}
    found.update((inside, (x, False)) for inside, x in loop.invariants.items())
    return found


def outside(node, found, length):
    """The outputs of a node outside of its loop, each as (value, whether it has an axis of time).

    Args:     found: the same for what the node reads; constants need not be there.
    Returns:  None if something is not there, or there is no rule.
    """
    operands = [found.get(v, (v, False) if is_constant(v) else None) for v in node.inputs]
    if None in operands or node.op.effect:
        return None
    values, stacked = [x for x, _ in operands], [has_time for _, has_time in operands]
    if any(stacked):
        return ([(for_all_steps(node, values, stacked, length), True)]
                if has_rule(node, stacked) else None)
    same = all(a is b for a, b in zip(values, node.inputs))       # of constants alone
    return [(x, False) for x in (node.outputs if same else remake(node, values))]


def is_constant(variable):
    """Whether a value depends on constants alone, and so is there inside and outside."""
    return all(isinstance(source, Constant) for source in sources_of([variable]))


def has_rule(node, stacked):
    """Whether a node can be made for all steps, if these operands are stacked."""
    guard = _GUARDS.get(node.op.name)
    return (_rule(node) is not None and len(node.outputs) == 1 and not node.op.effect
            and (guard is None or guard(node, list(stacked))))


def for_all_steps(node, operands, stacked, length):
    """The stacked result of a node that has a rule."""
    result = _rule(node)(node, operands, stacked, length)
    return ops.reshape(result, (length,) + node.outputs[0].shape)


def _rule(node):
    if node.op.kind == "reduce" and not isinstance(node.op, Reduction):
        return _RULES.get(node.op.name)
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
    return ops.concat(_all_stacked(operands, stacked, length), node.op.axis + 1)


def _all_stacked(operands, stacked, length):
    return [x if has_time else ops.broadcast_to(x, (length,) + x.shape)
            for x, has_time in zip(operands, stacked)]


def _reduce(node, operands, stacked, length):
    axes = tuple(axis + 1 for axis in node.op.axes)
    return apply(dataclasses.replace(node.op, axes=axes), *operands)


def _sum_to(node, operands, stacked, length):
    shape = node.outputs[0].shape
    lead = (1,) * (node.inputs[0].ndim - len(shape))
    return ops.sum_to(operands[0], (length,) + lead + shape)


def _along_axis(node, operands, stacked, length):
    operands = _all_stacked(operands, stacked, length)
    return apply(dataclasses.replace(node.op, axis=node.op.axis + 1), *operands)


def _matmul(node, operands, stacked, length):
    """With one matrix for all steps, time is one more axis of rows: one large product."""
    (a, b), op = operands, node.op
    if stacked[0] and not stacked[1] and b.ndim == 2 and not op.transpose_a:
        rows = ops.reshape(a, (-1, a.shape[-1]))
        return apply(op, rows, b)
    rank = node.outputs[0].ndim
    return apply(op, *(_with_rank(x, v.shape, rank, length) if has_time else x
                       for x, v, has_time in zip(operands, node.inputs, stacked)))


def _images(node, operands, stacked, length):
    """With one kernel for all steps, time is one more axis of the batch."""
    batch = ops.reshape(operands[0], (-1,) + node.inputs[0].shape[1:])
    op = node.op
    if op.name == "conv_grad_input":
        op = dataclasses.replace(op, shape=batch.shape[:1] + op.shape[1:])
    return apply(op, batch, *operands[1:])


def _is_of_images(node, stacked):
    return stacked == [True] + [False] * (len(stacked) - 1)


def _gather(node, operands, stacked, length):
    """With one table for all steps, time is one more axis of the indices."""
    return apply(node.op, *operands)


_RULES = {"broadcast_to": _broadcast, "transpose": _transpose, "slice": _slice, "pad": _pad,
          "concat": _concat, "sum_to": _sum_to, "matmul": _matmul, "gather": _gather,
          "softmax": _along_axis, "log_softmax": _along_axis, "softmax_grad": _along_axis,
          "log_softmax_grad": _along_axis, "conv": _images, "conv_grad_input": _images}
_BY_KIND = {"elementwise": _elementwise, "shape": _reshape, "reduce": _reduce}
_GUARDS = {
    "matmul": lambda node, stacked: len(stacked) == 2,
    "conv": _is_of_images,
    "conv_grad_input": _is_of_images,
    "gather": lambda node, stacked: stacked == [False, True] and node.op.axis == 0,
}
