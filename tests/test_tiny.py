"""The whole way in seconds: a model is trained, saved, loaded, exported, run by the C library."""
import importlib.util
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from symk import demo, deploy
from symk.config import settings
from symk.layers import Conv2D, Dense, Flatten, MaxPooling2D
from symk.models import Sequential, load_model


def stripes(count):
    """Images with horizontal (0) or vertical (1) stripes, and which."""
    labels = np.arange(count) % 2
    rows = np.arange(8) // 2 % 2
    images = np.where(labels[:, None, None] == 1, rows[None, None, :], rows[None, :, None])
    return (images + np.random.normal(0, 0.3, (count, 8, 8)))[..., None].astype("float32"), labels


def test_a_model_goes_the_whole_way(tmp_path):
    x, y = stripes(64)
    model = Sequential([Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)), MaxPooling2D(),
                        Flatten(), Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=20, batch_size=16, verbose=0)
    assert model.evaluate(*stripes(64), verbose=0)[1] > 0.95
    model.save(str(tmp_path / "m.h5"))
    loaded = load_model(str(tmp_path / "m.h5"))
    expected = model.predict_on_batch(x)
    assert loaded.predict_on_batch(x).tobytes() == expected.tobytes()
    loaded.export(tmp_path / "m.symk")
    assert run_alone(tmp_path / "m.symk")(x).tobytes() == expected.tobytes()


def run_alone(path):
    """The model in a file, through loader.py found by its path."""
    script = pathlib.Path(deploy.__file__).with_name("loader.py")
    spec = importlib.util.spec_from_file_location("loader_alone", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(str(path))


def test_the_runtime_trains_as_numpy_does():
    x, y = stripes(8)
    losses = {}
    for settings.mode in ("reference", "native"):
        np.random.seed(3)
        model = Sequential([Conv2D(2, 3, activation="tanh", input_shape=(8, 8, 1)), Flatten(),
                            Dense(2, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        losses[settings.mode] = [model.train_on_batch(x, y) for _ in range(5)]
    np.testing.assert_allclose(losses["native"], losses["reference"], rtol=1e-4)


def test_the_demo_reaches_its_accuracy(tmp_path, capsys):
    assert demo.run(str(tmp_path / "out")) >= 0.98
    text = capsys.readouterr().out
    assert text.count("same bits") == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["digits.h5",
                                                                          "digits.symk"]


@pytest.mark.parametrize("arguments, words", [(["--version"], "symk 0."), (["info"], "kernels")])
def test_the_command(arguments, words):
    done = subprocess.run([sys.executable, "-m", "symk"] + arguments, capture_output=True,
                          text=True, check=True)
    assert words in done.stdout


def test_importing_symk_waits_for_nothing():
    code = ("import sys, symk; "
            "print(sorted({'h5py', 'yaml', 'cffi', 'symk.graph'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
