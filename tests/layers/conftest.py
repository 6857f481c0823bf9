"""`layer_test`: what every layer must do, checked by one call."""
import json

import numpy as np
import pytest

from symk import backend as K
from symk.config import settings
from symk.layers import Input, deserialize, serialize
from symk.models import Model, Sequential


def check_layer(layer, shape, expected=None, training_changes_values=False):
    """Checks a layer on random data of a shape (with the batch axis).

    * its output has the static shape that it says, for other batch sizes too;
    * the runtime gives the values that NumPy gives, and `expected` (a function of the data) does;
    * a layer made from its config by way of JSON has the same config, and with the same weights
      the same output;
    * weights can be read and set;
    * one step of training runs, and changes every trainable weight.
    """
    x = np.random.uniform(-1, 1, shape).astype("float32")
    inputs = Input(batch_shape=(None,) + tuple(shape[1:]))
    outputs = layer(inputs)
    assert layer.compute_output_shape((None,) + tuple(shape[1:])) == K.int_shape(outputs)
    layer.set_weights([np.random.uniform(0.1, 1, w.shape) for w in layer.weights])
    model = Model(inputs, outputs)
    values = _values(model, x)
    assert all(size in (None, given) for size, given in zip(K.int_shape(outputs), values.shape))
    assert _values(model, x[:1]).shape == (1,) + values.shape[1:]
    if expected is not None:
        np.testing.assert_allclose(values, expected(x), rtol=1e-5, atol=1e-6)
    _check_config(layer, x, values)
    _check_training(model, x, values, training_changes_values)
    return values


def _values(model, x):
    """The outputs by the runtime, after a comparison with those by NumPy."""
    values = {}
    for settings.mode in ("reference", "native"):
        model._predict = None
        values[settings.mode] = model.predict_on_batch(x)
    np.testing.assert_allclose(values["native"], values["reference"], rtol=1e-4, atol=1e-5)
    return values["native"]


def _check_config(layer, x, values):
    config = json.loads(json.dumps(serialize(layer)))
    again = deserialize(config)
    assert json.loads(json.dumps(serialize(again))) == config
    config["config"].pop("batch_input_shape", None)
    copy = deserialize(dict(config, config=dict(config["config"], batch_input_shape=(None,)
                                                + x.shape[1:])))
    model = Sequential([copy])
    copy.set_weights(layer.get_weights())
    np.testing.assert_allclose(model.predict_on_batch(x), values, rtol=1e-5, atol=1e-6)


def _check_training(model, x, values, changes):
    before = model.get_weights()
    model.compile("sgd", "mse")
    loss = model.train_on_batch(x, values + np.random.uniform(0.5, 1, values.shape))
    assert np.isfinite(loss)
    assert changes or loss < 1.1
    for weight, old in zip(model.trainable_weights, before):
        assert not np.array_equal(K.get_value(weight), old), weight.name


@pytest.fixture
def layer_test():
    return check_layer
