"""What takes several ops in symk and one in ONNX: elements repeated or interpolated along axes, as
up-sampling does (Resize), and a relu with a limit (Clip). They are found before the optimiser moves
their parts.
"""
import dataclasses

import numpy as np

from ... import ops
from ...graph import Op, apply
from ...graph.node import Constant
from ...optimize.merge import merge
from .table import First, rule
from .writer import to_first

__all__ = ["as_idiom"]


@dataclasses.dataclass(frozen=True, repr=False)
class Resize(Op):
    """`counts[k]` elements for each one along axis k: copies, or, in mode "linear", the way from it
    to the next. An op of files alone, so it is not registered.

    Shapes: x -> each size times its count.  Dtypes: any -> same.
    """

    counts: tuple = ()
    mode: str = "nearest"

    name = "resize"
    kind = "index"

    def infer(self, x):
        return x.with_shape(size * count for size, count in zip(x.shape, self.counts))


def as_idiom(node, inputs):
    """The result of a node in one op, if it is the last one of an idiom; else None."""
    if node.op.name == "minimum":
        return _as_clip(inputs)
    if node.op.name == "reshape" and node.outputs[0].dtype == "float32":
        spread = inputs[0].node.op.name if inputs[0].node is not None else None
        if spread == "broadcast_to":
            return _as_repeat(inputs[0].node, node.outputs[0].shape)
        if spread == "add":
            return _as_interpolation(node.op, inputs[0])
    return None


def _as_clip(inputs):
    """minimum(relu(x), limit) -> clip(x, 0, limit)"""
    for value, limit in (inputs, inputs[::-1]):
        positive = _maker(value, "relu")
        if positive is not None and _is_number(limit):
            return ops.clip(positive.inputs[0], 0, limit)
    return None


def _is_number(limit):
    """Whether a limit is a constant that Clip takes as `minimum` does: it passes over NaN."""
    return isinstance(limit, Constant) and limit.ndim == 0 and not np.isnan(limit.value)


def _as_repeat(spread, result):
    """reshape(broadcast_to(reshape(x))), each element several times -> resize(x)"""
    apart = _maker(spread.inputs[0], "reshape")
    if apart is None:
        return None
    x = apart.inputs[0]
    for axis, count in _new_axes(x, apart.outputs[0].shape, spread.outputs[0].shape, result):
        return _resized(x, axis, count, "nearest")
    return None


def _as_interpolation(last, total):
    """What `ops.interpolate` makes of images -> resize(x)"""
    apart = _maker(total.node.inputs[0], "reshape")
    if apart is None or apart.inputs[0].ndim != 4:
        return None
    x, (result,) = apart.inputs[0], _outputs(apply(last, total))
    for axis, count in _new_axes(x, apart.outputs[0].shape, total.shape, result.shape):
        if axis == 0 or not 1 <= count <= ops.LARGEST_FACTOR:
            continue
        (one, other), _ = merge([result, ops.interpolate(x, count, axis)])
        if one is other:
            return _resized(x, axis, count, "linear")
    return None


def _new_axes(x, apart, spread, result):
    """(axis, count) where an axis of `count` behind `axis` was put in, and joined with it."""
    for axis, size in enumerate(x.shape):
        head, tail = x.shape[:axis + 1], x.shape[axis + 1:]
        count = spread[axis + 1:axis + 2]
        if (apart == head + (1,) + tail and spread == head + count + tail
                and isinstance(count[0], int) and result == head[:-1] + (size * count[0],) + tail):
            yield axis, count[0]


def _outputs(made):
    return made if isinstance(made, tuple) else (made,)


def _maker(variable, name):
    node = variable.node
    return node if node is not None and node.op.name == name else None


def _resized(x, axis, count, mode):
    """Joined with that along other axes before it."""
    counts = [1] * x.ndim
    counts[axis] = count
    before = _maker(x, "resize")
    if before is not None and before.op.mode == mode and before.op.counts[axis] == 1:
        both = [one * other for one, other in zip(before.op.counts, counts)]
        if mode == "nearest" or both[1] == 1 or both[-1] == 1:      # two axes of images
            counts, x = both, before.inputs[0]
    return apply(Resize(tuple(counts), mode), x)


@rule("resize")
def _resize(w, node):
    """Runtimes interpolate images whose channels come first."""
    x, counts, mode = node.inputs[0], np.float32(node.op.counts), node.op.mode
    attributes = {"mode": mode, "coordinate_transformation_mode": "asymmetric"}
    if mode == "nearest":
        attributes["nearest_mode"] = "floor"
    if w.is_only_first(x) or mode == "linear" and counts[-1] == 1:
        scales = w.constant(counts[list(to_first(x.ndim))])
        return First(w.emit("Resize", w.first(x), "", scales, **attributes))
    return w.emit("Resize", w.name(x), "", w.constant(counts), **attributes)
