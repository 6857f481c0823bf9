"""Activations: their formulas are K's; here are names, limits and configs."""
import numpy as np
import pytest

from symk import activations
from symk import backend as K
from symk.layers import Activation, Dense, Dropout, LeakyReLU
from symk.models import Sequential, model_from_json
from symk.utils import CustomObjectScope

NAMES = ["softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid",
         "hard_sigmoid", "exponential", "linear"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_leads_to_the_function_and_back(name):
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.serialize(function) == name
    assert activations.deserialize(name) is function
    x = K.placeholder((None, 3))
    assert K.int_shape(function(x)) == (None, 3)


def test_get_takes_functions_and_none():
    def own(x):
        return x
    assert activations.get(own) is own
    assert activations.get(None) is activations.linear


def test_selu_keeps_mean_and_variance():
    x = np.random.normal(size=(100000, 1))
    y = K.eval(activations.selu(K.constant(x)))
    assert abs(y.mean()) < 0.02 and abs(y.std() - 1) < 0.02


def test_arguments_reach_the_function():
    x = K.constant([[-2.0, 1.0, 8.0]])
    assert K.eval(activations.relu(x, alpha=0.5, max_value=6.0)).tolist() == [[-1.0, 1.0, 6.0]]
    np.testing.assert_allclose(K.eval(activations.elu(x, alpha=2.0))[0, 0], 2 * np.expm1(-2.0),
                               rtol=1e-5)
    np.testing.assert_allclose(K.eval(activations.exponential(x)), np.exp([[-2, 1, 8]]), rtol=1e-5)


def test_softmax_needs_two_axes():
    with pytest.raises(ValueError, match="two axes or more"):
        activations.softmax(K.ones((3,)))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="known activation is required; 'nope' was given"):
        activations.get("nope")


def test_a_layer_as_activation_warns():
    layer = Dropout(0.5)
    with pytest.warns(UserWarning, match="Add it as a layer"):
        assert activations.get(layer) is layer


def test_models_with_layers_as_activations_are_saved():
    def swish(x):
        return x * K.sigmoid(x)
    x = np.random.normal(size=(4, 3))
    with CustomObjectScope({"swish": Activation(swish)}):
        named = Sequential([Dense(2, activation="swish", input_shape=(3,))])
        assert named.layers[0].get_config()["activation"] == "swish"
    copy = model_from_json(named.to_json(), {"swish": swish})
    copy.set_weights(named.get_weights())
    np.testing.assert_array_equal(copy.predict(x), named.predict(x))
    with pytest.warns(UserWarning):
        unnamed = Sequential([Dense(2, activation=LeakyReLU(0.2), input_shape=(3,))])
        copy = model_from_json(unnamed.to_json())
    copy.set_weights(unnamed.get_weights())
    np.testing.assert_array_equal(copy.predict(x), unnamed.predict(x))
