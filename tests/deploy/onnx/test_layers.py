"""Each layer, and each network of `symk.applications`: ONNX Runtime gives what predict gives."""
import functools
import importlib.util
import pathlib

import numpy as np
import pytest

from symk import applications, layers, ops
from symk import backend as K
from symk.compile import function
from symk.deploy import from_onnx, to_onnx
from symk.graph import GraphError, Placeholder
from symk.layers import Input
from symk.models import Model

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("symk._core")
_PLACE = pathlib.Path(__file__).resolve().parents[2] / "layers" / "test_every_layer.py"
_SPEC = importlib.util.spec_from_file_location("layer_rows", _PLACE)
every_layer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(every_layer)

STATELESS = [row for row in every_layer.ROWS if not row.values[1].get("stateful")]
QUICK = ("MobileNetV2", "DenseNet121")
NETWORKS = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
            for name in sorted(applications.__all__)]


def close(got, wanted, tolerance=1e-5):
    """Equal up to rounding of the largest value."""
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@pytest.mark.parametrize("name, kwargs, shape, dtype, fixed_batch_size", STATELESS)
def test_a_layer_has_the_same_values(name, kwargs, shape, dtype, fixed_batch_size, run_onnx):
    x = Input(shape[1:], dtype=dtype)
    layer = getattr(layers, name)(**every_layer.fresh(kwargs))
    model = Model(x, layer(x))
    layer.set_weights(every_layer.random_weights(layer))
    written = to_onnx(model)
    for batch in (1, 3):
        sizes = [batch] + [4 if size is None else size for size in shape[1:]]
        data = np.random.uniform(0, 3, sizes).astype(dtype or "float32")
        close(run_onnx(written, [data])[0], model.predict(data, batch_size=batch), 3e-5)


def test_the_merging_layers_have_the_same_values(run_onnx):
    inputs = [Input((4, 3)), Input((4, 3))]
    outputs = [getattr(layers, name)()(inputs) for name in (
        "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")]
    outputs.append(layers.Dot(axes=2, normalize=True)(inputs))
    model = Model(inputs, outputs)
    data = [np.random.rand(5, 4, 3).astype("float32") for _ in inputs]
    results = run_onnx(to_onnx(model), data)
    assert len(results) == len(outputs)
    for got, wanted in zip(results, model.predict(data)):
        close(got, wanted)


def test_masked_times_are_left_out(run_onnx):
    x = Input((None,), dtype="int32")
    embedded = layers.Embedding(9, 5, mask_zero=True)(x)
    merged = [layers.LSTM(4)(embedded),
              layers.GRU(3, recurrent_activation="hard_sigmoid")(embedded),
              layers.SimpleRNN(2, activation="relu", go_backwards=True)(embedded)]
    model = Model(x, layers.concatenate(merged))
    data = np.array([[3, 4, 0, 5, 0], [1, 0, 0, 0, 0], [1, 2, 3, 4, 5]], "int32")
    close(run_onnx(to_onnx(model), [data])[0], model.predict(data))


@pytest.mark.parametrize("options, kind", [
    ({}, "LSTM"), ({"recurrent_activation": "hard_sigmoid", "activation": "linear"}, "LSTM"),
    ({"go_backwards": True}, "LSTM")])
def test_a_sequence_is_one_node(options, kind, run_onnx):
    x = Input((None, 3))
    model = Model(x, layers.LSTM(4, return_sequences=True, **options)(x))
    written = to_onnx(model)
    assert [node.op_type for node in written.graph.node].count(kind) == 1
    data = np.random.randn(2, 6, 3).astype("float32")
    close(run_onnx(written, [data])[0], model.predict(data))


def test_layers_of_ones_own_need_nothing(run_onnx):
    class Gate(layers.Layer):
        def build(self, input_shape):
            self.slope = self.add_weight(name="slope", shape=input_shape[1:], initializer="ones")
            super().build(input_shape)

        def call(self, x):
            return K.switch(K.sum(x) > 0, x * self.slope, -x)

    x = Input((6,))
    turned = layers.Lambda(lambda v: K.softmax(K.reverse(K.cumsum(v, 1), 1)))(Gate()(x))
    model = Model(x, layers.Lambda(lambda v: K.map_fn(lambda row: row * K.max(row), v))(turned))
    written = to_onnx(model)
    for data in (np.ones((2, 6), "float32"), np.full((3, 6), -0.5, "float32")):
        close(run_onnx(written, [data])[0], model.predict(data))


def test_a_stateful_layer_is_refused():
    x = Input(batch_shape=(2, 3, 4))
    with pytest.raises(GraphError, match="a function without updates is required"):
        to_onnx(Model(x, layers.LSTM(2, stateful=True)(x)))


def test_the_channels_of_a_network_are_moved_once():
    model = applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), include_top=False,
                                     pooling="avg")
    kinds = [node.op_type for node in to_onnx(model).graph.node]
    assert kinds.count("Conv") == 52 and kinds.count("Transpose") == 1
    assert "BatchNormalization" not in kinds and kinds.count("Mul") == 0


def test_a_network_that_goes_down_and_up_has_no_transposes_inside(run_onnx):
    x = Input((None, None, 3))
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    up = layers.UpSampling2D((2, 3))(layers.Conv2D(5, 3, strides=(2, 3), padding="same")(down))
    model = Model(x, layers.Conv2D(2, 3)(layers.concatenate([down, up])))
    written = to_onnx(model)
    assert [node.op_type for node in written.graph.node] == [
        "Transpose", "Conv", "Relu", "Conv", "Resize", "Concat", "Conv", "Transpose"]
    data = np.random.rand(2, 8, 9, 3).astype("float32")
    close(run_onnx(written, [data])[0], model.predict(data))


@pytest.mark.parametrize("data_format, kinds", [
    ("channels_last", ["Transpose", "Conv", "Resize", "Transpose"]),
    ("channels_first", ["Conv", "Resize"])])
@pytest.mark.parametrize("shape", [(5, 6), (None, None)])
def test_bilinear_up_sampling_is_one_resize(data_format, kinds, shape, run_onnx):
    first = data_format == "channels_first"
    x = Input((3, *shape) if first else (*shape, 3))
    seen = layers.Conv2D(4, 2, data_format=data_format)(x)
    model = Model(x, layers.UpSampling2D((2, 3), data_format, "bilinear")(seen))
    written = to_onnx(model)
    assert sorted(node.op_type for node in written.graph.node) == sorted(kinds)
    data = np.random.rand(2, *((3, 5, 6) if first else (5, 6, 3))).astype("float32")
    close(run_onnx(written, [data])[0], model.predict(data))
    close(from_onnx(written).run([data])[0], model.predict(data))


def test_interpolation_of_other_axes_has_the_same_values(run_onnx):
    x = Placeholder("float32", (None, 3, None, 5), name="x")
    along = [(3,), (1, 3), (3, 2, 1), (0, 2)]
    computed = function([x], [functools.reduce(
        lambda v, axis: ops.interpolate(v, 2, axis), axes, x) for axes in along])
    data = np.random.rand(2, 3, 4, 5).astype("float32")
    for got, wanted in zip(run_onnx(to_onnx(computed), [data]), computed.run([data])):
        close(got, wanted)


def test_a_relu_with_a_limit_is_one_clip(run_onnx):
    x = Input((6, 6, 2))
    seen = layers.Conv2D(4, 3, use_bias=False)(x)
    model = Model(x, layers.ReLU(6.0)(layers.BatchNormalization()(seen)))
    written = to_onnx(model)
    assert [node.op_type for node in written.graph.node] == [
        "Transpose", "Conv", "Clip", "Transpose"]
    data = np.random.uniform(-30, 30, (2, 6, 6, 2)).astype("float32")
    result, = run_onnx(written, [data])
    assert result.max() == 6 and result.min() == 0
    close(result, model.predict(data))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_same_values(name, run_onnx, tmp_path):
    K.clear_session()
    size = {"NASNetLarge": 331, "NASNetMobile": 224}.get(name, 96)
    model = getattr(applications, name)(weights=None, include_top=False, pooling="avg",
                                        input_shape=(size, size, 3))
    to_onnx(model, tmp_path / "network.onnx")
    data = np.random.RandomState(0).rand(2, size, size, 3).astype("float32")
    close(run_onnx(tmp_path / "network.onnx", [data])[0], model.predict(data))
