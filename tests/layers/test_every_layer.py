"""Every registered layer that has one input, in both image layouts and all float dtypes."""
import json
import zlib

import numpy as np
import pytest

from symk import layers, registry
from symk.config import settings
from symk.layers import Input
from symk.models import Model
from symk.utils.test_utils import layer_test

# Layers of several inputs and what is no layer of its own; each has tests elsewhere.
OTHERS = {"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract",
          "InputLayer", "Merge", "Model", "Functional", "Sequential"}

SEQUENCE, IMAGE, VOLUME, IMAGES = (2, 5, 3), (2, 5, 6, 3), (2, 4, 5, 3, 2), (2, 3, 5, 4, 2)
FIRST = {"data_format": "channels_first"}


def row(name, shape, dtype=None, fixed_batch_size=False, **kwargs):
    """A test of a layer: its class name and arguments, and the shape of its input."""
    label = "-".join([name] + ["%s=%s" % item for item in kwargs.items()
                               if isinstance(item[1], (int, float, str, bool, type(None)))])
    return pytest.param(name, kwargs, shape, dtype, fixed_batch_size, id=label)


def inner(name, **kwargs):
    return getattr(layers, name)(**kwargs)


ROWS = [
    row("Dense", (2, 3), units=4, activation="relu", kernel_regularizer="l2"),
    row("Dense", (2, 3, 4), units=2, use_bias=False),
    row("Activation", (2, 3), activation="tanh"),
    row("Dropout", (2, 3), rate=0.3),
    row("SpatialDropout1D", SEQUENCE, rate=0.3),
    row("SpatialDropout2D", IMAGE, rate=0.3),
    row("SpatialDropout2D", IMAGE, rate=0.3, **FIRST),
    row("SpatialDropout3D", VOLUME, rate=0.3),
    row("GaussianNoise", (2, 3), stddev=0.3),
    row("GaussianDropout", (2, 3), rate=0.3),
    row("AlphaDropout", (2, 3), rate=0.3),
    row("Flatten", IMAGE),
    row("Flatten", IMAGE, **FIRST),
    row("Reshape", (2, 6, 4), target_shape=(-1, 8)),
    row("Permute", SEQUENCE, dims=(2, 1)),
    row("RepeatVector", (2, 3), n=4),
    row("Masking", SEQUENCE, mask_value=1.0),
    row("ActivityRegularization", (2, 3), l1=0.1, l2=0.2),
    row("Embedding", (2, 4), dtype="int32", input_dim=12, output_dim=3),
    row("Embedding", (2, 4), dtype="int32", input_dim=12, output_dim=3, mask_zero=True,
        input_length=4),
    row("Embedding", (2, 4), dtype="int32", input_dim=12, output_dim=3, dropout=0.3),
    row("MaxoutDense", (2, 3), output_dim=4, nb_feature=2),
    row("Highway", (2, 3), activation="relu", bias=False),
    row("TimeDistributedDense", SEQUENCE, units=4, activation="relu"),
    row("ParametricSoftplus", (2, 3), alpha_init=0.5, beta_init=2.0),
    row("SReLU", IMAGE, shared_axes=[1, 2]),
    row("LeakyReLU", (2, 3), alpha=0.1),
    row("PReLU", IMAGE, shared_axes=[1, 2]),
    row("ELU", (2, 3), alpha=0.5),
    row("ThresholdedReLU", (2, 3), theta=0.5),
    row("Softmax", SEQUENCE, axis=1),
    row("ReLU", (2, 3), max_value=6.0, negative_slope=0.1, threshold=0.5),
    row("BatchNormalization", (4, 3)),
    row("BatchNormalization", (4, 3), mode=1),
    row("BatchNormalization", (4, 3), mode=2),
    row("BatchNormalization", IMAGE, axis=1, scale=False),
    row("Conv1D", SEQUENCE, filters=4, kernel_size=2, dilation_rate=2),
    row("Conv1D", (2, None, 3), filters=4, kernel_size=3, padding="causal"),
    row("Conv1D", SEQUENCE, filters=2, kernel_size=2, strides=2, padding="same", **FIRST),
    row("Conv2D", IMAGE, filters=4, kernel_size=(3, 2)),
    row("Conv2D", (2, None, None, 3), filters=4, kernel_size=3, strides=2, padding="same"),
    row("Conv2D", IMAGE, filters=4, kernel_size=2, **FIRST),
    row("Conv3D", VOLUME, filters=3, kernel_size=2),
    row("Conv3D", VOLUME, filters=3, kernel_size=2, strides=2, padding="same", **FIRST),
    row("Conv2DTranspose", IMAGE, filters=2, kernel_size=3, strides=2),
    row("Conv2DTranspose", IMAGE, filters=2, kernel_size=3, strides=2, padding="same",
        output_padding=1),
    row("Conv2DTranspose", IMAGE, filters=2, kernel_size=2, dilation_rate=2, **FIRST),
    row("Conv3DTranspose", VOLUME, filters=2, kernel_size=2, strides=2),
    row("Conv3DTranspose", VOLUME, filters=2, kernel_size=2, padding="same", **FIRST),
    row("SeparableConv1D", SEQUENCE, filters=4, kernel_size=3, depth_multiplier=2),
    row("SeparableConv2D", IMAGE, filters=4, kernel_size=3, padding="same"),
    row("SeparableConv2D", IMAGE, filters=4, kernel_size=2, strides=2, **FIRST),
    row("DepthwiseConv2D", IMAGE, kernel_size=3, depth_multiplier=2),
    row("DepthwiseConv2D", IMAGE, kernel_size=2, strides=2, padding="same", **FIRST),
    row("LocallyConnected1D", SEQUENCE, filters=4, kernel_size=3),
    row("LocallyConnected2D", IMAGE, filters=4, kernel_size=(3, 2), strides=2),
    row("LocallyConnected2D", IMAGE, filters=4, kernel_size=2, **FIRST),
    row("ZeroPadding1D", SEQUENCE, padding=(1, 2)),
    row("ZeroPadding2D", IMAGE, padding=((1, 0), (0, 2)), **FIRST),
    row("ZeroPadding3D", VOLUME, padding=(1, 2, 0)),
    row("Cropping1D", SEQUENCE, cropping=(1, 2)),
    row("Cropping2D", (2, None, None, 3), cropping=((0, 0), (0, 0))),
    row("Cropping2D", IMAGE, cropping=((1, 0), (0, 1)), **FIRST),
    row("Cropping3D", VOLUME, cropping=(1, 1, 0)),
    row("UpSampling1D", SEQUENCE, size=3),
    row("UpSampling2D", IMAGE, size=(2, 3)),
    row("UpSampling2D", IMAGE, size=2, interpolation="bilinear", **FIRST),
    row("UpSampling3D", VOLUME, size=2),
    row("MaxPooling1D", SEQUENCE), row("MaxPooling1D", SEQUENCE, padding="same", **FIRST),
    row("AveragePooling1D", (2, None, 3), pool_size=3, strides=1, padding="same"),
    row("MaxPooling2D", IMAGE), row("MaxPooling2D", IMAGE, padding="same", **FIRST),
    row("AveragePooling2D", IMAGE, strides=1),
    row("MaxPooling3D", VOLUME), row("MaxPooling3D", VOLUME, padding="same", **FIRST),
    row("AveragePooling3D", VOLUME, strides=1),
    row("GlobalAveragePooling1D", SEQUENCE), row("GlobalAveragePooling1D", SEQUENCE, **FIRST),
    row("GlobalMaxPooling1D", SEQUENCE), row("GlobalMaxPooling1D", SEQUENCE, **FIRST),
    row("GlobalAveragePooling2D", IMAGE), row("GlobalMaxPooling2D", IMAGE, **FIRST),
    row("GlobalAveragePooling3D", VOLUME), row("GlobalMaxPooling3D", VOLUME, **FIRST),
    row("SimpleRNN", SEQUENCE, units=4),
    row("SimpleRNN", (2, None, 3), units=4, return_sequences=True, recurrent_dropout=0.2),
    row("GRU", SEQUENCE, units=4, implementation=1, dropout=0.1),
    row("GRU", SEQUENCE, units=4, reset_after=True, go_backwards=True),
    row("GRU", SEQUENCE, units=4, unroll=True),
    row("LSTM", SEQUENCE, units=4, implementation=1, recurrent_dropout=0.1),
    row("LSTM", (2, None, 3), units=4, return_sequences=True),
    row("LSTM", SEQUENCE, units=4, stateful=True, fixed_batch_size=True),
    row("LSTM", SEQUENCE, units=4, unroll=True, unit_forget_bias=False),
    row("CuDNNGRU", SEQUENCE, units=4, return_sequences=True),
    row("CuDNNLSTM", SEQUENCE, units=4),
    row("RNN", SEQUENCE, cell=[inner("LSTMCell", units=4), inner("GRUCell", units=3)]),
    row("RNN", SEQUENCE, cell=inner("SimpleRNNCell", units=4), return_sequences=True),
    row("ConvLSTM2D", IMAGES, filters=3, kernel_size=2, padding="same"),
    row("ConvLSTM2D", (2, 3, None, None, 2), filters=3, kernel_size=2, return_sequences=True),
    row("ConvLSTM2D", (2, 3, 2, 5, 4), filters=3, kernel_size=2, strides=2, **FIRST),
    row("TimeDistributed", SEQUENCE, layer=inner("Dense", units=4)),
    row("TimeDistributed", IMAGES, layer=inner("Conv2D", filters=3, kernel_size=2)),
    row("Bidirectional", SEQUENCE, layer=inner("LSTM", units=4)),
    row("Bidirectional", SEQUENCE, layer=inner("GRU", units=4, return_sequences=True),
        merge_mode="sum"),
]

CELLS = {"SimpleRNNCell", "GRUCell", "LSTMCell", "StackedRNNCells", "ConvLSTM2DCell"}
FUNCTIONS = {"Lambda"}      # saved as bytecode, so a round trip needs custom objects


def fresh(kwargs):
    """Arguments with new layers in place of those among them, which a test has built."""
    def copy(value):
        if isinstance(value, layers.Layer):
            return layers.deserialize(layers.serialize(value))
        return [copy(one) for one in value] if isinstance(value, list) else value
    return {name: copy(value) for name, value in kwargs.items()}


@pytest.fixture(autouse=True)
def seeded(request):
    np.random.seed(zlib.crc32(request.node.name.encode()))


def test_every_layer_has_a_row():
    rows = {param.values[0] for param in ROWS}
    own = {name for name, cls in registry.table("layer").items()
           if cls.__module__.startswith("symk.")}
    assert own == rows | OTHERS | CELLS | FUNCTIONS


@pytest.mark.parametrize("name, kwargs, shape, dtype, fixed_batch_size", ROWS)
def test_layer(name, kwargs, shape, dtype, fixed_batch_size):
    cls = getattr(layers, name)
    layer_test(lambda **more: cls(**fresh(kwargs), **more), input_shape=shape, input_dtype=dtype,
               fixed_batch_size=fixed_batch_size)


@pytest.mark.parametrize("name, kwargs, shape, dtype, fixed_batch_size", ROWS)
def test_all_dtypes_and_both_modes_agree(name, kwargs, shape, dtype, fixed_batch_size, monkeypatch):
    """The runtime in each float dtype, and NumPy in float64, compute the same output."""
    known = [3 if size is None else size for size in shape]
    data = np.random.uniform(0, 3, known)
    weights, values = None, {}
    for floatx, mode in (("float64", "reference"), ("float64", "native"), ("float32", "native"),
                         ("float16", "native")):
        monkeypatch.setattr(settings, "mode", mode)
        monkeypatch.setattr(settings, "floatx", floatx)
        x = Input(batch_shape=tuple(known), dtype=dtype)
        layer = getattr(layers, name)(**relocated(fresh(kwargs), floatx))
        y = layer(x)
        weights = random_weights(layer) if weights is None else weights
        layer.set_weights(weights)
        values[floatx, mode] = Model(x, y).predict_on_batch(data.astype(dtype or floatx))
        assert values[floatx, mode].dtype == floatx
    exact = values["float64", "reference"]
    assert np.isfinite(exact).all()
    np.testing.assert_allclose(values["float64", "native"], exact, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(values["float32", "native"], exact, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(     # 10 bits, and sums of some dozens
        values["float16", "native"], exact, rtol=2e-2, atol=2e-2 * max(1, np.abs(exact).max()))


def random_weights(layer):
    """Weights far from 0; a variance is positive."""
    draws = [np.random.uniform(-1, 1, weight.shape) for weight in layer.weights]
    return [np.abs(draw) if "variance" in weight.name else draw
            for draw, weight in zip(draws, layer.weights)]


def relocated(kwargs, floatx):
    """Arguments whose layers have another dtype."""
    def moved(value):
        if isinstance(value, layers.Layer):
            text = json.dumps(layers.serialize(value))
            for other in ("float16", "float32", "float64"):
                text = text.replace(other, floatx)
            return layers.deserialize(json.loads(text))
        return [moved(one) for one in value] if isinstance(value, list) else value
    return {name: moved(value) for name, value in kwargs.items()}


def test_layer_test_finds_a_wrong_shape():
    class Wrong(layers.Layer):
        def call(self, inputs):
            return inputs

        def compute_output_shape(self, input_shape):
            return input_shape[:-1] + (7,)

    with pytest.raises(AssertionError):
        layer_test(Wrong, input_shape=(2, 3))


def test_layer_test_finds_a_config_without_an_argument():
    class Scaled(layers.Layer):
        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs):
            return inputs * self.factor

    with pytest.raises(AssertionError):
        layer_test(Scaled, {"factor": 2.0}, input_shape=(2, 3))
