"""ConvLSTM2D, ConvRNN2D and the layers in cuDNN's layout."""
import numpy as np
import pytest

from symk import backend as K
from symk.layers import (GRU, LSTM, Bidirectional, ConvLSTM2D, ConvLSTM2DCell, CuDNNGRU, CuDNNLSTM,
                         Input, Lambda)
from symk.layers.convolutional_recurrent import ConvRNN2D
from symk.layers.cudnn_layout import from_cudnn, to_cudnn
from symk.models import Model


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(13)


def data(*shape):
    return np.random.uniform(-1, 1, shape).astype("float32")


# ---- images

def test_one_step_without_a_state_is_a_convolution():
    x = Input((1, 5, 6, 2))
    layer = ConvLSTM2D(3, 2, recurrent_activation="sigmoid")
    model = Model(x, layer(x))
    values = data(2, 1, 5, 6, 2)
    kernel, _, bias = layer.get_weights()
    image = K.placeholder((2, 5, 6, 2))
    product = K.function([image], [K.conv2d(image, K.constant(kernel)) + K.constant(bias)])
    i, _, c, o = np.split(product([values[:, 0]])[0], 4, axis=-1)
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(model.predict(values), sigmoid(o) * np.tanh(sigmoid(i) * np.tanh(c)),
                               rtol=1e-4, atol=1e-6)


def test_layouts_give_the_same_numbers():
    values, results = data(2, 3, 5, 4, 2), []
    for data_format in ("channels_last", "channels_first"):
        first = data_format == "channels_first"
        x = Input((3, 2, 5, 4) if first else (3, 5, 4, 2))
        layer = ConvLSTM2D(3, 2, strides=2, padding="same", data_format=data_format,
                           return_sequences=True)
        model = Model(x, layer(x))
        if first:
            layer.set_weights(results[0][1])
        y = model.predict(values.transpose(0, 1, 4, 2, 3) if first else values)
        results.append((y.transpose(0, 1, 3, 4, 2) if first else y, layer.get_weights()))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-4, atol=1e-6)


def test_images_of_any_size():
    x = Input((None, None, None, 2))
    layer = ConvLSTM2D(3, 2, return_state=True)
    y = layer(x)
    model = Model(x, y)
    for found in model.predict(data(2, 4, 6, 7, 2)):
        assert found.shape == (2, 5, 6, 3)
    assert layer.compute_output_shape((None, None, None, None, 2)) == [
        K.int_shape(one) for one in y]
    assert layer.compute_output_shape((2, 4, 6, 7, 2))[0] == (2, 5, 6, 3)


def test_a_stateful_layer_goes_on_where_it_ended():
    values = data(2, 4, 5, 5, 1)
    whole, parts = Input((4, 5, 5, 1)), Input(batch_shape=(2, 2, 5, 5, 1))
    one, other = ConvLSTM2D(2, 2, padding="same"), ConvLSTM2D(2, 2, padding="same", stateful=True)
    one, other = Model(whole, one(whole)), Model(parts, other(parts))
    other.set_weights(one.get_weights())
    other.predict(values[:, :2], batch_size=2)
    np.testing.assert_allclose(other.predict(values[:, 2:], batch_size=2), one.predict(values),
                               rtol=1e-4, atol=1e-6)


def test_masked_images_count_for_nothing():
    x = Input((None, 5, 5, 1))
    hidden = Lambda(lambda t: t, mask=lambda t, mask: K.any(K.not_equal(t, 0), axis=[2, 3, 4]))
    layer = ConvLSTM2D(2, 2)
    plain, masked = Model(x, layer(x)), Model(x, layer(hidden(x)))
    values = data(2, 3, 5, 5, 1)
    padded = np.concatenate([values, np.zeros((2, 2, 5, 5, 1))], axis=1)
    np.testing.assert_allclose(masked.predict(padded), plain.predict(values), rtol=1e-5, atol=1e-6)


def test_states_of_images_are_given():
    x, h, c = Input((3, 5, 5, 1)), Input((4, 4, 2)), Input((4, 4, 2))
    layer = ConvLSTM2D(2, 2)
    model = Model([x, h, c], layer(x, initial_state=[h, c]))
    values = [data(2, 3, 5, 5, 1), data(2, 4, 4, 2), data(2, 4, 4, 2)]
    assert np.abs(model.predict(values) - model.predict(
        [values[0], values[1] * 0, values[2] * 0])).max() > 1e-3
    with pytest.raises(ValueError, match="axis 3 must have the size 2"):
        layer(x, initial_state=[Input((4, 4, 5)), c])


@pytest.mark.parametrize("rates", [{"dropout": 0.4}, {"recurrent_dropout": 0.4}])
def test_dropout_in_training(rates):
    x = Input((3, 5, 5, 1))
    layer = ConvLSTM2D(2, 2, **rates)
    run = K.function([x, K.learning_phase()], [layer(x)])
    values = data(2, 3, 5, 5, 1)
    assert not np.array_equal(run([values, 1])[0], run([values, 1])[0])
    np.testing.assert_array_equal(run([values, 0])[0], run([values, 0])[0])


def test_dropout_of_gates_apart_keeps_the_numbers_in_testing():
    x = Input((3, 5, 5, 1))
    plain, dropping = ConvLSTM2D(2, 2), ConvLSTM2D(2, 2, dropout=0.4, recurrent_dropout=0.2)
    one, other = Model(x, plain(x)), Model(x, dropping(x))
    other.set_weights(one.get_weights())
    values = data(2, 3, 5, 5, 1)
    np.testing.assert_allclose(one.predict(values), other.predict(values), rtol=1e-4, atol=1e-6)


def test_both_directions_of_images():
    x = Input((3, 5, 5, 1))
    layer = Bidirectional(ConvLSTM2D(2, 2, return_sequences=True))
    y = layer(x)
    assert K.int_shape(y) == (None, 3, 4, 4, 4) == layer.compute_output_shape((None, 3, 5, 5, 1))
    assert Model(x, y).predict(data(2, 3, 5, 5, 1)).shape == (2, 3, 4, 4, 4)


def test_what_images_do_not_allow():
    with pytest.raises(TypeError, match="unroll must be False"):
        ConvLSTM2D(2, 2, unroll=True)
    with pytest.raises(TypeError, match="one cell is required"):
        ConvRNN2D([ConvLSTM2DCell(2, 2)])
    with pytest.raises(ValueError, match="5 axes are required"):
        ConvLSTM2D(2, 2)(Input((3, 5, 5)))
    with pytest.raises(ValueError, match="known batch size"):
        ConvLSTM2D(2, 2, stateful=True)(Input((3, 5, 5, 1)))


def test_a_layer_over_a_cell_of_images():
    x = Input((3, 5, 5, 1))
    one, other = ConvLSTM2D(2, 2), ConvRNN2D(ConvLSTM2DCell(2, 2))
    first, second = Model(x, one(x)), Model(x, other(x))
    second.set_weights(first.get_weights())
    values = data(2, 3, 5, 5, 1)
    np.testing.assert_array_equal(first.predict(values), second.predict(values))


# ---- cuDNN's layout

PAIRS = [(CuDNNLSTM, lambda **options: LSTM(3, **options)),
         (CuDNNGRU, lambda **options: GRU(3, reset_after=True, **options))]
IDS = ["LSTM", "GRU"]


def randomised(layer):
    layer.set_weights([data(*w.shape) for w in layer.weights])


@pytest.mark.parametrize("fast, plain", PAIRS, ids=IDS)
@pytest.mark.parametrize("back", [False, True])
def test_weights_of_either_layout_load_into_both(fast, plain, back, tmp_path):
    x, path = Input((5, 4)), str(tmp_path / "weights.h5")
    one = fast(3, return_sequences=True, go_backwards=back)
    other = plain(return_sequences=True, go_backwards=back)
    first, second = Model(x, one(x)), Model(x, other(x))
    values = data(2, 5, 4)
    for source, target in ((first, second), (second, first)):
        randomised(source.layers[-1])
        source.save_weights(path)
        target.load_weights(path)
        np.testing.assert_allclose(target.predict(values), source.predict(values), rtol=1e-5,
                                   atol=1e-6)


@pytest.mark.parametrize("fast, plain", PAIRS, ids=IDS)
def test_weights_load_inside_of_wrappers_and_models(fast, plain, tmp_path):
    path = str(tmp_path / "weights.h5")

    def model_of(layer):
        inner, x = Input((5, 4)), Input((5, 4))
        return Model(x, Model(inner, Bidirectional(layer)(inner), name="inner")(x))
    source, target = model_of(fast(3)), model_of(plain())
    source.save_weights(path)
    target.load_weights(path)
    values = data(2, 5, 4)
    np.testing.assert_allclose(target.predict(values), source.predict(values), rtol=1e-5,
                               atol=1e-6)


@pytest.mark.parametrize("gates", [3, 4])
def test_the_layout_is_keras_own(gates):
    """Keras transposes each gate's kernel and reads its elements in the order of columns."""
    weights = [data(4, 3 * gates), data(3, 3 * gates), data(6 * gates)]
    kernel, recurrent, bias = from_cudnn(weights)
    for gate in range(gates):
        part = slice(3 * gate, 3 * gate + 3)
        np.testing.assert_array_equal(
            kernel[:, part], weights[0][:, part].T.reshape((4, 3), order="F"))
        np.testing.assert_array_equal(recurrent[:, part], weights[1][:, part].T)
    halves = weights[2].reshape(2, -1)
    np.testing.assert_array_equal(bias, halves if gates == 3 else halves.sum(axis=0))
    again = from_cudnn(to_cudnn([kernel, recurrent, bias]))
    for one, other in zip(again, (kernel, recurrent, bias)):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_plain_gru_cannot_take_weights_for_reset_after(tmp_path):
    path, x = str(tmp_path / "weights.h5"), Input((5, 4))
    Model(x, CuDNNGRU(3)(x)).save_weights(path)
    with pytest.raises(ValueError, match="bias.*has the shape"):
        Model(x, GRU(3)(x)).load_weights(path)


def test_the_forget_gate_of_cudnns_lstm_begins_open():
    layer = CuDNNLSTM(2)
    layer(Input((5, 4)))
    np.testing.assert_array_equal(np.nonzero(layer.get_weights()[2])[0], [10, 11])


@pytest.mark.parametrize("cls", [CuDNNLSTM, CuDNNGRU])
def test_states_of_cudnns_layers(cls):
    x = Input(batch_shape=(2, 5, 4))
    layer = cls(3, return_state=True, stateful=True, kernel_regularizer="l2")
    model = Model(x, layer(x))
    assert len(layer.losses) == 1
    values = data(2, 5, 4)
    first = model.predict(values, batch_size=2)
    assert np.abs(model.predict(values, batch_size=2)[0] - first[0]).max() > 1e-4
    model.reset_states()
    np.testing.assert_array_equal(model.predict(values, batch_size=2)[0], first[0])
