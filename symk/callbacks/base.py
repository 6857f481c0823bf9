"""Callback, what a training loop tells it, and the list that passes it on."""

__all__ = ["Callback", "CallbackList", "LambdaCallback"]

_HOOKS = ("on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end", "on_train_begin",
          "on_train_end", "on_train_batch_begin", "on_train_batch_end", "on_test_begin",
          "on_test_end", "on_test_batch_begin", "on_test_batch_end", "on_predict_begin",
          "on_predict_end", "on_predict_batch_begin", "on_predict_batch_end")


class Callback:
    """Base of all callbacks: override the moments that matter.

    # Properties
        params: dict with `batch_size`, `epochs`, `steps`, `samples`, `verbose`, `do_validation`
            and `metrics`.
        model: the model that is trained.

    `logs` is a dict of the values known so far; a batch has `batch` and `size` in it, the end of
    a batch or an epoch also the loss and the metrics.
    """

    def __init__(self):
        self.validation_data = None
        self.model = None
        self.params = {}

    def set_params(self, params):
        self.params = params

    def set_model(self, model):
        self.model = model

    def on_epoch_begin(self, epoch, logs=None):
        """Before an epoch of training."""

    def on_epoch_end(self, epoch, logs=None):
        """After an epoch and its validation."""

    def on_batch_begin(self, batch, logs=None):
        """Before a training batch; the older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """After a training batch; the older name of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch, logs=None):
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self.on_batch_end(batch, logs)

    def on_train_begin(self, logs=None):
        """Before the first epoch."""

    def on_train_end(self, logs=None):
        """After the last epoch."""

    def on_test_begin(self, logs=None):
        """Before an evaluation, also that of an epoch's validation."""

    def on_test_end(self, logs=None):
        """After an evaluation."""

    def on_test_batch_begin(self, batch, logs=None):
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch, logs=None):
        """After a batch of an evaluation."""

    def on_predict_begin(self, logs=None):
        """Before a prediction."""

    def on_predict_end(self, logs=None):
        """After a prediction."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch, logs=None):
        """After a batch of a prediction."""


class CallbackList:
    """Passes each moment on to the callbacks that override it.

    # Arguments
        callbacks: list of Callback.
        queue_length: Keras's length of a queue of timings, which symk does not keep.
    """

    def __init__(self, callbacks=None, queue_length=10):
        self.callbacks = list(callbacks or [])
        self.queue_length = queue_length
        self.params = {}
        self.model = None
        self._listeners = {}

    def append(self, callback):
        self.callbacks.append(callback)
        self._listeners.clear()

    def set_params(self, params):
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model):
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def __iter__(self):
        return iter(self.callbacks)

    def listens(self, hook):
        """Whether any callback does something at this moment."""
        return bool(self._of(hook))

    def call(self, hook, *arguments):
        """Calls a hook of every callback that overrides it."""
        for method in self._of(hook):
            method(*arguments)

    def _of(self, hook):
        if hook not in self._listeners:
            self._listeners[hook] = [getattr(callback, hook) for callback in self.callbacks
                                     if _overrides(callback, hook)]
        return self._listeners[hook]


def _passing(hook):
    """The method of CallbackList for a hook of Callback: (number, logs) or (logs) alone."""
    if "batch" in hook:
        def pass_on(self, batch, logs=None):
            self.call(hook, batch, {} if logs is None else logs)
    elif "epoch" in hook:
        def pass_on(self, epoch, logs=None):
            self.call(hook, epoch, {} if logs is None else logs)
    else:
        def pass_on(self, logs=None):
            self.call(hook, {} if logs is None else logs)
    pass_on.__name__ = hook
    pass_on.__doc__ = "Calls `%s` of the callbacks." % hook
    return pass_on


for _hook in _HOOKS:
    setattr(CallbackList, _hook, _passing(_hook))


def _overrides(callback, hook):
    """Whether a callback has a hook of its own; a batch hook may have its older name."""
    names = [hook]
    if hook.startswith("on_train_batch"):
        names.append(hook.replace("train_", ""))
    for name in names:
        mine = getattr(callback, name, None)
        if mine is not None and getattr(mine, "__func__", mine) is not getattr(Callback, name):
            return True
    return False


class LambdaCallback(Callback):
    """A callback made of functions, given as keyword arguments under the names of the hooks.

    # Arguments
        on_epoch_begin, on_epoch_end: functions of (epoch, logs).
        on_batch_begin, on_batch_end: functions of (batch, logs).
        on_train_begin, on_train_end: functions of (logs).
        **kwargs: functions for the other hooks of Callback.
    """

    def __init__(self, on_epoch_begin=None, on_epoch_end=None, on_batch_begin=None,
                 on_batch_end=None, on_train_begin=None, on_train_end=None, **kwargs):
        super().__init__()
        functions = dict(kwargs, on_epoch_begin=on_epoch_begin, on_epoch_end=on_epoch_end,
                         on_batch_begin=on_batch_begin, on_batch_end=on_batch_end,
                         on_train_begin=on_train_begin, on_train_end=on_train_end)
        for hook, function in functions.items():
            if hook not in _HOOKS:
                raise TypeError("[LambdaCallback] the names are %s; %r was given."
                                % (", ".join(_HOOKS), hook))
            if function is not None:
                setattr(self, hook, function)
