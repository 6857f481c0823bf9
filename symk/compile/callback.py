"""Runs custom ops that have no kernel: the runtime calls back, and the op's NumPy meaning answers.

`legalise` puts a Callback in the place of such an op. It names the op by a number of this process,
so its Plan lives only here; `symk.deploy.export` refuses it.
"""
import threading

import numpy as np

from ..graph.errors import CustomOpError
from ..graph.node import Op, op

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
    """The Callback that stands for an op; equal ops have one."""
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


def dispatch(number, inputs, types):
    """The results of an op for the runtime: contiguous arrays of exactly these (dtype, shape).

    Raises:   CustomOpError naming the op, with what its code raised as the cause.
    """
    op = _ops[number]
    try:
        results = op.reference(*inputs)
    except Exception as error:
        raise CustomOpError("[%s] the op's reference must give a result; it raised %s: %s"
                            % (op.name, type(error).__name__, error)) from error
    results = results if isinstance(results, tuple) else (results,)
    if len(results) != len(types):
        raise CustomOpError("[%s] the op's reference must give the %d results that infer promises; "
                            "it gave %d." % (op.name, len(types), len(results)))
    return [_checked(op, result, dtype, shape) for result, (dtype, shape) in zip(results, types)]


def _checked(op, result, dtype, shape):
    """A result in the type that was promised; its values may only be rounded."""
    array = np.asarray(result)
    if array.shape != shape:
        raise CustomOpError("[%s] a result must have the shape %s that infer promises; it has %s."
                            % (op.name, shape, array.shape))
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise CustomOpError("[%s] a result must have the dtype %s that infer promises; it has %s."
                            % (op.name, dtype, array.dtype))
    return np.ascontiguousarray(array, dtype).reshape(shape)
