"""Elements repeated along axes, as up-sampling does: in symk a reshape, a broadcast and a reshape,
in ONNX one Resize. The three are found before the optimiser moves them.
"""
import dataclasses

import numpy as np

from ...graph import Op, apply
from .table import First, rule
from .writer import to_first

__all__ = ["as_repeat"]


@dataclasses.dataclass(frozen=True, repr=False)
class Repeat(Op):
    """Each element `counts[k]` times along axis k; an op of files alone, so it is not registered.

    Shapes: x -> each size times its count.  Dtypes: any -> same.
    """

    counts: tuple = ()

    name = "repeat"
    kind = "index"

    def infer(self, x):
        return x.with_shape(size * count for size, count in zip(x.shape, self.counts))

    def reference(self, x):
        for axis, count in enumerate(self.counts):
            x = np.repeat(x, count, axis)
        return x


def as_repeat(node, inputs):
    """The result of a node as a Repeat, if it is the last of the three; else None."""
    spread = _maker(inputs[0], "broadcast_to") if node.op.name == "reshape" else None
    apart = _maker(spread.inputs[0], "reshape") if spread is not None else None
    if apart is None or node.outputs[0].dtype != "float32":
        return None
    x, result = apart.inputs[0], node.outputs[0].shape
    for axis, size in enumerate(x.shape):
        head, tail = x.shape[:axis + 1], x.shape[axis + 1:]
        if apart.outputs[0].shape != head + (1,) + tail:
            continue
        count = spread.outputs[0].shape[axis + 1:axis + 2]
        if (len(count) and isinstance(count[0], int)
                and spread.outputs[0].shape == head + count + tail
                and result == head[:-1] + (size * count[0],) + tail):
            return _repeated(x, axis, count[0])
    return None


def _maker(variable, name):
    node = variable.node
    return node if node is not None and node.op.name == name else None


def _repeated(x, axis, count):
    """Joined with the repetition along other axes before it."""
    counts = [1] * x.ndim
    before = _maker(x, "repeat")
    if before is not None and before.op.counts[axis] == 1:
        counts, x = list(before.op.counts), before.inputs[0]
    counts[axis] = count
    return apply(Repeat(tuple(counts)), x)


@rule("repeat")
def _resize(w, node):
    x, counts = node.inputs[0], np.float32(node.op.counts)
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric",
                  "nearest_mode": "floor"}
    if w.is_only_first(x):
        scales = w.constant(counts[list(to_first(x.ndim))])
        return First(w.emit("Resize", w.first(x), "", scales, **attributes))
    return w.emit("Resize", w.name(x), "", w.constant(counts), **attributes)
