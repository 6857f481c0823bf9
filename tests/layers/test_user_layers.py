"""Layers and cells as people write them for Keras 2: they run unchanged."""
import numpy as np
import pytest

from symk import activations, constraints, initializers, regularizers
from symk import backend as K
from symk.engine import InputSpec
from symk.layers import (GRU, LSTM, RNN, Bidirectional, Conv2D, Dense, Embedding, Flatten, Input,
                         Lambda, Layer, LSTMCell, TimeDistributed, concatenate)
from symk.layers.wrappers import Wrapper
from symk.models import Model, Sequential, load_model


class Attention(Layer):
    """Weighs the steps of a sequence; as it stands in hundreds of notebooks."""

    def __init__(self, step_dim, W_regularizer=None, b_regularizer=None, W_constraint=None,
                 b_constraint=None, bias=True, **kwargs):
        self.supports_masking = True
        self.init = initializers.get("glorot_uniform")
        self.W_regularizer = regularizers.get(W_regularizer)
        self.b_regularizer = regularizers.get(b_regularizer)
        self.W_constraint = constraints.get(W_constraint)
        self.b_constraint = constraints.get(b_constraint)
        self.bias = bias
        self.step_dim = step_dim
        self.features_dim = 0
        super(Attention, self).__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        assert len(input_shape) == 3
        self.W = self.add_weight(shape=(input_shape[-1],), initializer=self.init,
                                 name="{}_W".format(self.name), regularizer=self.W_regularizer,
                                 constraint=self.W_constraint)
        self.features_dim = input_shape[-1]
        if self.bias:
            self.b = self.add_weight(shape=(input_shape[1],), initializer="zero",
                                     name="{}_b".format(self.name),
                                     regularizer=self.b_regularizer,
                                     constraint=self.b_constraint)
        else:
            self.b = None
        self.built = True

    def compute_mask(self, input, input_mask=None):
        return None

    def call(self, x, mask=None):
        features_dim = self.features_dim
        step_dim = self.step_dim
        eij = K.reshape(K.dot(K.reshape(x, (-1, features_dim)),
                              K.reshape(self.W, (features_dim, 1))), (-1, step_dim))
        if self.bias:
            eij += self.b
        eij = K.tanh(eij)
        a = K.exp(eij)
        if mask is not None:
            a *= K.cast(mask, K.floatx())
        a /= K.cast(K.sum(a, axis=1, keepdims=True) + K.epsilon(), K.floatx())
        a = K.expand_dims(a)
        weighted_input = x * a
        return K.sum(weighted_input, axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.features_dim


class LayerNormalization(Layer):
    def __init__(self, eps=1e-6, **kwargs):
        self.eps = eps
        super(LayerNormalization, self).__init__(**kwargs)

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=input_shape[-1:],
                                     initializer=initializers.Ones(), trainable=True)
        self.beta = self.add_weight(name="beta", shape=input_shape[-1:],
                                    initializer=initializers.Zeros(), trainable=True)
        super(LayerNormalization, self).build(input_shape)

    def call(self, x):
        mean = K.mean(x, axis=-1, keepdims=True)
        std = K.std(x, axis=-1, keepdims=True)
        return self.gamma * (x - mean) / (std + self.eps) + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        base_config = super(LayerNormalization, self).get_config()
        return dict(list(base_config.items()) + [("eps", self.eps)])


class MyDense(Layer):
    def __init__(self, output_dim, activation=None, **kwargs):
        self.output_dim = output_dim
        self.activation = activations.get(activation)
        super(MyDense, self).__init__(**kwargs)

    def build(self, input_shape):
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[1], self.output_dim),
                                      initializer="uniform", trainable=True)
        super(MyDense, self).build(input_shape)

    def call(self, x):
        return self.activation(K.dot(x, self.kernel))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.output_dim)

    def get_config(self):
        config = {"output_dim": self.output_dim,
                  "activation": activations.serialize(self.activation)}
        base_config = super(MyDense, self).get_config()
        return dict(list(base_config.items()) + list(config.items()))


class TwoInputs(Layer):
    """Several inputs and outputs."""

    def build(self, input_shape):
        assert isinstance(input_shape, list)
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[0][1], 4),
                                      initializer="uniform", trainable=True)
        super(TwoInputs, self).build(input_shape)

    def call(self, x):
        assert isinstance(x, list)
        a, b = x
        return [K.dot(a, self.kernel) + b, K.mean(b, axis=-1)]

    def compute_output_shape(self, input_shape):
        assert isinstance(input_shape, list)
        shape_a, shape_b = input_shape
        return [(shape_a[0], 4), shape_b[:-1]]


class MinimalRNNCell(Layer):
    def __init__(self, units, **kwargs):
        self.units = units
        self.state_size = units
        super(MinimalRNNCell, self).__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform",
                                      name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units),
                                                initializer="uniform", name="recurrent_kernel")
        self.built = True

    def call(self, inputs, states):
        prev_output = states[0]
        h = K.dot(inputs, self.kernel)
        output = h + K.dot(prev_output, self.recurrent_kernel)
        return output, [output]

    def get_config(self):
        config = super(MinimalRNNCell, self).get_config()
        config.update({"units": self.units})
        return config


class ConditionedCell(Layer):
    """A cell that gets a constant with each step."""

    def __init__(self, units, **kwargs):
        self.units = units
        self.state_size = units
        super(ConditionedCell, self).__init__(**kwargs)

    def build(self, input_shape):
        if not isinstance(input_shape, list):
            raise TypeError("expects constants shape")
        [input_shape, constant_shape] = input_shape
        self.input_kernel = self.add_weight(shape=(input_shape[-1], self.units),
                                            initializer="uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units),
                                                initializer="uniform", name="recurrent_kernel")
        self.constant_kernel = self.add_weight(shape=(constant_shape[-1], self.units),
                                               initializer="uniform", name="constant_kernel")
        self.built = True

    def call(self, inputs, states, constants):
        [prev_output] = states
        [constant] = constants
        h_input = K.dot(inputs, self.input_kernel)
        h_state = K.dot(prev_output, self.recurrent_kernel)
        h_const = K.dot(constant, self.constant_kernel)
        output = h_input + h_state + h_const
        return output, [output]

    def get_config(self):
        config = {"units": self.units}
        base_config = super(ConditionedCell, self).get_config()
        return dict(list(base_config.items()) + list(config.items()))


class PeepholeLSTMCell(LSTMCell):
    """A cell derived from the library's own."""

    def build(self, input_shape):
        super(PeepholeLSTMCell, self).build(input_shape)
        self.peephole = self.add_weight(shape=(self.units * 3,), name="peephole",
                                        initializer=self.kernel_initializer)

    def call(self, inputs, states, training=None):
        h_tm1 = states[0]
        c_tm1 = states[1]
        z = K.dot(inputs, self.kernel)
        z += K.dot(h_tm1, self.recurrent_kernel)
        if self.use_bias:
            z = K.bias_add(z, self.bias)
        z0 = z[:, :self.units]
        z1 = z[:, self.units: 2 * self.units]
        z2 = z[:, 2 * self.units: 3 * self.units]
        z3 = z[:, 3 * self.units:]
        i = self.recurrent_activation(z0 + self.peephole[:self.units] * c_tm1)
        f = self.recurrent_activation(z1 + self.peephole[self.units:2 * self.units] * c_tm1)
        c = f * c_tm1 + i * self.activation(z2)
        o = self.recurrent_activation(z3 + self.peephole[2 * self.units:] * c)
        h = o * self.activation(c)
        return h, [h, c]


class CosineLoss(Layer):
    """A layer that adds a loss and passes its input on."""

    def call(self, inputs):
        x, y = inputs
        self.add_loss(K.mean(K.square(x - y)), inputs=inputs)
        return x


class Counter(Layer):
    """A layer with a state of its own that it updates."""

    def build(self, input_shape):
        self.count = K.variable(0, name="count")
        self.non_trainable_weights = [self.count]
        self.built = True

    def call(self, inputs):
        self.add_update(K.update_add(self.count, 1), inputs)
        return inputs


def trained(model, x, y, custom, tmp_path):
    """Trains a model, saves and loads it; the loaded one predicts the same. Returns the losses."""
    model.compile("adam", "mse")
    losses = model.fit(x, y, epochs=8, batch_size=len(x[0]) if isinstance(x, list) else len(x),
                       verbose=0).history["loss"]
    path = str(tmp_path / "model.h5")
    model.save(path)
    again = load_model(path, custom_objects=custom)
    for one, other in zip(np.atleast_1d(model.predict(x)), np.atleast_1d(again.predict(x))):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    return losses


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(5)


def test_attention_over_an_lstm(tmp_path):
    start = Input(shape=(6,))
    x = Embedding(20, 5, mask_zero=True)(start)
    x = Bidirectional(LSTM(4, return_sequences=True))(x)
    model = Model(start, Dense(1)(Attention(6, W_regularizer="l2")(x)))
    words = np.random.randint(0, 20, (8, 6))
    model.compile("adam", "mse")
    losses = model.fit(words, np.random.uniform(size=(8, 1)), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_layers_with_configs(tmp_path):
    model = Sequential([MyDense(6, activation="relu", input_shape=(4,)), LayerNormalization(),
                        MyDense(2)])
    x, y = np.random.uniform(size=(16, 4)), np.random.uniform(size=(16, 2))
    losses = trained(model, x, y, {"MyDense": MyDense, "LayerNormalization": LayerNormalization},
                     tmp_path)
    assert losses[-1] < losses[0]
    assert [w.name.split("/")[-1] for w in model.weights] == [
        "kernel:0", "gamma:0", "beta:0", "kernel:0"]


def test_a_layer_of_two_inputs_and_outputs():
    a, b = Input(shape=(3,)), Input(shape=(4,))
    one, other = TwoInputs()([a, b])
    model = Model([a, b], [one, other])
    assert model.output_shape == [(None, 4), (None,)]
    x, y = np.random.uniform(size=(5, 3)), np.random.uniform(size=(5, 4))
    first, second = model.predict([x, y])
    np.testing.assert_allclose(first, x @ model.get_weights()[0] + y, rtol=1e-5)
    np.testing.assert_allclose(second, y.mean(axis=-1), rtol=1e-5)


def test_a_cell_of_ones_own(tmp_path):
    model = Sequential([RNN(MinimalRNNCell(4), input_shape=(5, 3)), Dense(2)])
    x, y = np.random.uniform(size=(8, 5, 3)), np.random.uniform(size=(8, 2))
    losses = trained(model, x, y, {"MinimalRNNCell": MinimalRNNCell}, tmp_path)
    assert losses[-1] < losses[0]
    kernel, recurrent = model.layers[0].get_weights()
    state = np.zeros((8, 4))
    for step in range(5):
        state = x[:, step] @ kernel + state @ recurrent
    np.testing.assert_allclose(Model(model.input, model.layers[0].output).predict(x), state,
                               rtol=1e-4, atol=1e-5)


def test_cells_of_ones_own_on_top_of_each_other(tmp_path):
    model = Sequential([RNN([MinimalRNNCell(4), MinimalRNNCell(3)], return_sequences=True,
                            input_shape=(5, 3))])
    x, y = np.random.uniform(size=(8, 5, 3)), np.random.uniform(size=(8, 5, 3))
    trained(model, x, y, {"MinimalRNNCell": MinimalRNNCell}, tmp_path)
    assert [w.shape for w in model.get_weights()] == [(3, 4), (4, 4), (4, 3), (3, 3)]


@pytest.mark.parametrize("wrap", [lambda layer: layer, Bidirectional])
def test_a_cell_with_constants(wrap, tmp_path):
    x, c = Input((5, 3)), Input((2,))
    layer = wrap(RNN(ConditionedCell(4)))
    model = Model([x, c], layer(x, constants=c))
    data = [np.random.uniform(size=(6, 5, 3)), np.random.uniform(size=(6, 2))]
    target = np.random.uniform(size=(6,) + model.output_shape[1:])
    losses = trained(model, data, target, {"ConditionedCell": ConditionedCell}, tmp_path)
    assert losses[-1] < losses[0]
    other = [data[0], data[1] + 1]
    assert np.abs(model.predict(data) - model.predict(other)).max() > 1e-4


def test_a_cell_with_constants_says_that_it_needs_them():
    with pytest.raises(ValueError, match="argument `constants`"):
        RNN(MinimalRNNCell(4))(Input((5, 3)), constants=Input((2,)))


def test_a_cell_derived_from_lstm(tmp_path):
    model = Sequential([RNN(PeepholeLSTMCell(4), input_shape=(5, 3)), Dense(2)])
    x, y = np.random.uniform(size=(8, 5, 3)), np.random.uniform(size=(8, 2))
    losses = trained(model, x, y, {"PeepholeLSTMCell": PeepholeLSTMCell}, tmp_path)
    assert losses[-1] < losses[0]
    assert len(model.layers[0].get_weights()) == 4


def test_a_cell_that_is_no_layer():
    class Sum:
        state_size = 3

        def call(self, inputs, states):
            total = inputs + states[0]
            return total, [total]

    x = Input((4, 3))
    data = np.random.uniform(size=(2, 4, 3))
    np.testing.assert_allclose(Model(x, RNN(Sum())(x)).predict(data), data.sum(axis=1), rtol=1e-5)


def test_a_cell_says_its_first_state():
    class Below:
        state_size = 3

        def call(self, inputs, states):
            least = K.minimum(inputs, states[0])
            return least, [least]

        def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
            return [K.ones_like(inputs[:, 0]) * 9.0]

    x = Input((4, 3))
    data = np.random.uniform(1, 2, size=(2, 4, 3))
    np.testing.assert_allclose(Model(x, RNN(Below())(x)).predict(data), data.min(axis=1),
                               rtol=1e-5)


@pytest.mark.parametrize("arguments, options", [
    (((3, 2),), {"name": "w"}), (((3, 2), "w"), {}), (("w", (3, 2)), {}),
    ((), {"shape": [3, 2], "name": "w"})])
def test_all_ways_to_add_a_weight(arguments, options):
    class Product(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(*arguments, initializer="uniform", **options)
            super(Product, self).build(input_shape)

        def call(self, x):
            return K.dot(x, self.w)

    layer = Product(name="p")
    layer(Input((3,)))
    assert layer.w.name == "p/w:0" and layer.w.shape == (3, 2)


def test_losses_and_updates_of_layers():
    a, b = Input(shape=(3,)), Input(shape=(3,))
    counter = Counter()
    model = Model([a, b], counter(CosineLoss()([a, b])))
    model.compile("sgd", "mse")
    x, y = np.ones((4, 3)), np.zeros((4, 3))
    assert model.train_on_batch([x, y], x) == pytest.approx(1.0)
    model.train_on_batch([x, y], x)
    assert K.get_value(counter.count) == 2


def test_a_layer_around_layers():
    class Block(Layer):
        def __init__(self, units, **kwargs):
            super(Block, self).__init__(**kwargs)
            self.first = Dense(units, activation="relu")
            self.second = Dense(units)

        def call(self, inputs):
            return self.second(self.first(inputs))

    model = Sequential([Block(3, input_shape=(4,))])
    assert len(model.trainable_weights) == 4
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.train_on_batch(np.ones((4, 4)), np.ones((4, 3)))
    assert not np.array_equal(before[-1], model.get_weights()[-1])


def test_user_layers_in_wrappers():
    x = Input((3, 4))
    y = TimeDistributed(MyDense(2))(x)
    model = Model(x, y)
    data = np.random.uniform(size=(2, 3, 4))
    np.testing.assert_allclose(model.predict(data), data @ model.get_weights()[0], rtol=1e-5)


def test_functions_of_k_between_layers():
    words = Input((5,))
    table = Embedding(10, 4)
    states = GRU(3, return_sequences=True)(table(words))
    weights = Lambda(lambda s: K.softmax(K.sum(s, axis=-1)))(states)
    context = Lambda(lambda pair: K.batch_dot(pair[0], pair[1], axes=[1, 1]))([weights, states])
    model = Model(words, concatenate([context, Flatten()(states)]))
    assert model.predict(np.ones((2, 5))).shape == (2, 18)


def test_unknown_cells_are_named_when_a_model_is_loaded(tmp_path):
    path = str(tmp_path / "model.h5")
    Sequential([RNN([MinimalRNNCell(4), LSTMCell(3)], input_shape=(5, 3))]).save(path)
    with pytest.raises(ValueError, match="unknown: 'MinimalRNNCell'"):
        load_model(path)


def test_a_wrapper_that_gives_its_layer_a_weight():
    class Scaled(Wrapper):
        def build(self, input_shape=None):
            if not self.layer.built:
                self.layer.build(input_shape)
                self.layer.built = True
            self.scale = self.layer.add_weight(name="scale", shape=(1,), initializer="ones")
            self.layer.add_loss(K.sum(K.square(self.scale)))
            super(Scaled, self).build()

        def call(self, inputs):
            return self.layer.call(inputs) * self.scale

    model = Sequential([Scaled(Dense(2), input_shape=(3,))])
    assert [w.name.split("/")[-1] for w in model.trainable_weights] == [
        "kernel:0", "bias:0", "scale:0"]
    assert len(model.losses) == 1
    model.compile("sgd", "mse")
    assert np.isfinite(model.train_on_batch(np.ones((4, 3)), np.ones((4, 2))))


def test_a_layer_that_runs_its_own_loop():
    """A linear chain: the logarithm of the sum over all ways, by K.rnn with constants."""
    class Chain(Layer):
        def build(self, input_shape):
            size = input_shape[-1]
            self.chain = self.add_weight(name="chain", shape=(size, size), initializer="uniform")
            super(Chain, self).build(input_shape)

        def call(self, x, mask=None):
            def step(inputs, states):
                before, chain = states
                after = K.logsumexp(K.expand_dims(before, 2) + chain, axis=1) + inputs
                return after, [after]
            last, _, _ = K.rnn(step, x[:, 1:], [x[:, 0]], constants=[self.chain])
            return K.logsumexp(last, axis=-1, keepdims=True)

    layer = Chain()
    x = Input((3, 2))
    model = Model(x, layer(x))
    values = np.random.uniform(-1, 1, (2, 3, 2))
    chain, = layer.get_weights()
    ways = [sum(np.exp(values[b, 0, i] + chain[i, j] + values[b, 1, j] + chain[j, k]
                       + values[b, 2, k])
                for i in (0, 1) for j in (0, 1) for k in (0, 1)) for b in (0, 1)]
    np.testing.assert_allclose(model.predict(values)[:, 0], np.log(ways), rtol=1e-5)


def test_a_convolution_with_a_kernel_of_ones_own():
    class Normed(Conv2D):
        def build(self, input_shape):
            channel_axis = 1 if self.data_format == "channels_first" else -1
            kernel_shape = self.kernel_size + (input_shape[channel_axis], self.filters)
            self.kernel = self.add_weight(shape=kernel_shape, name="kernel",
                                          initializer=self.kernel_initializer)
            self.bias = None
            self.u = self.add_weight(shape=(1, self.filters), name="sn", trainable=False,
                                     initializer=initializers.RandomNormal(0, 1))
            self.input_spec = InputSpec(ndim=self.rank + 2,
                                        axes={channel_axis: input_shape[channel_axis]})
            self.built = True

        def call(self, inputs, training=None):
            matrix = K.reshape(self.kernel, [-1, self.filters])
            v = K.l2_normalize(K.dot(self.u, K.transpose(matrix)))
            u = K.l2_normalize(K.dot(v, matrix))
            self.add_update(K.update(self.u, u), inputs)
            sigma = K.sum(K.dot(K.dot(v, matrix), K.transpose(u)))
            return K.conv2d(inputs, self.kernel / sigma, strides=self.strides,
                            padding=self.padding, data_format=self.data_format)

    model = Sequential([Normed(3, 2, use_bias=False, input_shape=(5, 5, 2)), Flatten()])
    model.compile("sgd", "mse")
    for _ in range(10):
        model.train_on_batch(np.zeros((1, 5, 5, 2)), np.zeros((1, 48)))
    kernel, u = model.get_weights()
    greatest = np.linalg.svd(kernel.reshape(-1, 3))[1][0]
    found = np.linalg.norm(kernel.reshape(-1, 3) @ u[0])
    assert found == pytest.approx(greatest, rel=0.05)


def test_what_call_must_return():
    class Pair(Layer):
        def call(self, x):
            return x, 2 * x

    x = Input((3,))
    one, two = Pair()(x)
    np.testing.assert_array_equal(Model(x, [one, two]).predict(np.ones((2, 3)))[1], 2)
    for wrong in (3, None):
        with pytest.raises(ValueError, match=r'layer "w" \(Lambda\): \[call\] a tensor, or a list'):
            Lambda(lambda x: wrong, name="w")(x)
