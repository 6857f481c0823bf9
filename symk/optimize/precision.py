"""Products in bfloat16 where a function asks for them: a walk that sets an attribute.

It runs when all else is done, so gradients, epilogues and loops have it like what they came from.
"""
import dataclasses

from ..graph.node import apply
from ..graph.walk import nodes_of
from .inside import inside, replace_nodes

__all__ = ["set_products"]

_FEW_CHANNELS = 8   # of a group: such convolutions are bound by memory, and stay in float32


def set_products(results, products):
    """The results with all products of float32 in this precision, and how many there are."""
    return inside(lambda inner: _set(inner, products))(results)


def _set(results, products):
    count = sum(_gains(node) for node in nodes_of(results))
    if not count:
        return results, {}

    def with_products(node, inputs):
        if not _gains(node):
            return None
        made = apply(dataclasses.replace(node.op, products=products), *inputs,
                     origin_=node.origin)
        return made if isinstance(made, tuple) else (made,)

    return replace_nodes(results, with_products), {"products of %s" % products: count}


def _gains(node):
    """Whether this is a product that bfloat16 makes faster."""
    if not hasattr(node.op, "products") or node.inputs[0].dtype == "float64":
        return False
    groups = getattr(node.op, "groups", 1)
    return groups == 1 or min(_channels(node, groups)) >= _FEW_CHANNELS


def _channels(node, groups):
    """The channels of a group of a convolution, in and out."""
    x, y = ((node.outputs[0], node.inputs[0]) if node.op.name == "conv_grad_input" else
            (node.inputs[0], node.outputs[0] if node.op.name == "conv" else node.inputs[1]))
    return [size // groups if isinstance(size, int) else 0 for size in (x.shape[-1], y.shape[-1])]
