"""Losses: functions of (y_true, y_pred) giving one value per sample, and classes that reduce them.

A function's mean or sum is over the last axis; the other axes stay. Training multiplies by sample
weights and averages; a `Loss` object does so by itself, by its `reduction`.
"""
import numpy as np

from . import backend as K
from . import registry
from .registry import register

__all__ = ["Reduction", "Loss", "LossFunctionWrapper", "MeanSquaredError", "MeanAbsoluteError",
           "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "BinaryCrossentropy",
           "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "Hinge", "SquaredHinge",
           "CategoricalHinge", "Poisson", "LogCosh", "KLDivergence", "Huber",
           "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
           "mean_squared_logarithmic_error", "squared_hinge", "hinge", "categorical_hinge",
           "logcosh", "huber_loss", "categorical_crossentropy", "sparse_categorical_crossentropy",
           "binary_crossentropy", "kullback_leibler_divergence", "poisson", "cosine_proximity",
           "mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "kld", "KLD", "cosine",
           "cosine_similarity", "is_categorical_crossentropy", "compute_weighted_loss",
           "squeeze_or_expand_dimensions", "broadcast_weights", "serialize", "deserialize", "get"]


def _loss(*names):
    """Decorator: registers a loss under its own name and its other names."""
    def decorate(thing):
        for name in (thing.__name__,) + names:
            register("loss", name)(thing)
        return thing
    return decorate


def _tensors(y_true, y_pred):
    """Both as tensors, y_true in the dtype of y_pred."""
    if not K.is_tensor(y_pred):
        y_pred = K.constant(y_pred)
    return K.cast(y_true, K.dtype(y_pred)), y_pred


# ---- functions

@_loss("mse", "MSE")
def mean_squared_error(y_true, y_pred):
    """mean((y_pred - y_true)^2)."""
    y_true, y_pred = _tensors(y_true, y_pred)
    return K.mean(K.square(y_pred - y_true), axis=-1)


@_loss("mae", "MAE")
def mean_absolute_error(y_true, y_pred):
    """mean(|y_pred - y_true|)."""
    y_true, y_pred = _tensors(y_true, y_pred)
    return K.mean(K.abs(y_pred - y_true), axis=-1)


@_loss("mape", "MAPE")
def mean_absolute_percentage_error(y_true, y_pred):
    """100 * mean(|y_true - y_pred| / |y_true|)."""
    y_true, y_pred = _tensors(y_true, y_pred)
    size = K.clip(K.abs(y_true), K.epsilon(), None)
    return 100.0 * K.mean(K.abs((y_true - y_pred) / size), axis=-1)


@_loss("msle", "MSLE")
def mean_squared_logarithmic_error(y_true, y_pred):
    """mean((log(1 + y_pred) - log(1 + y_true))^2); negative values count as 0."""
    y_true, y_pred = _tensors(y_true, y_pred)
    difference = (K.log(K.clip(y_pred, K.epsilon(), None) + 1.0)
                  - K.log(K.clip(y_true, K.epsilon(), None) + 1.0))
    return K.mean(K.square(difference), axis=-1)


@_loss()
def squared_hinge(y_true, y_pred):
    """mean(max(1 - y_true * y_pred, 0)^2), y_true being -1 or 1 (or 0 or 1)."""
    return K.mean(K.square(_hinge(y_true, y_pred)), axis=-1)


@_loss()
def hinge(y_true, y_pred):
    """mean(max(1 - y_true * y_pred, 0)), y_true being -1 or 1 (or 0 or 1)."""
    return K.mean(_hinge(y_true, y_pred), axis=-1)


def _hinge(y_true, y_pred):
    y_true, y_pred = _tensors(y_true, y_pred)
    binary = K.all(K.maximum(K.cast(K.equal(y_true, 0), "int32"),
                             K.cast(K.equal(y_true, 1), "int32")))
    signs = K.switch(binary, 2.0 * y_true - 1.0, y_true)
    return K.maximum(1.0 - signs * y_pred, 0.0)


@_loss()
def categorical_hinge(y_true, y_pred):
    """max(0, 1 + the greatest wrong score - the right score)."""
    y_true, y_pred = _tensors(y_true, y_pred)
    right = K.sum(y_true * y_pred, axis=-1)
    wrong = K.max((1.0 - y_true) * y_pred, axis=-1)
    return K.maximum(0.0, wrong - right + 1.0)


@_loss()
def logcosh(y_true, y_pred):
    """mean(log(cosh(y_pred - y_true))), without overflow."""
    y_true, y_pred = _tensors(y_true, y_pred)
    x = y_pred - y_true
    return K.mean(x + K.softplus(-2.0 * x) - float(np.log(2.0)), axis=-1)


@_loss()
def huber_loss(y_true, y_pred, delta=1.0):
    """x^2 / 2 where |x| <= delta, else delta * (|x| - delta / 2); x = y_pred - y_true.

    Elementwise: no axis is reduced.
    Source:   Huber 1964.
    """
    y_true, y_pred = _tensors(y_true, y_pred)
    distance = K.abs(y_pred - y_true)
    quadratic = K.minimum(distance, delta)
    return 0.5 * K.square(quadratic) + delta * (distance - quadratic)


@_loss()
def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0):
    """-sum(y_true * log(y_pred)).

    Args:     label_smoothing: the part of y_true that is spread over all classes.
    """
    y_true, y_pred = _tensors(y_true, y_pred)
    if label_smoothing:
        classes = K.cast(K.shape(y_pred)[-1], K.dtype(y_pred))
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / classes
    return K.categorical_crossentropy(y_true, y_pred, from_logits=from_logits)


@_loss()
def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, axis=-1):
    """-log(y_pred of the class that y_true numbers)."""
    return K.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


@_loss()
def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0):
    """-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred)).

    Args:     label_smoothing: how far y_true is moved towards 1/2, from 0 to 1.
    """
    y_true, y_pred = _tensors(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return K.mean(K.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=-1)


@_loss("kld", "KLD")
def kullback_leibler_divergence(y_true, y_pred):
    """sum(y_true * log(y_true / y_pred))."""
    y_true, y_pred = (K.clip(y, K.epsilon(), 1) for y in _tensors(y_true, y_pred))
    return K.sum(y_true * K.log(y_true / y_pred), axis=-1)


@_loss()
def poisson(y_true, y_pred):
    """mean(y_pred - y_true * log(y_pred))."""
    y_true, y_pred = _tensors(y_true, y_pred)
    return K.mean(y_pred - y_true * K.log(y_pred + K.epsilon()), axis=-1)


@_loss("cosine", "cosine_similarity")
def cosine_proximity(y_true, y_pred, axis=-1):
    """-cos of the angle between y_true and y_pred."""
    y_true, y_pred = _tensors(y_true, y_pred)
    return -K.sum(K.l2_normalize(y_true, axis=axis) * K.l2_normalize(y_pred, axis=axis), axis=axis)


mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence
cosine = cosine_similarity = cosine_proximity


# ---- weights and reductions

class Reduction:
    """How a `Loss` reduces the values of a batch.

    NONE keeps them, SUM adds them, SUM_OVER_BATCH_SIZE divides the sum by their number.
    """

    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls):
        return cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE

    @classmethod
    def validate(cls, key):
        if key not in cls.all():
            raise ValueError("[loss] reduction must be one of %s; %r was given."
                             % (", ".join(map(repr, cls.all())), key))


def compute_weighted_loss(losses, sample_weight=None, reduction=Reduction.SUM_OVER_BATCH_SIZE):
    """The losses times their weights, reduced.

    Args:     sample_weight: a tensor that broadcasts to the losses from the left, a number or
              None.
    """
    Reduction.validate(reduction)
    if sample_weight is not None:
        sample_weight = K.cast(sample_weight, K.dtype(losses))
        losses, _, sample_weight = squeeze_or_expand_dimensions(losses, None, sample_weight)
        losses = losses * broadcast_weights(sample_weight, losses)
    if reduction == Reduction.NONE:
        return losses
    total = K.sum(losses)
    if reduction == Reduction.SUM:
        return total
    return total / K.cast(K.size(losses), K.dtype(losses))


def squeeze_or_expand_dimensions(y_pred, y_true=None, sample_weight=None):
    """The three with equal numbers of axes, where a last axis of size 1 makes the difference.

    Returns:  (y_pred, y_true, sample_weight); what was None stays None.
    """
    if y_true is not None:
        if K.ndim(y_pred) - K.ndim(y_true) == 1 and K.int_shape(y_pred)[-1] == 1:
            y_pred = K.squeeze(y_pred, -1)
        elif K.ndim(y_true) - K.ndim(y_pred) == 1 and K.int_shape(y_true)[-1] == 1:
            y_true = K.squeeze(y_true, -1)
    if sample_weight is not None and K.ndim(sample_weight):
        more = K.ndim(sample_weight) - K.ndim(y_pred)
        if more == 1:
            sample_weight = K.squeeze(sample_weight, -1)
        elif more == -1:
            sample_weight = K.expand_dims(sample_weight, -1)
    return y_pred, y_true, sample_weight


def broadcast_weights(weights, values):
    """Weights with as many axes as the values, new ones at the end.

    Raises:   ValueError when a size is neither 1 nor that of the values.
    """
    if K.ndim(weights) == 0:
        return weights
    if K.ndim(weights) > K.ndim(values):
        raise ValueError("[sample_weight] at most %d axes are required, as many as the values %r "
                         "have; %r was given." % (K.ndim(values), values, weights))
    for _ in range(K.ndim(values) - K.ndim(weights)):
        weights = K.expand_dims(weights, -1)
    for given, wanted in zip(K.int_shape(weights), K.int_shape(values)):
        if given is not None and wanted is not None and given not in (1, wanted):
            raise ValueError("[sample_weight] sizes must be 1 or those of the values %r; the "
                             "weights are %r." % (values, weights))
    return weights


# ---- classes

class Loss:
    """A loss as an object: `loss(y_true, y_pred, sample_weight=None)` is reduced.

    Args:     reduction: one of `Reduction`.
              name: by default none.
    """

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name=None):
        Reduction.validate(reduction)
        self.reduction = reduction
        self.name = name

    def __call__(self, y_true, y_pred, sample_weight=None):
        with K.name_scope(self.name or type(self).__name__):
            return compute_weighted_loss(self.call(y_true, y_pred), sample_weight, self.reduction)

    def call(self, y_true, y_pred):
        """The values before weights and reduction."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def get_config(self):
        return {"reduction": self.reduction, "name": self.name}


class LossFunctionWrapper(Loss):
    """A loss function as an object; keyword arguments are passed on to it."""

    def __init__(self, fn, reduction=Reduction.SUM_OVER_BATCH_SIZE, name=None, **kwargs):
        super().__init__(reduction, name)
        self.fn = fn
        self._fn_kwargs = kwargs

    @classmethod
    def from_config(cls, config):
        """The loss of a config, as Keras or tf.keras writes it."""
        config = dict(config)
        if config.get("reduction") == "auto":
            config["reduction"] = Reduction.SUM_OVER_BATCH_SIZE
        if cls is not LossFunctionWrapper:
            config.pop("fn", None)  # the function that the class stands for
        if config.get("axis") == -1 and not registry.accepts(cls, "axis"):
            del config["axis"]
        return cls(**config)

    def call(self, y_true, y_pred):
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self):
        return dict(super().get_config(), **self._fn_kwargs)


@_loss()
class MeanSquaredError(LossFunctionWrapper):
    """`mean_squared_error`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name="mean_squared_error"):
        super().__init__(mean_squared_error, reduction, name)


@_loss()
class MeanAbsoluteError(LossFunctionWrapper):
    """`mean_absolute_error`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name="mean_absolute_error"):
        super().__init__(mean_absolute_error, reduction, name)


@_loss()
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """`mean_absolute_percentage_error`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE,
                 name="mean_absolute_percentage_error"):
        super().__init__(mean_absolute_percentage_error, reduction, name)


@_loss()
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """`mean_squared_logarithmic_error`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE,
                 name="mean_squared_logarithmic_error"):
        super().__init__(mean_squared_logarithmic_error, reduction, name)


@_loss()
class BinaryCrossentropy(LossFunctionWrapper):
    """`binary_crossentropy`, reduced."""

    def __init__(self, from_logits=False, label_smoothing=0,
                 reduction=Reduction.SUM_OVER_BATCH_SIZE, name="binary_crossentropy"):
        super().__init__(binary_crossentropy, reduction, name, from_logits=from_logits,
                         label_smoothing=label_smoothing)


@_loss()
class CategoricalCrossentropy(LossFunctionWrapper):
    """`categorical_crossentropy`, reduced."""

    def __init__(self, from_logits=False, label_smoothing=0,
                 reduction=Reduction.SUM_OVER_BATCH_SIZE, name="categorical_crossentropy"):
        super().__init__(categorical_crossentropy, reduction, name, from_logits=from_logits,
                         label_smoothing=label_smoothing)


@_loss()
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """`sparse_categorical_crossentropy`, reduced."""

    def __init__(self, from_logits=False, reduction=Reduction.SUM_OVER_BATCH_SIZE,
                 name="sparse_categorical_crossentropy"):
        super().__init__(sparse_categorical_crossentropy, reduction, name, from_logits=from_logits)


@_loss()
class Hinge(LossFunctionWrapper):
    """`hinge`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name="hinge"):
        super().__init__(hinge, reduction, name)


@_loss()
class SquaredHinge(LossFunctionWrapper):
    """`squared_hinge`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name="squared_hinge"):
        super().__init__(squared_hinge, reduction, name)


@_loss()
class CategoricalHinge(LossFunctionWrapper):
    """`categorical_hinge`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name="categorical_hinge"):
        super().__init__(categorical_hinge, reduction, name)


@_loss()
class Poisson(LossFunctionWrapper):
    """`poisson`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name="poisson"):
        super().__init__(poisson, reduction, name)


@_loss()
class LogCosh(LossFunctionWrapper):
    """`logcosh`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name="logcosh"):
        super().__init__(logcosh, reduction, name)


@_loss()
class KLDivergence(LossFunctionWrapper):
    """`kullback_leibler_divergence`, reduced."""

    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE,
                 name="kullback_leibler_divergence"):
        super().__init__(kullback_leibler_divergence, reduction, name)


@_loss()
class Huber(LossFunctionWrapper):
    """`huber_loss`, reduced."""

    def __init__(self, delta=1.0, reduction=Reduction.SUM_OVER_BATCH_SIZE, name="huber_loss"):
        super().__init__(huber_loss, reduction, name, delta=delta)


def is_categorical_crossentropy(loss):
    """Whether a loss is the categorical cross-entropy, as a function, an object or a name."""
    return (isinstance(loss, CategoricalCrossentropy) or loss is categorical_crossentropy
            or getattr(loss, "fn", None) is categorical_crossentropy
            or loss == "categorical_crossentropy")


def serialize(loss):
    return registry.serialize(loss)


def deserialize(name, custom_objects=None):
    return registry.deserialize(name, registry.table("loss"), custom_objects, "loss")


def get(identifier):
    """A loss from its name, its config or itself (any callable of y_true and y_pred)."""
    if identifier is None or callable(identifier):
        return identifier
    return deserialize(identifier)
