"""Choices in the graph: by the learning phase or by a tensor."""
import numpy as np

from .. import ops
from ..graph import ShapeError, Variable
from ..ops.convert import meet
from .session import learning_phase

__all__ = ["switch", "in_train_phase", "in_test_phase", "print_tensor"]


def switch(condition, then_expression, else_expression):
    """`then_expression` where the condition is not 0, else `else_expression`.

    Args:     condition: a scalar, or a tensor that has the leading axes of the expressions.
              then_expression, else_expression: tensors of one shape, or functions giving them.
              With a scalar condition, only what the function of the chosen side makes is computed.
    """
    condition = ops.cast(condition, "bool")
    if not condition.ndim and callable(then_expression) and callable(else_expression):
        return ops.cond(condition, then_expression, else_expression)
    return _elementwise(condition, _value(then_expression), _value(else_expression))


def _elementwise(condition, then_expression, else_expression):
    """The elements of one or the other; both are computed."""
    chosen, other = meet(then_expression, else_expression)
    rank = max(chosen.ndim, other.ndim)
    if condition.ndim > rank:
        raise ShapeError("[switch] the condition must not have more axes than the expressions; it "
                         "is %r, they are %r and %r." % (condition.type, chosen.type, other.type))
    if condition.ndim:
        condition = ops.reshape(condition, condition.shape + (1,) * (rank - condition.ndim))
    return ops.where(condition, chosen, other)


def in_train_phase(x, alt, training=None):
    """x while training, else alt.

    Args:     x, alt: tensors, or functions giving them; one that cannot be chosen is not called.
              training: 0, 1, a bool, a tensor, or None for the learning phase.
    """
    if training is None:
        training = learning_phase()
    if isinstance(training, Variable):
        # Not `switch`: a choice between two values is decided and fused where the phase is known.
        return _elementwise(ops.cast(training, "bool"), _value(x), _value(alt))
    if not np.isscalar(training) or training not in (0, 1):
        raise ValueError("[in_train_phase] training must be 0, 1, a bool, a tensor or None; %r was "
                         "given." % (training,))
    return ops.as_variable(_value(x if training else alt))


def in_test_phase(x, alt, training=None):
    """x while testing, else alt; the arguments are those of `in_train_phase`."""
    return in_train_phase(alt, x, training)


def print_tensor(x, message=""):
    """x, which is printed to the standard output, after a message, each time it is computed.

    Nothing is printed by a function that does not use the result.
    """
    return ops.print_value(x, message)


def _value(expression):
    return expression() if callable(expression) else expression
