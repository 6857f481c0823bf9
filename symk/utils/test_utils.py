"""What Keras users test their own layers with: `layer_test`, and random data sets.

These are the only tools that build models, so this file stands below the models and no other
imports it.
"""
import json

import numpy as np

from .. import backend as K
from ..layers import Input, deserialize, serialize
from ..models import Model, Sequential

__all__ = ["get_test_data", "layer_test"]


def get_test_data(num_train=1000, num_test=500, input_shape=(10,), output_shape=(2,),
                  classification=True, num_classes=2):
    """Random data that can be learned: ((x_train, y_train), (x_test, y_test)).

    Args:     classification: whether y are numbers of classes, else arrays of `output_shape`.
    """
    samples = num_train + num_test
    if classification:
        y = np.random.randint(0, num_classes, size=(samples,))
        targets = y.reshape((-1,) + (1,) * len(input_shape))
        x = targets + np.random.normal(0, 0.7, (samples,) + tuple(input_shape))
    else:
        levels = np.random.random((samples,))
        x = levels.reshape((-1,) + (1,) * len(input_shape)) + np.zeros(
            (samples,) + tuple(input_shape))
        y = levels.reshape((-1,) + (1,) * len(output_shape)) + np.zeros(
            (samples,) + tuple(output_shape))
    return (x[:num_train], y[:num_train]), (x[num_train:], y[num_train:])


def layer_test(layer_cls, kwargs=None, input_shape=None, input_dtype=None, input_data=None,
               expected_output=None, expected_output_dtype=None, fixed_batch_size=False):
    """Checks what every layer with one input and one output must do; raises AssertionError.

    * the output has the static shape and dtype that the layer says, for other batch sizes too;
    * weights can be read, set, and given to a new layer;
    * a model with the layer, and the layer itself, can be made again from their configs by way of
      JSON, and compute the same;
    * a training step runs, alone and in a Sequential.

    Args:     layer_cls: a class of layers. kwargs: the arguments of one.
              input_shape: with the batch axis, None where any size will do; or `input_data`.
              expected_output: the values of the output, if they are known.
              fixed_batch_size: whether the layer needs to know the batch size.
    Returns:  the output.
    """
    data, shape = _data(input_shape, input_dtype, input_data)
    batch = shape if fixed_batch_size else (None,) + shape[1:]
    kwargs = kwargs or {}
    layer = layer_cls(**kwargs)
    inputs = Input(batch_shape=batch, dtype=str(data.dtype))
    outputs = layer(inputs)
    assert K.dtype(outputs) == (expected_output_dtype or K.floatx()), K.dtype(outputs)
    model = Model(inputs, outputs)
    values = model.predict(data, batch_size=len(data))
    _check_shapes(layer, batch, outputs, values)
    if expected_output is not None:
        np.testing.assert_allclose(values, expected_output, rtol=1e-3, atol=1e-6)
    _check_weights(layer, layer_cls, kwargs, inputs)
    _check_configs(layer, model, data, batch)
    _check_training(model, data, values)
    return values


def _data(shape, dtype, data):
    """The data, and its shape with None where the layer shall not know a size."""
    dtype = dtype or (K.floatx() if data is None else str(np.asarray(data).dtype))
    if data is not None:
        data = np.asarray(data)
        return data.astype(dtype), tuple(data.shape) if shape is None else tuple(shape)
    known = [np.random.randint(1, 4) if size is None else size for size in shape]
    return (10 * np.random.random(known)).astype(dtype), tuple(shape)


def _check_shapes(layer, batch, outputs, values):
    assert layer.compute_output_shape(batch) == K.int_shape(outputs)
    assert values.ndim == len(K.int_shape(outputs))
    for said, found in zip(K.int_shape(outputs), values.shape):
        assert said in (None, found), (K.int_shape(outputs), values.shape)


def _check_weights(layer, layer_cls, kwargs, inputs):
    weights = layer.get_weights()
    layer.set_weights(weights)
    again = layer_cls(weights=weights, **kwargs)
    again(inputs)
    for one, other in zip(again.get_weights(), weights):
        np.testing.assert_array_equal(one, other)


def _check_configs(layer, model, data, batch):
    custom = {type(layer).__name__: type(layer)}
    config = json.loads(json.dumps(serialize(layer)))
    assert json.loads(json.dumps(serialize(deserialize(config, custom)))) == config
    expected = _prediction(model, data)
    text = json.loads(json.dumps(model.get_config()))
    again = Model.from_config(text, custom_objects=custom)
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(_prediction(again, data), expected, rtol=1e-3, atol=1e-5)
    config["config"].update(batch_input_shape=batch)
    first = deserialize(config, custom)
    chain = Sequential([first]) if data.dtype == first.dtype else Sequential(
        [Input(batch_shape=batch, dtype=str(data.dtype))._keras_history.layer, first])
    chain.set_weights(model.get_weights())
    np.testing.assert_allclose(_prediction(chain, data), expected, rtol=1e-3, atol=1e-5)


def _prediction(model, data):
    """The output for the data, from the first states of stateful layers."""
    if model.stateful:
        model.reset_states()
    return model.predict(data, batch_size=len(data))


def _check_training(model, data, values):
    model.compile("rmsprop", "mse")
    assert np.isfinite(model.train_on_batch(data, values))
