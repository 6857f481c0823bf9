"""What layers and models add to training: metrics and losses; tensors as targets and inputs."""
import numpy as np
import pytest

from symk import backend as K
from symk import metrics
from symk.layers import Dense, Input, Layer
from symk.models import Model, Sequential

X, Y = np.random.RandomState(0).normal(size=(12, 3)), np.ones((12, 1))


class Highest(Layer):
    def call(self, inputs):
        self.add_metric(K.max(inputs), name="highest")
        return inputs


def test_a_tensor_is_reported_as_its_mean_over_batches():
    model = Sequential([Highest(input_shape=(3,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.metrics_names == ["loss", "mae", "highest"]
    assert [metric.name for metric in model.metrics] == ["mae", "highest"]
    parts = [X[:4].max(), X[4:8].max(), X[8:].max()]
    assert model.evaluate(X, Y, batch_size=4, verbose=0)[2] == pytest.approx(np.mean(parts))
    history = model.fit(X, Y, batch_size=4, shuffle=False, verbose=0).history
    assert history["highest"][0] == pytest.approx(np.mean(parts))


def test_a_metric_object_keeps_its_own_way():
    x = Input(shape=(3,))
    y = Dense(1)(x)
    model = Model(x, y)
    model.add_metric(metrics.Sum(name="total")(x))
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y, batch_size=5, verbose=0)[1] == pytest.approx(X.sum(), rel=1e-4)


def test_a_metric_can_be_an_attribute():
    class Counting(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seen = metrics.Sum(name="seen")

        def call(self, inputs):
            self.seen.update_state(K.ones_like(inputs[:, 0]))
            return inputs
    model = Sequential([Counting(input_shape=(3,)), Dense(1)])
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y, batch_size=5, verbose=0)[1] == 12


def test_a_shared_layer_reports_once_over_all_its_calls():
    layer, a, b = Highest(), Input(shape=(3,)), Input(shape=(3,))
    both = Model([a, b], [layer(a), layer(b)])
    both.compile("sgd", "mse")
    value = dict(zip(both.metrics_names, both.test_on_batch([X, 2 * X], [X, X])))["highest"]
    assert value == pytest.approx(1.5 * X.max())
    one = Model(a, layer(a))
    one.compile("sgd", "mse")
    assert one.test_on_batch(X, X)[1] == pytest.approx(X.max())


def test_names_are_made_different():
    model = Sequential([Highest(input_shape=(3,)), Highest(), Dense(1)])
    model.compile("sgd", "mse")
    assert model.metrics_names == ["loss", "highest", "highest_1"]


def test_a_tensor_needs_a_name():
    x = Input(shape=(3,))
    model = Model(x, Dense(1)(x))
    with pytest.raises(ValueError, match="a name is required"):
        model.add_metric(K.sum(x))


@pytest.mark.parametrize("add", [lambda model, y: model.add_metric(K.sum(y), name="s"),
                                 lambda model, y: model.add_loss(K.sum(y))])
def test_adding_after_compile_brings_a_warning(add):
    x = Input(shape=(3,))
    y = Dense(1)(x)
    model = Model(x, y)
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="call compile again"):
        add(model, y)


def test_metrics_for_all_outputs_have_a_state_each():
    x = Input(shape=(3,))
    model = Model(x, [Dense(1, name="a")(x), Dense(1, name="b")(x)])
    model.compile("sgd", "mse", metrics=[metrics.MeanAbsoluteError(name="mae")])
    values = dict(zip(model.metrics_names, model.test_on_batch(X, [Y, 3 * Y])))
    a, b = model.predict(X)
    assert values["a_mae"] == pytest.approx(np.abs(a - 1).mean(), rel=1e-5)
    assert values["b_mae"] == pytest.approx(np.abs(b - 3).mean(), rel=1e-5)


def test_a_metric_is_not_renamed_by_compile():
    x = Input(shape=(3,))
    metric = metrics.MeanAbsoluteError(name="mae")
    model = Model(x, [Dense(1, name="a")(x), Dense(1, name="b")(x)])
    for _ in range(2):
        model.compile("sgd", "mse", metrics={"a": metric})
        assert model.metrics_names[-1] == "a_mae"


# ---- tensors in place of data

def test_targets_can_be_tensors():
    x = Input(shape=(3,))
    model = Model(x, Dense(1, kernel_initializer="ones")(x))
    model.compile("sgd", "mse", target_tensors=[K.sum(x, axis=-1, keepdims=True)])
    assert model.train_on_batch(X) == pytest.approx(0, abs=1e-10)
    assert model.fit(X, epochs=2, verbose=0).history["loss"] == pytest.approx([0, 0], abs=1e-10)
    assert model.evaluate(X, verbose=0) == pytest.approx(0, abs=1e-10)


def test_targets_can_be_a_placeholder_of_the_user():
    x, target = Input(shape=(3,)), K.placeholder((None, 1))
    model = Model(x, Dense(1, name="y")(x))
    model.compile("sgd", "mse", target_tensors={"y": target})
    assert model.targets == [target]
    assert model.train_on_batch(X, Y) > 0


def test_inputs_and_targets_can_be_variables():
    x = Input(tensor=K.variable(X))
    model = Model(x, Dense(1)(x))
    model.compile("sgd", "mse", target_tensors=K.variable(Y))
    losses = model.fit(epochs=5, steps_per_epoch=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.predict(None, steps=2).shape == (24, 1)
    assert model.evaluate(steps=1, verbose=0) < losses[-1]
    with pytest.raises(ValueError, match="a number of steps is required"):
        model.fit(verbose=0)


@pytest.mark.parametrize("targets, error, words", [
    ([1.0], TypeError, "must be symbolic tensors"),
    ({"other": None}, ValueError, "'other' is none"),
    ([None, None], ValueError, "a list of 2 was given")])
def test_wrong_targets_are_named(targets, error, words):
    x = Input(shape=(3,))
    with pytest.raises(error, match=words):
        Model(x, Dense(1, name="y")(x)).compile("sgd", "mse", target_tensors=targets)


def test_arrays_and_a_number_of_steps_are_whole_batches():
    model, other = (Sequential([Dense(1, input_shape=(3,), kernel_initializer="zeros")])
                    for _ in range(2))
    for one in (model, other):
        one.compile("sgd", "mse")
    model.fit(X, Y, steps_per_epoch=3, verbose=0)
    for _ in range(3):
        other.train_on_batch(X, Y)
    np.testing.assert_allclose(model.get_weights()[0], other.get_weights()[0], rtol=1e-6)
    assert model.predict(X, steps=2).shape == (24, 1)


def test_a_number_is_a_loss_too():
    x = Input((2,))
    model = Model(x, Dense(1, kernel_initializer="zeros")(x))
    model.add_loss(2)
    model.compile("sgd", "mse")
    assert model.train_on_batch(np.ones((3, 2)), np.ones((3, 1))) == pytest.approx(1 + 2)
