"""The loops around the compiled functions: epochs of training, an evaluation, a prediction.

A `Run` is one call of fit. What a loop needs of data is a source (`sources.py`); everything that
callbacks are told is told here.
"""
import contextlib

import numpy as np

from .. import callbacks as callback_classes

__all__ = ["Run", "count_validations", "evaluate_source", "is_due", "predict_source", "told"]


class Run:
    """One call of fit: its callbacks, what they are told, and the logs of the epoch."""

    def __init__(self, model, source, callbacks, verbose, epochs, batch_size=None,
                 validates=False):
        if verbose not in (0, 1, 2):
            raise ValueError("[fit] verbose must be 0, 1 or 2; %r was given." % (verbose,))
        callbacks = _checked_callbacks(callbacks)
        self.model = model
        self.source = source
        self.names = list(model.metrics_names)
        self.epochs = epochs
        self.logs = {}
        model.history = callback_classes.History()
        own = [callback_classes.BaseLogger(stateful_metrics=self.names[1:])]
        if verbose:
            own.append(callback_classes.ProgbarLogger(source.unit,
                                                      stateful_metrics=self.names[1:]))
        self.callbacks = callback_classes.CallbackList(own + callbacks + [model.history])
        self.callbacks.set_model(model)
        names = self.names + (["val_" + name for name in self.names] if validates else [])
        self.callbacks.set_params({
            "batch_size": batch_size, "epochs": epochs, "verbose": verbose,
            "steps": source.total if source.unit == "steps" else None,
            "samples": source.total if source.unit == "samples" else None,
            "do_validation": validates, "metrics": names})

    def __enter__(self):
        self.model.stop_training = False
        self.callbacks.call("on_train_begin", {})
        return self

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

    def train(self):
        """The steps of one epoch; False if training was stopped among them."""
        number = 0
        with contextlib.closing(self.source.epoch()) as batches:
            for function, arrays, size in batches:
                self._step(number, size, function, arrays)
                number += 1
                if self.model.stop_training:
                    return False
        return True

    def _step(self, number, size, function, arrays):
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


def told(model, callbacks):
    """A CallbackList for an evaluation or a prediction."""
    listeners = callback_classes.CallbackList(_checked_callbacks(callbacks))
    listeners.set_model(model)
    return listeners


def _checked_callbacks(callbacks):
    """A list of callbacks, or TypeError."""
    callbacks = [] if callbacks is None else callbacks
    if not isinstance(callbacks, (list, tuple)):
        raise TypeError("[callbacks] a list of Callbacks is required; %r was given. Use [...]."
                        % (callbacks,))
    for callback in callbacks:
        if not hasattr(callback, "set_model"):
            raise TypeError("[callbacks] each must be a Callback; %r is among them." % (callback,))
    return list(callbacks)


def count_validations(frequency, first, epochs):
    """How many epochs are validated.

    Raises:   ValueError, TypeError for a frequency or a number of epochs that is none.
    """
    for name, value in (("epochs", epochs), ("initial_epoch", first)):
        if not hasattr(value, "__index__"):
            raise TypeError("[fit] %s must be an integer; %r was given." % (name, value))
    if not isinstance(frequency, (list, tuple, set)) and (
            not hasattr(frequency, "__index__") or frequency < 1):
        raise ValueError("[validation_freq] a positive integer or a list of epochs is required; %r "
                         "was given." % (frequency,))
    return sum(is_due(frequency, epoch) for epoch in range(first, epochs))


def is_due(frequency, epoch):
    """Whether an epoch is validated."""
    if isinstance(frequency, (list, tuple, set)):
        return epoch + 1 in frequency
    return (epoch + 1) % frequency == 0


def evaluate_source(model, source, listeners, progress):
    """The mean loss, and the metrics' values, over the batches of a source."""
    model.reset_metrics()
    names = model.metrics_names
    listeners.call("on_test_begin", {})
    total, count, values = 0.0, 0, []
    with contextlib.closing(source.epoch()) as batches:
        for number, (function, arrays, size) in enumerate(batches):
            logs = {"batch": number, "size": size}
            listeners.call("on_test_batch_begin", number, logs)
            values = [float(value) for value in function.run(arrays)]
            logs.update(zip(names, values))
            listeners.call("on_test_batch_end", number, logs)
            total += values[0] * size
            count += size
            progress.update(count if source.unit == "samples" else number + 1)
    listeners.call("on_test_end", {})
    return [total / max(count, 1)] + values[1:]


def predict_source(source, listeners, progress):
    """The outputs for the batches of a source: one array per output."""
    listeners.call("on_predict_begin", {})
    parts, count = [], 0
    with contextlib.closing(source.epoch()) as batches:
        for number, (function, arrays, size) in enumerate(batches):
            logs = {"batch": number, "size": size}
            listeners.call("on_predict_batch_begin", number, logs)
            parts.append(function.run(arrays))
            listeners.call("on_predict_batch_end", number, logs)
            count += size
            progress.update(count if source.unit == "samples" else number + 1)
    listeners.call("on_predict_end", {})
    return [np.concatenate(output) if len(output) > 1 else output[0] for output in zip(*parts)]
