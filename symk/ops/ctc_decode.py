"""From logits to labels, for connectionist temporal classification: the best class of each step, or
a search for the most probable labels. The last class is the blank.
"""
import numpy as np

from ..graph import GraphError, TensorType, apply, dims, op
from .checks import FLOATS, at_least, flag
from .convert import as_variable, cast, fit
from .ctc import Ctc, log_softmax_rows, need_length
from .samples import sample, values

__all__ = ["ctc_greedy_decode", "ctc_beam_search"]


@op("ctc_greedy_decode", kind="ctc")
class CtcGreedyDecode(Ctc):
    """The class of the largest logit of each step, without blanks; -1 behind them.

    With `merge_repeated` a class that stands in several steps in a row counts once.
    Shapes: logits (batch, steps, classes), steps of each row (batch,) -> labels (batch, steps),
            minus the sum of the largest logits (batch,).
    Dtypes: floats and integers -> int64, floats.
    """

    merge_repeated: bool = True

    smooth = False

    def infer(self, logits, steps):
        self.check_logits(logits, steps)
        return (TensorType("int64", logits.shape[:2]), logits.with_shape(logits.shape[:1]))

    def reference(self, logits, steps):
        labels = np.full(logits.shape[:2], -1)
        sums = np.zeros(len(logits))
        for row, count in enumerate(steps):
            need_length(self.name, "a number of steps", count, row, logits.shape[1])
            best = np.argmax(logits[row, :count], -1)
            sums[row] = -np.sum(np.max(logits[row, :count], -1), dtype="float64")
            new = np.append(True, best[1:] != best[:-1])[:count] | (not self.merge_repeated)
            found = best[new & (best != logits.shape[2] - 1)]
            labels[row, :len(found)] = found
        return labels, sums.astype(logits.dtype)

    def grad(self, *values):
        return None

    samples = [sample((2, 9, 3), values((2,), "int64", exact=(9, 6)), merge_repeated=merge)
               for merge in (True, False)] + [
        sample((3, 4, 2), values((3,), "int32", exact=(0, 4, 1))),
        sample((2, 0, 3), values((2,), "int64", exact=(0, 0))),
        sample((0, 3, 3), values((0,), "int64"))]
    bad = [sample((2, 6), values((2,), "int64"), error="logits must have 3 axes"),
           sample((2, 6, 3), values((3,), "int64"), error="the batch sizes must agree"),
           sample((2, 6, 3), values((2,), "float32"), error="the numbers of steps is")]


@op("ctc_beam_search", kind="ctc")
class CtcBeamSearch(Ctc):
    """The most probable labels, found among the `beam_width` best beginnings of each step.

    Labels are ordered by probability and padded with -1; where there are fewer than `top_paths`,
    the rest is empty and has the probability 0. With `merge_repeated`, equal labels in a row are
    written once (their probability is that of the path with all of them).
    Shapes: logits (batch, steps, classes), steps of each row (batch,) -> labels (batch, top_paths,
            steps), logarithms of their probabilities (batch, top_paths).
    Dtypes: floats and integers -> int64, floats.
    Source: Graves 2012, Sequence Transduction with Recurrent Neural Networks, algorithm 1.
    """

    beam_width: int = 100
    top_paths: int = 1
    merge_repeated: bool = False

    smooth = False

    def infer(self, logits, steps):
        self.check_logits(logits, steps)
        if not 1 <= self.top_paths <= self.beam_width:
            raise GraphError("[ctc_beam_search] top_paths must be from 1 to beam_width; %d and %d "
                             "were given." % (self.top_paths, self.beam_width))
        at_least(self.name, 2 ** 31 - 2, dims.maximum(logits.shape[1], 1) * self.beam_width,
                 "beam_width times the steps must be below 2**31; beam_width is %d, the logits are "
                 "%r" % (self.beam_width, logits))
        shape = logits.shape[:1] + (self.top_paths,)
        return TensorType("int64", shape + logits.shape[1:2]), logits.with_shape(shape)

    def reference(self, logits, steps):
        batch, length, _ = logits.shape
        labels = np.full((batch, self.top_paths, length), -1)
        scores = np.full((batch, self.top_paths), -np.inf)
        for row, count in enumerate(steps):
            need_length(self.name, "a number of steps", count, row, length)
            beam = self.search(log_softmax_rows(logits[row, :count].astype("float64")))
            for place, (path, score) in enumerate(beam[:self.top_paths]):
                path = [label for k, label in enumerate(path)
                        if not self.merge_repeated or not k or label != path[k - 1]]
                labels[row, place, :len(path)] = path
                scores[row, place] = score
        return labels, scores.astype(logits.dtype)

    def search(self, scores):
        """[(labels, log probability)], the best first."""
        beam = {(): (0.0, -np.inf)}   # labels: log probabilities of ending with a blank, a label
        for step in scores:
            grown = {}
            for path, (blank, label) in beam.items():
                total = np.logaddexp(blank, label)
                grown[path] = (total + step[-1], -np.inf)
                if path:
                    grown[path] = (grown[path][0], label + step[path[-1]])
            for path, (blank, label) in beam.items():
                total = np.logaddexp(blank, label)
                for number, score in enumerate(step[:-1]):
                    longer = path + (number,)
                    added = score + (blank if path and path[-1] == number else total)
                    before = grown.get(longer, (-np.inf, -np.inf))
                    grown[longer] = (before[0], np.logaddexp(before[1], added))
            order = sorted(grown, key=lambda path: -np.logaddexp(*grown[path]))
            beam = {path: grown[path] for path in order[:self.beam_width]
                    if np.logaddexp(*grown[path]) > -np.inf}
        return [(path, np.logaddexp(*beam[path])) for path in beam]

    def grad(self, *values):
        return None

    samples = [sample((2, 6, 4), values((2,), "int64", exact=(6, 5)), beam_width=10, top_paths=2),
               sample((2, 7, 3), values((2,), "int32", exact=(7, 0)), beam_width=4, top_paths=3),
               sample((1, 8, 6), values((1,), "int64", exact=(8,)), beam_width=30, top_paths=5,
                      merge_repeated=True),
               sample((1, 3, 1), values((1,), "int64", exact=(3,)), beam_width=2, top_paths=2),
               sample((2, 0, 3), values((2,), "int64", exact=(0, 0))),
               sample((0, 3, 3), values((0,), "int64"))]
    bad = [sample((2, 6), values((2,), "int64"), error="logits must have 3 axes"),
           sample((2, 6, 3), values((2,), "int64"), beam_width=2, top_paths=3,
                  error="top_paths must be from 1 to beam_width"),
           sample((2, 6, 3), values((2,), "int64"), beam_width=2 ** 29,
                  error="beam_width times the steps must be below 2**31")]


def ctc_greedy_decode(logits, steps, merge_repeated=True):
    """(labels padded with -1, minus the sum of the largest logits); see `CtcGreedyDecode`."""
    merge_repeated = flag("ctc_greedy_decode", "merge_repeated", merge_repeated)
    return apply(CtcGreedyDecode(merge_repeated), fit(as_variable(logits), FLOATS),
                 cast(steps, "int64"))


def ctc_beam_search(logits, steps, beam_width=100, top_paths=1, merge_repeated=False):
    """(labels padded with -1, logarithms of their probabilities); see `CtcBeamSearch`."""
    merge_repeated = flag("ctc_beam_search", "merge_repeated", merge_repeated)
    return apply(CtcBeamSearch(int(beam_width), int(top_paths), merge_repeated),
                 fit(as_variable(logits), FLOATS), cast(steps, "int64"))
