"""Metric functions of (y_true, y_pred): one value per sample, averaged by whoever calls them."""
from .. import backend as K
from .. import losses
from ..registry import register

__all__ = ["accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
           "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy", "cosine_proximity",
           "cosine", "cosine_similarity"]


def _metric(*names):
    """Decorator: registers a metric function under its own name and its other names."""
    def decorate(function):
        for name in (function.__name__,) + names:
            register("metric", name)(function)
        return function
    return decorate


# Losses that are metrics too, under all of their names.
for _name in ("mean_squared_error", "mse", "MSE", "mean_absolute_error", "mae", "MAE",
              "mean_absolute_percentage_error", "mape", "MAPE", "mean_squared_logarithmic_error",
              "msle", "MSLE", "hinge", "squared_hinge", "categorical_hinge", "logcosh", "poisson",
              "kullback_leibler_divergence", "kld", "KLD", "binary_crossentropy",
              "categorical_crossentropy", "sparse_categorical_crossentropy"):
    register("metric", _name)(getattr(losses, _name))


@_metric()
def accuracy(y_true, y_pred):
    """1 where y_true and y_pred are equal, else 0."""
    y_pred = K.cast(y_pred, K.floatx())
    return K.cast(K.equal(K.cast(y_true, K.dtype(y_pred)), y_pred), K.floatx())


@_metric()
def binary_accuracy(y_true, y_pred, threshold=0.5):
    """The part of the elements for which y_pred > threshold is y_true.

    With the threshold 0.5 y_pred is rounded instead, so that 2.0 is right for no class.
    """
    y_pred = K.cast(y_pred, K.floatx())
    if threshold == 0.5:
        decided = K.round(y_pred)
    else:
        decided = K.cast(K.greater(y_pred, threshold), K.dtype(y_pred))
    return K.mean(K.equal(K.cast(y_true, K.dtype(y_pred)), decided), axis=-1)


@_metric()
def categorical_accuracy(y_true, y_pred):
    """1 where the greatest of y_pred is at the place of the greatest of y_true, else 0."""
    return K.cast(K.equal(K.argmax(y_true, axis=-1), K.argmax(y_pred, axis=-1)), K.floatx())


@_metric()
def sparse_categorical_accuracy(y_true, y_pred):
    """1 where the greatest of y_pred is at the place that y_true numbers, else 0."""
    if K.ndim(y_true) == K.ndim(y_pred):
        y_true = K.squeeze(y_true, -1)
    decided = K.cast(K.argmax(y_pred, axis=-1), K.floatx())
    return K.cast(K.equal(K.cast(y_true, K.floatx()), decided), K.floatx())


@_metric()
def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 where the greatest of y_true is at the place of one of the k greatest of y_pred."""
    return K.cast(K.in_top_k(y_pred, K.argmax(y_true, axis=-1), k), K.floatx())


@_metric()
def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 where one of the k greatest of y_pred is at the place that y_true numbers."""
    return K.cast(K.in_top_k(y_pred, K.cast(K.flatten(y_true), "int32"), k), K.floatx())


@_metric("cosine", "cosine_similarity")
def cosine_proximity(y_true, y_pred, axis=-1):
    """The cosine of the angle between y_true and y_pred."""
    return -losses.cosine_proximity(y_true, y_pred, axis=axis)


cosine = cosine_similarity = cosine_proximity
