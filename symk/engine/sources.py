"""Where batches come from: arrays in memory or in files, the same arrays again, or a generator.

A source is a context manager. `epoch()` gives (function, arrays, number of samples) for each step;
`unit` says what its `total` counts: "samples" or "steps".
"""
import contextlib
import itertools

import numpy as np

from .. import renames
from ..utils.enqueuer import GeneratorEnqueuer, OrderedEnqueuer
from . import data
from .ahead import Ahead

__all__ = ["Arrays", "Generated", "Repeated", "checked_steps", "is_generator", "is_sequence",
           "triple"]

# Batches of fewer bytes are sliced faster than they are handed from thread to thread (about 20 us).
_WORTH_A_THREAD = 1 << 18


class Arrays(contextlib.AbstractContextManager):
    """Batches of arrays; shuffled, the samples of a batch are gathered by their numbers.

    Args:     shuffle: True puts the samples of each epoch in a new order, "batch" whole batches.
    """

    unit = "samples"

    def __init__(self, function, arrays, batch_size, shuffle=False):
        if shuffle not in (True, False, "batch"):
            raise ValueError("[shuffle] True, False or 'batch' is required; %r was given."
                             % (shuffle,))
        self.function = function
        self.arrays = arrays
        self.total = len(arrays[0])
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __exit__(self, *exception):
        """There is nothing to end."""

    def epoch(self):
        batches = self._batches()
        if self.total > self.batch_size and self._batch_bytes() > _WORTH_A_THREAD:
            return Ahead(_on_their_way(batches))
        return _one_ahead(batches) if self.function.prefetches else batches

    def _batch_bytes(self):
        """About how many bytes are copied for a batch; slices of arrays are not, but where they
        move to a device."""
        if (self.shuffle is not True and not self.function.prefetches
                and all(isinstance(one, np.ndarray) for one in self.arrays)):
            return 0
        return sum(np.dtype(array.dtype).itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
                   for array in self.arrays) * self.batch_size

    def _batches(self):
        borders = data.batches(self.total, self.batch_size)
        order = None
        if self.shuffle == "batch":
            borders = [borders[place] for place in np.random.permutation(len(borders))]
        elif self.shuffle:
            order = np.arange(self.total)
            np.random.shuffle(order)
        for start, stop in borders:
            picked = slice(start, stop) if order is None else order[start:stop]
            yield self.function, data.sliced(self.arrays, picked), stop - start


class Repeated(contextlib.AbstractContextManager):
    """The same whole arrays in every step, as Keras does for arrays and a number of steps."""

    unit = "steps"

    def __init__(self, function, arrays, steps):
        self.function = function
        self.arrays = data.sliced(arrays, slice(None))
        self.total = steps
        self.size = len(arrays[0]) if arrays else 1

    def __exit__(self, *exception):
        """There is nothing to end."""

    def epoch(self):
        return ((self.function, self.arrays, self.size) for _ in range(self.total))


class Generated(contextlib.AbstractContextManager):
    """Batches from an iterator or a sequence of batches, read ahead by threads or processes.

    Nothing is read before the first epoch: a generator may wait for what callbacks do first.

    Args:     steps: batches of an epoch, or `Samples`.
              prepare: makes (function, arrays, number of samples) of what the generator gave.
              epochs: how many are read at most.
              workers: 0 reads in the calling thread.
    """

    def __init__(self, generator, steps, prepare, epochs=1, shuffle=False, max_queue_size=10,
                 workers=1, use_multiprocessing=False):
        self.unit = "samples" if isinstance(steps, renames.Samples) else "steps"
        self.total = steps
        self.prepare = prepare
        self.limit = steps * max(epochs, 0) if self.unit == "steps" else None
        self.items = self.close = None
        self._options = generator, shuffle, max_queue_size, workers, use_multiprocessing

    def _begin(self, generator, shuffle, max_queue_size, workers, use_multiprocessing):
        """Begins to read."""
        if workers > 1 or use_multiprocessing:
            kind = OrderedEnqueuer if is_sequence(generator) else GeneratorEnqueuer
            options = {"shuffle": shuffle} if is_sequence(generator) else {}
            enqueuer = kind(generator, use_multiprocessing, **options)
            enqueuer.start(workers, max_queue_size, items=self.limit)
            self.items, self.close = enqueuer.get(), enqueuer.stop
            return
        self.items = _over_and_over(generator, shuffle) if is_sequence(generator) else generator
        if workers:
            items = itertools.islice(self.items, self.limit)
            self.items = Ahead(items, max(max_queue_size, 1))
            self.close = self.items.close

    def __exit__(self, kind, error, trace):
        if self.close is not None:
            # An item in the making is waited for, but not for long after an error.
            self.close(timeout=None if kind is None else 1.0)

    def epoch(self):
        if self.items is None:
            self._begin(*self._options)
        return self._steps() if self.close is None else _one_ahead(self._steps())

    def _steps(self):
        done = 0
        while done < self.total:
            try:
                item = next(self.items)
            except StopIteration:
                raise ValueError("[generator] it ended before the steps asked for were done; let "
                                 "it go on for ever, or ask for fewer steps.") from None
            step = self.prepare(item)
            yield step
            done += step[2] if self.unit == "samples" else 1


def _on_their_way(steps):
    """The steps; arrays that must move to a device have begun to."""
    for function, arrays, size in steps:
        yield function, function.prefetch(arrays), size


def _one_ahead(steps):
    """The same; where arrays must move, each when those of the step behind it do so too."""
    ready = None
    try:
        for step in _on_their_way(steps):
            if ready is not None:
                yield ready
                ready = None
            if step[0].prefetches:
                ready = step
            else:
                yield step
    except GeneratorExit:
        raise
    except BaseException:       # belongs to the step behind
        if ready is not None:
            yield ready
        raise
    if ready is not None:
        yield ready


def _over_and_over(sequence, shuffle):
    """The batches of a sequence, epoch by epoch."""
    while True:
        places = np.arange(len(sequence))
        if shuffle:
            np.random.shuffle(places)
        for place in places:
            yield sequence[int(place)]
        if hasattr(sequence, "on_epoch_end"):
            sequence.on_epoch_end()


def is_sequence(x):
    """Whether batches can be read in any order."""
    return not hasattr(x, "__next__") and hasattr(x, "__getitem__") and hasattr(x, "__len__")


def is_generator(x):
    """Whether batches come one by one: from an iterator, or a sequence of batches."""
    if isinstance(x, (np.ndarray, list, tuple, dict)):
        return False
    return hasattr(x, "__next__") or (is_sequence(x) and hasattr(x, "on_epoch_end"))


def checked_steps(generator, steps, name):
    """The number of batches that is asked for, or that a sequence has."""
    if not (hasattr(generator, "__next__") or is_sequence(generator)):
        raise ValueError("[generator] an iterator of batches or a Sequence is required; %s was "
                         "given." % type(generator).__name__)
    if steps is not None:
        return steps
    if not hasattr(generator, "__len__"):
        raise ValueError("[%s] a number of batches is required for a generator; none was given."
                         % name)
    return len(generator)


def triple(batch):
    """(x, y, sample_weight or None) from a batch of a generator."""
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise ValueError("[generator] batches must be (x, y) or (x, y, sample_weight); %s was "
                         "given." % type(batch).__name__)
    return tuple(batch) if len(batch) == 3 else tuple(batch) + (None,)
