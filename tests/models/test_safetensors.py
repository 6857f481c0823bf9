"""Weights as safetensors: names, order, and the same choices as with HDF5."""
import numpy as np
import pytest

from symk import layers
from symk.models import Model, Sequential
from symk.utils import safetensors


def network(units=4):
    """Nested models, shared layers, statistics, and both directions."""
    x = layers.Input((5, 3), name="x")
    inner = Sequential([layers.Dense(units, input_shape=(3,), name="d"),
                        layers.BatchNormalization(name="n")], name="inner")
    twice = layers.add([layers.TimeDistributed(inner, name="each")(x)] * 2)
    read = layers.Bidirectional(layers.GRU(2, name="gru"), name="both")(twice)
    return Model(x, layers.Dense(2, name="out")(read))


def same(first, second):
    return all(a.tobytes() == b.tobytes() for a, b in zip(first, second))


def test_weights_come_back(tmp_path):
    model, other = network(), network()
    model.set_weights([np.random.normal(size=w.shape) for w in model.get_weights()])
    model.save_weights(tmp_path / "w.safetensors")
    other.load_weights(str(tmp_path / "w.safetensors"))
    assert same(model.get_weights(), other.get_weights())


def test_the_names_are_those_of_layers_and_weights(tmp_path):
    model = network()
    model.save_weights(tmp_path / "w.safetensors")
    tensors, metadata = safetensors.read(tmp_path / "w.safetensors")
    assert metadata["format"] == "keras" and metadata["keras_version"] == "2.3.1"
    assert {"out/kernel", "out/bias", "both/forward_gru/kernel"} <= set(tensors)
    assert all(name.split("/")[0] in ("each", "both", "out") for name in tensors)
    assert same(tensors.values(), model.get_weights())


def test_by_order_whatever_the_layers_are_called_and_by_name(tmp_path):
    first = Sequential([layers.Dense(2, input_shape=(3,), name="a"), layers.Dense(1, name="b")])
    other = Sequential([layers.Dense(2, input_shape=(3,), name="c"), layers.Dense(1, name="b")])
    path = tmp_path / "w.safetensors"
    first.save_weights(path)
    kept = other.layers[0].get_weights()
    other.load_weights(path, by_name=True)
    assert same(other.layers[1].get_weights(), first.layers[1].get_weights())
    assert same(other.layers[0].get_weights(), kept)
    other.load_weights(path)
    assert same(other.get_weights(), first.get_weights())


def test_what_does_not_fit_is_refused_and_sets_nothing(tmp_path):
    path = tmp_path / "w.safetensors"
    network(4).save_weights(path)
    other = network(5)
    before = other.get_weights()
    with pytest.raises(ValueError, match='layer "each": weight .* has the shape'):
        other.load_weights(path)
    assert same(before, other.get_weights())
    with pytest.warns(UserWarning, match="is left as it is"):
        other.load_weights(path, by_name=True, skip_mismatch=True)


def test_a_file_of_others_and_a_damaged_one_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    for metadata in (None, {"layers": "[]"}, {"layers": '{"a": ["absent"]}'}, {"layers": "["},
                     {"layers": '{"attributes": []}'}):
        safetensors.write(path, {"kernel": np.zeros(3, "float32")}, metadata)
        with pytest.raises(ValueError, match="a safetensors file of save_weights is required"):
            network().load_weights(path)
    network().save_weights(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="a whole safetensors file is required"):
        network().load_weights(path)
    with pytest.raises(FileNotFoundError):
        network().load_weights(tmp_path / "absent.safetensors")


def test_a_file_is_replaced_only_if_that_is_allowed(tmp_path):
    path = tmp_path / "w.safetensors"
    network().save_weights(path)
    with pytest.raises(FileExistsError, match="a new file is required"):
        network().save_weights(path, overwrite=False)
