"""The server's answer has the bits of predict, for every layer; for networks see tests/deploy."""
import importlib.util
import json
import pathlib

import numpy as np
import pytest

from symk import layers
from symk.layers import Input
from symk.models import Model
from symk.serve import Application, Limits, Repository

pytest.importorskip("symk._core")
_PLACE = pathlib.Path(__file__).resolve().parents[1] / "layers" / "test_every_layer.py"
_SPEC = importlib.util.spec_from_file_location("layer_rows", _PLACE)
every_layer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(every_layer)

STATELESS = [row for row in every_layer.ROWS if not row.values[1].get("stateful")]


def check(model, data, written, folder, with_client):
    """Compares the bits of an answer with those of predict."""
    application = Application(Repository([written(model, folder / "m.symk")]),
                              Limits(body_bytes=2 ** 30))
    status, answer = with_client(application, lambda client: client.json(
        "POST", "/v1/models/m:predict", json.dumps({"inputs": data.tolist()}).encode()))
    assert status == 200, answer
    wanted = model.predict(data, batch_size=len(data))
    assert np.asarray(answer["outputs"], wanted.dtype).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("name, kwargs, shape, dtype, fixed_batch_size", STATELESS)
def test_a_layer_is_answered_with_the_same_bits(name, kwargs, shape, dtype, fixed_batch_size,
                                                written, tmp_path, with_client):
    x = Input(shape[1:], dtype=dtype)
    layer = getattr(layers, name)(**every_layer.fresh(kwargs))
    model = Model(x, layer(x))
    layer.set_weights(every_layer.random_weights(layer))
    sizes = [4 if size is None else size for size in shape]
    data = np.random.uniform(0, 3, sizes).astype(dtype or "float32")
    check(model, data, written, tmp_path, with_client)


def test_a_stateful_layer_is_not_served(written, tmp_path):
    x = Input(batch_shape=(2, 3, 4))
    repository = Repository([written(Model(x, layers.LSTM(2, stateful=True)(x)),
                                     tmp_path / "m.symk")])
    repository.refresh()
    assert repository.find("m") is None
    assert "changes no state" in repository.versions("m")[0].error


def test_layers_of_several_inputs_are_answered_with_the_same_bits(written, tmp_path, with_client):
    inputs = [Input((4, 3), name="first"), Input((4, 3), name="second")]
    outputs = [getattr(layers, name)()(inputs) for name in (
        "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")]
    outputs.append(layers.Dot(axes=2, normalize=True)(inputs))
    model = Model(inputs, outputs)
    data = {name: np.random.rand(5, 4, 3).astype("float32") for name in model.input_names}
    application = Application(Repository([written(model, tmp_path / "m.symk")]))
    status, answer = with_client(application, lambda client: client.json(
        "POST", "/v1/models/m:predict",
        {"inputs": {name: array.tolist() for name, array in data.items()}}))
    assert status == 200, answer
    wanted = model.predict(list(data.values()))
    assert list(answer["outputs"]) == model.output_names
    for values, expected in zip(answer["outputs"].values(), wanted):
        assert np.asarray(values, expected.dtype).tobytes() == expected.tobytes()
