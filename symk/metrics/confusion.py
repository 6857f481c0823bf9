"""Metrics on the confusion matrix: counts at thresholds, and rates and areas made of them.

A prediction is positive at a threshold if it is greater. All counts are sums of sample weights.
"""
import numpy as np

from .. import backend as K
from ..losses import broadcast_weights, squeeze_or_expand_dimensions
from ..registry import register
from .metric import Metric

__all__ = ["TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Precision",
           "Recall", "AUC", "SensitivitySpecificityBase", "SensitivityAtSpecificity",
           "SpecificityAtSensitivity", "MeanIoU"]


def _ratio(a, b):
    """a / b, and 0 where b is 0."""
    positive = K.greater(b, 0)
    return K.switch(positive, a / K.switch(positive, b, K.ones_like(b)), K.zeros_like(a))


def _checked_thresholds(thresholds, default):
    """A list of thresholds in [0, 1] from a number, a list or None."""
    if thresholds is None:
        return [default]
    given = list(thresholds) if isinstance(thresholds, (list, tuple)) else [thresholds]
    if any(not isinstance(one, (int, float)) or not 0 <= one <= 1 for one in given):
        raise ValueError("[metric] thresholds must be in [0, 1]; %r was given." % (thresholds,))
    return given


class _Counts(Metric):
    """A metric whose state is some of the four counts, each with one number per threshold.

    `kinds` are pairs (label, prediction): (True, False) counts labels 1 predicted as 0.
    """

    kinds = ()
    names = ()

    def __init__(self, thresholds, name, dtype):
        super().__init__(name=name, dtype=dtype)
        self.thresholds = thresholds
        self.counts = [self.add_weight(count, (len(thresholds),)) for count in self.names]

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = K.cast(y_true, self.dtype), K.cast(y_pred, self.dtype)
        y_pred, y_true, _ = squeeze_or_expand_dimensions(y_pred, y_true)
        y_true, y_pred = self.selected(y_true, y_pred)
        weights = K.ones_like(y_pred)
        if sample_weight is not None:
            given = K.cast(sample_weight, self.dtype)
            _, _, given = squeeze_or_expand_dimensions(y_pred, sample_weight=given)
            weights = weights * broadcast_weights(given, y_pred)
        labels, weights = K.reshape(y_true, (1, -1)), K.reshape(weights, (1, -1))
        limits = K.constant(np.reshape(self.thresholds, (-1, 1)), dtype=self.dtype)
        predicted = K.cast(K.greater(K.reshape(y_pred, (1, -1)), limits), self.dtype)
        labels = K.cast(K.cast(labels, "bool"), self.dtype)
        updates = []
        for count, (label, prediction) in zip(self.counts, self.kinds):
            agreeing = ((labels if label else 1.0 - labels)
                        * (predicted if prediction else 1.0 - predicted))
            updates.append(K.update_add(count, K.sum(agreeing * weights, axis=1)))
        return updates

    def selected(self, y_true, y_pred):
        """The labels and predictions that count."""
        return y_true, y_pred

    def single(self, value):
        """A scalar where there is one threshold."""
        return value[0] if len(self.thresholds) == 1 else value


class _OneCount(_Counts):
    """One of the four counts."""

    def __init__(self, thresholds=None, name=None, dtype=None):
        super().__init__(_checked_thresholds(thresholds, 0.5), name, dtype)
        self.init_thresholds = thresholds

    def result(self):
        return self.single(self.counts[0])

    def get_config(self):
        return dict(super().get_config(), thresholds=self.init_thresholds)


@register("metric")
class TruePositives(_OneCount):
    """The number of labels 1 predicted as 1."""

    kinds = ((True, True),)
    names = ("true_positives",)


@register("metric")
class TrueNegatives(_OneCount):
    """The number of labels 0 predicted as 0."""

    kinds = ((False, False),)
    names = ("true_negatives",)


@register("metric")
class FalsePositives(_OneCount):
    """The number of labels 0 predicted as 1."""

    kinds = ((False, True),)
    names = ("false_positives",)


@register("metric")
class FalseNegatives(_OneCount):
    """The number of labels 1 predicted as 0."""

    kinds = ((True, False),)
    names = ("false_negatives",)


class _Selective(_Counts):
    """Counts true positives and one kind of errors, possibly of one class or of the best k.

    Args:     thresholds: a number or several in [0, 1]; 0.5, or none with top_k, by default.
              top_k: only the k greatest predictions of a sample are positive.
              class_id: only this class counts.
    """

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        lowest = 0.5 if top_k is None else -np.inf
        super().__init__(_checked_thresholds(thresholds, lowest), name, dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id

    def selected(self, y_true, y_pred):
        if self.top_k is not None:
            lowest = K.constant(-np.inf, dtype=self.dtype)
            y_pred = K.switch(_among_greatest(y_pred, self.top_k), y_pred, lowest)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
        return y_true, y_pred

    def result(self):
        right, wrong = self.counts
        return self.single(_ratio(right, right + wrong))

    def get_config(self):
        return dict(super().get_config(), thresholds=self.init_thresholds, top_k=self.top_k,
                    class_id=self.class_id)


def _among_greatest(x, k):
    """Whether an element is one of the k greatest along the last axis; of equals the first are."""
    one, other = K.expand_dims(x, -1), K.expand_dims(x, -2)
    earlier = K.constant(np.tri(K.int_shape(x)[-1], k=-1), dtype="int32")
    before = (K.cast(K.greater(other, one), "int32")
              + K.cast(K.equal(other, one), "int32") * earlier)
    return K.less(K.sum(before, axis=-1), k)


@register("metric")
class Precision(_Selective):
    """The part of the positive predictions that are right."""

    kinds = ((True, True), (False, True))
    names = ("true_positives", "false_positives")


@register("metric")
class Recall(_Selective):
    """The part of the positive labels that are predicted."""

    kinds = ((True, True), (True, False))
    names = ("true_positives", "false_negatives")


class _AllCounts(_Counts):
    """The four counts at many thresholds."""

    kinds = ((True, True), (False, False), (False, True), (True, False))
    names = ("true_positives", "true_negatives", "false_positives", "false_negatives")

    def sensitivities(self):
        """The part of the labels 1 predicted as 1, at each threshold."""
        right, _, _, missed = self.counts
        return _ratio(right, right + missed)

    def specificities(self):
        """The part of the labels 0 predicted as 0, at each threshold."""
        _, right, wrong, _ = self.counts
        return _ratio(right, right + wrong)

    def precision(self):
        """The part of the positive predictions that are right, at each threshold."""
        right, _, wrong, _ = self.counts
        return _ratio(right, right + wrong)


class SensitivitySpecificityBase(_AllCounts):
    """One rate at the threshold where another is nearest to a given value.

    Args:     value: the given rate, in [0, 1].
              num_thresholds: how many thresholds are tried, equally spaced in [0, 1].
    """

    def __init__(self, value, num_thresholds=200, name=None, dtype=None):
        if not 0 <= value <= 1:
            raise ValueError("[%s] the rate must be in [0, 1]; %r was given."
                             % (type(self).__name__, value))
        if num_thresholds <= 0:
            raise ValueError("[%s] num_thresholds must be positive; %r was given."
                             % (type(self).__name__, num_thresholds))
        thresholds = [0.5] if num_thresholds == 1 else _spaced(num_thresholds)
        super().__init__(thresholds, name, dtype)
        self.value = value
        self.num_thresholds = num_thresholds

    def rate_at(self, rate, other):
        """`rate` at the threshold where `other` is nearest to the value."""
        return K.gather(rate, K.argmin(K.abs(other - self.value), axis=0))


def _spaced(count):
    """`count` thresholds from 0 to 1, with equal steps."""
    return [0.0] + [(index + 1) / (count - 1) for index in range(count - 2)] + [1.0]


@register("metric")
class SensitivityAtSpecificity(SensitivitySpecificityBase):
    """The sensitivity at the threshold where the specificity is nearest to a value."""

    def __init__(self, specificity, num_thresholds=200, name=None, dtype=None):
        super().__init__(specificity, num_thresholds, name, dtype)
        self.specificity = specificity

    def result(self):
        return self.rate_at(self.sensitivities(), self.specificities())

    def get_config(self):
        return dict(super().get_config(), specificity=self.value,
                    num_thresholds=self.num_thresholds)


@register("metric")
class SpecificityAtSensitivity(SensitivitySpecificityBase):
    """The specificity at the threshold where the sensitivity is nearest to a value."""

    def __init__(self, sensitivity, num_thresholds=200, name=None, dtype=None):
        super().__init__(sensitivity, num_thresholds, name, dtype)
        self.sensitivity = sensitivity

    def result(self):
        return self.rate_at(self.specificities(), self.sensitivities())

    def get_config(self):
        return dict(super().get_config(), sensitivity=self.value,
                    num_thresholds=self.num_thresholds)


@register("metric")
class AUC(_AllCounts):
    """The area under a curve, as a sum over thresholds.

    Args:     curve: "ROC" (sensitivity over 1 - specificity) or "PR" (precision over recall).
              summation_method: "interpolation", "minoring" or "majoring".
              thresholds: the inner thresholds, in [0, 1]; by default num_thresholds - 2 with
              equal steps.
    Source:   Davis & Goadrich 2006 for the interpolation of "PR".
    """

    def __init__(self, num_thresholds=200, curve="ROC", summation_method="interpolation",
                 name=None, dtype=None, thresholds=None):
        for what, given, known in (("curve", curve, ("ROC", "PR")),
                                   ("summation_method", summation_method,
                                    ("interpolation", "minoring", "majoring"))):
            if given not in known:
                raise ValueError("[AUC] %s must be one of %s; %r was given."
                                 % (what, ", ".join(map(repr, known)), given))
        if thresholds is None:
            if num_thresholds <= 1:
                raise ValueError("[AUC] num_thresholds must be greater than 1; %r was given."
                                 % (num_thresholds,))
            thresholds = _spaced(num_thresholds)[1:-1]
        inner = sorted(_checked_thresholds(list(thresholds), None))
        super().__init__([-K.epsilon()] + inner + [1.0 + K.epsilon()], name, dtype)
        self.num_thresholds = len(self.thresholds)
        self.curve = curve
        self.summation_method = summation_method

    def result(self):
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.interpolate_pr_auc()
        recall = self.sensitivities()
        if self.curve == "ROC":
            x, y = _ratio(self.counts[2], self.counts[2] + self.counts[1]), recall
        else:
            x, y = recall, self.precision()
        height = {"interpolation": lambda a, b: (a + b) / 2.0, "minoring": K.minimum,
                  "majoring": K.maximum}[self.summation_method](y[:-1], y[1:])
        return K.sum((x[:-1] - x[1:]) * height)

    def interpolate_pr_auc(self):
        """The area under precision over recall: counts are linear between two thresholds."""
        right, _, wrong, missed = self.counts
        positive = right + wrong
        change = right[:-1] - right[1:]
        slope = _ratio(change, K.maximum(positive[:-1] - positive[1:], 0))
        intercept = right[1:] - slope * positive[1:]
        ratio = _ratio(positive[:-1], positive[1:])
        ratio = K.switch(K.greater(ratio, 0), ratio, K.ones_like(ratio))
        area = slope * (change + intercept * K.log(ratio))
        return K.sum(_ratio(area, K.maximum(right[1:] + missed[1:], 0)))

    def get_config(self):
        return dict(super().get_config(), num_thresholds=self.num_thresholds, curve=self.curve,
                    summation_method=self.summation_method, thresholds=self.thresholds[1:-1])


@register("metric")
class MeanIoU(Metric):
    """The mean over classes of intersection / union of labels and predictions.

    Args:     num_classes: the classes are numbered from 0.
    """

    def __init__(self, num_classes, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.num_classes = num_classes
        self.total_cm = self.add_weight("total_confusion_matrix", (num_classes, num_classes))

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels, predictions = (K.flatten(K.cast(y, "int64")) for y in (y_true, y_pred))
        rows = K.cast(K.one_hot(labels, self.num_classes), self.dtype)
        if sample_weight is not None:
            rows = rows * K.reshape(K.cast(sample_weight, self.dtype), (-1, 1))
        columns = K.cast(K.one_hot(predictions, self.num_classes), self.dtype)
        return [K.update_add(self.total_cm, K.dot(K.transpose(rows), columns))]

    def result(self):
        identity = K.constant(np.eye(self.num_classes), dtype=self.dtype)
        right = K.sum(self.total_cm * identity, axis=0)
        union = K.sum(self.total_cm, axis=0) + K.sum(self.total_cm, axis=1) - right
        present = K.sum(K.cast(K.not_equal(union, 0), self.dtype))
        return _ratio(K.sum(_ratio(right, union)), present)

    def get_config(self):
        return dict(super().get_config(), num_classes=self.num_classes)
