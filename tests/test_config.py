"""Settings: from the environment, from Keras's file, or the default; each wrong value is named."""
import json
import os
import subprocess
import sys

import pytest

import symk
from symk.config import TABLE, Settings, keras_file, read_keras_file

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def test_every_setting_has_its_default():
    settings = Settings({})
    for row in TABLE:
        assert getattr(settings, row.name) == (1e-7 if row.name == "epsilon" else row.default)
    assert settings.floatx == "float32" and settings.check is False


def test_epsilon_follows_the_dtype_until_it_is_set():
    settings = Settings({"SYMK_FLOATX": "float16"})
    assert settings.epsilon == 1e-4
    settings.floatx = "float64"
    assert settings.epsilon == 1e-7
    settings.epsilon = 1e-3
    settings.floatx = "float16"
    assert settings.epsilon == 1e-3 and Settings({"SYMK_EPSILON": "1e-7"}).epsilon == 1e-7


def test_the_environment_comes_before_the_file_of_keras():
    of_keras = {"floatx": "float64", "epsilon": 1e-5, "backend": "theano",
                "image_data_format": "channels_first"}
    settings = Settings({"SYMK_FLOATX": "float16", "SYMK_CHECK": "1"}, of_keras)
    assert settings.floatx == "float16" and settings.check is True
    assert settings.epsilon == 1e-5 and settings.image_data_format == "channels_first"


@pytest.mark.parametrize("variable, value", [
    ("SYMK_FLOATX", "float8"), ("SYMK_EPSILON", "0"), ("SYMK_EPSILON", "small"),
    ("SYMK_EPSILON", "nan"), ("SYMK_IMAGE_DATA_FORMAT", "tf"), ("SYMK_MODE", ""),
    ("SYMK_CHECK_NAN", "yes"), ("SYMK_NUM_THREADS", "0"), ("SYMK_NUM_THREADS", "two")])
def test_a_wrong_value_is_named_with_its_variable(variable, value):
    with pytest.raises(ValueError, match=r"\[config\] %s must be .*; it is %r" % (variable, value)):
        Settings({variable: value})


class Runtime:
    """A runtime with as many threads as it is told."""

    def __init__(self):
        self.count = 8

    def threads(self):
        return self.count

    def set_threads(self, count):
        self.count = count


def test_the_number_of_threads_is_that_of_the_runtime_once_there_is_one():
    settings, runtime = Settings({"SYMK_NUM_THREADS": "3"}), Runtime()
    assert settings.threads == 3
    settings.threads = 2
    settings.use_runtime(runtime)
    assert settings.threads == runtime.count == 2
    settings.threads = 5
    runtime_of_defaults = Runtime()
    assert runtime.count == 5 and Settings({"SYMK_NUM_THREADS": ""}).threads is None
    fresh = Settings({})
    fresh.use_runtime(runtime_of_defaults)
    assert fresh.threads == runtime_of_defaults.count == 8


@pytest.mark.parametrize("count", [0, 1025, 2.0, True, None, "many"])
def test_a_number_of_threads_must_be_possible(count):
    settings = Settings({})
    settings.use_runtime(Runtime())
    with pytest.raises(ValueError,
                       match="threads must be an integer of 1 to 1024; it is %r" % (count,)):
        settings.threads = count
    assert settings.threads == 8


def test_threads_are_an_attribute_of_the_module():
    before = symk.config.settings.threads
    try:
        symk.config.threads = 3
        assert symk.config.settings.threads == symk.config.threads == 3
    finally:
        symk.config.threads = before


@pytest.mark.parametrize("key, value", [("floatx", "float8"), ("epsilon", -1), ("epsilon", None),
                                        ("image_data_format", ["channels_last"])])
def test_a_wrong_value_is_named_with_its_file(key, value):
    with pytest.raises(ValueError, match=r'\[config\] "%s" in here\.json must be' % key):
        Settings({}, {key: value}, "here.json")


def test_the_file_of_keras_is_found_as_keras_finds_it():
    assert keras_file({}) == os.path.join(os.path.expanduser("~"), ".keras", "keras.json")
    assert keras_file({"KERAS_HOME": "there"}) == os.path.join("there", "keras.json")
    assert keras_file({"KERAS_HOME": "there", "SYMK_KERAS_JSON": ""}) == ""


def test_the_file_of_keras_may_be_missing_but_not_broken(tmp_path):
    assert read_keras_file(str(tmp_path / "keras.json")) == {} == read_keras_file("")
    for text in ("{", "[1]", "\"x\""):
        (tmp_path / "keras.json").write_text(text)
        with pytest.raises(ValueError, match="must hold a JSON object"):
            read_keras_file(str(tmp_path / "keras.json"))


@pytest.mark.parametrize("ordering, format", [("tf", "channels_last"), ("th", "channels_first")])
def test_the_ordering_of_keras_1_is_a_data_format(ordering, format, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"image_dim_ordering": ordering}))
    assert read_keras_file(str(tmp_path / "keras.json"))["image_data_format"] == format


def test_k_begins_with_the_settings_and_leaves_the_file_alone(tmp_path):
    place = tmp_path / "keras.json"
    place.write_text(json.dumps({"floatx": "float64", "epsilon": 1e-6, "backend": "tensorflow"}))
    before = place.read_bytes()
    environment = dict(os.environ, KERAS_HOME=str(tmp_path),
                       SYMK_IMAGE_DATA_FORMAT="channels_first")
    del environment["SYMK_KERAS_JSON"]
    program = ("from symk import backend as K; K.set_floatx('float16'); K.set_floatx('float64');"
               "print(K.floatx(), K.epsilon(), K.image_data_format(), K.dtype(K.zeros((1,))))")
    run = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT,
                         stdout=subprocess.PIPE, text=True, check=True)
    assert run.stdout.split() == ["float64", "1e-06", "channels_first", "float64"]
    assert place.read_bytes() == before and os.listdir(str(tmp_path)) == ["keras.json"]
