"""Metrics that are weighted means: each a function of (y_true, y_pred) as a `MeanMetricWrapper`."""
from .. import backend as K
from .. import losses
from ..losses import squeeze_or_expand_dimensions
from ..registry import register
from . import functions
from .metric import Mean, MeanMetricWrapper

__all__ = ["Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy",
           "TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "MeanSquaredError",
           "RootMeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
           "MeanSquaredLogarithmicError", "Hinge", "SquaredHinge", "CategoricalHinge",
           "LogCoshError", "Poisson", "KLDivergence", "CosineSimilarity", "BinaryCrossentropy",
           "CategoricalCrossentropy", "SparseCategoricalCrossentropy"]


@register("metric")
class Accuracy(MeanMetricWrapper):
    """How often y_pred is equal to y_true."""

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(functions.accuracy, name, dtype)


@register("metric")
class BinaryAccuracy(MeanMetricWrapper):
    """How often y_pred > threshold is y_true."""

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        super().__init__(functions.binary_accuracy, name, dtype, threshold=threshold)


@register("metric")
class CategoricalAccuracy(MeanMetricWrapper):
    """How often the greatest of y_pred is the class; y_true is one-hot."""

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(functions.categorical_accuracy, name, dtype)


@register("metric")
class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the greatest of y_pred is the class; y_true holds the numbers of classes."""

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(functions.sparse_categorical_accuracy, name, dtype)


@register("metric")
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class is among the k greatest of y_pred; y_true is one-hot."""

    def __init__(self, k=5, name="top_k_categorical_accuracy", dtype=None):
        super().__init__(functions.top_k_categorical_accuracy, name, dtype, k=k)


@register("metric")
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class is among the k greatest of y_pred; y_true holds numbers of classes."""

    def __init__(self, k=5, name="sparse_top_k_categorical_accuracy", dtype=None):
        super().__init__(functions.sparse_top_k_categorical_accuracy, name, dtype, k=k)


@register("metric")
class MeanSquaredError(MeanMetricWrapper):
    """The mean of `mean_squared_error`."""

    def __init__(self, name="mean_squared_error", dtype=None):
        super().__init__(losses.mean_squared_error, name, dtype)


@register("metric")
class RootMeanSquaredError(Mean):
    """The square root of the mean of (y_pred - y_true)^2."""

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = K.cast(y_true, self.dtype), K.cast(y_pred, self.dtype)
        y_pred, y_true, _ = squeeze_or_expand_dimensions(y_pred, y_true)
        return super().update_state(K.square(y_pred - y_true), sample_weight)

    def result(self):
        return K.sqrt(super().result())


@register("metric")
class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of `mean_absolute_error`."""

    def __init__(self, name="mean_absolute_error", dtype=None):
        super().__init__(losses.mean_absolute_error, name, dtype)


@register("metric")
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of `mean_absolute_percentage_error`."""

    def __init__(self, name="mean_absolute_percentage_error", dtype=None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@register("metric")
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of `mean_squared_logarithmic_error`."""

    def __init__(self, name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@register("metric")
class Hinge(MeanMetricWrapper):
    """The mean of `hinge`."""

    def __init__(self, name="hinge", dtype=None):
        super().__init__(losses.hinge, name, dtype)


@register("metric")
class SquaredHinge(MeanMetricWrapper):
    """The mean of `squared_hinge`."""

    def __init__(self, name="squared_hinge", dtype=None):
        super().__init__(losses.squared_hinge, name, dtype)


@register("metric")
class CategoricalHinge(MeanMetricWrapper):
    """The mean of `categorical_hinge`."""

    def __init__(self, name="categorical_hinge", dtype=None):
        super().__init__(losses.categorical_hinge, name, dtype)


@register("metric")
class LogCoshError(MeanMetricWrapper):
    """The mean of `logcosh`."""

    def __init__(self, name="logcosh", dtype=None):
        super().__init__(losses.logcosh, name, dtype)


@register("metric")
class Poisson(MeanMetricWrapper):
    """The mean of `poisson`."""

    def __init__(self, name="poisson", dtype=None):
        super().__init__(losses.poisson, name, dtype)


@register("metric")
class KLDivergence(MeanMetricWrapper):
    """The mean of `kullback_leibler_divergence`."""

    def __init__(self, name="kullback_leibler_divergence", dtype=None):
        super().__init__(losses.kullback_leibler_divergence, name, dtype)


@register("metric")
class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between y_true and y_pred."""

    def __init__(self, name="cosine_similarity", dtype=None, axis=-1):
        super().__init__(functions.cosine_proximity, name, dtype, axis=axis)


@register("metric")
class BinaryCrossentropy(MeanMetricWrapper):
    """The mean of `binary_crossentropy`."""

    def __init__(self, name="binary_crossentropy", dtype=None, from_logits=False,
                 label_smoothing=0):
        super().__init__(losses.binary_crossentropy, name, dtype, from_logits=from_logits,
                         label_smoothing=label_smoothing)


@register("metric")
class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `categorical_crossentropy`."""

    def __init__(self, name="categorical_crossentropy", dtype=None, from_logits=False,
                 label_smoothing=0):
        super().__init__(losses.categorical_crossentropy, name, dtype, from_logits=from_logits,
                         label_smoothing=label_smoothing)


@register("metric")
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `sparse_categorical_crossentropy`."""

    def __init__(self, name="sparse_categorical_crossentropy", dtype=None, from_logits=False,
                 axis=-1):
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype,
                         from_logits=from_logits, axis=axis)
