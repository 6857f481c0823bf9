"""How a product multiplies: the attribute `products` of matmul, conv and its gradients, and of
recurrent sequences. None is in the dtype of the operands; "bfloat16" rounds float32 operands to
bfloat16 and adds their products up in float32; "winograd" lets a convolution of float32 with a 3x3
window, or its gradient by the input, multiply less often, with errors twice as large. The optimiser
sets it where a function asks for it; no op that users call has it.
"""
import numpy as np

from ..graph import DtypeError, GraphError

__all__ = ["PRODUCTS", "check_products", "rounded"]

PRODUCTS = ("float32", "bfloat16", "winograd")
_OF_WINOGRAD = ("conv", "conv_grad_input")

_EXPONENT, _SIGN, _QUIET = 0x7F800000, 0x80000000, 0x00400000


def check_products(op, type):
    """Checks the attribute of an op whose operands have this type.

    Raises:   GraphError for an unknown word; DtypeError for operands that cannot be rounded so.
    """
    if op.products is None:
        return
    known = PRODUCTS if op.name in _OF_WINOGRAD else PRODUCTS[:2]
    if op.products not in known:
        raise GraphError("[%s] products must be one of %s; it is %r."
                         % (op.name, ", ".join(known), op.products))
    if op.products != "float32" and type.dtype == "float64":
        raise DtypeError("[%s] products of %s need float32 operands; they are %r. Leave products "
                         "out for them." % (op.name, op.products, type))


def rounded(op, *arrays):
    """The operands of a product as it multiplies them."""
    if op.products != "bfloat16":
        return arrays
    return tuple(_bfloat16(array).astype(array.dtype, copy=False) for array in arrays)


def _bfloat16(x):
    """x rounded to the nearest bfloat16, halves to even; denormal numbers become zero."""
    bits = np.ascontiguousarray(x, "float32").view("uint32").reshape(np.shape(x))
    nearest = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    nan = (bits & np.uint32(~_SIGN & 0xFFFFFFFF)) > _EXPONENT
    nearest = np.where(nan, bits | np.uint32(_QUIET), nearest) & np.uint32(0xFFFF0000)
    zero = (bits & np.uint32(_EXPONENT)) == 0
    return np.where(zero, bits & np.uint32(_SIGN), nearest).astype("uint32").view("float32")
