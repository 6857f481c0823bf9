"""Metrics: functions of (y_true, y_pred), and objects that gather them over many batches."""
# ruff: noqa: F403 (this file only collects names)
from .. import registry
from ..losses import (
    KLD,
    MAE,
    MAPE,
    MSE,
    MSLE,
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    hinge,
    kld,
    kullback_leibler_divergence,
    logcosh,
    mae,
    mape,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    mse,
    msle,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from . import confusion, functions, keras1, means, metric
from .confusion import *
from .functions import *
from .keras1 import *
from .means import *
from .metric import *
from .metric import Metric

__all__ = (functions.__all__ + keras1.__all__ + metric.__all__ + means.__all__
           + confusion.__all__)
__all__ += [
    "KLD", "MAE", "MAPE", "MSE", "MSLE", "binary_crossentropy", "categorical_crossentropy",
    "categorical_hinge", "hinge", "kld", "kullback_leibler_divergence", "logcosh", "mae", "mape",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "mse", "msle", "poisson", "sparse_categorical_crossentropy",
    "squared_hinge", "clone_metric", "clone_metrics", "serialize", "deserialize", "get"]


def clone_metric(metric):
    """A metric with the same config and a state of its own; a function is itself."""
    return type(metric).from_config(metric.get_config()) if isinstance(metric, Metric) else metric


def clone_metrics(metrics):
    """Copies of all metrics in a list, or in a dict of metrics or lists of them."""
    if metrics is None:
        return None
    if isinstance(metrics, dict):
        return {name: clone_metrics(value) if isinstance(value, (list, tuple))
                else clone_metric(value) for name, value in metrics.items()}
    return [clone_metrics(one) if isinstance(one, (list, tuple)) else clone_metric(one)
            for one in metrics]


def serialize(metric):
    return registry.serialize(metric)


def deserialize(config, custom_objects=None):
    return registry.deserialize(config, registry.table("metric"), custom_objects, "metric")


def get(identifier):
    """A metric from its name, its config or itself (any callable of y_true and y_pred).

    The name of a class that needs arguments gives the class.
    """
    if identifier is None or callable(identifier):
        return identifier
    if isinstance(identifier, str):
        found = registry.custom_objects().get(identifier, registry.lookup("metric", identifier))
        if isinstance(found, type) and registry.required_arguments(found):
            return found
    return deserialize(identifier)
