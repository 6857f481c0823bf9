"""The same bits from `predict`, the loader, a C program and the server: every layer, every network.
What the server answers for layers is in tests/serve.
"""
import asyncio
import importlib.util
import json
import pathlib

import numpy as np
import pytest

from symk import applications, layers
from symk import backend as K
from symk.deploy import export
from symk.deploy.loader import load
from symk.layers import Input
from symk.models import Model
from symk.serve import Application, Limits, Repository

pytest.importorskip("symk._core", reason="the native runtime is not built")
FOLDER = pathlib.Path(__file__).resolve().parents[1]


def module_at(*path):
    """A module of tests in another folder."""
    spec = importlib.util.spec_from_file_location("_of_".join(path[::-1]), FOLDER.joinpath(*path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


every_layer = module_at("layers", "test_every_layer.py")
Client = module_at("serve", "conftest.py").Client

# The smallest image that a network takes, where it is more than 32; the usual one of networks that
# leave it open.
USUAL_SIZE = 299
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


@pytest.fixture
def network():
    """network(name, **options) makes one; its names do not depend on those made before."""
    K.clear_session()

    def make(name, **options):
        model = getattr(applications, name)(weights=None, **options)
        for weights in model.weights:   # untrained statistics of batches would make nothing of it
            if "moving_variance" in weights.name:
                K.set_value(weights, np.random.uniform(0.5, 2, K.int_shape(weights)))
        return model

    yield make
    K.clear_session()


@pytest.mark.parametrize("name", sorted(applications.__all__))
def test_a_network_of_small_images_gives_the_same_bits(name, network, tmp_path, run_in_c):
    size = SMALLEST.get(name, 32)
    # The heads of VGG and NASNet are for one size of images.
    whole = name.startswith(("ResN", "DenseNet", "MobileNet"))
    options = {"include_top": whole, "input_shape": (size, size, 3)}
    if not whole:
        options["pooling"] = "avg"
    check_everywhere(network(name, **options), tmp_path / "m.symk", (1, 3), run_in_c)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(applications.__all__))
def test_a_whole_network_gives_the_same_bits(name, network, tmp_path, run_in_c):
    check_everywhere(network(name), tmp_path / "m.symk", (1,), run_in_c)


def check_everywhere(model, path, batches, run_in_c):
    """predict against the loader, the C program, and the server."""
    model.export(path)
    loaded = load(path)
    for batch in batches:
        sizes = [USUAL_SIZE if size is None else size for size in model.input_shape[1:]]
        data = np.random.rand(batch, *sizes).astype("float32")
        expected = model.predict_on_batch(data)
        assert np.isfinite(expected).all() and expected.std() > 0
        same(loaded.run([data]), expected)
        same(run_in_c(path, [data]), expected)
        same([np.asarray(answer_of_the_server(path, data), expected.dtype)], expected)


def answer_of_the_server(path, data):
    """The outputs that the server of a file gives, through the text of JSON."""
    async def talk():
        application = Application(Repository([path]), Limits(body_bytes=2 ** 30))
        await application.start()
        try:
            return await Client(application).json(
                "POST", "/v1/models/m:predict", json.dumps({"inputs": data.tolist()}).encode())
        finally:
            await application.stop()

    status, answer = asyncio.run(talk())
    assert status == 200, answer
    return answer["outputs"]
