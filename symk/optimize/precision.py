"""Products of rounded operands, or by Winograd's algorithm, where a function asks for them: a walk
that sets an attribute. The CPU has no products of float16, so there the operands are rounded by
steps of their own.

It runs when all else is done, so gradients, epilogues and loops have it like what they came from.
"""
import dataclasses

from ..graph.errors import GraphError
from ..graph.node import apply
from ..graph.walk import nodes_of
from ..ops import cast
from .inside import inside, replace_nodes

__all__ = ["set_products"]

# The others, sequences, multiply states that they make themselves.
_WITH_OPERANDS = ("matmul", "conv", "conv_grad_input", "conv_grad_kernel")
_FEW_CHANNELS = 8   # of a group: such convolutions are bound by memory, and stay in float32


def set_products(results, products, on_cpu=False):
    """The results with all products of float32 computed so that gain by it, and how many do.

    Args:     on_cpu: whether the kernels of the CPU run them.
    Raises:   GraphError for products that the CPU does not have.
    """
    if on_cpu and products == "tf32":
        raise GraphError("[function] products of tf32 require a GPU; the device is cpu. Use "
                         "products=\"bfloat16\", or SYMK_DEVICE=cuda.")
    run = _round_operands if on_cpu and products == "float16" else _set
    return inside(lambda inner: run(inner, products))(results)


def _round_operands(results, products):
    """Products of float32 whose two operands go through float16."""
    def gains(node):
        return node.op.name in _WITH_OPERANDS and _gains_by_rounding(node)

    def with_products(node, inputs):
        if not gains(node):
            return None
        rounded = [cast(cast(x, products), x.dtype) for x in inputs[:2]]
        return (apply(node.op, *rounded, *inputs[2:], origin_=node.origin),)

    count = sum(gains(node) for node in nodes_of(results))
    return replace_nodes(results, with_products), {"operands rounded to %s" % products: count}


def _set(results, products):
    gains = _GAINS[products]
    count = sum(gains(node) for node in nodes_of(results))
    if not count:
        return results, {}

    def with_products(node, inputs):
        if not gains(node):
            return None
        made = apply(dataclasses.replace(node.op, products=products), *inputs,
                     origin_=node.origin)
        return made if isinstance(made, tuple) else (made,)

    return replace_nodes(results, with_products), {"products of %s" % products: count}


def _gains_by_rounding(node):
    """Whether this is a product that operands of fewer bits make faster."""
    if not hasattr(node.op, "products") or node.inputs[0].dtype == "float64":
        return False
    groups = getattr(node.op, "groups", 1)
    return groups == 1 or min(_channels(node, groups)) >= _FEW_CHANNELS


def _channels(node, groups):
    """The channels of a group of a convolution, in and out."""
    x, y = ((node.outputs[0], node.inputs[0]) if node.op.name == "conv_grad_input" else
            (node.inputs[0], node.outputs[0] if node.op.name == "conv" else node.inputs[1]))
    return [size // groups if isinstance(size, int) else 0 for size in (x.shape[-1], y.shape[-1])]


def _gains_by_winograd(node):
    """Whether this is a convolution that Winograd's algorithm can do; the kernel decides by sizes
    whether it is faster so."""
    op = node.op
    if op.name not in ("conv", "conv_grad_input") or node.inputs[0].dtype == "float64":
        return False
    return (node.inputs[1].shape[:-2] == (3, 3) and op.strides == op.dilation == (1, 1)
            and op.groups == 1)


_GAINS = {"bfloat16": _gains_by_rounding, "float16": _gains_by_rounding,
          "tf32": _gains_by_rounding, "winograd": _gains_by_winograd}
