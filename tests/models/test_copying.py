"""Copies of models: clones on new and on given inputs, pickles, copy and deepcopy."""
import copy
import pickle

import numpy as np
import pytest

from symk import backend as K
from symk import callbacks, losses, metrics
from symk.layers import Add, Dense, Input, Layer
from symk.models import Model, Sequential, clone_model
from symk.registry import register

X, Y = np.random.RandomState(0).normal(size=(8, 4)), np.ones((8, 2))


class Doubled(Layer):
    """A layer that no registry knows; a pickle finds its class."""

    def call(self, inputs):
        return 2 * inputs


def chain():
    return Sequential([Dense(3, input_shape=(4,), activation="relu"), Doubled(), Dense(2)])


def graph():
    shared, x = Dense(4), Input(shape=(4,))
    return Model(x, Dense(2)(Add()([shared(x), shared(shared(x))])))


def nested():
    x = Input(shape=(4,))
    return Model(x, chain()(x))


MODELS = pytest.mark.parametrize("make", [chain, graph, nested])


@MODELS
@pytest.mark.parametrize("keep", [copy.copy, copy.deepcopy,
                                  lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_go_on_as_the_model_would(make, keep):
    model = make()
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    same = keep(model)
    assert type(same) is type(model) and same.name == model.name
    np.testing.assert_array_equal(same.predict(X), model.predict(X))
    for one in (model, same):
        one.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), same.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert same.optimizer.get_weights()[0] == 3


def test_a_copy_shares_nothing():
    model = chain()
    same = copy.copy(model)
    same.set_weights([np.zeros_like(weight) for weight in same.get_weights()])
    assert model.get_weights()[0].any()


def test_a_model_that_is_not_compiled_can_be_copied_without_a_word():
    np.testing.assert_array_equal(copy.deepcopy(graph()).predict(X).shape, (8, 2))


@MODELS
def test_clones_have_new_weights(make):
    model = make()
    clone = clone_model(model)
    assert type(clone) is type(model)
    assert not set(clone.weights) & set(model.weights)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone.predict(X), model.predict(X), rtol=1e-6)


@MODELS
def test_clones_on_an_input(make):
    model, x = make(), Input(shape=(4,), name="other")
    clone = clone_model(model, [x])
    assert clone.inputs == [x]
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone.predict(X), model.predict(X), rtol=1e-6)


@MODELS
def test_clones_on_a_tensor_need_no_data(make):
    model = make()
    clone = clone_model(model, K.variable(X))
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone.predict(None, steps=1), model.predict(X), rtol=1e-5)


@pytest.mark.parametrize("tensors, words", [
    (lambda: [Input(shape=(4,)), Input(shape=(4,))], "1 input tensors are required"),
    (lambda: Dense(4)(Input(shape=(4,))), "must be made by Input")])
def test_wrong_inputs_of_a_clone_are_named(tensors, words):
    with pytest.raises(ValueError, match=words):
        clone_model(graph(), tensors())


def test_only_models_of_layers_have_clones():
    class Own(Model):
        def call(self, inputs):
            return inputs
    with pytest.raises(ValueError, match="a Model is required"):
        clone_model(Dense(3))
    with pytest.raises(NotImplementedError, match="a graph of layers"):
        clone_model(Own())


def test_a_model_in_a_pickle_keeps_registered_names():
    @register("layer", "Doubled_of_the_tests")
    class Other(Doubled):
        pass
    assert pickle.loads(pickle.dumps(chain())).layers[1].__class__ is Doubled
    assert Other


# ---- the parts of a training

COPIES = pytest.mark.parametrize("keep", [
    copy.deepcopy, lambda part: pickle.loads(pickle.dumps(part))])


def trained():
    model = Sequential([Dense(2, input_shape=(4,))])
    model.compile("adam", "mse", metrics=[metrics.MeanAbsoluteError()])
    model.train_on_batch(X, Y, reset_metrics=False)
    return model


@COPIES
def test_copies_of_metrics_have_the_state_and_go_their_own_way(keep):
    metric = trained().metrics[0]
    same = keep(metric)
    assert K.eval(same.result()) == K.eval(metric.result()) > 0
    same.reset_states()
    assert K.eval(metric.result()) > 0
    model = Sequential([Dense(2, input_shape=(4,))])
    model.compile("sgd", "mse", metrics=[same])
    expected = np.abs(model.predict(X) - Y).mean()
    assert model.evaluate(X, Y, verbose=0)[1] == pytest.approx(expected, rel=1e-5)


@COPIES
def test_copies_of_optimizers_have_the_state(keep):
    optimizer = trained().optimizer
    same = keep(optimizer)
    for one, other in zip(same.get_weights(), optimizer.get_weights()):
        np.testing.assert_array_equal(one, other)
    K.set_value(same.lr, 0.5)
    assert K.get_value(optimizer.lr) != 0.5


@COPIES
@pytest.mark.parametrize("make", [
    lambda: callbacks.EarlyStopping(), lambda: losses.Huber(0.5), lambda: Dense(3)])
def test_other_parts_can_be_copied(keep, make):
    part = make()
    assert type(keep(part)) is type(part)
