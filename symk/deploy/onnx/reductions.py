"""Reductions, softmax, running sums, and the order of elements."""
from .table import First, rule
from .writer import to_first

__all__ = []

_KINDS = {"mean": "ReduceMean", "prod": "ReduceProd", "max": "ReduceMax", "min": "ReduceMin",
          "logsumexp": "ReduceLogSumExp"}


@rule("sum")
def _sum(w, node):
    return _reduced(w, node, lambda x, axes, keep: w.emit(
        "ReduceSum", x, w.integers(*axes), keepdims=keep))


@rule(*_KINDS)
def _named(w, node):
    return _reduced(w, node, lambda x, axes, keep: w.emit(
        _KINDS[node.op.name], x, axes=axes, keepdims=keep))


@rule("any", "all")
def _logical(w, node):
    """Whether there is one that is true, or none that is false: counted."""
    def count(x, axes, keep):
        x = x if node.op.name == "any" else w.emit("Not", x)
        number = w.emit("ReduceSum", w.cast(x, "int32"), w.integers(*axes), keepdims=keep)
        kind = "Greater" if node.op.name == "any" else "Equal"
        return w.emit(kind, number, w.constant(0, dtype="int32"))
    return _reduced(w, node, count)


def _reduced(w, node, compute):
    """compute(name, axes, keepdims); with the channels first where that is how x is there."""
    x, op = node.inputs[0], node.op
    keep = int(op.keepdims)
    if w.is_only_first(x):
        order = to_first(x.ndim)
        left = [axis for axis in order if axis not in op.axes]
        if keep or left == sorted(left):
            result = compute(w.first(x), sorted(map(order.index, op.axes)), keep)
            return First(result) if keep else result
    return compute(w.name(x), list(op.axes), keep)


@rule("argmax")
def _argmax(w, node):
    return w.emit("ArgMax", w.name(node.inputs[0]), axis=node.op.axis, keepdims=0)


@rule("argmin")
def _argmin(w, node):
    return w.emit("ArgMin", w.name(node.inputs[0]), axis=node.op.axis, keepdims=0)


@rule("softmax")
def _softmax(w, node):
    return _along_axis(w, node, "Softmax")


@rule("log_softmax")
def _log_softmax(w, node):
    return _along_axis(w, node, "LogSoftmax")


def _along_axis(w, node, kind):
    x, axis = node.inputs[0], node.op.axis
    if w.is_only_first(x):
        return First(w.emit(kind, w.first(x), axis=to_first(x.ndim).index(axis)))
    return w.emit(kind, w.name(x), axis=axis)


@rule("cumsum")
def _cumsum(w, node):
    return w.emit("CumSum", w.name(node.inputs[0]), w.constant(node.op.axis, dtype="int64"),
                  reverse=int(node.op.reverse))


@rule("top_k")
def _top_k(w, node):
    return w.emit("TopK", w.name(node.inputs[0]), w.shape([node.op.k]), outputs=2)
