"""Ops of users: a class with `infer`, `reference` and `grad`, as symk's own have.

Such an op runs by its NumPy meaning, called back from the runtime, until a kernel of its name is
loaded (`symk.load_kernels`).
"""
import functools

import numpy as np

from ..graph import (CustomOpError, GraphError, Op, SymkError, TensorType, Variable, apply, dims,
                     op, registered_ops)
from .convert import as_variable

__all__ = ["CustomOp", "custom_op"]


class CustomOp(Op):
    """The base of a user's op; `custom_op(name)` makes a class one.

    A subclass states, as methods (see symk.graph.Op):
        infer(*types): the type of the result, made by x.with_shape or x.with_dtype, or a tuple of
            types. Raises symk's ShapeError or DtypeError for operands that do not fit.
        reference(*arrays): the value, in NumPy: an array, or a tuple of them. It depends on its
            arguments alone, must not change them, and uses no function of symk.
        grad(*inputs, *outputs, *gradients): expressions: a gradient or None for each input. Without
            it the op cannot be differentiated.
    Annotated members with a value are attributes: `factor: float = 1.0`.
    """

    def __call__(self, *values):
        """Uses the op on tensors, or values, which adapt to the first tensor."""
        like = next((value for value in values if isinstance(value, Variable)), None)
        return apply(self, *(as_variable(value, like=like) for value in values))


def custom_op(name):
    """Class decorator: makes a subclass of CustomOp an op of this name, in place of an earlier one.

    Raises:   GraphError when the class lacks a part, or the name is that of an op of symk.
    """
    def decorate(cls):
        if not (isinstance(cls, type) and issubclass(cls, CustomOp)):
            raise GraphError("[custom_op] a subclass of symk.CustomOp is required; %r was given."
                             % (cls,))
        for part in ("infer", "reference"):
            if getattr(cls, part) is getattr(Op, part):
                raise GraphError("[custom_op] an op states infer and reference; %s has no %s."
                                 % (cls.__name__, part))
        known = registered_ops().get(name)
        if known is not None and not issubclass(known, CustomOp):
            raise GraphError("[custom_op] the name of an op must be its own; %r is one of symk's. "
                             "Choose another." % (name,))
        cls.infer = _checked_infer(cls.infer)
        cls.reference = _checked_reference(cls.reference)
        return op(name, kind="custom", replace=True)(cls)
    return decorate


def _checked_infer(infer):
    """The rule, with a clear error for what is no type."""
    @functools.wraps(infer)
    def checked(self, *types):
        result = infer(self, *types)
        results = result if isinstance(result, tuple) else (result,)
        for each in results:
            if not isinstance(each, TensorType):
                raise GraphError("[%s] infer must give a type, or a tuple of types, such as "
                                 "x.with_shape(...); it gave %r." % (self.name, each))
        return result
    return checked


def _checked_reference(reference):
    """The meaning, whose failures name the op, and whose results are what `infer` promises."""
    @functools.wraps(reference)
    def checked(self, *arrays):
        try:
            results = reference(self, *arrays)
        except SymkError:
            raise
        except Exception as error:
            raise CustomOpError("[%s] the op's reference must give a result; it raised %s: %s"
                                % (self.name, type(error).__name__, error)) from error
        types = self.infer(*(TensorType(array.dtype, array.shape) for array in arrays))
        if isinstance(types, TensorType):
            return _checked_result(self.name, results, types)
        if not isinstance(results, tuple) or len(results) != len(types):
            raise CustomOpError("[%s] the op's reference must give a tuple of the %d results that "
                                "infer promises; it gave %r." % (self.name, len(types), results))
        return tuple(_checked_result(self.name, *pair) for pair in zip(results, types))
    return checked


def _checked_result(name, result, type):
    """A result in its dtype; only rounding may change its values."""
    array = np.asarray(result)
    if array.shape != type.shape:
        raise CustomOpError("[%s] a result must have the shape that infer promises, %r; it has %s."
                            % (name, type, array.shape))
    if not np.can_cast(array.dtype, type.dtype, "same_kind"):
        raise CustomOpError("[%s] a result must have the dtype that infer promises, %r; it has %s."
                            % (name, type, array.dtype))
    return np.ascontiguousarray(array, type.dtype).reshape(type.shape)


def has_symbolic_attributes(op):
    """Whether an attribute is a size that is known only at a call."""
    return any(isinstance(item, dims.Dim) for value in op.attributes().values()
               for item in (value if isinstance(value, tuple) else (value,)))
