"""Weights of Keras 1: layouts of kernels, gates with arrays of their own, states of optimizers."""
import h5py
import numpy as np
import pytest

from symk import backend as K
from symk.layers import (GRU, LSTM, Bidirectional, BatchNormalization, Conv1D, Conv2D,
                         Conv2DTranspose, Conv3D, Dense, Flatten, TimeDistributed)
from symk.models import Sequential, legacy, load_model
from symk.models.weights import load_weights
from symk.utils import hdf5

RANDOM = np.random.RandomState(0)


def drawn(shape):
    return RANDOM.normal(size=shape).astype("float32")


def built(layer, *shape):
    Sequential([layer]).build((None,) + shape)
    return layer


def old_gates(layer, order):
    """The arrays of Keras 1, gate by gate in its order, of a recurrent layer's weights."""
    arrays = []
    parts = [np.split(value, len(order), axis=-1) for value in layer.get_weights()]
    for gate in order:
        arrays += [part[gate] for part in parts]
    return arrays


@pytest.mark.parametrize("cls, order", [(LSTM, (0, 2, 1, 3)), (GRU, (0, 1, 2))])
def test_gates_are_joined(cls, order):
    layer = built(cls(3), 5, 2)
    layer.set_weights([drawn(weight.shape) for weight in layer.weights])
    arrays = old_gates(layer, order)
    assert legacy.old_count(layer) == len(arrays) == 3 * len(order)
    for got, expected in zip(legacy.modern_arrays(layer, arrays), layer.get_weights()):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("layer, shape, change", [
    (Conv2D(3, (4, 5), data_format="channels_first"), (2, 8, 8), (3, 2, 0, 1)),
    (Conv2D(3, (4, 5)), (8, 8, 2), (0, 1, 2, 3)),
    (Conv3D(3, (2, 3, 4), data_format="channels_first"), (2, 5, 5, 5), (4, 3, 0, 1, 2)),
    (Conv2DTranspose(3, (4, 5), data_format="channels_first"), (2, 8, 8), (2, 3, 0, 1)),
    (Conv2DTranspose(3, (4, 5)), (8, 8, 2), (0, 1, 3, 2))])
def test_kernels_had_other_orders_of_axes(layer, shape, change):
    """`change` makes the old kernel of the new one."""
    built(layer, *shape)
    kernel, bias = layer.get_weights()
    got = legacy.modern_arrays(layer, [kernel.transpose(change), bias])
    np.testing.assert_array_equal(got[0], kernel)


def test_kernels_of_sequences_had_an_axis_more():
    layer = built(Conv1D(3, 4), 9, 2)
    kernel, bias = layer.get_weights()
    for old in (kernel[:, np.newaxis], kernel[:, np.newaxis].transpose(3, 2, 0, 1)):
        np.testing.assert_array_equal(legacy.modern_arrays(layer, [old, bias])[0], kernel)


def test_layers_inside_of_layers_are_converted():
    layer = built(Bidirectional(LSTM(3)), 5, 2)
    arrays = (old_gates(layer.forward_layer, (0, 2, 1, 3))
              + old_gates(layer.backward_layer, (0, 2, 1, 3)))
    assert legacy.old_count(layer) == 24
    for got, expected in zip(legacy.modern_arrays(layer, arrays), layer.get_weights()):
        np.testing.assert_array_equal(got, expected)
    spread = built(TimeDistributed(Conv2D(3, 2, data_format="channels_first")), 4, 2, 5, 5)
    kernel, bias = spread.get_weights()
    got = legacy.modern_arrays(spread, [kernel.transpose(3, 2, 0, 1), bias])
    np.testing.assert_array_equal(got[0], kernel)


def test_models_inside_of_models_are_converted():
    """Their arrays are those of the trained weights, then the others."""
    conv, norm = Conv2D(3, 2, data_format="channels_first", input_shape=(2, 5, 5)), \
        BatchNormalization(axis=1)
    model = Sequential([conv, norm])
    model.set_weights([drawn(weight.shape) for weight in conv.weights + norm.weights])
    kernel, bias = conv.get_weights()
    gamma, beta, mean, variance = norm.get_weights()
    old = [kernel.transpose(3, 2, 0, 1), bias, gamma, beta, mean, variance]
    for got, weight in zip(legacy.modern_arrays(model, old), model.weights):
        np.testing.assert_array_equal(got, K.get_value(weight))


def write_old_weights(path, layers_and_arrays, suffix=""):
    """A file of weights as Keras 1 wrote it: no version; names without ":0" on Theano."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name, _ in layers_and_arrays])
        for name, arrays in layers_and_arrays:
            group = file.create_group(name)
            names = ["%s_%d%s" % (name, number, suffix) for number in range(len(arrays))]
            group.attrs["weight_names"] = np.array([one.encode() for one in names])
            for one, array in zip(names, arrays):
                group.create_dataset(one, data=array)


@pytest.mark.parametrize("suffix, flip", [("", True), (":0", False)])
def test_kernels_of_theano_are_turned_round(tmp_path, suffix, flip):
    model = Sequential([Conv2D(3, (2, 3), input_shape=(5, 5, 2)), Flatten(), Dense(2)])
    kernel, bias, weights, other = map(drawn, [weight.shape for weight in model.weights])
    path = str(tmp_path / "old.h5")
    write_old_weights(path, [("c", [kernel, bias]), ("f", []), ("d", [weights, other])], suffix)
    load_weights(model, path)
    np.testing.assert_array_equal(model.get_weights()[0],
                                  kernel[::-1, ::-1] if flip else kernel)
    np.testing.assert_array_equal(model.get_weights()[2], weights)


def test_a_wrong_number_of_gates_is_named(tmp_path):
    model = Sequential([LSTM(3, input_shape=(5, 2), name="rnn")])
    path = str(tmp_path / "old.h5")
    write_old_weights(path, [("rnn", [drawn((2, 3))] * 9)])
    with pytest.raises(ValueError, match=r'"rnn" \(LSTM\) has 12 weights; the file has 9'):
        load_weights(model, path)


def test_arrays_in_another_layout_are_named(tmp_path):
    model = Sequential([Conv2D(3, (2, 2), data_format="channels_first", input_shape=(2, 5, 5),
                               name="conv")])
    path = str(tmp_path / "old.h5")
    write_old_weights(path, [("conv", [drawn((3, 2)), drawn((3,))])])
    with pytest.raises(ValueError, match='layer "conv".*must have the layout'):
        load_weights(model, path)


def test_states_of_optimizers_were_sorted_by_name():
    dense, rnn = Dense(2, name="a"), LSTM(3, name="b")
    model = Sequential([rnn, dense])
    model.build((None, 5, 2))
    values = [drawn(weight.shape) for weight in model.weights]
    model.set_weights(values)
    names = {rnn: ["b_%s_%s" % (role, gate) for gate in "icfo" for role in "WUb"],
             dense: ["a_W", "a_b"]}
    arrays = dict(zip(names[rnn], old_gates(rnn, (0, 2, 1, 3))), a_W=values[3], a_b=values[4])
    group = [arrays[name] for name in sorted(arrays)]
    state = legacy.modern_state([(rnn, names[rnn]), (dense, names[dense])],
                                [np.array(7)] + group + [2 * one for one in group])
    assert state[0] == 7
    for got, expected in zip(state[1:], values + [2 * value for value in values]):
        np.testing.assert_array_equal(got, expected)


def test_arrays_that_are_no_state_are_left_alone():
    dense = built(Dense(2), 3)
    assert legacy.modern_state([(dense, ["W", "b"])], [np.array(0), drawn((3, 2))]) is None


def test_state_of_tf_keras_goes_variable_by_variable(tmp_path):
    model = Sequential([Dense(2, input_shape=(3,), name="d")])
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((4, 3)), np.zeros((4, 2)))
    path = str(tmp_path / "m.h5")
    model.save(path)
    steps, m_kernel, m_bias, v_kernel, v_bias = model.optimizer.get_weights()[:5]
    with h5py.File(path, "r+") as file:
        del file["optimizer_weights"]
        hdf5.write_arrays(file.create_group("optimizer_weights"), [
            ("iteration:0", steps), ("Adam/m/d/kernel:0", m_kernel),
            ("Adam/v/d/kernel:0", v_kernel), ("Adam/m/d/bias:0", m_bias),
            ("Adam/v/d/bias:0", v_bias)])
    got = load_model(path).optimizer.get_weights()
    for one, other in zip(got[:5], (steps, m_kernel, m_bias, v_kernel, v_bias)):
        np.testing.assert_array_equal(one, other)
