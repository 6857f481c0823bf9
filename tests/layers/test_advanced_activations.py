"""Activations that are layers."""
import numpy as np
import pytest

from symk.layers import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU

SHAPE = (3, 4, 5)


def test_leaky_relu(layer_test):
    layer_test(LeakyReLU(0.2), SHAPE, lambda x: np.where(x > 0, x, 0.2 * x), True)


def test_prelu(layer_test):
    layer_test(PReLU(), SHAPE, training_changes_values=True)
    layer = PReLU(shared_axes=[1])
    layer_test(layer, SHAPE, training_changes_values=True)
    assert layer.get_weights()[0].shape == (1, 5)


def test_elu(layer_test):
    layer_test(ELU(0.5), SHAPE, lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), True)


def test_thresholded_relu(layer_test):
    layer_test(ThresholdedReLU(0.3), SHAPE, lambda x: np.where(x > 0.3, x, 0), True)


def test_softmax(layer_test):
    layer_test(Softmax(axis=1), SHAPE,
               lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True), True)


def test_relu(layer_test):
    layer_test(ReLU(max_value=0.5), SHAPE, lambda x: np.clip(x, 0, 0.5), True)
    layer_test(ReLU(negative_slope=0.1), SHAPE, lambda x: np.where(x > 0, x, 0.1 * x), True)


@pytest.mark.parametrize("options", [{"max_value": -1.0}, {"negative_slope": -0.1}])
def test_relu_refuses_negative_arguments(options):
    with pytest.raises(ValueError, match="must be at least 0"):
        ReLU(**options)
