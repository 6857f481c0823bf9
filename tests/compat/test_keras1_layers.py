"""What layers keep in Keras 1: the layout of arrays, the order of values, moving statistics."""
import importlib

import numpy as np
import pytest

from symk import backend as K
from symk import compat


@pytest.fixture
def keras():
    def install(*args, **kwargs):
        compat.install(*args, **kwargs)
        return importlib.import_module("keras")
    yield install
    compat.uninstall()
    K.set_image_data_format("channels_last")


def test_arrays_of_weights_are_laid_out_as_in_keras_1(keras):
    keras(1)
    from keras.layers import (GRU, LSTM, Bidirectional, Convolution1D, Convolution2D,
                              Convolution3D, Deconvolution2D, TimeDistributed)
    from keras.models import Sequential

    def shapes(layer):
        model = Sequential([layer])
        arrays = [np.random.uniform(size=array.shape) for array in model.get_weights()]
        model.set_weights(arrays)
        for array, again in zip(arrays, layer.get_weights()):
            np.testing.assert_allclose(array, again, rtol=1e-6)
        return [array.shape for array in arrays]

    assert shapes(Convolution2D(4, 2, 3, dim_ordering="th", input_shape=(5, 6, 7)))[0] == (
        4, 5, 2, 3)
    assert shapes(Convolution2D(4, 2, 3, dim_ordering="tf", input_shape=(6, 7, 5)))[0] == (
        2, 3, 5, 4)
    assert shapes(Convolution3D(4, 2, 3, 1, dim_ordering="th", input_shape=(5, 6, 7, 8)))[0] == (
        4, 5, 2, 3, 1)
    assert shapes(Convolution1D(4, 3, input_shape=(6, 5)))[0] == (3, 1, 5, 4)
    assert shapes(Deconvolution2D(4, 2, 2, (None, 4, 6, 6), dim_ordering="th",
                                  input_shape=(5, 5, 5)))[0] == (4, 5, 2, 2)
    gates = [(3, 2), (2, 2), (2,)]
    assert shapes(LSTM(2, input_shape=(4, 3))) == 4 * gates
    assert shapes(GRU(2, consume_less="gpu", input_shape=(4, 3))) == [(3, 6), (2, 6), (6,)]
    assert shapes(Bidirectional(GRU(2), input_shape=(4, 3))) == 6 * gates
    assert shapes(TimeDistributed(Convolution2D(4, 2, 3, dim_ordering="th"),
                                  input_shape=(2, 5, 6, 7)))[0] == (4, 5, 2, 3)


def test_models_inside_keep_the_order_of_their_arrays(keras):
    keras(1)
    from keras.layers import LSTM, BatchNormalization, Convolution2D, Flatten, Reshape
    from keras.layers import TimeDistributed
    from keras.models import Sequential

    inner = Sequential([
        Convolution2D(2, 2, 3, dim_ordering="th", input_shape=(1, 5, 5)), BatchNormalization(),
        Flatten(), Reshape((1, -1)), LSTM(2, consume_less="gpu")])
    for model in (Sequential([inner]), Sequential([TimeDistributed(inner,
                                                                   input_shape=(3, 1, 5, 5))])):
        arrays = [np.random.uniform(size=array.shape) for array in model.get_weights()]
        assert arrays[0].shape == (2, 1, 2, 3) and len(arrays) == 9
        model.set_weights(arrays)
        for array, again in zip(arrays, model.get_weights()):
            np.testing.assert_allclose(array, again, rtol=1e-6)


def test_gates_have_the_order_of_keras_1(keras):
    keras(1)
    from keras.layers import LSTM
    from keras.models import Sequential

    model = Sequential([LSTM(2, input_shape=(4, 3))])
    assert [float(array[0]) for array in model.get_weights()[2::3]] == [0, 0, 1, 0]   # i, c, f, o


def test_kernels_are_turned_on_theano(keras):
    keras(1, backend="theano", image_dim_ordering="th")
    from keras.layers import Convolution2D
    from keras.models import Sequential

    model = Sequential([Convolution2D(1, 2, 2, input_shape=(1, 2, 2))])
    kernel = np.arange(4.0).reshape(1, 1, 2, 2)
    model.set_weights([kernel, np.zeros(1)])
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    image = np.eye(4).reshape(4, 1, 2, 2)
    np.testing.assert_array_equal(model.predict(image).ravel(), [3, 2, 1, 0])


def test_values_are_flattened_in_the_order_that_they_have(keras):
    keras(1, image_dim_ordering="th")
    from keras.layers import Flatten
    from keras.models import Sequential

    x = np.random.uniform(size=(2, 3, 4, 5)).astype("float32")
    model = Sequential([Flatten(input_shape=(3, 4, 5))])
    np.testing.assert_array_equal(model.predict(x), x.reshape(2, -1))


def test_the_moving_variance_is_that_of_the_batch(keras):
    keras(1)
    from keras.layers import BatchNormalization
    from keras.models import Sequential

    model = Sequential([BatchNormalization(momentum=0.5, input_shape=(1,))])
    model.compile("sgd", "mse")
    x = np.array([[0.0], [4.0]])
    model.train_on_batch(x, x)
    np.testing.assert_allclose(model.get_weights()[3], [0.5 * 1 + 0.5 * 4], rtol=1e-5)
