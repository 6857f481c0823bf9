"""Files and texts of models: what is saved comes back, and what is damaged is refused."""
import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

import h5py
import numpy as np
import pytest

from symk import losses, metrics, optimizers
from symk.layers import (BatchNormalization, Concatenate, Conv2D, Dense, Flatten, Input, Layer,
                         MaxPooling2D)
from symk.models import (Model, Sequential, load_model, model_from_json, model_from_yaml,
                         save_model)
from symk.utils import hdf5


def image_model():
    model = Sequential([Conv2D(2, 3, activation="relu", input_shape=(6, 6, 1)),
                        BatchNormalization(), MaxPooling2D(), Flatten(),
                        Dense(3, activation="softmax")])
    model.compile(optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return model


def graph_model():
    a, b = Input(shape=(3,), name="a"), Input(shape=(3,), name="b")
    inner = Sequential([Dense(4, activation="tanh", input_shape=(3,))], name="inner")
    joined = Concatenate()([inner(a), inner(b)])
    model = Model([a, b], [Dense(2, name="kind")(joined), Dense(1, name="score")(joined)])
    model.compile(optimizers.SGD(0.1, momentum=0.9), {"kind": "mse", "score": "mae"},
                  loss_weights={"kind": 1.0, "score": 0.5}, metrics={"score": ["mse"]})
    return model


def data_of(model, count=8):
    arrays = [np.random.normal(size=(count,) + tensor.shape[1:]).astype("float32")
              for tensor in model.inputs + model.outputs]
    x, y = arrays[:len(model.inputs)], arrays[len(model.inputs):]
    return (x[0], y[0]) if len(x) == 1 else (x, y)


def as_list(values):
    return values if isinstance(values, list) else [values]


@pytest.mark.parametrize("make", [image_model, graph_model])
def test_a_loaded_model_goes_on_as_the_saved_one(make, tmp_path):
    model, path = make(), str(tmp_path / "model.h5")
    x, y = data_of(model)
    model.train_on_batch(x, y)
    model.save(path)
    loaded = load_model(path)
    for one, other in zip(as_list(model.predict(x)), as_list(loaded.predict(x))):
        np.testing.assert_array_equal(one, other)
    assert loaded.metrics_names == model.metrics_names
    for _ in range(3):
        np.testing.assert_array_equal(model.train_on_batch(x, y), loaded.train_on_batch(x, y))
    for one, other in zip(model.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_model_that_is_not_compiled_can_be_saved(tmp_path):
    model, path = Sequential([Dense(2, input_shape=(3,))]), str(tmp_path / "model.h5")
    model.save(path)
    with pytest.warns(UserWarning, match="no training_config"):
        load_model(path)
    assert load_model(path, compile=False).optimizer is None


def test_the_optimizer_can_be_left_out(tmp_path):
    model, path = image_model(), str(tmp_path / "model.h5")
    save_model(model, path, include_optimizer=False)
    with h5py.File(path, "r") as file:
        assert sorted(file) == ["model_weights"]


def test_the_layout_is_that_of_keras(tmp_path):
    path = str(tmp_path / "model.h5")
    model = Sequential([Dense(2, input_shape=(3,), name="d")])
    model.compile("sgd", "mse")
    model.train_on_batch(np.zeros((1, 3)), np.zeros((1, 2)))
    model.save(path)
    with h5py.File(path, "r") as file:
        assert file.attrs["keras_version"] == "2.3.1"
        assert file.attrs["backend"] == "tensorflow"
        assert json.loads(file.attrs["model_config"])["class_name"] == "Sequential"
        assert json.loads(file.attrs["training_config"])["loss"] == "mse"
        weights = file["model_weights"]
        assert list(weights.attrs["layer_names"]) == [b"d"]
        assert list(weights["d"].attrs["weight_names"]) == [b"d/kernel:0", b"d/bias:0"]
        assert weights["d/d/kernel:0"].shape == (3, 2)
        assert "weight_names" in file["optimizer_weights"].attrs


def test_objects_in_the_training_config_come_back(tmp_path):
    path = str(tmp_path / "model.h5")
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile(optimizers.RMSprop(0.02), losses.Huber(delta=0.5),
                  metrics=[metrics.MeanAbsoluteError(name="distance")])
    model.save(path)
    loaded = load_model(path)
    assert loaded.loss.get_config()["delta"] == 0.5
    assert loaded.metrics_names == ["loss", "distance"]


def test_weights_by_order(tmp_path):
    path = str(tmp_path / "weights.h5")
    one, other = image_model(), image_model()
    one.save_weights(path)
    other.load_weights(path)
    for a, b in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_weights_of_a_whole_model_can_be_loaded(tmp_path):
    path = str(tmp_path / "model.h5")
    one, other = graph_model(), graph_model()
    one.save(path)
    other.load_weights(path)
    np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])


def test_weights_by_name(tmp_path):
    path = str(tmp_path / "weights.h5")
    one = Sequential([Dense(4, input_shape=(3,), name="one"), Dense(5, name="two")])
    other = Sequential([Dense(4, input_shape=(3,), name="one"), Dense(2, name="three")])
    three = other.layers[1].get_weights()
    one.save_weights(path)
    other.load_weights(path, by_name=True)
    np.testing.assert_array_equal(other.layers[0].get_weights()[0], one.get_weights()[0])
    np.testing.assert_array_equal(other.layers[1].get_weights()[0], three[0])


def test_mismatches_by_name_can_be_skipped(tmp_path):
    path = str(tmp_path / "weights.h5")
    Sequential([Dense(4, input_shape=(3,), name="one")]).save_weights(path)
    other = Sequential([Dense(5, input_shape=(3,), name="one")])
    with pytest.raises(ValueError, match=r'"one": weight one/kernel:0 has the shape \(3, 5\)'):
        other.load_weights(path, by_name=True)
    with pytest.warns(UserWarning, match="'one' is left as it is"):
        other.load_weights(path, by_name=True, skip_mismatch=True)


def test_arrays_of_another_shape_are_loaded_only_if_asked(tmp_path):
    path = str(tmp_path / "weights.h5")
    one = Sequential([Dense(4, input_shape=(3,), use_bias=False, name="one")])
    one.save_weights(path)
    other = Sequential([Dense(3, input_shape=(4,), use_bias=False, name="one")])
    with pytest.raises(ValueError, match="that in the file"):
        other.load_weights(path)
    other.load_weights(path, reshape=True)
    np.testing.assert_array_equal(other.get_weights()[0].ravel(), one.get_weights()[0].ravel())


def test_nothing_is_loaded_when_a_part_does_not_fit(tmp_path):
    path = str(tmp_path / "weights.h5")
    Sequential([Dense(4, input_shape=(3,)), Dense(5)]).save_weights(path)
    model = Sequential([Dense(4, input_shape=(3,)), Dense(6)])
    before = model.get_weights()
    with pytest.raises(ValueError, match="that in the file"):
        model.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    deeper = Sequential([Dense(4, input_shape=(3,))])
    with pytest.raises(ValueError, match="as many layers as the model"):
        deeper.load_weights(path)


def test_long_lists_of_names_are_cut_into_pieces(tmp_path):
    path = str(tmp_path / "names.h5")
    values = ["layer_%05d_with_quite_a_long_name" % number for number in range(4000)]
    with h5py.File(path, "w") as file:
        hdf5.write_names(file, "layer_names", values)
        assert "layer_names" not in file.attrs
        assert all(np.asarray(file.attrs[key]).nbytes <= hdf5.HEADER_LIMIT for key in file.attrs)
    with hdf5.open_to_read(path) as file:
        assert hdf5.names(file, "layer_names") == values


@pytest.mark.parametrize("value", ["text", b"text", np.bytes_(b"text"), np.array([b"text"]),
                                   np.array("text", dtype=h5py.string_dtype())])
def test_texts_are_read_in_every_form(tmp_path, value):
    path = str(tmp_path / "text.h5")
    with h5py.File(path, "w") as file:
        file.attrs["key"] = value
    with hdf5.open_to_read(path) as file:
        assert hdf5.read_text(file, "key") == "text"
        assert hdf5.read_text(file, "other") is None


# ---- damaged and foreign files

def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.h5"):
        load_model(str(tmp_path / "nowhere.h5"))


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    whole, cut = str(tmp_path / "whole.h5"), str(tmp_path / "cut.h5")
    image_model().save(whole)
    data = pathlib.Path(whole).read_bytes()
    for length in range(0, len(data), max(1, len(data) // 37)):
        with open(cut, "wb") as file:
            file.write(data[:length])
        with pytest.raises((OSError, ValueError, KeyError), match="cut.h5|the file"):
            load_model(cut)


def test_damaged_bytes_never_give_anything_but_an_exception(tmp_path):
    whole, damaged = str(tmp_path / "whole.h5"), str(tmp_path / "damaged.h5")
    Sequential([Dense(2, input_shape=(3,))]).save(whole)
    data = bytearray(pathlib.Path(whole).read_bytes())
    for _ in range(60):
        changed = bytearray(data)
        for place in np.random.randint(len(data), size=8):
            changed[place] ^= np.random.randint(1, 256)
        with open(damaged, "wb") as file:
            file.write(changed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                load_model(damaged)
            except (OSError, ValueError, KeyError, TypeError):
                pass


def test_a_file_that_is_no_hdf5(tmp_path):
    path = tmp_path / "text.h5"
    path.write_text("not a model")
    with pytest.raises(OSError, match="text.h5.*cannot be read"):
        load_model(str(path))


def test_a_file_of_weights_is_no_model(tmp_path):
    path = str(tmp_path / "weights.h5")
    image_model().save_weights(path)
    with pytest.raises(ValueError, match="holds weights alone"):
        load_model(path)


def test_links_to_other_files_are_refused(tmp_path):
    path, other = str(tmp_path / "model.h5"), str(tmp_path / "other.h5")
    model = Sequential([Dense(2, input_shape=(3,), name="d")])
    model.save(path)
    model.save(other)
    with h5py.File(path, "a") as file:
        del file["model_weights/d/d/kernel:0"]
        file["model_weights/d/d/kernel:0"] = h5py.ExternalLink(other, "model_weights/d/d/kernel:0")
    with pytest.raises(ValueError, match="there is a link"):
        load_model(path, compile=False)


def test_a_declared_shape_is_compared_before_anything_is_read(tmp_path):
    path = str(tmp_path / "model.h5")
    Sequential([Dense(2, input_shape=(3,), name="d")]).save(path)
    with h5py.File(path, "a") as file:
        del file["model_weights/d/d/kernel:0"]
        file["model_weights/d/d"].create_dataset("kernel:0", shape=(2 ** 30, 2 ** 20),
                                                 dtype="float32", chunks=(1024, 1024))
    with pytest.raises(ValueError, match="those in the file have"):
        load_model(path, compile=False)


def test_all_unknown_layers_are_named_at_once():
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "Dens", "config": {"units": 2}},
        {"class_name": "Wonder", "config": {"layer": {"class_name": "Marvel", "config": {}}}}]}}
    with pytest.raises(ValueError) as error:
        model_from_json(json.dumps(config))
    assert "'Dens' (close to it: Dense" in str(error.value)
    assert "'Wonder'" in str(error.value)
    assert "'Marvel'" in str(error.value)


@pytest.mark.parametrize("path, value", [
    (("layers", 2, "inbound_nodes", 0, 0, 0), "other"), (("layers", 3), None),
    (("layers", 3, "config", "units"), 10 ** 15), (("layers", 3, "config", "units"), 2 ** 70),
    (("output_layers", 0, 1), 9), (("layers",), {}), (("input_layers",), [[]]),
    (("layers", 0, "config", "batch_input_shape"), "wide")])
def test_configs_of_no_model_are_refused(path, value):
    a, b = Input(shape=(3,), name="a"), Input(shape=(3,), name="b")
    config = json.loads(Model([a, b], Dense(2)(Concatenate()([a, b]))).to_json())
    place = config["config"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises((ValueError, TypeError)):
        model_from_json(json.dumps(config))


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = str(tmp_path / "model.h5")
    model = image_model()
    model.save(path)
    before = pathlib.Path(path).read_bytes()

    def fail(*arguments):
        raise OSError("disk full")
    monkeypatch.setattr(hdf5, "write_arrays", fail)
    with pytest.raises(OSError, match="disk full"):
        model.save(path)
    assert pathlib.Path(path).read_bytes() == before
    assert os.listdir(tmp_path) == ["model.h5"]


SAVE_FOR_EVER = """
import sys
from symk.layers import Dense
from symk.models import Sequential
model = Sequential([Dense(300, input_shape=(300,), kernel_initializer="zeros")])
model.compile("sgd", "mse")
model.save(sys.argv[1])
print("ready", flush=True)
while True:
    model.set_weights([weight + 1 for weight in model.get_weights()])
    model.save(sys.argv[1])
"""


@pytest.mark.parametrize("delay", [0.001, 0.01, 0.033, 0.05])
def test_a_killed_save_leaves_a_whole_file(tmp_path, delay):
    path = tmp_path / "model.h5"
    with subprocess.Popen([sys.executable, "-c", SAVE_FOR_EVER, str(path)], text=True,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.kill()
    kernel, bias = load_model(str(path)).get_weights()
    assert (kernel == bias[0]).all()


def test_an_existing_file_is_kept_when_asked(tmp_path):
    path = str(tmp_path / "model.h5")
    image_model().save(path)
    with pytest.raises(FileExistsError, match="overwrite=False"):
        image_model().save(path, overwrite=False)


def test_a_layer_of_the_user(tmp_path):
    class Scale(Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs):
            return inputs * self.factor

        def get_config(self):
            return dict(super().get_config(), factor=self.factor)
    path = str(tmp_path / "model.h5")
    model = Sequential([Scale(3.0, input_shape=(2,))])
    model.save(path)
    with pytest.raises(ValueError, match="unknown: 'Scale'"):
        load_model(path, compile=False)
    loaded = load_model(path, custom_objects={"Scale": Scale}, compile=False)
    np.testing.assert_array_equal(loaded.predict(np.ones((1, 2))), [[3, 3]])


# ---- texts

@pytest.mark.parametrize("make", [image_model, graph_model])
def test_json_and_yaml_come_back(make):
    model = make()
    for again in (model_from_json(model.to_json()), model_from_yaml(model.to_yaml())):
        assert json.loads(again.to_json()) == json.loads(model.to_json())
    assert sorted(json.loads(model.to_json())) == ["backend", "class_name", "config",
                                                   "keras_version"]


def test_yaml_cannot_run_code(tmp_path):
    target = tmp_path / "made"
    text = "!!python/object/apply:os.mkdir ['%s']" % target
    with pytest.raises(ValueError, match="YAML of plain values"):
        model_from_yaml(text)
    assert not target.exists()


@pytest.mark.parametrize("text, words", [
    ("{", "JSON is required"), ("[1]", "list was given"), ('{"class_name": "Dense"}', "config")])
def test_broken_json_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        model_from_json(text)
