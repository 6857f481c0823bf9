"""The states of connectionist temporal classification as plain ops: what defines the kernels, and
what their gradients are derived from. A row of n labels has 2 n + 1 states: its labels in order,
with a blank before, between and after them.
"""
from .convert import cast
from .elementwise import (add, equal, greater_equal, less, logical_and, logical_or, maximum,
                          minimum, mul, not_equal, sub, where)
from .index import arange, one_hot
from .linalg import matmul
from .loop import scan
from .nn import log_softmax
from .reduce import logsumexp
from .shape import broadcast_to, concat, pad, reshape, stack, transpose
from .sizes import size_of
from .slice import cut

__all__ = ["Lattice"]

_NEVER = -1e30   # the logarithm of probability 0, finite, so that gradients stay numbers


class Lattice:
    """The lattice of a batch; tensors are (batch, steps, states or classes).

    scores: logarithms of the probabilities of the classes. emissions: the same of the states.
    classes: which class a state is, as one_hot. used: 1 for steps of a row, else 0.
    """

    def __init__(self, logits, labels, steps, counts):
        wide = cast(logits, "float32") if logits.dtype == "float16" else logits
        states = _states(labels, logits.shape[2] - 1)
        places = reshape(arange(states.shape[1], dtype="int64"), (1, -1))
        times = reshape(arange(logits.shape[1], dtype="int64"), (1, -1, 1))
        steps, end = reshape(steps, (-1, 1, 1)), reshape(mul(cast(counts, "int64"), 2), (-1, 1))
        self.dtype = wide.dtype
        self.scores = log_softmax(wide)
        self.classes = one_hot(states, logits.shape[2], self.dtype)
        self.emissions = matmul(self.scores, self.classes, transpose_b=True)
        self.used = cast(less(times, steps), self.dtype)
        self._shape = states.shape
        self._skips = self._log(_may_skip(states, logits.shape[2] - 1))
        self._begin = self._log(equal(places, 0))
        self._ends = self._log(logical_or(equal(places, end), equal(places, sub(end, 1))))
        self._is_last = greater_equal(times, sub(steps, 1))

    def _log(self, condition):
        """0 where a condition on states holds, else never; (batch, states)."""
        zero = cast(where(condition, 0.0, _NEVER), self.dtype)
        return broadcast_to(zero, self._shape)

    def ahead(self):
        """(what leads to each state at each step, itself included; the same of the last step)."""
        def step(rows, states):
            emission, is_used = rows
            line, = states
            reached = _sum(line, _moved(line, 1), add(_moved(line, 2), self._skips))
            line = where(is_used, add(emission, reached), line)
            return [line], [line]

        rows = [_by_time(self.emissions), _by_time(cast(self.used, "bool"))]
        (last,), (lines,) = scan(step, rows, [self._begin])
        return _by_time(lines), last

    def behind(self):
        """What follows each state at each step, itself left out."""
        def step(rows, states):
            emission, is_last = rows
            line, = states
            following = _sum(line, _moved(line, -1), _moved(add(line, self._skips), -2))
            line = where(is_last, self._ends, following)
            return [add(emission, line)], [line]

        rows = [_by_time(self.emissions), _by_time(self._is_last)]
        return _by_time(scan(step, rows, [self._ends], reverse=True)[1][0])

    def log_probability(self, last):
        """log of the probability of the labels of each row, from the last line of `ahead`."""
        return logsumexp(add(last, self._ends), 1)


def _states(labels, blank):
    """The class of each state; labels behind the count of a row may be anything."""
    blank = size_of(blank)
    labels = minimum(maximum(cast(labels, "int64"), 0), blank)
    pairs = stack([broadcast_to(blank, labels.shape), labels], 2)
    pairs = reshape(pairs, (labels.shape[0], labels.shape[1] * 2))
    return concat([pairs, broadcast_to(blank, (labels.shape[0], 1))], 1)


def _may_skip(states, blank):
    """Where a path may leave out the blank before: at a label unlike the one before it."""
    return logical_and(not_equal(states, _moved(states, 2)), not_equal(states, size_of(blank)))


def _moved(line, places):
    """A line of states moved to the back, or to the front; never, or no class, comes in."""
    fill = _NEVER if line.dtype.startswith("float") else -1
    before, after = max(places, 0), max(-places, 0)
    return cut(pad(line, (0, before), (0, after), fill), 1, after, line.shape[1])


def _sum(*lines):
    return logsumexp(stack(list(lines), 0), 0)


def _by_time(x):
    """(batch, steps, n) as (steps, batch, n), and back."""
    return transpose(x, (1, 0, 2))
