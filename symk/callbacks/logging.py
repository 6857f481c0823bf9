"""Callbacks that record training: means, history, the progress bar, a table of text."""
import collections
import csv
import os

import numpy as np

from ..utils.progress import Progbar
from .base import Callback

__all__ = ["BaseLogger", "CSVLogger", "History", "ProgbarLogger", "TerminateOnNaN"]


class BaseLogger(Callback):
    """Puts the means over an epoch into its logs; every fit has one.

    # Arguments
        stateful_metrics: names that are already means over the epoch; their last value counts.
    """

    def __init__(self, stateful_metrics=None):
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or ())
        self.seen = 0
        self.totals = {}

    def on_epoch_begin(self, epoch, logs=None):
        self.seen = 0
        self.totals = {}

    def on_batch_end(self, batch, logs=None):
        size = logs.get("size", 0)
        self.seen += size
        for name, value in logs.items():
            if name in self.stateful_metrics:
                self.totals[name] = value
            elif name not in ("batch", "size"):
                self.totals[name] = self.totals.get(name, 0.0) + value * size

    def on_epoch_end(self, epoch, logs=None):
        for name in self.params.get("metrics", ()):
            if name in self.totals:
                total = self.totals[name]
                logs[name] = total if name in self.stateful_metrics else total / self.seen


class History(Callback):
    """Keeps the logs of every epoch; `fit` returns it.

    # Properties
        epoch: list of the numbers of the epochs.
        history: dict from a name to the list of its values.
    """

    def __init__(self):
        super().__init__()
        self.epoch = []
        self.history = {}

    def on_train_begin(self, logs=None):
        self.epoch = []
        self.history = {}

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class ProgbarLogger(Callback):
    """Prints how far an epoch is, with the means so far.

    # Arguments
        count_mode: "samples" or "steps": what the bar counts.
        stateful_metrics: names that are shown as they are, not averaged.
    """

    def __init__(self, count_mode="samples", stateful_metrics=None):
        super().__init__()
        if count_mode not in ("samples", "steps"):
            raise ValueError("[ProgbarLogger] count_mode must be 'samples' or 'steps'; %r was "
                             "given." % (count_mode,))
        self.use_steps = count_mode == "steps"
        self.stateful_metrics = set(stateful_metrics or ())
        self.seen = 0
        self.progbar = None

    def on_epoch_begin(self, epoch, logs=None):
        verbose = self.params.get("verbose", 1)
        epochs = self.params.get("epochs")
        if verbose:
            print("Epoch %d/%d" % (epoch + 1, epochs))
        self.seen = 0
        self.progbar = Progbar(self.params["steps" if self.use_steps else "samples"],
                               verbose=verbose, stateful_metrics=self.stateful_metrics)

    def on_batch_end(self, batch, logs=None):
        self.seen += logs.get("num_steps", 1) if self.use_steps else logs.get("size", 0)
        if self.progbar.target is None or self.seen < self.progbar.target:
            self.progbar.update(self.seen, self._values(logs))
        else:
            self.progbar.note(self.seen, self._values(logs))

    def on_epoch_end(self, epoch, logs=None):
        values = [(name, value) for name, value in self._values(logs)
                  if name.startswith("val_") or name in self.stateful_metrics]
        self.progbar.update(self.seen, values, finished=True)

    def _values(self, logs):
        return [(name, logs[name]) for name in self.params["metrics"] if name in logs]


class CSVLogger(Callback):
    """Writes the logs of each epoch as a row of a table. Rows are in the file at once.

    # Arguments
        filename: path of the file.
        separator: between the fields.
        append: whether to go on with an existing file.
    """

    def __init__(self, filename, separator=",", append=False):
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys = None
        self._has_header = False

    def on_train_begin(self, logs=None):
        self._has_header = (self.append and os.path.exists(self.filename)
                            and os.path.getsize(self.filename) > 0)
        with open(self.filename, "a" if self.append else "w"):
            """An empty file, or the old one; an error if there can be none."""

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
        row = [epoch] + [_text(logs.get(key, "NA")) for key in self.keys]
        with open(self.filename, "a", newline="") as file:
            writer = csv.writer(file, delimiter=self.sep, lineterminator="\n")
            if not self._has_header:
                writer.writerow(["epoch"] + self.keys)
                self._has_header = True
            writer.writerow(row)


def _text(value):
    """A number as it is, an array as a list in quotes."""
    if isinstance(value, collections.abc.Iterable) and np.ndim(value):
        return '"[%s]"' % ", ".join(map(str, value))
    return value


class TerminateOnNaN(Callback):
    """Stops training when the loss of a batch is not finite."""

    def on_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            print("Batch %d: the loss is %s, training stops." % (batch, loss))
            self.model.stop_training = True
