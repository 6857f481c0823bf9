"""Callbacks that act on training: checkpoints, early stopping, learning rates."""
import inspect
import os
import warnings

import numpy as np

from .. import backend as K
from .base import Callback

__all__ = ["EarlyStopping", "LearningRateScheduler", "ModelCheckpoint", "ReduceLROnPlateau"]

_MODES = ("auto", "min", "max")


class _Monitor(Callback):
    """A callback that watches a value of the epochs' logs."""

    def __init__(self, monitor, mode, min_delta=0.0):
        super().__init__()
        if mode not in _MODES:
            raise ValueError("[%s] mode must be one of %s; %r was given."
                             % (type(self).__name__, ", ".join(map(repr, _MODES)), mode))
        self.monitor = monitor
        rising = mode == "max" or (mode == "auto" and (
            "acc" in monitor or monitor.startswith("fmeasure")))
        self.monitor_op = np.greater if rising else np.less
        self.min_delta = abs(min_delta) if rising else -abs(min_delta)
        self.worst = -np.inf if rising else np.inf

    def better(self, value, best):
        """Whether a value is better than the best by more than `min_delta`."""
        return bool(self.monitor_op(value - self.min_delta, best))

    def get_monitor_value(self, logs):
        """The value of an epoch; None, with a warning, if the logs lack it."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn("[%s] %r is not among the values of the epoch: %s."
                          % (type(self).__name__, self.monitor, ", ".join(sorted(logs or {}))),
                          RuntimeWarning, stacklevel=3)
        return value


class ModelCheckpoint(_Monitor):
    """Saves the model after epochs. The file is always the old or the new one, never a half.

    # Arguments
        filepath: path; may have the epoch and values in it: "model.{epoch:02d}-{val_loss:.2f}.h5".
        monitor: the value that `save_best_only` watches.
        verbose: 1 prints what is saved.
        save_best_only: whether to save only when `monitor` is better than ever before.
        save_weights_only: whether to save the weights alone.
        mode: "min", "max" or "auto", which decides by the name of the value.
        period: number of epochs between two savings.
    """

    def __init__(self, filepath, monitor="val_loss", verbose=0, save_best_only=False,
                 save_weights_only=False, mode="auto", period=1):
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.period = period
        self.epochs_since_last_save = 0
        self.best = self.worst

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        self.epochs_since_last_save += 1
        if self.epochs_since_last_save < self.period:
            return
        self.epochs_since_last_save = 0
        if not self.save_best_only:
            self._save(epoch, logs, "")
            return
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if self.better(value, self.best):
            self._save(epoch, logs, "%s improved from %.5f to %.5f, "
                       % (self.monitor, self.best, value))
            self.best = value
        elif self.verbose:
            print("\nEpoch %05d: %s did not improve from %.5f"
                  % (epoch + 1, self.monitor, self.best))

    def _save(self, epoch, logs, reason):
        path = self.filepath.format(epoch=epoch + 1, **logs)
        if self.verbose:
            print("\nEpoch %05d: %ssaving model to %s" % (epoch + 1, reason, path))
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)


class EarlyStopping(_Monitor):
    """Stops training when a value has stopped improving.

    # Arguments
        monitor: the value.
        min_delta: a smaller improvement counts as none.
        patience: number of epochs without improvement that are waited for.
        verbose: 1 prints when training stops.
        mode: "min", "max" or "auto", which decides by the name of the value.
        baseline: a value that must be reached.
        restore_best_weights: whether the model gets the weights of its best epoch back.
    """

    def __init__(self, monitor="val_loss", min_delta=0, patience=0, verbose=0, mode="auto",
                 baseline=None, restore_best_weights=False):
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.wait = 0
        self.stopped_epoch = 0
        self.best = self.worst
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = self.worst if self.baseline is None else self.baseline
        self.best_weights = None

    def on_epoch_end(self, epoch, logs=None):
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if self.better(value, self.best):
            self.best = value
            self.wait = 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.best_weights is not None:
                self.model.set_weights(self.best_weights)

    def on_train_end(self, logs=None):
        if self.stopped_epoch and self.verbose:
            print("Epoch %05d: early stopping" % (self.stopped_epoch + 1))


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    # Arguments
        schedule: function of the epoch, or of the epoch and the rate, giving the new rate.
        verbose: 1 prints it.
    """

    def __init__(self, schedule, verbose=0):
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def _takes_rate(self):
        try:
            inspect.signature(self.schedule).bind(0, 0.0)
        except TypeError:
            return False
        return True

    def on_epoch_begin(self, epoch, logs=None):
        rate = float(K.get_value(self.model.optimizer.lr))
        rate = self.schedule(epoch, rate) if self._takes_rate() else self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError("[LearningRateScheduler] schedule must return a float; it returned "
                             "%r." % (rate,))
        K.set_value(self.model.optimizer.lr, rate)
        if self.verbose:
            print("\nEpoch %05d: learning rate %s" % (epoch + 1, rate))

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["lr"] = K.get_value(self.model.optimizer.lr)


class ReduceLROnPlateau(_Monitor):
    """Lowers the learning rate when a value has stopped improving.

    # Arguments
        monitor: the value.
        factor: the new rate is rate * factor; below 1.
        patience: number of epochs without improvement that are waited for.
        verbose: 1 prints the new rate.
        mode: "min", "max" or "auto", which decides by the name of the value.
        min_delta: a smaller improvement counts as none.
        cooldown: number of epochs after a change in which nothing is counted.
        min_lr: the rate never gets lower.
    """

    def __init__(self, monitor="val_loss", factor=0.1, patience=10, verbose=0, mode="auto",
                 min_delta=1e-4, cooldown=0, min_lr=0, **kwargs):
        min_delta = kwargs.pop("epsilon", min_delta)    # its name before Keras 2.2
        if kwargs:
            raise TypeError("[ReduceLROnPlateau] unknown argument %r." % sorted(kwargs)[0])
        if factor >= 1.0:
            raise ValueError("[ReduceLROnPlateau] a factor below 1 is required; %r was given."
                             % (factor,))
        super().__init__(monitor, mode, min_delta)
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._reset()

    def in_cooldown(self):
        """Whether the rate has been changed so lately that nothing is counted."""
        return self.cooldown_counter > 0

    def _reset(self):
        self.cooldown_counter = 0
        self.wait = 0
        self.best = self.worst

    def on_train_begin(self, logs=None):
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        logs = logs if logs is not None else {}
        logs["lr"] = K.get_value(self.model.optimizer.lr)
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.better(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch):
        old = float(K.get_value(self.model.optimizer.lr))
        if old <= self.min_lr:
            return
        new = max(old * self.factor, self.min_lr)
        K.set_value(self.model.optimizer.lr, new)
        if self.verbose:
            print("\nEpoch %05d: reducing the learning rate to %s." % (epoch + 1, new))
        self.cooldown_counter = self.cooldown
        self.wait = 0
