"""One call of fit: its callbacks, what they are told, its epochs and steps."""
import numpy as np

from .. import callbacks as callback_classes
from . import data

__all__ = ["Run", "fit_epoch", "is_due", "told"]


class Run:
    """One call of fit: its callbacks, what they are told, and the logs of the epoch."""

    def __init__(self, model, callbacks, verbose, epochs, samples=None, steps=None,
                 batch_size=None, validates=False):
        self.model = model
        self.names = list(model.metrics_names)
        self.epochs = epochs
        own = [callback_classes.BaseLogger(stateful_metrics=self.names[1:])]
        if verbose:
            own.append(callback_classes.ProgbarLogger(
                count_mode="samples" if steps is None else "steps",
                stateful_metrics=self.names[1:]))
        model.history = callback_classes.History()
        self.callbacks = callback_classes.CallbackList(own + list(callbacks or [])
                                                       + [model.history])
        self.callbacks.set_model(model)
        names = self.names + (["val_" + name for name in self.names] if validates else [])
        self.callbacks.set_params({"batch_size": batch_size, "epochs": epochs, "steps": steps,
                                   "samples": samples, "verbose": verbose,
                                   "do_validation": validates, "metrics": names})
        self.logs = {}

    def __enter__(self):
        self.model.stop_training = False
        self.callbacks.call("on_train_begin", {})

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.callbacks.call("on_train_end", {})

    def epochs_from(self, first):
        """The numbers of the epochs, between what callbacks are told before and after each."""
        for epoch in range(first, self.epochs):
            self.model.reset_metrics()
            self.logs = {}
            self.callbacks.call("on_epoch_begin", epoch, self.logs)
            yield epoch
            self.callbacks.call("on_epoch_end", epoch, self.logs)
            if self.model.stop_training:
                return

    def step(self, number, size, function, arrays):
        """One training step and what callbacks are told about it."""
        logs = {"batch": number, "size": size}
        self.callbacks.call("on_train_batch_begin", number, logs)
        values = function.run(arrays)
        for name, value in zip(self.names, values):
            logs[name] = float(value)
        self.callbacks.call("on_train_batch_end", number, logs)

    def validated(self, values):
        for name, value in zip(self.names, values):
            self.logs["val_" + name] = value


def fit_epoch(run, function, arrays, batches, shuffle):
    """The steps of one epoch; shuffled, the samples of a batch are gathered by their numbers."""
    order = None
    if shuffle == "batch":
        batches = [batches[place] for place in np.random.permutation(len(batches))]
    elif shuffle:
        order = np.arange(len(arrays[0]))
        np.random.shuffle(order)
    for number, batch in enumerate(batches):
        picked = slice(*batch) if order is None else order[batch.start:batch.stop]
        run.step(number, batch.stop - batch.start, function, data.sliced(arrays, picked))
        if run.model.stop_training:
            break


def told(model, callbacks):
    """A CallbackList for an evaluation or a prediction."""
    listeners = callback_classes.CallbackList(callbacks)
    listeners.set_model(model)
    return listeners


def is_due(frequency, epoch):
    """Whether an epoch is validated."""
    if isinstance(frequency, (list, tuple, set)):
        return epoch + 1 in frequency
    return (epoch + 1) % frequency == 0
