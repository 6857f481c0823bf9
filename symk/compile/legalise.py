"""Makes a graph one that the kernels can run: casts around float16, expansions of missing kernels.

Kernels compute in float32 and float64; float16 is a form of storage. Elementwise programs and the
kernels that only move elements take it as it is.
"""
import dataclasses

from .. import ops
from ..graph.errors import DeviceError
from ..graph.node import apply
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from .bodies import show_sizes
from .callback import as_callback

__all__ = ["legalise"]

_ANY_DTYPE_KINDS = ("elementwise", "fused", "fused_reduce", "shape", "size")
# Kernels that move elements or compare them, and never compute with them.
_ANY_DTYPE = ("broadcast_to", "copy", "transpose", "concat", "slice", "slice_grad", "pad", "gather",
              "one_hot", "arange")


def legalise(results, kernels):
    """The results with only what the device has.

    Args:     kernels: the names of the device's kernels.
    Raises:   DeviceError naming the op and the layer when there is neither kernel nor expansion.
    """
    new = {}
    for node in nodes_of(results):
        inputs = [new.get(variable, variable) for variable in node.inputs]
        outputs = _legal(node, inputs, kernels)
        for old, fresh in zip(node.outputs, outputs):
            if old is not fresh:
                fresh.name = old.name
                new[old] = fresh
    return [new.get(variable, variable) for variable in results]


def _legal(node, inputs, kernels):
    """The outputs of a node in legal form; the node's own if nothing has to change."""
    with acting_for(node.origin):
        if node.op.bodies and node.op.name in kernels:
            return _with_legal_bodies(node, inputs, kernels)
        if node.op.kind == "custom":
            op = node.op if node.op.name in kernels else as_callback(node.op)
            return _as_tuple(apply(op, *inputs))
        if node.op.kind not in _ANY_DTYPE_KINDS and node.op.name not in kernels:
            return _expanded(node, inputs, kernels)
        if _needs_float32(node):
            return _in_float32(node, inputs)
        if all(a is b for a, b in zip(inputs, node.inputs)):
            return node.outputs
        return _as_tuple(apply(node.op, *inputs))


def _with_legal_bodies(node, inputs, kernels):
    bodies = [body.with_outputs(legalise(body.outputs, kernels)) for body in node.op.bodies]
    op, inputs = show_sizes(node.op.with_bodies(bodies), inputs)
    return _as_tuple(apply(op, *inputs))


def _as_tuple(made):
    return made if isinstance(made, tuple) else (made,)


def _needs_float32(node):
    return (node.op.kind not in _ANY_DTYPE_KINDS and node.op.name not in _ANY_DTYPE
            and any(variable.dtype == "float16" for variable in node.inputs + node.outputs))


def _in_float32(node, inputs):
    wide = [ops.cast(v, "float32") if v.dtype == "float16" else v for v in inputs]
    op = node.op
    if op.attributes().get("dtype") == "float16":
        op = dataclasses.replace(op, dtype="float32")
    return tuple(ops.cast(fresh, old.dtype)
                 for old, fresh in zip(node.outputs, _as_tuple(apply(op, *wide))))


def _expanded(node, inputs, kernels):
    """The op's definition by smaller ops, legal in its turn."""
    expand = getattr(node.op, "expand", None)
    outputs = expand(*inputs) if expand is not None else None
    if outputs is None:
        layer = "in layer %s: " % node.origin.layer if node.origin.layer else ""
        raise DeviceError("%s[%s] this build has no kernel of that name. Build symk again, or use "
                          'mode "reference".' % (layer, node.op.name))
    return legalise(list(_as_tuple(outputs)), kernels)
