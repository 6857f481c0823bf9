"""Losses against their formulas in NumPy; reductions, weights and configs of Loss objects."""
import numpy as np
import pytest

from symk import backend as K
from symk import losses

TRUE = np.array([[0.2, 1.0, 0.5], [0.9, 0.1, 2.0]], "float32")
PRED = np.array([[0.5, 0.4, 1.5], [0.8, 0.3, 1.0]], "float32")
SIGNS = np.array([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]], "float32")
CHANCES = PRED / PRED.sum(1, keepdims=True)
CLASSES = np.eye(3, dtype="float32")[[1, 2]]


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


FORMULAS = [
    ("mean_squared_error", TRUE, PRED, lambda t, p: ((p - t) ** 2).mean(-1)),
    ("mean_absolute_error", TRUE, PRED, lambda t, p: np.abs(p - t).mean(-1)),
    ("mean_absolute_percentage_error", TRUE, PRED, lambda t, p: 100 * np.abs((p - t) / t).mean(-1)),
    ("mean_squared_logarithmic_error", TRUE, PRED,
     lambda t, p: (np.log((1 + p) / (1 + t)) ** 2).mean(-1)),
    ("hinge", SIGNS, PRED, lambda t, p: np.maximum(1 - t * p, 0).mean(-1)),
    ("hinge", (SIGNS + 1) / 2, PRED, lambda t, p: np.maximum(1 - (2 * t - 1) * p, 0).mean(-1)),
    ("squared_hinge", SIGNS, PRED, lambda t, p: (np.maximum(1 - t * p, 0) ** 2).mean(-1)),
    ("categorical_hinge", CLASSES, PRED,
     lambda t, p: np.maximum(0, ((1 - t) * p).max(-1) - (t * p).sum(-1) + 1)),
    ("logcosh", TRUE, PRED, lambda t, p: np.log(np.cosh(p - t)).mean(-1)),
    ("huber_loss", TRUE, PRED * 4, lambda t, p: np.where(np.abs(p - t) <= 1, (p - t) ** 2 / 2,
                                                         np.abs(p - t) - 0.5)),
    ("categorical_crossentropy", CLASSES, CHANCES, lambda t, p: -np.log((t * p).sum(-1))),
    ("binary_crossentropy", CLASSES, CHANCES,
     lambda t, p: -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(-1)),
    ("kullback_leibler_divergence", CHANCES[::-1], CHANCES,
     lambda t, p: (t * np.log(t / p)).sum(-1)),
    ("poisson", TRUE, PRED, lambda t, p: (p - t * np.log(p)).mean(-1)),
    ("cosine_proximity", TRUE, PRED, lambda t, p: -(unit(t) * unit(p)).sum(-1))]


@pytest.mark.parametrize("name, true, pred, formula", FORMULAS)
def test_formulas(name, true, pred, formula):
    result = K.eval(losses.get(name)(K.constant(true), K.constant(pred)))
    np.testing.assert_allclose(result, formula(true.astype("float64"), pred.astype("float64")),
                               rtol=2e-5, atol=1e-6)


def test_sparse_and_dense_classes_agree():
    dense = losses.categorical_crossentropy(CLASSES, K.constant(CHANCES))
    sparse = losses.sparse_categorical_crossentropy(np.array([[1], [2]]), K.constant(CHANCES))
    np.testing.assert_allclose(K.eval(sparse), K.eval(dense), rtol=1e-5)


def test_label_smoothing():
    smooth = CLASSES * 0.7 + 0.1
    for smoothed, plain in (
            (losses.categorical_crossentropy(CLASSES, K.constant(CHANCES), label_smoothing=0.3),
             losses.categorical_crossentropy(smooth, K.constant(CHANCES))),
            (losses.binary_crossentropy(CLASSES, K.constant(CHANCES), label_smoothing=0.3),
             losses.binary_crossentropy(CLASSES * 0.7 + 0.15, K.constant(CHANCES)))):
        np.testing.assert_allclose(K.eval(smoothed), K.eval(plain), rtol=1e-5)


def test_logcosh_does_not_overflow():
    value = K.eval(losses.logcosh(K.zeros((1, 2)), K.constant([[500.0, -500.0]])))
    np.testing.assert_allclose(value, 500 - np.log(2), rtol=1e-6)


@pytest.mark.parametrize("names", [("mse", "MSE", "mean_squared_error"), ("mae", "MAE"),
                                   ("mape", "MAPE"), ("msle", "MSLE"), ("kld", "KLD"),
                                   ("cosine", "cosine_similarity", "cosine_proximity")])
def test_names_of_one_loss(names):
    assert len({losses.get(name) for name in names}) == 1


def test_reductions_of_weighted_values():
    values = ((PRED - TRUE) ** 2).mean(1)
    weights = np.array([2.0, 0.5], "float32")
    for reduction, expected in (("none", values * weights), ("sum", (values * weights).sum()),
                                ("sum_over_batch_size", (values * weights).mean())):
        loss = losses.MeanSquaredError(reduction=reduction)
        result = K.eval(loss(K.constant(TRUE), K.constant(PRED), sample_weight=weights))
        np.testing.assert_allclose(result, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="reduction must be one of"):
        losses.MeanSquaredError(reduction="mean")


@pytest.mark.parametrize("shape", [(), (2,), (2, 1), (2, 3), (2, 3, 1)])
def test_weights_of_every_shape(shape):
    weights = np.random.uniform(size=shape).astype("float32")
    values = np.abs(TRUE - PRED)
    wide = weights.reshape(shape[:2] + (1,) * (2 - len(shape[:2])))
    result = K.eval(losses.compute_weighted_loss(K.constant(values), K.constant(weights), "none"))
    np.testing.assert_allclose(result, values * wide, rtol=1e-6)


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="sizes must be 1 or those of the values"):
        losses.compute_weighted_loss(K.constant(TRUE), np.ones((2, 2)))
    with pytest.raises(ValueError, match="at most 2 axes are required"):
        losses.compute_weighted_loss(K.constant(TRUE), np.ones((2, 3, 1, 1)))


def test_a_loss_of_ones_own():
    class Cubed(losses.Loss):
        def call(self, y_true, y_pred):
            return K.mean(K.pow(K.abs(y_true - y_pred), 3), axis=-1)
    result = K.eval(Cubed(reduction="sum")(K.constant(TRUE), K.constant(PRED)))
    np.testing.assert_allclose(result, (np.abs(TRUE - PRED) ** 3).mean(1).sum(), rtol=1e-5)


CLASSES_OF_LOSSES = [losses.MeanSquaredError(), losses.MeanAbsoluteError("sum"),
                     losses.MeanAbsolutePercentageError(), losses.MeanSquaredLogarithmicError(),
                     losses.BinaryCrossentropy(True, 0.1), losses.CategoricalCrossentropy(True),
                     losses.SparseCategoricalCrossentropy(True, name="own"), losses.Hinge(),
                     losses.SquaredHinge(), losses.CategoricalHinge(), losses.Poisson(),
                     losses.LogCosh("none"), losses.KLDivergence(), losses.Huber(delta=2.0)]


@pytest.mark.parametrize("loss", CLASSES_OF_LOSSES, ids=lambda loss: type(loss).__name__)
def test_configs_make_the_same_again(loss):
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    assert losses.get(loss) is loss


def test_huber_passes_delta_on():
    result = K.eval(losses.Huber(delta=0.1, reduction="none")(K.constant([[0.0]]),
                                                             K.constant([[5.0]])))
    np.testing.assert_allclose(result, [[0.1 * (5 - 0.05)]], rtol=1e-6)


def test_is_categorical_crossentropy():
    for loss in ("categorical_crossentropy", losses.categorical_crossentropy,
                 losses.CategoricalCrossentropy()):
        assert losses.is_categorical_crossentropy(loss)
    assert not losses.is_categorical_crossentropy(losses.BinaryCrossentropy())


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="known loss is required; 'mean_square_error' was given"):
        losses.get("mean_square_error")
    assert losses.get(None) is None


def test_configs_of_tf_keras_are_read():
    made = losses.deserialize({"class_name": "BinaryCrossentropy", "config": {
        "reduction": "auto", "name": "binary_crossentropy", "from_logits": True,
        "label_smoothing": 0.0, "axis": -1, "fn": "binary_crossentropy"}})
    assert made.get_config() == losses.BinaryCrossentropy(True, 0.0).get_config()
    with pytest.raises(TypeError, match="axis"):
        losses.deserialize({"class_name": "BinaryCrossentropy", "config": {"axis": 1}})
