"""compile, fit, evaluate and predict: numbers, names, weights, and data that do not fit."""
import concurrent.futures
import warnings

import numpy as np
import pytest

from symk import backend as K
from symk import losses, metrics, optimizers
from symk.callbacks import LambdaCallback
from symk.layers import Dense, Dropout, Input, concatenate
from symk.models import Model, Sequential
from symk.utils import Sequence


def classifier(loss="categorical_crossentropy", classes=3, **options):
    model = Sequential([Dense(8, activation="tanh", input_shape=(4,)),
                        Dense(classes, activation="softmax")])
    model.compile(optimizers.SGD(0.1), loss, **options)
    return model


def samples(count=20, classes=3):
    labels = np.arange(count) % classes
    x = np.random.normal(size=(count, 4)) + labels[:, None]
    return x.astype("float32"), labels, np.eye(classes, dtype="float32")[labels]


def test_fit_learns():
    x, _, y = samples(60)
    model = classifier(metrics=["accuracy"])
    history = model.fit(x, y, epochs=60, batch_size=10, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["accuracy"][-1] > 0.8


def test_a_step_of_gradient_descent():
    model = Sequential([Dense(1, use_bias=False, input_shape=(2,))])
    model.compile(optimizers.SGD(0.1), "mse")
    model.set_weights([np.array([[1.0], [2.0]])])
    x, y = np.array([[1.0, 1.0], [0.0, 2.0]]), np.array([[0.0], [1.0]])
    assert model.train_on_batch(x, y) == pytest.approx((3.0 ** 2 + 3.0 ** 2) / 2)
    np.testing.assert_allclose(model.get_weights()[0], [[1 - 0.1 * 3], [2 - 0.1 * 9]], rtol=1e-6)


def test_what_no_input_is_called_is_left_with_a_warning():
    ends = Input(shape=(2,), name="a"), Input(shape=(2,), name="b")
    model = Model(list(ends), Dense(1, name="out")(concatenate(list(ends))))
    model.compile("sgd", "mse")
    x = np.ones((4, 2))
    with pytest.warns(UserWarning, match="none of the name words, which is not used; it has a, b"):
        model.train_on_batch({"a": x, "b": x, "words": ["one"] * 4}, {"out": x[:, :1]})


def test_the_first_input_says_how_many_predictions_are_made():
    ends = Input(shape=(2,)), Input(shape=(2,))
    model = Model(list(ends), Dense(3)(concatenate(list(ends))))
    x = np.ones((7, 2), "float32")
    with pytest.warns(UserWarning, match="have 4 and 7 samples. Predictions are made for the 4"):
        assert model.predict([x[:4], x], batch_size=3).shape == (4, 3)
    with pytest.raises(ValueError, match="as many samples; inputs have 4 and 7"):
        model.predict([x, x[:4]])


def test_evaluate_is_the_mean_over_samples_of_unequal_batches():
    x, _, y = samples(20)
    model = classifier(metrics=["accuracy"])
    whole = model.test_on_batch(x, y)
    np.testing.assert_allclose(model.evaluate(x, y, batch_size=7, verbose=0), whole, rtol=1e-5)


def test_predict_does_not_depend_on_the_batch_size():
    x, _, _ = samples(20)
    model = classifier()
    np.testing.assert_allclose(model.predict(x, batch_size=3), model.predict(x), rtol=1e-5)
    assert model.predict(x[:0]).shape == (0, 3)


def test_names_of_what_is_reported():
    assert classifier(metrics=["accuracy", "mae"]).metrics_names == ["loss", "accuracy", "mae"]
    x = Input(shape=(2,))
    model = Model(x, [Dense(1, name="a")(x), Dense(1, name="b")(x)])
    model.compile("sgd", {"a": "mse", "b": "mae"}, metrics={"b": ["mae", "mse"]},
                  weighted_metrics={"a": "mae"})
    assert model.metrics_names == ["loss", "a_loss", "b_loss", "a_mae", "b_mae", "b_mse"]
    values = model.train_on_batch(np.ones((2, 2)), [np.ones((2, 1)), np.ones((2, 1))])
    assert len(values) == 6
    assert values[0] == pytest.approx(values[1] + values[2])
    assert values[2] == pytest.approx(values[4])


def test_loss_weights():
    x = Input(shape=(2,))
    model = Model(x, [Dense(1, name="a")(x), Dense(1, name="b")(x)])
    model.compile("sgd", "mse", loss_weights={"a": 0.5, "b": 2.0})
    total, a, b = model.test_on_batch(np.ones((3, 2)), [np.zeros((3, 1))] * 2)
    assert total == pytest.approx(0.5 * a + 2.0 * b, rel=1e-5)


@pytest.mark.parametrize("loss, name", [
    ("categorical_crossentropy", "categorical_accuracy"),
    ("sparse_categorical_crossentropy", "sparse_categorical_accuracy")])
def test_accuracy_fits_the_loss(loss, name):
    x, labels, onehot = samples()
    y = labels if loss.startswith("sparse") else onehot
    short, full = (classifier(loss, metrics=[metric]) for metric in ("accuracy", name))
    full.set_weights(short.get_weights())
    assert short.test_on_batch(x, y)[1] == full.test_on_batch(x, y)[1]


def test_sparse_and_dense_targets_agree():
    x, labels, onehot = samples()
    dense, sparse = classifier(), classifier("sparse_categorical_crossentropy")
    sparse.set_weights(dense.get_weights())
    for _ in range(3):
        assert dense.train_on_batch(x, onehot) == pytest.approx(
            sparse.train_on_batch(x, labels), rel=1e-5)


def test_sample_weights_scale_the_loss_of_samples():
    x, _, y = samples(4)
    model = classifier()
    each = [model.test_on_batch(x[i:i + 1], y[i:i + 1]) for i in range(4)]
    weights = np.array([1.0, 0.0, 2.0, 0.5])
    assert model.test_on_batch(x, y, sample_weight=weights) == pytest.approx(
        (weights * each).sum() / 4, rel=1e-5)


def test_weights_of_classes_are_weights_of_samples():
    x, labels, y = samples(9)
    one, other = classifier(), classifier()
    other.set_weights(one.get_weights())
    weights = {0: 1.0, 1: 3.0, 2: 0.5}
    given = np.array([weights[label] for label in labels])
    for _ in range(2):
        assert one.train_on_batch(x, y, class_weight=weights) == pytest.approx(
            other.train_on_batch(x, y, sample_weight=given), rel=1e-5)


def test_weighted_and_unweighted_steps_share_the_state_of_the_optimizer():
    x, _, y = samples(6)
    one, other = classifier(), classifier()
    other.set_weights(one.get_weights())
    one.compile(optimizers.Adam(), "categorical_crossentropy")
    other.compile(optimizers.Adam(), "categorical_crossentropy")
    for step in range(4):
        one.train_on_batch(x, y, sample_weight=np.ones(6) if step % 2 else None)
        other.train_on_batch(x, y)
    assert len(one.optimizer.weights) == len(other.optimizer.weights)
    for a, b in zip(one.optimizer.get_weights(), other.optimizer.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)
    for a, b in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_temporal_weights():
    model = Sequential([Dense(1, input_shape=(3, 2))])
    model.compile("sgd", "mse", sample_weight_mode="temporal")
    x, y = np.ones((2, 3, 2)), np.zeros((2, 3, 1))
    weights = np.zeros((2, 3))
    assert model.test_on_batch(x, y, sample_weight=weights) == 0
    weights[0, 0] = 6
    assert model.test_on_batch(x, y, sample_weight=weights) == pytest.approx(
        model.test_on_batch(x, y), rel=1e-5)


def test_validation_by_split_is_the_last_part():
    x, _, y = samples(20)
    model = classifier(metrics=["accuracy"])
    history = model.fit(x, y, epochs=1, validation_split=0.25, shuffle=False, verbose=0).history
    assert sorted(history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history["val_loss"][0] == pytest.approx(
        model.evaluate(x[15:], y[15:], verbose=0)[0], rel=1e-5)


def test_validation_frequency():
    x, _, y = samples(8)
    history = classifier().fit(x, y, epochs=4, validation_data=(x, y), validation_freq=2,
                               verbose=0).history
    assert len(history["val_loss"]) == 2


def test_epochs_begin_where_they_are_told():
    x, _, y = samples(8)
    history = classifier().fit(x, y, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]


def test_shuffling_depends_on_the_seed_alone():
    x, _, y = samples(30)
    losses_of_runs = []
    for _ in range(2):
        np.random.seed(7)
        model = classifier()
        losses_of_runs.append(model.fit(x, y, epochs=3, batch_size=4, verbose=0).history["loss"])
    assert losses_of_runs[0] == losses_of_runs[1]


@pytest.mark.parametrize("shuffle", [False, "batch"])
def test_order_of_batches(shuffle):
    seen = []
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile(optimizers.SGD(0.0), "mse")
    x = np.arange(6.0)[:, None]
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    watch = LambdaCallback(on_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    model.fit(x, np.zeros((6, 1)), batch_size=2, shuffle=shuffle, verbose=0, callbacks=[watch])
    expected = [0.5, 6.5, 20.5]
    assert (seen if shuffle is False else sorted(seen)) == expected


def test_dropout_is_on_in_training_alone():
    model = Sequential([Dropout(0.5, input_shape=(50,))])
    model.compile("sgd", "mse")
    x = np.ones((4, 50))
    assert model.test_on_batch(x, x) == 0
    assert model.train_on_batch(x, x) == 1    # (2 - 1)^2 or (0 - 1)^2
    assert model.train_on_batch(x, 0 * x) != model.train_on_batch(x, 0 * x)


def test_penalties_are_part_of_the_loss():
    model = Sequential([Dense(1, kernel_regularizer="l2", use_bias=False, input_shape=(1,))])
    model.compile("sgd", "mse")
    model.set_weights([np.array([[3.0]])])
    assert model.test_on_batch(np.zeros((2, 1)), np.zeros((2, 1))) == pytest.approx(0.01 * 9)


def test_a_loss_of_the_user():
    def doubled(y_true, y_pred):
        return 2.0 * K.mean(K.square(y_pred - y_true), axis=-1)
    x, _, y = samples()
    mine, plain = classifier(doubled), classifier("mse")
    plain.set_weights(mine.get_weights())
    assert mine.train_on_batch(x, y) == pytest.approx(2 * plain.train_on_batch(x, y), rel=1e-5)


def test_losses_and_metrics_may_use_what_the_model_is_made_of():
    """As in actor-critic programs, whose loss has advantages and old predictions in it."""
    state, advantage = Input((4,)), Input((1,))
    hidden = Dropout(0.5)(Dense(3)(state))
    model = Model([state, advantage], Dense(2)(hidden))

    def weighted(y_true, y_pred):
        return K.sum(K.square(y_pred - y_true), axis=-1, keepdims=True) * advantage

    def shown(y_true, y_pred):
        return K.sum(K.abs(hidden - K.in_train_phase(hidden, 0.0)), axis=-1)
    model.compile(optimizers.SGD(0.1), weighted, metrics=[shown])
    x, a = np.random.rand(6, 4), np.random.rand(6, 1)
    y = np.ones((6, 2))
    expected = (np.square(model.predict([x, a]) - y).sum(axis=1) * a[:, 0]).mean()
    inner = Model(state, hidden).predict(x)
    np.testing.assert_allclose(model.test_on_batch([x, a], y),
                               [expected, np.abs(inner).sum(axis=1).mean()], rtol=1e-5)
    kept = model.train_on_batch([x, 0 * a], y)
    assert kept == [0, 0]
    assert model.fit([x, a], y, epochs=30, verbose=0).history["loss"][-1] < expected


@pytest.mark.parametrize("loss", [losses.MeanSquaredError(), losses.mean_squared_error, "mse",
                                  "MeanSquaredError"])
def test_losses_in_every_form(loss):
    x, _, y = samples()
    assert classifier(loss).test_on_batch(x, y) > 0


def test_metrics_of_the_user():
    def largest(y_true, y_pred):
        return K.max(y_pred, axis=-1)
    x, _, y = samples()
    model = classifier(metrics=[largest, metrics.CategoricalAccuracy(name="right")])
    assert model.metrics_names == ["loss", "largest", "right"]
    assert model.test_on_batch(x, y)[1] == pytest.approx(model.predict(x).max(axis=1).mean())


def test_weights_frozen_after_compile_bring_a_warning():
    x, _, y = samples()
    model = classifier()
    model.layers[0].trainable = False
    with pytest.warns(UserWarning, match="have changed since compile"):
        model.train_on_batch(x, y)
    model.compile("sgd", "categorical_crossentropy")
    before = model.get_weights()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train_on_batch(x, y)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights())]
    assert changed == [False, False, True, True]


def test_generators():
    x, _, y = samples(12)

    def batches():
        while True:
            for start in (0, 4, 8):
                yield x[start:start + 4], y[start:start + 4]
    one, other = classifier(), classifier()
    other.set_weights(one.get_weights())
    by_generator = one.fit_generator(batches(), steps_per_epoch=3, epochs=2, verbose=0).history
    by_arrays = other.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(by_generator["loss"], by_arrays["loss"], rtol=1e-6)
    np.testing.assert_allclose(one.predict_generator(batches(), steps=3), one.predict(x), rtol=1e-5)
    assert one.evaluate_generator(batches(), steps=3) == pytest.approx(
        one.evaluate(x, y, verbose=0), rel=1e-5)


def test_sequences_are_read_once_in_each_epoch():
    x, _, y = samples(12)

    class Batches(Sequence):
        def __init__(self):
            self.read, self.epochs = [], 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            self.read.append(index)
            return x[4 * index:4 * index + 4], y[4 * index:4 * index + 4]

        def on_epoch_end(self):
            self.epochs += 1
    batches = Batches()
    history = classifier().fit(batches, epochs=2, verbose=0, validation_data=batches).history
    assert len(history["val_loss"]) == 2
    assert sorted(batches.read) == sorted(list(range(3)) * 4)
    assert len(list(Batches())) == 3


def test_predictions_of_many_threads_agree():
    x, _, _ = samples(40)
    model = classifier()
    expected = model.predict(x).tobytes()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda _: model.predict(x).tobytes(), range(200)))
    assert set(results) == {expected}


# ---- what is refused

def test_a_model_must_be_compiled():
    model = Sequential([Dense(1, input_shape=(2,))])
    with pytest.raises(RuntimeError, match="has not been compiled"):
        model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0)


@pytest.mark.parametrize("x, y, words", [
    (np.zeros((4, 5)), np.zeros((4, 3)), r"arrays of shape \(batch, 4\).*\(4, 5\)"),
    (np.zeros(4), np.zeros((4, 3)), "Is the batch axis missing"),
    (np.zeros((4, 4)), np.zeros((3, 3)), "inputs have 4; targets have 3"),
    (np.zeros((4, 4)), np.zeros((4, 2)), r"target dense_\d+\] arrays of shape \(batch, 3\)"),
    (np.zeros((4, 4)), np.arange(4), "look like labels"),
    ([np.zeros((4, 4))] * 2, np.zeros((4, 3)), "1 arrays are required .*; 2 were given"),
    (None, np.zeros((4, 3)), "nothing was given"),
    (np.full((4, 4), "a"), np.zeros((4, 3)), "array of numbers is required"),
    ({"other": np.zeros((4, 4))}, np.zeros((4, 3)), "missing"),
    (np.zeros((4, 4)), np.full((4, 3), np.nan), "NaN at"),
    (np.zeros((0, 4)), np.zeros((0, 3)), "at least one sample"),
])
def test_data_that_do_not_fit_are_refused(x, y, words):
    model = classifier()
    before = model.get_weights()
    with pytest.raises((ValueError, TypeError), match=words):
        model.fit(x, y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


@pytest.mark.parametrize("labels, words", [
    (np.array([0, 1, 3]), "labels from 0 to 3 were given"),
    (np.array([0, -1, 2]), "labels from -1 to 2 were given"),
    (np.array([0.0, np.nan, 2.0]), "NaN or infinity"),
    (np.array([0.0, 1.5, 2.0]), "1.5 is among them"),
    (np.eye(3), "look one-hot: use categorical_crossentropy")])
def test_labels_that_are_none_are_refused(labels, words):
    with pytest.raises(ValueError, match=words):
        classifier("sparse_categorical_crossentropy").train_on_batch(np.zeros((3, 4)), labels)


@pytest.mark.parametrize("options, words", [
    ({"sample_weight": np.ones(3)}, "sample weights have 3"),
    ({"sample_weight": np.ones((20, 2))}, "sample_weight"),
    ({"class_weight": {0: 1.0}}, "none was given for 1, 2"),
    ({"batch_size": 0}, "positive integer"),
    ({"validation_split": 1.5}, "validation_split"),
    ({"validation_split": 0.99}, "both sides must have samples"),
    ({"validation_data": np.zeros((4, 4))}, "validation_data must be"),
    ({"steps_per_epoch": 3, "batch_size": 4}, "batch_size must not be given with steps")])
def test_wrong_arguments_of_fit_are_named(options, words):
    x, _, y = samples()
    with pytest.raises(ValueError, match=words):
        classifier().fit(x, y, verbose=0, **options)


@pytest.mark.parametrize("arguments, words", [
    (dict(optimizer="nope", loss="mse"), "optimizer"),
    (dict(optimizer="sgd", loss="nope"), "loss"),
    (dict(optimizer="sgd", loss="mse", metrics=["nope"]), "metric"),
    (dict(optimizer="sgd"), "a loss is required"),
    (dict(optimizer="sgd", loss=["mse", "mae"]), "a list of 2 was given"),
    (dict(optimizer="sgd", loss={"other": "mse"}), "'other' is none"),
    (dict(optimizer="sgd", loss="mse", target_tensors=[]), "a list of 0 was given")])
def test_wrong_arguments_of_compile_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        Sequential([Dense(3, input_shape=(2,))]).compile(**arguments)


def test_a_parameter_without_a_gradient_is_named():
    x = Input(shape=(2,))
    model = Model(x, [Dense(1, name="used")(x), Dense(1, name="unused")(x)])
    with pytest.warns(UserWarning, match="no loss was given for the output unused"):
        model.compile("sgd", {"used": "mse"})
    with pytest.raises(ValueError, match="unused/kernel:0"):
        model.train_on_batch(np.ones((2, 2)), np.ones((2, 1)))


def test_a_generator_that_ends_is_an_error():
    x, _, y = samples(4)
    with pytest.raises(ValueError, match="ended before"):
        classifier().fit_generator(iter([(x, y)]), steps_per_epoch=2, verbose=0)


def test_objects_that_are_numbers_are_taken():
    model = Sequential([Dense(1, input_shape=(2,))])
    x = np.array([[1, 2.5], [True, 0.5]], dtype=object)
    np.testing.assert_array_equal(model.predict(x), model.predict(x.astype("float32")))


def test_rows_of_several_lengths_are_told_from_wrong_dtypes():
    model = Sequential([Dense(1, input_shape=(2,))])
    with pytest.raises(ValueError, match=r"\[input .*rows of one length.*pad_sequences"):
        model.predict([[1, 2], [3]])
    with pytest.raises(ValueError, match=r"\[input .*array of numbers"):
        model.predict(np.array([[1, "a"]], dtype=object))


def test_class_weights_of_old_programs_have_no_effect():
    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.ones((4, 1))
    with pytest.warns(UserWarning, match="'auto' has no effect"):
        weighted = model.fit(x, y, class_weight="auto", epochs=1, verbose=0)
    assert np.isfinite(weighted.history["loss"]).all()


def test_a_callable_object_as_metric_goes_by_its_name():
    class Distance:
        name = "distance"

        def __call__(self, y_true, y_pred):
            return K.abs(y_true - y_pred)

    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse", metrics=[Distance()])
    assert model.metrics_names == ["loss", "distance"]
