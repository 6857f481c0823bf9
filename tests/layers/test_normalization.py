"""BatchNormalization."""
import numpy as np
import pytest

from symk.layers import BatchNormalization, Dense, Input
from symk.models import Model, Sequential


@pytest.mark.parametrize("options, shape", [
    ({}, (6, 4)), ({}, (3, 4, 5, 2)), ({"axis": 1}, (3, 2, 4, 5)),
    ({"scale": False}, (6, 4)), ({"center": False}, (6, 4))])
def test_batch_normalization(layer_test, options, shape):
    layer_test(BatchNormalization(**options), shape, training_changes_values=True)


def test_training_normalises_by_the_batch():
    model = Sequential([BatchNormalization(input_shape=(3,), momentum=0.0)])
    model.compile("sgd", "mse")
    x = np.random.normal(5, 3, (64, 3))
    assert model.train_on_batch(x, (x - x.mean(axis=0)) / x.std(axis=0)) < 1e-3


def test_moving_values_move_as_in_keras():
    layer = BatchNormalization(input_shape=(2,), momentum=0.9)
    model = Sequential([layer])
    model.compile("sgd", "mse")
    x = np.random.normal(1, 2, (8, 2)).astype("float32")
    model.train_on_batch(x, x)
    mean, variance = layer.get_weights()[2:]
    corrected = x.var(axis=0) * 8 / (8 - 1 - 1e-3)
    np.testing.assert_allclose(mean, 0.1 * x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * corrected, rtol=1e-5)


def test_evaluation_moves_nothing():
    layer = BatchNormalization(input_shape=(2,))
    model = Sequential([layer])
    model.compile("sgd", "mse")
    before = layer.get_weights()
    model.evaluate(np.ones((4, 2)), np.ones((4, 2)), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights()))


def test_a_frozen_layer_moves_nothing():
    layer = BatchNormalization(input_shape=(2,))
    layer.trainable = False
    model = Sequential([layer, Dense(1)])
    model.compile("sgd", "mse")
    before = layer.get_weights()
    model.train_on_batch(np.random.normal(size=(4, 2)), np.ones((4, 1)))
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights()))


def test_a_shared_layer_moves_twice():
    layer = BatchNormalization(momentum=0.5)
    a, b = Input(shape=(2,)), Input(shape=(2,))
    model = Model([a, b], [layer(a), layer(b)])
    model.compile("sgd", "mse")
    one, two = np.full((4, 2), 1.0), np.full((4, 2), 3.0)
    model.train_on_batch([one, two], [one, two])
    np.testing.assert_allclose(layer.get_weights()[2], [0.5 * (0.5 * 0 + 0.5 * 1) + 0.5 * 3] * 2)


def test_the_axis_must_be_one_of_the_input():
    with pytest.raises(ValueError, match="axis=4"):
        BatchNormalization(axis=4)(Input(shape=(2,)))
