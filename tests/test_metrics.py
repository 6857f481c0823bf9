"""Metrics: functions, what objects gather over batches, and configs."""
import numpy as np
import pytest

from symk import backend as K
from symk import metrics


def after(metric, *batches, weights=None):
    """The result after some batches of (y_true, y_pred)."""
    tensors = [K.placeholder(np.shape(one)) for one in batches[0]]
    keywords = {}
    if weights is not None:
        tensors.append(K.placeholder(np.shape(weights[0])))
        keywords["sample_weight"] = tensors[-1]
    updates = metric.update_state(*tensors[:len(batches[0])], **keywords)
    step = K.function(tensors, [], updates=updates)
    for index, batch in enumerate(batches):
        step([np.asarray(one, "float32") for one in batch]
             + ([] if weights is None else [weights[index]]))
    return K.eval(metric.result())


ONE_HOT = np.eye(4)[[0, 1, 2, 3]]
SCORES = np.array([[0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1],
                   [0.1, 0.2, 0.3, 0.4]], "float32")


def test_accuracy_functions():
    labels = np.array([[0], [1], [2], [3]])
    for y_true, function in ((ONE_HOT, metrics.categorical_accuracy),
                             (labels, metrics.sparse_categorical_accuracy),
                             (labels[:, 0], metrics.sparse_categorical_accuracy)):
        assert K.eval(function(K.constant(y_true), K.constant(SCORES))).tolist() == [1, 0, 0, 1]
    for y_true, function in ((ONE_HOT, metrics.top_k_categorical_accuracy),
                             (labels, metrics.sparse_top_k_categorical_accuracy)):
        result = function(K.constant(y_true), K.constant(SCORES), k=2)
        assert K.eval(result).tolist() == [1, 1, 0, 1]


def test_binary_accuracy_and_its_threshold():
    true, pred = K.constant([[1.0, 0.0, 1.0]]), K.constant([[0.6, 0.4, 0.8]])
    assert K.eval(metrics.binary_accuracy(true, pred)).tolist() == [1.0]
    np.testing.assert_allclose(K.eval(metrics.binary_accuracy(true, pred, threshold=0.7)), [2 / 3],
                               rtol=1e-6)


def test_cosine_is_positive_for_the_same_direction():
    cosine = metrics.cosine_proximity([[1.0, 2.0]], K.constant([[2.0, 4.0]]))
    np.testing.assert_allclose(K.eval(cosine), [1.0], rtol=1e-6)


def test_mean_over_batches_and_weights():
    assert after(metrics.Mean(), ([1.0, 3.0],), ([5.0, 7.0],)) == 4.0
    weights = np.array([[1.0, 0.0], [0.0, 1.0]], "float32")
    assert after(metrics.Mean(), ([1.0, 3.0],), ([5.0, 7.0],), weights=weights) == 4.0
    assert after(metrics.Mean(), ([1.0, 3.0],), ([5.0, 9.0],), weights=weights) == 5.0
    assert after(metrics.Sum(), ([1.0, 3.0],), ([5.0, 9.0],), weights=weights) == 10.0


def test_a_weight_per_sample_counts_for_all_its_values():
    values = np.array([[1.0, 3.0], [5.0, 7.0]])
    result = after(metrics.Mean(), (values,), weights=np.array([[1.0, 3.0]], "float32"))
    assert result == (1 + 3 + 15 + 21) / 8


def test_calling_includes_this_batch():
    mean = metrics.Mean()
    x = K.placeholder((2,))
    f = K.function([x], [mean(x)], updates=mean.updates)
    assert f([[1.0, 3.0]])[0] == 2.0
    assert f([[5.0, 7.0]])[0] == 4.0
    mean.reset_states()
    assert f([[5.0, 7.0]])[0] == 6.0


def test_root_mean_squared_error():
    batch = ([[0.0, 0.0]], [[3.0, 4.0]])
    result = after(metrics.RootMeanSquaredError(), batch)
    np.testing.assert_allclose(result, np.sqrt(12.5), rtol=1e-6)


LABELS = np.array([1, 1, 1, 0, 0, 0], "float32")
GUESSES = np.array([0.9, 0.6, 0.2, 0.7, 0.3, 0.1], "float32")


@pytest.mark.parametrize("make, expected", [
    (metrics.TruePositives, 2), (metrics.FalsePositives, 1), (metrics.TrueNegatives, 2),
    (metrics.FalseNegatives, 1), (metrics.Precision, 2 / 3), (metrics.Recall, 2 / 3)])
def test_counts_and_rates(make, expected):
    np.testing.assert_allclose(after(make(), (LABELS, GUESSES)), expected, rtol=1e-6)
    several = make(thresholds=[0.5, 0.95])
    assert after(several, (LABELS, GUESSES)).shape == (2,)


def test_weighted_counts():
    weights = np.array([[4.0, 1, 1, 1, 1, 1]], "float32")
    assert after(metrics.TruePositives(), (LABELS, GUESSES), weights=weights) == 5.0


def test_rates_of_nothing_are_zero():
    assert after(metrics.Precision(), (LABELS, np.zeros(6))) == 0.0
    assert after(metrics.Recall(), (np.zeros(6), GUESSES)) == 0.0


def test_top_k_and_class_id():
    labels = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    scores = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    assert after(metrics.Recall(top_k=1), (labels, scores)) == 0.5
    assert after(metrics.Recall(top_k=2), (labels, scores)) == 1.0
    assert after(metrics.Precision(top_k=2), (labels, scores)) == 0.5
    assert after(metrics.Precision(class_id=0), (labels, scores)) == 1.0
    assert after(metrics.Precision(class_id=2, thresholds=0.4), (labels, scores)) == 0.0


def test_top_k_takes_the_first_of_equals():
    labels = np.array([[1.0, 0.0, 0.0]])
    assert after(metrics.Recall(top_k=1), (labels, np.full((1, 3), 0.3))) == 1.0
    labels = np.array([[0.0, 0.0, 1.0]])
    assert after(metrics.Recall(top_k=2), (labels, np.full((1, 3), 0.3))) == 0.0


def area_under_roc(labels, scores):
    """The part of the pairs (positive, negative) in the right order."""
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None]
    return (pairs > 0).mean() + 0.5 * (pairs == 0).mean()


def test_area_under_the_roc_curve():
    labels = (np.random.uniform(size=400) > 0.5).astype("float32")
    scores = np.clip(labels * 0.3 + np.random.uniform(size=400) * 0.7, 0, 1).astype("float32")
    result = after(metrics.AUC(num_thresholds=500), (labels, scores))
    assert abs(result - area_under_roc(labels, scores)) < 2e-3
    low = after(metrics.AUC(summation_method="minoring"), (labels, scores))
    high = after(metrics.AUC(summation_method="majoring"), (labels, scores))
    assert low <= result <= high


def test_area_under_precision_of_perfect_scores_is_one():
    np.testing.assert_allclose(after(metrics.AUC(curve="PR"), (LABELS, LABELS)), 1.0, rtol=1e-5)


def test_rate_at_a_rate():
    assert after(metrics.SensitivityAtSpecificity(1.0), (LABELS, GUESSES)) == pytest.approx(1 / 3)
    assert after(metrics.SpecificityAtSensitivity(2 / 3), (LABELS, GUESSES)) == pytest.approx(1 / 3)


def test_mean_intersection_over_union():
    metric = metrics.MeanIoU(num_classes=3)
    # Class 0: 1 of 2, class 1: 1 of 2; class 2 never occurs.
    result = after(metric, ([0, 0, 1], [0, 1, 1]))
    assert result == pytest.approx(0.5)


@pytest.mark.parametrize("make, message", [
    (lambda: metrics.Precision(thresholds=1.5), r"thresholds must be in \[0, 1\]"),
    (lambda: metrics.AUC(curve="DET"), "curve must be one of"),
    (lambda: metrics.AUC(num_thresholds=1), "must be greater than 1"),
    (lambda: metrics.SensitivityAtSpecificity(2.0), r"the rate must be in \[0, 1\]"),
    (lambda: metrics.Reduce("mean", "name"), "reduction must be"),
    (lambda: metrics.get("nope"), "known metric is required"),
    (lambda: metrics.deserialize("MeanIoU"), "needs the arguments num_classes")])
def test_mistakes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


METRICS = [metrics.Mean(), metrics.Sum("total"), metrics.Accuracy(),
           metrics.BinaryAccuracy(threshold=0.3), metrics.CategoricalAccuracy(),
           metrics.SparseCategoricalAccuracy(),
           metrics.TopKCategoricalAccuracy(3), metrics.SparseTopKCategoricalAccuracy(3),
           metrics.MeanSquaredError(), metrics.RootMeanSquaredError(), metrics.LogCoshError(),
           metrics.CosineSimilarity(axis=1), metrics.BinaryCrossentropy(from_logits=True),
           metrics.SparseCategoricalCrossentropy(), metrics.TruePositives([0.2, 0.4]),
           metrics.Precision(top_k=3, class_id=1), metrics.AUC(num_thresholds=7, curve="PR"),
           metrics.SensitivityAtSpecificity(0.4, 20), metrics.MeanIoU(3)]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)
def test_configs_make_the_same_again(metric):
    again = metrics.deserialize(metrics.serialize(metric))
    assert type(again) is type(metric) and again.get_config() == metric.get_config()


def test_clones_have_a_state_of_their_own():
    metric = metrics.Mean()
    clone, function, nested = metrics.clone_metrics([metric, metrics.mse, [metric]])
    after(metric, ([1.0, 3.0],))
    assert function is metrics.mse and nested[0] is not metric
    assert K.get_value(clone.count) == 0.0 and K.get_value(metric.count) == 2.0
    assert metrics.clone_metrics({"out": metric})["out"].get_config() == metric.get_config()


def test_a_metric_of_ones_own():
    class Largest(metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.largest = self.add_weight("largest")

        def update_state(self, y_true, y_pred, sample_weight=None):
            return [K.update(self.largest, K.maximum(self.largest, K.max(y_pred)))]

        def result(self):
            return self.largest
    metric = Largest()
    assert after(metric, ([0.0], [3.0]), ([0.0], [2.0])) == 3.0
    assert len(metric.updates) == 1


def test_a_wrapped_function_is_saved_by_its_name():
    config = {"name": "accuracy", "dtype": "float32", "fn": "categorical_accuracy"}
    metric = metrics.deserialize({"class_name": "MeanMetricWrapper", "config": config})
    assert after(metric, (ONE_HOT, SCORES)) == 0.5
    assert metric.get_config() == config
    with pytest.raises(ValueError, match="known metric is required; 'nope' was given"):
        metrics.deserialize({"class_name": "MeanMetricWrapper", "config": dict(config, fn="nope")})


def test_the_name_of_a_class_that_needs_arguments_gives_the_class():
    assert metrics.get("MeanIoU") is metrics.MeanIoU
    assert type(metrics.get("AUC")) is metrics.AUC
