"""Runs custom ops that have no kernel: the runtime calls back, and the op's NumPy meaning answers.

`legalise` puts a Callback in the place of such an op. It names the op by a number of this process,
so its Plan lives only here; `symk.deploy.export` refuses it.
"""
import threading

from ..graph.errors import GraphError
from ..graph.node import Op, op
from ..ops.custom import has_symbolic_attributes

__all__ = ["as_callback", "called_ops", "dispatch"]

_lock = threading.Lock()
_numbers = {}   # op -> number
_ops = []       # by number


@op("callback", kind="callback")
class Callback(Op):
    """What op number `callback` of this process means."""

    callback: int = 0

    def infer(self, *types):
        return _ops[self.callback].infer(*types)

    def reference(self, *arrays):
        return _ops[self.callback].reference(*arrays)


def as_callback(op):
    """The Callback that stands for an op; equal ops have one.

    Raises:   GraphError when an attribute is a size that only a call tells.
    """
    if has_symbolic_attributes(op):
        raise GraphError("[%s] the attributes of a custom op without kernel must be known when it "
                         "is compiled; they are %s. Pass a size as an operand: shape_of(x)."
                         % (op.name, op.describe()))
    with _lock:
        if op not in _numbers:
            _numbers[op] = len(_ops)
            _ops.append(op)
        return Callback(_numbers[op])


def called_ops(plan):
    """The names of the ops that a Plan, or one inside of it, calls back."""
    names = {_ops[step.attributes["callback"]].name for step in plan.steps
             if step.kernel == Callback.name}
    return sorted(names.union(*map(called_ops, plan.plans)))


def dispatch(number, inputs):
    """The results of an op for the runtime, as a list of contiguous arrays.

    Raises:   CustomOpError naming the op, with what its code raised as the cause.
    """
    results = _ops[number].reference(*inputs)
    return list(results) if isinstance(results, tuple) else [results]
