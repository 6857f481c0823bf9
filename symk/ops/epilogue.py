"""The epilogue of matmul and conv, which their kernels do while the result is in registers:

    min(activation(product * scale + bias + addend), limit) * factor

`epilogue` names the operands from the third on: `scale` and `bias` have one element per column,
`addend` and `factor` the shape of the result. `limit` is a number, 0 or more, of relu only. Ops
that users call have none; the optimiser puts it there.
"""
import numpy as np

from ..graph import GraphError, ShapeError, apply, dims, registered_ops
from .elementwise import add, minimum, mul

__all__ = ["check_epilogue", "reference_epilogue", "apply_epilogue"]

_PER_COLUMN, _WHOLE = ("scale", "bias"), ("addend", "factor")


def check_epilogue(op, result, operands):
    """Checks `epilogue`, `activation` and `limit` of an op and the types of the operands.

    Raises:   ShapeError for an operand that does not fit the type of the result; GraphError unless
              each operand has a name, and the activation is "" or an op of one operand that keeps
              its dtype.
    """
    _check_activation(op)
    if op.limit is not None and not (op.activation == "relu" and op.limit >= 0):
        raise GraphError("[%s] a limit must be that of relu, and not negative; it is %r, the "
                         "activation %r." % (op.name, op.limit, op.activation))
    names = op.epilogue
    if len(set(names)) != len(names) or not set(names) <= {*_PER_COLUMN, *_WHOLE}:
        raise GraphError("[%s] an epilogue must name %s, each once; it is %s."
                         % (op.name, ", ".join(_PER_COLUMN + _WHOLE), names))
    if len(names) != len(operands):
        raise GraphError("[%s] the epilogue must name the operands from the third on; there are %d "
                         "and it names %d." % (op.name, len(operands), len(names)))
    for name, operand in zip(names, operands):
        wanted = result.shape[-1:] if name in _PER_COLUMN else result.shape
        if operand.ndim != len(wanted) or any(map(dims.known_different, operand.shape, wanted)):
            raise ShapeError("[%s] the %s must have %s; the result is %r, the %s is %r."
                             % (op.name, name, "one element per column"
                                if name in _PER_COLUMN else "the shape of the result",
                                result, name, operand))


def _check_activation(op):
    activation = registered_ops().get(op.activation)
    if op.activation and (activation is None or activation.kind != "elementwise"
                          or activation.__dataclass_fields__ or activation.operands != ("x",)
                          or activation.result):
        raise GraphError('[%s] the activation must be "" or the name of a unary op; it is %r.'
                         % (op.name, op.activation))


def reference_epilogue(op, y, operands):
    """The epilogue in NumPy."""
    given = dict(zip(op.epilogue, operands))
    y = y * given["scale"] if "scale" in given else y
    for name in ("bias", "addend"):
        y = y + given[name] if name in given else y
    y = registered_ops()[op.activation]().reference(y) if op.activation else y
    y = y if op.limit is None else np.minimum(y, y.dtype.type(op.limit))
    return y * given["factor"] if "factor" in given else y


def apply_epilogue(op, y, operands):
    """The epilogue as ops."""
    given = dict(zip(op.epilogue, operands))
    y = mul(y, given["scale"]) if "scale" in given else y
    for name in ("bias", "addend"):
        y = add(y, given[name]) if name in given else y
    y = apply(registered_ops()[op.activation](), y) if op.activation else y
    y = y if op.limit is None else minimum(y, op.limit)
    return mul(y, given["factor"]) if "factor" in given else y
