"""Old files: what is in them, rewritten, and refused."""
import json

import h5py
import numpy as np
import pytest

from symk import layers, models
from symk.__main__ import main


@pytest.fixture
def network():
    return models.Sequential([layers.Dense(3, input_shape=(2,), name="a"),
                              layers.Dense(1, name="b")])


def of_keras_1(path, network):
    """A file as Keras 1 wrote it."""
    config = {"class_name": "Sequential", "config": [
        {"class_name": "Dense", "config": {
            "name": name, "output_dim": units, "init": "uniform", "activation": "linear",
            "bias": True, "W_regularizer": None, "trainable": True, "input_dim": size,
            "batch_input_shape": [None, size]}} for name, units, size in
        (("a", 3, 2), ("b", 1, 3))]}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"a", b"b"]
        for layer in network.layers:
            inner = group.create_group(layer.name)
            names = [layer.name + "_W", layer.name + "_b"]
            inner.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights()):
                inner[name] = value
    return str(path)


def test_convert_rewrites_and_says_what_changed(tmp_path, network, capsys):
    old, new = of_keras_1(tmp_path / "old.h5", network), str(tmp_path / "new.h5")
    with pytest.warns(UserWarning, match="training_config"):
        assert main(["convert", old, new]) == 0
    said = capsys.readouterr().out
    assert "Keras 1 on theano -> Keras 2.3.1" in said and "output_dim -> units" in said
    with pytest.warns(UserWarning, match="training_config"):
        loaded = models.load_model(new)
    np.testing.assert_array_equal(loaded.get_weights()[0], network.get_weights()[0])


def test_inspect_lists_layers_and_weights(tmp_path, network, capsys):
    assert main(["inspect", of_keras_1(tmp_path / "old.h5", network)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "model of Keras 1 on theano"
    assert "layer a (Dense)" in lines and "weight b/b_W (3, 1) float32" in lines


def test_weights_alone_are_refused_and_nothing_is_written(tmp_path, network, capsys):
    network.save_weights(str(tmp_path / "weights.h5"))
    target = tmp_path / "new.h5"
    assert main(["convert", str(tmp_path / "weights.h5"), str(target)]) == 1
    assert "has weights alone" in capsys.readouterr().err and not target.exists()


def test_files_from_before_keras_1_are_loaded(tmp_path, network, capsys):
    path = str(tmp_path / "old_weights.h5")
    with h5py.File(path, "w") as file:
        file.attrs["nb_layers"] = 3
        for number, layer in enumerate([network.layers[0], None, network.layers[1]]):
            group = file.create_group("layer_%d" % number)
            values = layer.get_weights() if layer is not None else []
            group.attrs["nb_params"] = len(values)
            for place, value in enumerate(values):
                group["param_%d" % place] = value + 1
    before = network.get_weights()
    network.load_weights(path)
    for one, other in zip(network.get_weights(), before):
        np.testing.assert_allclose(one, other + 1)
    assert main(["inspect", path]) == 0
    assert "weight layer_2/param_0 (3, 1) float32" in capsys.readouterr().out
