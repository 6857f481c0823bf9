"""Ops that are said by other ops of symk: a function of op and operands that gives the results."""
import math

from ... import ops
from ...graph import dims

__all__ = ["said_otherwise"]


def _softmax_cross_entropy(op, logits, targets):
    return -ops.sum(targets * ops.log_softmax(logits), -1)


def _sparse_softmax_cross_entropy(op, logits, labels):
    chosen = ops.one_hot(labels, logits.shape[-1], logits.dtype)
    return _softmax_cross_entropy(op, logits, chosen)


def _sigmoid_cross_entropy(op, logits, targets):
    return ops.softplus(logits) - logits * targets


def _batch_norm(op, x, gamma, beta):
    axes = tuple(range(x.ndim - 1))
    mean = ops.mean(x, axes)
    centred = x - mean
    variance = ops.mean(ops.square(centred), axes)
    return gamma * centred * ops.rsqrt(variance + op.epsilon) + beta, mean, variance


def _cumprod(op, x):
    return _running(op, [x], lambda rows, state: rows[0] * state, 1)


def _linear_recurrence(op, a, b):
    return _running(op, [a, b], lambda rows, state: rows[0] * state + rows[1], 0)


def _running(op, sequences, step, start):
    """A loop along an axis whose state is what it gives out."""
    x = sequences[0]
    order = [op.axis] + [axis for axis in range(x.ndim) if axis != op.axis]
    rows = [ops.transpose(v, order) for v in sequences]
    first = ops.full(rows[0].shape[1:], start, x.dtype)

    def run(rows, states):
        state = step(rows, states[0])
        return [state], [state]

    _, (every,) = ops.scan(run, rows, [first], reverse=op.reverse)
    return ops.transpose(every, [order.index(axis) for axis in range(x.ndim)])


def _in_top_k(op, predictions, targets):
    chosen = ops.one_hot(targets, predictions.shape[1], "bool")
    of_target = ops.sum(ops.where(chosen, predictions, 0), 1, keepdims=True)
    bad = ops.logical_or(ops.isnan(predictions), ops.isinf(predictions))
    sound = ops.logical_and(ops.any(chosen, 1), ops.logical_not(ops.any(bad, 1)))
    above = ops.sum(ops.cast(ops.greater(predictions, of_target), "int64"), 1)
    return ops.logical_and(sound, ops.less(above, op.k))


def _atan2(op, a, b):
    """atan(a / b), turned by half a circle to the left of 0."""
    half = ops.where(ops.less(a, 0), -math.pi, math.pi)
    turned = ops.atan(a / b) + ops.where(ops.less(b, 0), half, 0.0)
    return ops.where(ops.logical_and(ops.equal(a, 0), ops.equal(b, 0)), 0.0, turned)


def _sum_to(op, x):
    """Summed along axes that are new or of size 1; None where that is not known."""
    lead = x.ndim - len(op.shape)
    if any(isinstance(size, dims.Dim) and size != have
           for size, have in zip(op.shape, x.shape[lead:])):
        return None
    axes = tuple(range(lead)) + tuple(
        lead + axis for axis, size in enumerate(op.shape) if size == 1)
    return ops.reshape(ops.sum(x, axes) if axes else x, op.shape)


_DEFINITIONS = {
    "softmax_cross_entropy": _softmax_cross_entropy,
    "sparse_softmax_cross_entropy": _sparse_softmax_cross_entropy,
    "sigmoid_cross_entropy": _sigmoid_cross_entropy, "batch_norm": _batch_norm,
    "cumprod": _cumprod, "linear_recurrence": _linear_recurrence, "in_top_k": _in_top_k,
    "atan2": _atan2, "sum_to": _sum_to}


def said_otherwise(op, inputs):
    """The results of an op in terms of others, as a list; None if there is no such form."""
    define = _DEFINITIONS.get(op.name)
    made = define(op, *inputs) if define else op.expand(*inputs)
    if made is None:
        return None
    return list(made) if isinstance(made, (tuple, list)) else [made]
