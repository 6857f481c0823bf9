"""How a product multiplies: the attribute `products` of matmul, conv and its gradients, and of
recurrent sequences. None is in the dtype of the operands; "bfloat16", "float16" and "tf32" round
float32 operands to these numbers and add their products up in float32; "winograd" lets a
convolution of float32 with a 3x3 window, or its gradient by the input, multiply less often, with
errors twice as large. The optimiser sets it where a function asks for it; no op that users call has
it.
"""
import numpy as np

from ..graph import DtypeError, GraphError

__all__ = ["PRODUCTS", "ROUNDED", "check_products", "rounded"]

PRODUCTS = ("float32", "bfloat16", "float16", "tf32", "winograd")
ROUNDED = ("bfloat16", "float16", "tf32")
_OF_WINOGRAD = ("conv", "conv_grad_input")

_EXPONENT, _SIGN, _QUIET = 0x7F800000, 0x80000000, 0x00400000


def check_products(op, type):
    """Checks the attribute of an op whose operands have this type.

    Raises:   GraphError for an unknown word; DtypeError for operands that cannot be rounded so.
    """
    if op.products is None:
        return
    known = PRODUCTS if op.name in _OF_WINOGRAD else PRODUCTS[:-1]
    if op.products not in known:
        raise GraphError("[%s] products must be one of %s; it is %r."
                         % (op.name, ", ".join(known), op.products))
    if op.products != "float32" and type.dtype == "float64":
        raise DtypeError("[%s] products of %s need float32 operands; they are %r. Leave products "
                         "out for them." % (op.name, op.products, type))


def rounded(op, *arrays):
    """The operands of a product as it multiplies them."""
    if op.products not in ROUNDED:
        return arrays
    return tuple(_ROUND[op.products](array).astype(array.dtype, copy=False) for array in arrays)


def _bfloat16(x):
    """x rounded to the nearest bfloat16, halves to even; denormal numbers become zero."""
    bits = np.ascontiguousarray(x, "float32").view("uint32").reshape(np.shape(x))
    nearest = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    nan = (bits & np.uint32(~_SIGN & 0xFFFFFFFF)) > _EXPONENT
    nearest = np.where(nan, bits | np.uint32(_QUIET), nearest) & np.uint32(0xFFFF0000)
    zero = (bits & np.uint32(_EXPONENT)) == 0
    return np.where(zero, bits & np.uint32(_SIGN), nearest).astype("uint32").view("float32")


def _tf32(x):
    """x rounded to the nearest number with 10 bits of fraction, halves away from zero."""
    bits = np.ascontiguousarray(x, "float32").view("uint32").reshape(np.shape(x))
    nan = (bits & np.uint32(~_SIGN & 0xFFFFFFFF)) > _EXPONENT
    nearest = bits + np.uint32(0x1000) & np.uint32(0xFFFFE000)
    return np.where(nan, bits | np.uint32(_QUIET), nearest).astype("uint32").view("float32")


def _float16(x):
    """x rounded to the nearest float16, halves to even; what is too large becomes infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(x, "float16")


_ROUND = {"bfloat16": _bfloat16, "float16": _float16, "tf32": _tf32}
