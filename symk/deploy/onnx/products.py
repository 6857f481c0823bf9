"""Matrix products, convolutions over one to three axes, and pooling.

Scales of a fixed kernel go into the kernel; a bias is an operand; what else an epilogue says is
written behind.
"""
import numpy as np

from ...graph import dims
from ...graph.node import Constant
from ...ops.products import ROUNDED
from ...ops.window import pad_widths
from .elementwise import write_unary
from .table import First, rule

__all__ = []


def _refuse_rounding(w, node):
    """Products that round their operands are no products of ONNX."""
    if node.op.products in ROUNDED:
        w.refuse(node, "there is none with products of %s" % node.op.products)


@rule("matmul")
def _matmul(w, node):
    _refuse_rounding(w, node)
    a, b, *operands = node.inputs
    op, given = node.op, dict(zip(node.op.epilogue, operands))
    b = _scaled(b, given, -2 if op.transpose_b else -1)
    if b is None:
        return NotImplemented
    if a.ndim == 2 and b.ndim == 2:
        bias = [w.name(given.pop("bias"))] if "bias" in given else []
        flags = {key: 1 for key, on in (("transA", op.transpose_a), ("transB", op.transpose_b))
                 if on}
        product = w.emit("Gemm", w.name(a), w.name(b), *bias, **flags)
    else:
        product = w.emit("MatMul", _turned(w, a, op.transpose_a), _turned(w, b, op.transpose_b))
    return _with_epilogue(w, node, product, given, w.name)


def _turned(w, variable, turn):
    """A matrix, or a stack of them, transposed if so wished."""
    if not turn:
        return w.name(variable)
    order = tuple(range(variable.ndim - 2)) + (variable.ndim - 1, variable.ndim - 2)
    if isinstance(variable, Constant):
        return w.constant(variable.value.transpose(order), variable.name)
    return w.emit("Transpose", w.name(variable), perm=order)


def _scaled(kernel, given, axis):
    """The kernel with the scale of the epilogue, which is taken out; None if it is not fixed."""
    scale = given.pop("scale", None)
    if scale is None:
        return kernel
    if not isinstance(kernel, Constant) or not isinstance(scale, Constant):
        return None
    shape = [1] * kernel.ndim
    shape[axis] = -1
    return Constant(kernel.value * scale.value.reshape(shape), kernel.dtype, kernel.name)


def _with_epilogue(w, node, result, given, name_of):
    """What is left of the epilogue, behind the product."""
    for part in ("bias", "addend"):
        if part in given:
            result = w.emit("Add", result, name_of(given[part]))
    if node.op.limit is not None:
        dtype = node.outputs[0].dtype
        result = w.emit("Clip", result, w.constant(np.zeros((), dtype), "low"),
                        w.constant(np.array(node.op.limit, dtype), "high"))
    elif node.op.activation:
        result = write_unary(w, node.op.activation, node.outputs[0].dtype, result)
    return w.emit("Mul", result, name_of(given["factor"])) if "factor" in given else result


@rule("conv")
def _conv(w, node):
    _refuse_rounding(w, node)
    x, kernel, *operands = node.inputs
    op, given = node.op, dict(zip(node.op.epilogue, operands))
    kernel = _scaled(kernel, given, -1)
    if kernel is None:
        return NotImplemented
    window = _window(w, node, kernel)
    bias = [w.name(given.pop("bias"))] if "bias" in given else []
    result = w.emit("Conv", w.first(x), _kernel(w, kernel), *bias, kernel_shape=window,
                    strides=op.strides, dilations=op.dilation, group=op.groups,
                    **_padding(x, window, op.strides, op.dilation, op.padding))
    return First(_with_epilogue(w, node, result, given, w.first))


def _window(w, node, kernel):
    """The size of the window, which must be known."""
    if any(isinstance(size, dims.Dim) for size in kernel.shape[:-2]):
        w.refuse(node, "there is none with a window of unknown size")
    return kernel.shape[:-2]


def _kernel(w, kernel):
    """(window, channels in, out) -> (out, in, window), which is ONNX's order."""
    rank = kernel.ndim
    order = (rank - 1, rank - 2) + tuple(range(rank - 2))
    if isinstance(kernel, Constant):
        return w.constant(kernel.value.transpose(order), kernel.name)
    return w.emit("Transpose", w.name(kernel), perm=order)


def _padding(x, window, strides, dilation, padding):
    """Attributes: the widths where they follow from what is known, else the rule for them."""
    if padding == "valid":
        return {}
    before, after = [], []
    for size, *along in zip(x.shape[1:], window, strides, dilation):
        if isinstance(size, dims.Dim):
            if padding == "same" and along[1] != 1:
                return {"auto_pad": "SAME_UPPER"}
            size = along[0]     # with steps of 1 the widths are the same for every size
        _, first, last = pad_widths(int(size), *along, padding)
        before.append(first)
        after.append(last)
    return {"pads": before + after}


@rule("conv_grad_input")
def _conv_transpose(w, node):
    _refuse_rounding(w, node)
    (g, kernel), op = node.inputs, node.op
    window = _window(w, node, kernel)
    pads, extra = _transposed_padding(w, node, g, window)
    return First(w.emit("ConvTranspose", w.first(g), _kernel(w, kernel), kernel_shape=window,
                        strides=op.strides, dilations=op.dilation, group=op.groups, pads=pads,
                        output_padding=extra))


def _transposed_padding(w, node, g, window):
    """What is cut off at the ends, and what is added at the end, so that the shape is right."""
    op = node.op
    before, after, extra = [], [], []
    for given, wanted, size, stride, dilation in zip(
            g.shape[1:], op.shape[1:], window, op.strides, op.dilation):
        reach = (size - 1) * dilation + 1
        surplus = (given - 1) * stride + reach - wanted
        if isinstance(surplus, dims.Dim):
            w.refuse(node, "there is none with a size that does not follow from that of x")
        cut = {"same": max(surplus, 0), "causal": reach - 1, "valid": 0}[op.padding]
        before.append(cut if op.padding == "causal" else cut // 2)
        after.append(cut - before[-1])
        extra.append(cut - surplus)
    return before + after, extra


@rule("max_pool")
def _max_pool(w, node):
    return _pool(w, node, "MaxPool")


@rule("average_pool")
def _average_pool(w, node):
    return _pool(w, node, "AveragePool", count_include_pad=0)


def _pool(w, node, kind, **attributes):
    x, op = node.inputs[0], node.op
    attributes.update(_padding(x, op.window, op.strides, np.ones_like(op.strides).tolist(),
                               op.padding))
    return First(w.emit(kind, w.first(x), kernel_shape=op.window, strides=op.strides,
                        **attributes))
