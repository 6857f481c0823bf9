"""Layers that Keras 2.3 keeps for programs of earlier versions."""
import numpy as np
import pytest

from symk import backend as K
from symk.layers import LSTM, Conv1D, Conv2D, Highway, Input, MaxoutDense, Recurrent
from symk.layers.convolutional import AtrousConvolution1D, AtrousConvolution2D
from symk.layers.convolutional_recurrent import ConvRecurrent2D
from symk.models import Model


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(17)


def randomised(x, layer):
    model = Model(x, layer(x))
    layer.set_weights([np.random.uniform(-1, 1, w.shape) for w in layer.weights])
    return model


def test_maxout_is_the_greatest_of_its_maps():
    layer = MaxoutDense(3, nb_feature=5, input_dim=4)
    model = randomised(Input((4,)), layer)
    kernel, bias = layer.get_weights()
    x = np.random.uniform(-1, 1, (6, 4))
    np.testing.assert_allclose(model.predict(x), (x @ kernel + bias[:, None]).max(axis=0),
                               rtol=1e-4, atol=1e-6)


def test_highway_lets_a_part_through():
    layer = Highway(activation="tanh")
    model = randomised(Input((4,)), layer)
    kernel, carry, bias, carry_bias = layer.get_weights()
    x = np.random.uniform(-1, 1, (6, 4))
    gate = 1 / (1 + np.exp(-(x @ carry + carry_bias)))
    np.testing.assert_allclose(model.predict(x),
                               gate * np.tanh(x @ kernel + bias) + (1 - gate) * x, rtol=1e-4,
                               atol=1e-6)


@pytest.mark.parametrize("old, new, arguments", [(AtrousConvolution1D, Conv1D, (2, 3)),
                                                 (AtrousConvolution2D, Conv2D, (2, 3))])
def test_atrous_is_dilated(old, new, arguments):
    layer = old(*arguments, atrous_rate=2)
    assert type(layer) is new and set(layer.dilation_rate) == {2}


class OldLSTM(Recurrent):
    """As recurrent layers were written for Keras 2.0."""

    def __init__(self, units, **kwargs):
        super(OldLSTM, self).__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        if isinstance(input_shape, list):
            input_shape = input_shape[0]
        batch_size = input_shape[0] if self.stateful else None
        self.input_dim = input_shape[2]
        self.input_spec[0] = self.input_spec[0].__class__(
            shape=(batch_size, None, self.input_dim))
        self.states = [None, None]
        if self.stateful:
            self.reset_states()
        self.kernel = self.add_weight(shape=(self.input_dim, self.units * 4), name="kernel",
                                      initializer="glorot_uniform")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units * 4),
                                                name="recurrent_kernel", initializer="orthogonal")
        self.built = True

    def preprocess_input(self, inputs, training=None):
        return K.dot(inputs, self.kernel)

    def get_constants(self, inputs, training=None):
        return [K.constant(2.0)]

    def step(self, x, states):
        h_tm1, c_tm1, scale = states
        z = x + K.dot(h_tm1, self.recurrent_kernel)
        i, f, c, o = [z[:, k * self.units:(k + 1) * self.units] for k in range(4)]
        c = K.sigmoid(f) * c_tm1 + K.sigmoid(i) * K.tanh(c)
        h = K.sigmoid(o) * K.tanh(c) * scale / 2.0
        return h, [h, c]

    def get_config(self):
        return dict(super(OldLSTM, self).get_config(), units=self.units)


def test_a_layer_of_keras_2_0_is_an_lstm():
    x = Input((5, 4))
    old, new = OldLSTM(3, return_sequences=True), LSTM(3, return_sequences=True, use_bias=False)
    first, second = randomised(x, old), Model(x, new(x))
    second.set_weights(first.get_weights())
    values = np.random.uniform(-1, 1, (2, 5, 4))
    np.testing.assert_allclose(first.predict(values), second.predict(values), rtol=1e-4, atol=1e-6)
    assert OldLSTM.from_config(old.get_config()).return_sequences
    assert old.compute_output_shape((None, 5, 4)) == (None, 5, 3)


def test_a_layer_of_keras_2_0_keeps_its_states():
    x = Input(batch_shape=(2, 3, 4))
    layer = OldLSTM(3, stateful=True)
    model = randomised(x, layer)
    values = np.random.uniform(-1, 1, (2, 3, 4))
    first = model.predict(values, batch_size=2)
    assert np.abs(model.predict(values, batch_size=2) - first).max() > 1e-4
    model.reset_states()
    np.testing.assert_array_equal(model.predict(values, batch_size=2), first)


def test_a_recurrent_layer_must_say_its_step():
    class Nothing(Recurrent):
        units = 3

    with pytest.raises(NotImplementedError, match="Nothing must define step"):
        Nothing()(Input((5, 4)))


def test_a_recurrent_layer_of_images():
    class Running(ConvRecurrent2D):
        def step(self, inputs, states):
            total = states[0] + inputs
            return total, [total]

    x = Input((3, 4, 5, 2))
    layer = Running(2, 1)
    values = np.random.uniform(-1, 1, (2, 3, 4, 5, 2))
    np.testing.assert_allclose(Model(x, layer(x)).predict(values), values.sum(axis=1), rtol=1e-4,
                               atol=1e-6)
    assert layer.compute_output_shape((None, 3, 4, 5, 2)) == (None, 4, 5, 2)
