"""Models with a `call` of their own: built by the first data, trained, saved as weights."""
import copy
import pickle

import numpy as np
import pytest

from symk import backend as K
from symk.layers import Dense, Dropout, Input
from symk.models import Model, Sequential


class Net(Model):
    """Two layers as attributes, one more in a list."""

    def __init__(self, classes=2, **kwargs):
        super().__init__(**kwargs)
        self.hidden = Dense(3, activation="tanh")
        self.more = [Dense(4), Dense(classes)]
        self.dropout = Dropout(0.5)

    def call(self, inputs, training=None):
        x = self.dropout(self.hidden(inputs), training=training)
        for layer in self.more:
            x = layer(x)
        return x


class TwoSided(Model):
    def __init__(self):
        super().__init__(name="two_sided")
        self.one, self.other = Dense(2), Dense(1)

    def call(self, inputs):
        a, b = inputs
        return [self.one(a), self.other(b)]


X, Y = np.random.RandomState(0).normal(size=(12, 5)), np.ones((12, 2))


def test_it_trains_evaluates_and_predicts():
    model = Net()
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(X, Y, epochs=30, batch_size=4, verbose=0, validation_split=0.25).history
    assert history["loss"][-1] < history["loss"][0]
    assert set(history) == {"loss", "mae", "val_loss", "val_mae"}
    assert model.predict(X).shape == (12, 2)
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0)[0],
                               np.mean(np.square(model.predict(X) - Y)), rtol=1e-5)


def test_its_layers_are_its_attributes_in_lists_too():
    model = Net()
    assert [layer.name for layer in model.layers] == [
        model.hidden.name, model.more[0].name, model.more[1].name, model.dropout.name]
    assert not model.built
    model.predict(X)
    assert [weight.shape for weight in model.weights] == [
        (5, 3), (3,), (3, 4), (4,), (4, 2), (2,)]
    assert model.get_layer(model.hidden.name) is model.hidden


def test_layers_added_to_a_list_later_count():
    model = Net()
    model.more.append(Dense(7))
    assert model.predict(X).shape == (12, 7)
    assert len(model.get_weights()) == 8


def test_several_inputs_and_outputs():
    model = TwoSided()
    model.compile("sgd", "mse", loss_weights=[1.0, 0.5])
    values = model.train_on_batch([X, X[:, :2]], [Y, Y[:, :1]])
    assert model.metrics_names == ["loss", "output_1_loss", "output_2_loss"]
    assert values[0] == pytest.approx(values[1] + 0.5 * values[2], rel=1e-5)
    assert [output.shape for output in model.predict([X, X[:, :2]])] == [(12, 2), (12, 1)]


def test_a_dict_cannot_be_its_first_data():
    with pytest.raises(ValueError, match="a list of arrays is required"):
        TwoSided().predict({"a": X, "b": X})


def test_weights_go_through_a_file(tmp_path):
    model, other = Net(), Net()
    expected = model.predict(X)
    model.save_weights(str(tmp_path / "w.h5"))
    other.predict(X)
    other.load_weights(str(tmp_path / "w.h5"))
    np.testing.assert_array_equal(other.predict(X), expected)


@pytest.mark.parametrize("keep", [
    lambda model, path: model.save(path), lambda model, path: model.to_json(),
    lambda model, path: model.get_config(), lambda model, path: copy.deepcopy(model),
    lambda model, path: pickle.dumps(model)])
def test_it_cannot_be_saved_as_a_graph(keep, tmp_path):
    model = Net()
    model.predict(X)
    with pytest.raises(NotImplementedError, match="Use save_weights"):
        keep(model, str(tmp_path / "m.h5"))
    assert not list(tmp_path.iterdir())


def test_it_can_be_a_layer_of_another_model():
    x = Input(shape=(5,))
    inner = Net(name="inner")
    model = Model(x, Dense(1)(inner(x)))
    model.compile("sgd", "mse")
    assert len(model.trainable_weights) == 8
    before = inner.get_weights()
    model.train_on_batch(X, Y[:, :1])
    assert not np.array_equal(before[0], inner.get_weights()[0])
    np.testing.assert_allclose(inner.predict(X).shape, (12, 2))


def test_losses_and_metrics_of_call():
    class Watched(Net):
        def call(self, inputs, training=None):
            y = super().call(inputs, training)
            self.add_loss(2 * K.mean(K.square(y)), inputs=inputs)
            self.add_metric(K.max(y), name="top")
            return y
    model = Watched()
    model.compile("sgd", "mse")
    loss, top = model.test_on_batch(X, Y)
    y = model.predict(X)
    assert top == pytest.approx(y.max(), rel=1e-5)
    assert loss == pytest.approx(np.mean((y - Y) ** 2) + 2 * np.mean(y ** 2), rel=1e-5)


def test_the_summary_waits_for_the_weights():
    model, lines = Net(name="net"), []
    with pytest.raises(ValueError, match="a built model is required"):
        model.summary(print_fn=lines.append)
    model.predict(X)
    model.summary(print_fn=lines.append)
    assert lines[0] == 'Model: "net"'
    assert "Total params: 44" in lines


def test_super_comes_first():
    class Wrong(Model):
        def __init__(self):
            self.layer = Dense(1)
            super().__init__()
    with pytest.raises(RuntimeError, match=r"super\(\).__init__\(\) must be called before"):
        Wrong()


def test_a_model_needs_a_graph_or_a_call():
    with pytest.raises(TypeError, match="or a subclass with a method `call`"):
        Model()


def test_call_must_return_tensors():
    class Wrong(Model):
        def call(self, inputs):
            return None
    with pytest.raises(TypeError, match="call must return a tensor"):
        Wrong().predict(X)


def test_a_subclass_may_be_a_graph():
    class Graph(Model):
        def __init__(self, width):
            x = Input(shape=(5,))
            super().__init__(x, Dense(width)(x))
    model = Graph(3)
    model.compile("sgd", "mse")
    assert model.train_on_batch(X, np.ones((12, 3))) > 0
    assert Sequential([model]).predict(X).shape == (12, 3)
