"""Metrics that Keras 1 had: counts of one batch, whose mean over the batches is reported.

For precision and recall of all samples take the classes `Precision` and `Recall`.
"""
from .. import backend as K
from ..registry import register

__all__ = ["f1score", "fbeta_score", "fmeasure", "fscore", "matthews_correlation", "precision",
           "recall"]


def _decided(values):
    """0 or 1 for each probability."""
    return K.round(K.clip(values, 0, 1))


def _part(found, of):
    return found / (of + K.epsilon())


@register("metric")
def matthews_correlation(y_true, y_pred):
    """The correlation of what is and what is predicted, from -1 to 1.

    Source:   Matthews 1975.
    """
    true, told = _decided(y_true), _decided(y_pred)
    both, neither = K.sum(true * told), K.sum((1 - true) * (1 - told))
    wrong, missed = K.sum((1 - true) * told), K.sum(true * (1 - told))
    product = (both + wrong) * (both + missed) * (neither + wrong) * (neither + missed)
    return _part(both * neither - wrong * missed, K.sqrt(product))


@register("metric")
def precision(y_true, y_pred):
    """The part of those predicted that are true."""
    told = _decided(y_pred)
    return _part(K.sum(_decided(y_true) * told), K.sum(told))


@register("metric")
def recall(y_true, y_pred):
    """The part of the true ones that are predicted."""
    true = _decided(y_true)
    return _part(K.sum(true * _decided(y_pred)), K.sum(true))


@register("metric")
def fbeta_score(y_true, y_pred, beta=1):
    """The weighted harmonic mean of precision and recall; 0 where nothing is true.

    Args:     beta: how many times as much the recall counts.
    """
    if beta < 0:
        raise ValueError("[fbeta_score] beta must be at least 0; %r was given." % (beta,))
    right, found = precision(y_true, y_pred), recall(y_true, y_pred)
    return _part((1 + beta ** 2) * right * found, beta ** 2 * right + found)


@register("metric")
def fmeasure(y_true, y_pred):
    """The harmonic mean of precision and recall."""
    return fbeta_score(y_true, y_pred, beta=1)


f1score = fscore = fmeasure
register("metric", "f1score")(fmeasure)
register("metric", "fscore")(fmeasure)
