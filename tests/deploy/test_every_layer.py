"""The same bits from `predict`, the loader and a C program: every layer, every network."""
import importlib.util
import pathlib

import numpy as np
import pytest

from symk import applications, layers
from symk import backend as K
from symk.deploy import export
from symk.deploy.loader import load
from symk.layers import Input
from symk.models import Model

pytest.importorskip("symk._core", reason="the native runtime is not built")
_PLACE = pathlib.Path(__file__).resolve().parents[1] / "layers" / "test_every_layer.py"
_SPEC = importlib.util.spec_from_file_location("rows_of_layers", _PLACE)
every_layer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(every_layer)

# The smallest image that a network takes, where it is more than 32.
SMALLEST = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}


def same(results, expected):
    """Whether arrays have the same bits."""
    expected = expected if isinstance(expected, list) else [expected]
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected):
        assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
        assert result.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("name, kwargs, shape, dtype, fixed_batch_size", every_layer.ROWS)
def test_a_layer_gives_the_same_bits(name, kwargs, shape, dtype, fixed_batch_size, tmp_path,
                                     run_in_c):
    stateful = kwargs.get("stateful", False)
    batch_shape = shape if fixed_batch_size or stateful else (None,) + shape[1:]
    x = Input(batch_shape=batch_shape, dtype=dtype)
    layer = getattr(layers, name)(**every_layer.fresh(kwargs))
    model = Model(x, layer(x))
    layer.set_weights(every_layer.random_weights(layer))
    path = tmp_path / "layer.symk"
    export(model, path)
    loaded = load(path)
    sizes = [4 if size is None else size for size in shape]
    data = np.random.uniform(0, 3, sizes).astype(dtype or "float32")
    for calls in (1, 2):    # states, of which most layers have none, go on
        expected = model.predict_on_batch(data)
        same(loaded.run([data]), expected)
        same(run_in_c(path, [data], calls=calls), expected)


def test_layers_of_several_inputs_give_the_same_bits(tmp_path, run_in_c):
    inputs = [Input((4, 3), name="first"), Input((4, 3), name="second")]
    outputs = [getattr(layers, name)()(inputs) for name in (
        "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")]
    outputs.append(layers.Dot(axes=2, normalize=True, name="angles")(inputs))
    model = Model(inputs, outputs)
    path = tmp_path / "merge.symk"
    model.export(path)
    loaded = load(path)
    assert [name for name, _, _ in loaded.inputs] == ["first", "second"]
    assert [name for name, _, _ in loaded.outputs] == model.output_names
    data = [np.random.rand(5, 4, 3).astype("float32") for _ in inputs]
    expected = model.predict_on_batch(data)
    same(loaded.run(data), expected)
    same(run_in_c(path, data), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(applications.__all__))
def test_a_network_gives_the_same_bits(name, tmp_path, run_in_c):
    size = SMALLEST.get(name, 32)
    # The heads of VGG and NASNet are for one size of images.
    whole = name.startswith(("ResN", "DenseNet", "MobileNet"))
    options = {"include_top": whole, "input_shape": (size, size, 3)}
    if not whole:
        options["pooling"] = "avg"
    model = getattr(applications, name)(weights=None, **options)
    for weights in model.weights:   # untrained statistics of batches would make nothing of them
        if "moving_variance" in weights.name:
            K.set_value(weights, np.random.uniform(0.5, 2, K.int_shape(weights)))
    path = tmp_path / "network.symk"
    model.export(path)
    loaded = load(path)
    for batch in (1, 3):
        data = np.random.rand(batch, size, size, 3).astype("float32")
        expected = model.predict_on_batch(data)
        assert np.isfinite(expected).all() and expected.std() > 0
        same(loaded.run([data]), expected)
        same(run_in_c(path, [data]), expected)
    K.clear_session()
