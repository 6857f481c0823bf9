"""Connectionist temporal classification: the loss of labels that have no places in time.

The last class is the blank. A softmax over the classes is part of the loss. Rows have lengths of
their own; what is behind them is not looked at.
"""
import numpy as np

from ..graph import Op, OutOfRangeError, apply, op
from .checks import FLOATS, INTEGERS, at_least, need_dtype, need_rank, same_size
from .convert import as_variable, cast, fit
from .ctc_lattice import Lattice
from .elementwise import add, exp, mul, neg, sub
from .linalg import matmul
from .reduce import sum
from .samples import sample, values
from .shape import full, reshape

__all__ = ["Ctc", "ctc_loss", "log_softmax_rows", "need_length"]


class Ctc(Op):
    """What the ops of this family share."""

    accepts = FLOATS
    domain = (-2.0, 2.0)
    smooth = True

    def check_logits(self, logits, lengths):
        need_dtype(self.name, "logits", logits, self.accepts)
        need_rank(self.name, "logits", logits, 3, "(batch, steps, classes)")
        at_least(self.name, logits.shape[2], 1, "there must be a class, the blank; the logits are "
                 "%r" % (logits,))
        self.check_lengths("the numbers of steps", lengths, logits)

    def check_lengths(self, what, lengths, logits):
        need_dtype(self.name, what, lengths, INTEGERS)
        need_rank(self.name, what, lengths, 1, "(batch,)")
        same_size(self.name, lengths.shape[0], logits.shape[0], "the batch sizes must agree; the "
                  "logits are %r, %s are %r" % (logits, what, lengths))

    def check_labels(self, labels, logits):
        need_dtype(self.name, "labels", labels, INTEGERS)
        need_rank(self.name, "labels", labels, 2, "(batch, places)")
        same_size(self.name, labels.shape[0], logits.shape[0], "the batch sizes must agree; the "
                  "logits are %r, the labels %r" % (logits, labels))

    def rows(self, logits, labels, steps, counts):
        """(logits, labels) of each row, in float64 and without what is behind its lengths."""
        for row in range(len(logits)):
            need_length(self.name, "a number of steps", steps[row], row, logits.shape[1])
            need_length(self.name, "a number of labels", counts[row], row, labels.shape[1])
            line = labels[row, :counts[row]].astype("int64")
            for place, label in enumerate(line):
                need_length(self.name, "a label (the last class is the blank)", label,
                            row * labels.shape[1] + place, logits.shape[2] - 2)
            needed = len(line) + np.sum(line[1:] == line[:-1])
            need_length(self.name, "the steps that the labels of a row need", needed, row,
                        steps[row])
            yield logits[row, :steps[row]].astype("float64"), line


def need_length(name, what, value, position, limit):
    """Raises OutOfRangeError unless 0 <= value <= limit."""
    if not 0 <= value <= limit:
        raise OutOfRangeError("[%s] %s must be from 0 to %d; %d was given at position %d."
                              % (name, what, limit, value, position))


def log_softmax_rows(logits):
    """log_softmax over the last axis, in NumPy."""
    shifted = logits - np.max(logits, -1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), -1, keepdims=True))


def _states(labels, blank):
    """The labels with blanks before, between and after them."""
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    return states


def _forward(scores, states):
    """log of what leads to each state at each step, itself included: (steps, states)."""
    emissions = scores[:, states]
    skips = np.append([False, False], (states[2:] != states[:-2]) & (states[2:] != states[0]))
    line = np.full(len(states), -np.inf)
    line[:2] = emissions[0, :2]
    lines = [line]
    for emission in emissions[1:]:
        padded = np.append([-np.inf, -np.inf], line)
        skipped = np.where(skips[:len(line)], padded[:-2], -np.inf)
        line = emission + np.logaddexp(np.logaddexp(line, padded[1:-1]), skipped)
        lines.append(line)
    return np.array(lines)


@op("ctc_loss", kind="ctc")
class CtcLoss(Ctc):
    """-log of the probability that the logits give to the labels, over all ways to place them.

    Shapes: logits (batch, steps, classes), labels (batch, places), steps and labels of each row
            (batch,) -> (batch,).  Dtypes: floats and integers -> floats.
    Raises: OutOfRangeError when called with a label that is no class, with a length beyond its
            axis, and with more labels than the steps of a row have room for.
    Source: Graves et al. 2006, Connectionist Temporal Classification.
    """

    def infer(self, logits, labels, steps, counts):
        self.check_logits(logits, steps)
        self.check_labels(labels, logits)
        self.check_lengths("the numbers of labels", counts, logits)
        return logits.with_shape(logits.shape[:1])

    def reference(self, logits, labels, steps, counts):
        losses = []
        for scores, line in self.rows(logits, labels, steps, counts):
            if not len(scores):
                losses.append(0.0)
                continue
            last = _forward(log_softmax_rows(scores), _states(line, scores.shape[1] - 1))[-1]
            losses.append(-np.logaddexp.reduce(last[-2:]))
        return np.asarray(losses, logits.dtype)

    def grad(self, logits, labels, steps, counts, y, g):
        return apply(CtcLossGrad(), logits, labels, steps, counts, g), None, None, None

    def jvp(self, logits, labels, steps, counts, y, tangent, *unused):
        if tangent is None:
            return None
        ones = full(y.shape, 1, y.dtype)
        return sum(mul(apply(CtcLossGrad(), logits, labels, steps, counts, ones), tangent), (1, 2))

    def expand(self, logits, labels, steps, counts):
        lattice = Lattice(logits, labels, steps, counts)
        return cast(neg(lattice.log_probability(lattice.ahead()[1])), logits.dtype)

    samples = [sample((2, 6, 5), values((2, 3), "int64", 0, 3),
                      values((2,), "int64", exact=(6, 6)), values((2,), "int64", exact=(3, 2))),
               sample((3, 9, 4), values((3, 4), "int32", 0, 2),
                      values((3,), "int32", exact=(9, 8, 7)),
                      values((3,), "int8", exact=(4, 0, 1))),
               sample((1, 20, 3), values((1, 9), "int64", 0, 1), values((1,), "int64", exact=(18,)),
                      values((1,), "int64", exact=(9,))),
               sample((1, 30, 40), values((1, 12), "int64", 0, 38),
                      values((1,), "int64", exact=(30,)), values((1,), "int64", exact=(12,))),
               sample((2, 3, 2), values((2, 0), "int64", 0, 0), values((2,), "int64", exact=(3, 0)),
                      values((2,), "int64", exact=(0, 0))),
               sample((0, 3, 2), values((0, 1), "int64", 0, 0), values((0,), "int64", 0, 3),
                      values((0,), "int64", 0, 1))]
    bad = [sample((2, 6), values((2, 3), "int64"), values((2,), "int64"), values((2,), "int64"),
                  error="logits must have 3 axes (batch, steps, classes)"),
           sample((2, 6, 5), values((3, 3), "int64"), values((2,), "int64"), values((2,), "int64"),
                  error="the batch sizes must agree"),
           sample((2, 6, 5), values((2, 3), "float32"), values((2,), "int64"),
                  values((2,), "int64"), error="labels is (2, 3) float32"),
           sample((2, 6, 5), values((2, 3), "int64"), values((2, 1), "int64"),
                  values((2,), "int64"), error="the numbers of steps must have 1 axes"),
           sample((2, 6, 0), values((2, 3), "int64"), values((2,), "int64"), values((2,), "int64"),
                  error="there must be a class")]


@op("ctc_loss_grad", kind="ctc")
class CtcLossGrad(Ctc):
    """The gradient of `ctc_loss` in its logits; 0 behind the steps of a row.

    Shapes: as ctc_loss, and g (batch,) -> that of the logits.  Dtypes: floats -> same.
    """

    def infer(self, logits, labels, steps, counts, g):
        loss = CtcLoss().infer(logits, labels, steps, counts)
        need_dtype(self.name, "g", g, (logits.dtype,))
        need_rank(self.name, "g", g, 1, "(batch,)")
        same_size(self.name, g.shape[0], loss.shape[0], "g must have an element for each row; "
                  "the logits are %r, g is %r" % (logits, g))
        return logits

    def reference(self, logits, labels, steps, counts, g):
        y = np.zeros(logits.shape)
        for row, (scores, line) in enumerate(self.rows(logits, labels, steps, counts)):
            if not len(scores):
                continue
            scores, states = log_softmax_rows(scores), _states(line, scores.shape[1] - 1)
            ahead = _forward(scores, states)
            behind = _forward(scores[::-1], states[::-1])[::-1, ::-1]
            paths = ahead + behind - scores[:, states] - np.logaddexp.reduce(ahead[-1, -2:])
            gradient = np.exp(scores)
            for state, label in enumerate(states):
                gradient[:, label] -= np.exp(paths[:, state])
            y[row, :len(scores)] = g[row] * gradient
        return y.astype(logits.dtype)

    def expand(self, logits, labels, steps, counts, g):
        lattice = Lattice(logits, labels, steps, counts)
        ahead, last = lattice.ahead()
        total = reshape(lattice.log_probability(last), (-1, 1, 1))
        paths = exp(sub(add(ahead, lattice.behind()), total))
        gradient = sub(exp(lattice.scores), matmul(paths, lattice.classes))
        return cast(mul(mul(gradient, lattice.used), reshape(g, (-1, 1, 1))), logits.dtype)

    samples = [sample(*row.inputs, row.inputs[0].shape[:1]) for row in CtcLoss.samples]
    bad = [sample((2, 6, 5), values((2, 3), "int64"), values((2,), "int64"), values((2,), "int64"),
                  (3,), error="g must have an element for each row"),
           sample((2, 6, 5), values((2, 3), "int64"), values((2,), "int64"), values((2,), "int64"),
                  values((2,), "int64"), error="g is (2,) int64")]


def ctc_loss(logits, labels, steps, counts):
    """-log of the probability of the labels of each row; see `CtcLoss`.

    Args:     steps, counts: how many steps and labels each row has.
    """
    return apply(CtcLoss(), fit(as_variable(logits), FLOATS),
                 *(cast(v, "int64") for v in (labels, steps, counts)))
