"""Metric: a small layer whose state gathers what it needs over many batches.

`update_state` gives the updates of one batch, `result` the value of the state, `reset_states` sets
the state to zero. Sums, means and means of functions are here; the other metrics build on them.
"""
import numpy as np

from .. import backend as K
from .. import registry
from ..engine.layer import Layer
from ..graph.walk import rebuild
from ..losses import broadcast_weights, squeeze_or_expand_dimensions
from ..registry import register

__all__ = ["Metric", "Reduce", "Sum", "Mean", "MeanMetricWrapper"]


class Metric(Layer):
    """The base of all metrics. One of your own defines `update_state` and `result`.

    Calling a metric updates it and gives the result with this batch included.
    """

    def __init__(self, name=None, dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.stateful = True
        self.built = True
        self.calls = []     # (tensors given, updates) of each `update_state`
        self.update_state = self._recording(self.update_state)

    def __getstate__(self):
        """What pickles and copies keep: the state, and not where the metric has been used."""
        kept = dict(self.__dict__, calls=[], _update_entries=[])
        del kept["update_state"]
        return kept

    def __setstate__(self, kept):
        self.__dict__.update(kept)
        self.update_state = self._recording(self.update_state)

    def _recording(self, update_state):
        """The method, noting its updates as those of the layer."""
        def recording(*args, **kwargs):
            with K.name_scope(self.name):
                updates = self._checked_updates(update_state(*args, **kwargs))
            self.add_update(updates)
            given = [one for one in args + tuple(kwargs.values()) if K.is_tensor(one)]
            self.calls.append((given, updates))
            return updates
        return recording

    def _checked_updates(self, updates):
        """A list of pairs from what an `update_state` returned: a pair, or several."""
        if isinstance(updates, tuple) and len(updates) == 2 and K.is_variable(updates[0]):
            updates = [updates]
        if not isinstance(updates, (list, tuple)) or not all(
                isinstance(pair, tuple) and len(pair) == 2 and K.is_variable(pair[0])
                for pair in updates):
            raise TypeError("[%s] update_state must return its updates, as K.update and "
                            "K.update_add give them; it returned %r."
                            % (type(self).__name__, updates))
        return list(updates)

    def add_weight(self, name, shape=(), initializer="zeros", dtype=None):
        """A variable of the state, which is not trained."""
        with K.name_scope(self.name):
            return super().add_weight(name=name, shape=shape, dtype=dtype, trainable=False,
                                      initializer=initializer)

    def update_state(self, *args, **kwargs):
        """The updates for one batch: pairs (variable, new value)."""
        raise NotImplementedError

    def result(self):
        """The metric's value, an expression of the state."""
        raise NotImplementedError

    def result_after(self, updates):
        """The value that `result` has once these updates are done."""
        return rebuild([self.result()], dict(updates))[0]

    def __call__(self, *args, **kwargs):
        result = self.result_after(self.update_state(*args, **kwargs))
        result._metric_obj = self   # what `add_metric` needs to report it
        return result

    def reset_states(self):
        """Sets the state to zero."""
        K.batch_set_value([(weight, np.zeros(K.int_shape(weight))) for weight in self.weights])

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


_SUM, _OVER_BATCH, _WEIGHTED_MEAN = "sum", "sum_over_batch_size", "weighted_mean"


class Reduce(Metric):
    """Adds up values and, for a mean, what to divide by.

    Args:     reduction: "sum", "sum_over_batch_size" (divided by the number of values) or
              "weighted_mean" (divided by the sum of the weights).
    """

    def __init__(self, reduction, name, dtype=None):
        super().__init__(name=name, dtype=dtype)
        if reduction not in (_SUM, _OVER_BATCH, _WEIGHTED_MEAN):
            raise ValueError("[Reduce] reduction must be %r, %r or %r; %r was given."
                             % (_SUM, _OVER_BATCH, _WEIGHTED_MEAN, reduction))
        self.reduction = reduction
        self.total = self.add_weight("total")
        if reduction != _SUM:
            self.count = self.add_weight("count")

    def update_state(self, values, sample_weight=None):
        values = K.cast(values, self.dtype)
        counts = K.ones_like(values)
        if sample_weight is not None:
            weights = K.cast(sample_weight, self.dtype)
            values, _, weights = squeeze_or_expand_dimensions(values, sample_weight=weights)
            weights = broadcast_weights(weights, values)
            values = values * weights
            if self.reduction == _WEIGHTED_MEAN:
                counts = counts * weights
        updates = [K.update_add(self.total, K.sum(values))]
        if self.reduction != _SUM:
            updates.append(K.update_add(self.count, K.sum(counts)))
        return updates

    def result(self):
        return self.total if self.reduction == _SUM else self.total / self.count


@register("metric")
class Sum(Reduce):
    """The sum of all values, times their weights."""

    def __init__(self, name="sum", dtype=None):
        super().__init__(_SUM, name, dtype)


@register("metric")
class Mean(Reduce):
    """The weighted mean of all values."""

    def __init__(self, name="mean", dtype=None):
        super().__init__(_WEIGHTED_MEAN, name, dtype)


@register("metric")
class MeanMetricWrapper(Mean):
    """The weighted mean of a function of (y_true, y_pred).

    Args:     fn: gives one value per sample, or per element.
              kwargs: passed on to fn.
    """

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        super().__init__(name, dtype)
        self._fn = fn
        self._fn_kwargs = kwargs

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = K.cast(y_true, self.dtype), K.cast(y_pred, self.dtype)
        y_pred, y_true, _ = squeeze_or_expand_dimensions(y_pred, y_true)
        return super().update_state(self._fn(y_true, y_pred, **self._fn_kwargs), sample_weight)

    def get_config(self):
        config = dict(super().get_config(), **self._fn_kwargs)
        if type(self) is MeanMetricWrapper:
            config["fn"] = registry.serialize(self._fn)
        return config

    @classmethod
    def from_config(cls, config):
        """The metric of a config, as Keras or tf.keras writes it."""
        config = dict(config)
        function = config.pop("fn", None)  # of other classes it is the one they stand for
        if cls is MeanMetricWrapper:
            config["fn"] = registry.deserialize(function, registry.table("metric"), None, "metric")
        return cls(**config)
