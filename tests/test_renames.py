"""Names and arguments of Keras 1 that symk takes everywhere."""
import warnings

import numpy as np
import pytest

import symk
from symk import backend as K
from symk import (constraints, initializations, layers, metrics, models, optimizers, regularizers,
                  renames)
from symk.utils import np_utils
from symk.utils.io_utils import load_array, save_array


@renames.accepts("fit")
def counted(x, epochs=1, **rest):
    """What was given, under its new names."""
    return x, epochs, rest


def test_an_old_name_warns_and_says_the_new_one():
    with pytest.warns(UserWarning, match=r"\[counted\] nb_epoch is Keras 1's name; use epochs"):
        assert counted(1, nb_epoch=5) == (1, 5, {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert counted(1, epochs=5) == (1, 5, {})


def test_an_argument_is_given_once():
    with pytest.raises(TypeError, match="nb_epoch and epochs"):
        counted(1, 2, nb_epoch=3)


def test_samples_become_batches():
    model = models.Sequential([layers.Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    sizes = []

    def batches():
        while True:
            sizes.append(4)
            yield np.ones((4, 2)), np.ones((4, 1))

    with pytest.warns(UserWarning, match="samples_per_epoch"):
        model.fit_generator(batches(), samples_per_epoch=10, epochs=2, verbose=0,
                            workers=0)
    assert len(sizes) == 6, "10 samples are 3 batches of 4"
    with pytest.warns(UserWarning, match="val_samples"):
        assert model.predict_generator(batches(), val_samples=8).shape == (8, 1)


def test_constraints_and_regularizers_have_their_old_names():
    with pytest.warns(UserWarning, match="m is Keras 1's name"):
        assert constraints.maxnorm(m=3).max_value == 3
    assert regularizers.get("activity_l2").get_config()["l2"] == pytest.approx(0.01)
    assert regularizers.get("l1l2", {"l1": 0.5, "l2": 0.0}).l1 == 0.5
    matrix = np.diag([3.0, 2.0, 1.0])
    penalty = K.eval(regularizers.EigenvalueRegularizer(0.5)(K.variable(matrix)))
    assert penalty == pytest.approx(0.5 * 9, rel=1e-3)


def test_initializations_return_variables():
    for name in ("uniform", "normal", "lecun_uniform", "glorot_normal", "glorot_uniform",
                 "he_normal", "he_uniform", "zero", "one"):
        assert K.is_variable(initializations.get(name)((3, 4), name="w"))
    square = K.eval(initializations.orthogonal((4, 4)))
    np.testing.assert_allclose(square @ square.T, 1.21 * np.eye(4), atol=1e-5)
    assert initializations.get_fans((8, 3, 5, 5)) == (75, 200)
    assert initializations.get_fans((5, 5, 3, 8), "tf") == (75, 200)
    with pytest.raises(ValueError, match="square matrix"):
        initializations.identity((2, 3))
    with pytest.raises(ValueError, match="names glorot_normal"):
        initializations.get("nothing")


def test_metrics_of_a_batch():
    true = K.constant([[1.0, 0.0], [1.0, 1.0]])
    told = K.constant([[0.9, 0.8], [0.1, 0.7]])
    values = {name: float(K.eval(metrics.get(name)(true, told)))
              for name in ("precision", "recall", "fmeasure", "matthews_correlation")}
    assert values["precision"] == pytest.approx(2 / 3) == values["recall"]
    assert values["fmeasure"] == pytest.approx(2 / 3, rel=1e-4)
    assert values["matthews_correlation"] == pytest.approx(-1 / 3, rel=1e-4)
    with pytest.raises(ValueError, match="at least 0"):
        metrics.fbeta_score(true, told, beta=-1)


def test_an_optimizer_of_keras_1_gets_its_constraints():
    class Step(optimizers.Optimizer):
        def get_updates(self, params, constraints, loss):
            return [K.update(p, constraints[p](p - g) if p in constraints else p - g)
                    for p, g in zip(params, self.get_gradients(loss, params))]

    model = models.Sequential([layers.Dense(1, input_dim=2, kernel_constraint="nonneg")])
    model.compile(Step(), "mse")
    model.train_on_batch(np.ones((4, 2)), -10 * np.ones((4, 1)))
    assert model.get_weights()[0].min() == 0


@pytest.mark.parametrize("mode, expected", [
    ("sum", [4, 6]), ("mul", [3, 8]), ("ave", [2, 3]), ("max", [3, 4]), ("concat", [1, 2, 3, 4]),
    (lambda pair: pair[1] - pair[0], [2, 2])])
def test_merge_joins_models_and_tensors(mode, expected):
    def side():
        return models.Sequential([layers.Dense(2, input_dim=2, weights=[np.eye(2), np.zeros(2)])])

    data = [np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])]
    joined = models.Sequential([layers.Merge([side(), side()], mode=mode)])
    np.testing.assert_allclose(joined.predict(data)[0], expected)
    assert len(joined.get_weights()) == 4 and len(joined.flattened_layers) == 2
    inputs = [layers.Input((2,)), layers.Input((2,))]
    with pytest.warns(UserWarning, match="use"):
        output = layers.merge(inputs, mode=mode)
    np.testing.assert_allclose(models.Model(inputs, output).predict(data)[0], expected)


def test_a_sequential_with_merge_is_saved_and_loaded(tmp_path):
    sides = [models.Sequential([layers.Dense(2, input_dim=3)]) for _ in range(2)]
    model = models.Sequential([layers.Merge(sides, mode="concat"), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(str(tmp_path / "model.h5"))
    data = [np.random.RandomState(0).rand(4, 3)] * 2
    np.testing.assert_array_equal(models.load_model(str(tmp_path / "model.h5")).predict(data),
                                  model.predict(data))


def test_merge_refuses_what_it_cannot_join():
    with pytest.raises(ValueError, match="mode must be one of"):
        layers.Merge(mode="sub")
    model = models.Sequential([layers.Dense(2, input_dim=3)])
    with pytest.raises(ValueError, match="both were given"):
        layers.Merge([model, layers.Dense(2)])
    with pytest.raises(ValueError, match="models are required"):
        models.Sequential([layers.Merge()])


def test_small_tools(tmp_path):
    assert np_utils.probas_to_classes([[0.1, 0.9], [0.8, 0.2]]).tolist() == [1, 0]
    assert np_utils.probas_to_classes([[0.6], [0.2]]).tolist() == [1, 0]
    assert np_utils.accuracy([1, 2], [1, 3]) == 0.5
    assert np_utils.binary_logloss([0.5], [1]) == pytest.approx(np.log(2))
    assert np_utils.multiclass_logloss([[0.5, 0.5]], [[0, 1]]) == pytest.approx(np.log(2))
    kernel = np.arange(24.0).reshape(4, 3, 2, 1)
    np.testing.assert_array_equal(np_utils.convert_kernel(kernel, "th"), kernel[:, :, ::-1, ::-1])
    np.testing.assert_array_equal(np_utils.convert_kernel(kernel, "tf"), kernel[::-1, ::-1])
    save_array(kernel, str(tmp_path / "array.h5"))
    np.testing.assert_array_equal(load_array(str(tmp_path / "array.h5")), kernel)


def test_names_further_down_are_found_under_the_engine():
    assert symk.engine.Model is models.Model and symk.engine.Merge is layers.Merge
    assert symk.engine.merge is layers.merge and symk.engine.topology.Container is models.Model
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        assert symk.engine.nothing


def test_recurrent_layers_may_have_a_step_of_their_own():
    class Doubled(layers.SimpleRNN):
        def step(self, x, states):
            output, states = super().step(x, states)
            return 2 * output, states

    inputs = layers.Input((4, 3))
    once, twice = layers.SimpleRNN(2), Doubled(2)
    outputs = models.Model(inputs, [once(inputs), twice(inputs)])
    twice.set_weights(once.get_weights())
    one, two = outputs.predict(np.ones((1, 4, 3)))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-5)


def test_a_model_that_stands_in_two_places_counts_once():
    question = models.Sequential([layers.Dense(4, input_dim=3)])
    story = models.Sequential([layers.Dense(4, input_dim=5), layers.BatchNormalization()])
    match = models.Sequential([layers.Merge([story, question], mode="sum")])
    answer = models.Sequential([layers.Merge([match, question], mode="concat"), layers.Dense(1)])
    assert [K.int_shape(tensor) for tensor in answer.inputs] == [(None, 5), (None, 3)]
    assert len(answer.trainable_weights) == 2 + 2 + 2 + 2 and len(answer.updates) == 2
    answer.compile("sgd", "mse")
    loss = answer.train_on_batch([np.ones((4, 5)), np.ones((4, 3))], np.ones((4, 1)))
    assert np.isfinite(loss)


def test_a_declared_output_shape_is_taken_or_refused():
    def declared(size):
        with pytest.warns(UserWarning, match="output_shape"):
            layer = layers.Deconvolution2D(2, 3, 3, output_shape=(None, size, size, 2),
                                           subsample=(2, 2), input_shape=(5, 5, 1))
        return models.Sequential([layer])

    assert declared(11).output_shape == (None, 11, 11, 2)
    model = declared(12)
    assert model.predict(np.ones((1, 5, 5, 1))).shape == (1, 12, 12, 2)
    again = models.Sequential.from_config(model.get_config())
    assert again.output_shape == (None, 12, 12, 2)
    with pytest.raises(ValueError, match="13 was declared"):
        declared(13)


def test_show_accuracy_of_early_programs_says_what_to_do():
    model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.ones(4)
    for method in (model.fit, model.evaluate):
        with pytest.warns(UserWarning, match=r'show_accuracy .*metrics=\["accuracy"\] of compile'):
            method(x, y, show_accuracy=True, verbose=0)
