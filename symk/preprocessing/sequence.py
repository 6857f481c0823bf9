"""Sequences as arrays and batches: padding, skip-grams, windows over a time series.

Names and numbers are those of Keras 2.3 (keras_preprocessing 1.1).
"""
import json
import random

import numpy as np

from ..utils.sequence import Sequence

__all__ = ["pad_sequences", "make_sampling_table", "skipgrams", "TimeseriesGenerator",
           "timeseries_generator_from_json"]

_SIDES = ("pre", "post")


def pad_sequences(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre",
                  value=0.0):
    """Sequences of different lengths as one array.

    Args:
        sequences: a list of sequences; their items may be numbers or arrays of one shape.
        maxlen: the length of all; None for that of the longest.
        dtype: of the array; `object` or a string dtype for strings.
        padding, truncating: "pre" or "post", the side where values are added or taken away.
        value: what is added.
    Returns:  an array (sequences, maxlen, ...).
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in _SIDES:
            raise ValueError('[pad_sequences] %s must be "pre" or "post"; %r was given.'
                             % (name, side))
    if not hasattr(sequences, "__len__"):
        raise ValueError("[pad_sequences] a list of sequences is required; %r was given."
                         % type(sequences).__name__)
    for sequence in sequences:
        if not hasattr(sequence, "__len__"):
            raise ValueError("[pad_sequences] each item must be a sequence; %r was given."
                             % (sequence,))
    textual = np.issubdtype(dtype, np.str_)
    if isinstance(value, str) and np.dtype(dtype) != np.dtype(object) and not textual:
        raise ValueError("[pad_sequences] the value must fit the dtype %s; %r was given. For "
                         "strings use dtype=object." % (dtype, value))
    if maxlen is None:
        maxlen = max((len(sequence) for sequence in sequences), default=0)
    inner = next((np.shape(sequence)[1:] for sequence in sequences if len(sequence)), ())
    result = np.full((len(sequences), maxlen) + inner, value, dtype=dtype)
    for number, (row, sequence) in enumerate(zip(result, sequences)):
        excess = max(len(sequence) - maxlen, 0)
        kept = np.asarray(sequence[excess:] if truncating == "pre" else sequence[:maxlen], dtype)
        if not len(kept):
            continue
        if kept.shape[1:] != inner:
            raise ValueError("[pad_sequences] the items of all sequences must have one shape, here "
                             "%s; those of sequence %d have %s." % (inner, number, kept.shape[1:]))
        if padding == "pre":
            row[maxlen - len(kept):] = kept
        else:
            row[:len(kept)] = kept
    return result


def make_sampling_table(size, sampling_factor=1e-5):
    """How probably a word of each rank is kept when frequent words are thinned out.

    The frequencies follow Zipf's law; the table is that of word2vec (Mikolov et al. 2013):
    min(1, sqrt(sampling_factor / frequency)).

    Returns:  a float64 array (size,).
    """
    rank = np.arange(size, dtype="float64")
    rank[:1] = 1
    gamma = 0.577   # Euler's constant, as many digits as Keras has
    inverse_frequency = rank * (np.log(rank) + gamma) + 0.5 - 1.0 / (12.0 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse_frequency))


def skipgrams(sequence, vocabulary_size, window_size=4, negative_samples=1.0, shuffle=True,
              categorical=False, sampling_table=None, seed=None):
    """Pairs of words that stand near each other (label 1), and random pairs (label 0).

    Args:
        sequence: the numbers of words; 0 is no word and is left out.
        vocabulary_size: one more than the largest number.
        window_size: how far two words may be apart.
        negative_samples: random pairs per real pair.
        categorical: whether labels are [0, 1] and [1, 0] in place of 1 and 0.
        sampling_table: probability of keeping a word, by its number.
        seed: for the order; None takes one from the module `random`.
    Returns:  (pairs, labels), two lists.
    """
    positive, negative = ([0, 1], [1, 0]) if categorical else (1, 0)
    couples = []
    for place, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        around = range(max(0, place - window_size), min(len(sequence), place + window_size + 1))
        couples += [[word, sequence[other]] for other in around
                    if other != place and sequence[other]]
    labels = [positive] * len(couples)
    count = int(len(couples) * negative_samples)
    if count:
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        couples += [[words[number % len(words)], random.randint(1, vocabulary_size - 1)]
                    for number in range(count)]
        labels += [negative] * count
    if shuffle:
        seed = random.randint(0, 10 ** 7) if seed is None else seed
        for items in (couples, labels):
            random.seed(seed)
            random.shuffle(items)
    return couples, labels


class TimeseriesGenerator(Sequence):
    """Batches of windows over a time series, each with the target at its end.

    Sample r is (data[r - length:r:sampling_rate], targets[r]).

    Args:
        data, targets: indexable, with one row per point in time, equally long.
        length: points in time that a window spans.
        sampling_rate: steps between the rows of a window.
        stride: steps between two windows.
        start_index, end_index: the part of the series that is used, both inclusive.
        shuffle: windows at random in place of in order.
        reverse: whether rows of a window run backwards.
        batch_size: windows in a batch.
    """

    def __init__(self, data, targets, length, sampling_rate=1, stride=1, start_index=0,
                 end_index=None, shuffle=False, reverse=False, batch_size=128):
        if len(data) != len(targets):
            raise ValueError("[TimeseriesGenerator] data and targets must be equally long; their "
                             "lengths are %d and %d." % (len(data), len(targets)))
        self.data = data
        self.targets = targets
        self.length = length
        self.sampling_rate = sampling_rate
        self.stride = stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = batch_size
        if self.start_index > self.end_index:
            raise ValueError("[TimeseriesGenerator] start_index + length must not pass end_index; "
                             "they are %d and %d. Use a shorter window."
                             % (self.start_index, self.end_index))
        if self.end_index >= len(data):
            raise ValueError("[TimeseriesGenerator] end_index must be below the length %d of data; "
                             "it is %d." % (len(data), self.end_index))

    def __len__(self):
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index):
        """Batch `index`: (windows (batch, length / sampling_rate, ...), targets (batch, ...))."""
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            last = min(first + self.batch_size * self.stride, self.end_index + 1)
            rows = np.arange(first, last, self.stride)
        samples = np.array([self.data[row - self.length:row:self.sampling_rate] for row in rows])
        targets = np.array([self.targets[row] for row in rows])
        return (samples[:, ::-1, ...] if self.reverse else samples), targets

    def get_config(self):
        """The arguments, with the data as JSON texts."""
        return {"data": _as_json(self.data, "data"), "targets": _as_json(self.targets, "targets"),
                "length": self.length, "sampling_rate": self.sampling_rate, "stride": self.stride,
                "start_index": self.start_index, "end_index": self.end_index,
                "shuffle": self.shuffle, "reverse": self.reverse, "batch_size": self.batch_size}

    def to_json(self, **kwargs):
        """A JSON text with settings and data, for `timeseries_generator_from_json`.

        Args:     kwargs: go to json.dumps.
        """
        description = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(description, **kwargs)


def _as_json(values, name):
    values = values.tolist() if type(values).__module__ == "numpy" else values
    try:
        return json.dumps(values)
    except TypeError:
        raise TypeError("[TimeseriesGenerator] %s must be numbers to become JSON; it holds others."
                        % name) from None


def timeseries_generator_from_json(json_string):
    """The TimeseriesGenerator that `to_json` described."""
    config = json.loads(json_string)["config"]
    config["data"] = json.loads(config["data"])
    config["targets"] = json.loads(config["targets"])
    config["start_index"] -= config["length"]   # the config tells the first target's place
    return TimeseriesGenerator(**config)
