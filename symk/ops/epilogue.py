"""The epilogue of matmul and conv2d: a bias for the last axis, then a unary elementwise op.

Ops that users call have none; the optimiser's fusion puts it there, so that the kernel does it
while the result is in registers.
"""
from ..graph import ShapeError, apply, dims, registered_ops
from .elementwise import add

__all__ = ["check_bias", "reference_epilogue", "apply_epilogue"]


def check_bias(name, columns, bias):
    """Raises ShapeError unless the optional bias is a vector of `columns` elements."""
    for vector in bias:
        if vector.ndim != 1 or dims.known_different(vector.shape[0], columns):
            raise ShapeError("[%s] the bias must have one element per column; the result has %s "
                             "columns, the bias is %r." % (name, columns, vector))


def reference_epilogue(y, bias, activation):
    """activation(y + bias) in NumPy; both are optional."""
    for vector in bias:
        y = y + vector
    return registered_ops()[activation]().reference(y) if activation else y


def apply_epilogue(y, bias, activation):
    """activation(y + bias) as ops; both are optional."""
    for vector in bias:
        y = add(y, vector)
    return apply(registered_ops()[activation](), y) if activation else y
