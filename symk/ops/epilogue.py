"""The epilogue of matmul and conv: a bias for the last axis, then a unary elementwise op.

Ops that users call have none; the optimiser's fusion puts it there, so that the kernel does it
while the result is in registers.
"""
from ..graph import GraphError, ShapeError, apply, dims, registered_ops
from .elementwise import add

__all__ = ["check_epilogue", "reference_epilogue", "apply_epilogue"]


def check_epilogue(name, columns, bias, activation):
    """Checks the optional bias and activation.

    Raises:   ShapeError unless the bias is a vector of `columns` elements; GraphError unless the
              activation is "" or names an op of one operand that keeps its dtype.
    """
    op = registered_ops().get(activation)
    if activation and (op is None or op.kind != "elementwise" or op.__dataclass_fields__
                       or op.operands != ("x",) or op.result):
        raise GraphError('[%s] the activation must be "" or the name of a unary op; it is %r.'
                         % (name, activation))
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
