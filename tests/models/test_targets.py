"""Where models are saved into and loaded from: files, file objects, HDF5 groups, dicts."""
import contextlib
import io
import json
import pathlib

import h5py
import numpy as np
import pytest

from symk.layers import Dense, Input
from symk.models import Model, Sequential, load_model

X, Y = np.random.RandomState(0).normal(size=(8, 4)), np.ones((8, 2))


@contextlib.contextmanager
def path(folder):
    yield folder / "model.h5"


@contextlib.contextmanager
def memory(folder):
    yield io.BytesIO()


@contextlib.contextmanager
def opened(folder):
    with open(str(folder / "model.h5"), "w+b") as file:
        yield file


@contextlib.contextmanager
def group(folder):
    with h5py.File(str(folder / "many.h5"), "w") as file:
        yield file.create_group("models/first")


@contextlib.contextmanager
def whole_file(folder):
    with h5py.File("never written", "w", driver="core", backing_store=False) as file:
        yield file


@contextlib.contextmanager
def dictionary(folder):
    yield {"old": 1}


TARGETS = pytest.mark.parametrize("target", [path, memory, opened, group, whole_file, dictionary])


def model():
    made = Sequential([Dense(3, input_shape=(4,), activation="relu"), Dense(2)])
    made.compile("adam", "mse")
    made.train_on_batch(X, Y)
    return made


@TARGETS
def test_whole_models(target, tmp_path):
    saved = model()
    with target(tmp_path) as place:
        saved.save(place)
        loaded = load_model(place)
    np.testing.assert_array_equal(loaded.predict(X), saved.predict(X))
    assert loaded.optimizer.get_weights()[0] == 1


@TARGETS
def test_weights(target, tmp_path):
    saved, other = model(), model()
    with target(tmp_path) as place:
        saved.save_weights(place)
        other.load_weights(place)
    np.testing.assert_array_equal(other.predict(X), saved.predict(X))


def test_a_path_may_be_of_any_kind(tmp_path):
    for place in (str(tmp_path / "a.h5"), pathlib.Path(str(tmp_path / "b.h5"))):
        model().save(place)
        load_model(place)


def test_two_models_in_one_file(tmp_path):
    with h5py.File(str(tmp_path / "two.h5"), "w") as file:
        one, other = model(), model()
        one.save(file.create_group("one"))
        other.save(file.create_group("other"))
        np.testing.assert_array_equal(load_model(file["other"]).predict(X), other.predict(X))


def test_a_dict_has_arrays_and_attributes():
    kept = {}
    saved = model()
    saved.save(kept)
    assert set(kept) == {"attributes", "model_weights", "optimizer_weights"}
    config = json.loads(kept["attributes"]["model_config"])
    assert config["class_name"] == "Sequential"
    name = saved.layers[0].name
    np.testing.assert_array_equal(kept["model_weights"][name][name]["kernel:0"],
                                  saved.get_weights()[0])


@pytest.mark.parametrize("use", [lambda place: model().save(place), load_model])
def test_other_things_are_refused(use):
    with pytest.raises(TypeError, match="a path, a binary file object, an h5py.Group or a dict"):
        use(7)


@pytest.mark.parametrize("source", [lambda: io.BytesIO(b"no hdf5"), lambda: io.BytesIO()])
def test_what_is_no_file_of_hdf5_is_refused(source):
    with pytest.raises(OSError, match="the given BytesIO cannot be read"):
        load_model(source())


def test_messages_name_what_is_no_path():
    with pytest.raises(ValueError, match="the given dict has no model_config"):
        load_model({"attributes": {}})


def test_a_file_of_another_architecture_changes_nothing(tmp_path):
    saved, x = model(), Input(shape=(4,))
    other = Model(x, Dense(2, name="d")(Dense(5)(x)))
    before = other.get_weights()
    saved.save(str(tmp_path / "m.h5"))
    with pytest.raises(ValueError, match="has the shape"):
        other.load_weights(str(tmp_path / "m.h5"))
    for one, kept in zip(other.get_weights(), before):
        np.testing.assert_array_equal(one, kept)
