"""The server's answer has the bits of predict, for every layer and every network."""
import importlib.util
import json
import pathlib

import numpy as np
import pytest

from symk import applications, layers
from symk import backend as K
from symk.layers import Input
from symk.models import Model
from symk.serve import Application, Limits, Repository

pytest.importorskip("symk._core")
_PLACE = pathlib.Path(__file__).resolve().parents[1] / "layers" / "test_every_layer.py"
_SPEC = importlib.util.spec_from_file_location("layer_rows", _PLACE)
every_layer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(every_layer)

STATELESS = [row for row in every_layer.ROWS if not row.values[1].get("stateful")]
NETWORKS = [pytest.param(name, marks=() if name == "MobileNetV2" else pytest.mark.slow)
            for name in sorted(applications.__all__)]


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


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_answered_with_the_same_bits(name, written, tmp_path, with_client):
    K.clear_session()
    size = {"NASNetLarge": 331, "NASNetMobile": 224}.get(name, 96)
    model = getattr(applications, name)(weights=None, include_top=False, pooling="avg",
                                        input_shape=(size, size, 3))
    data = np.random.RandomState(0).rand(1, size, size, 3).astype("float32")
    check(model, data, written, tmp_path, with_client)
