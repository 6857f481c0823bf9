"""Several devices in one process: functions on each, values that go from one to another, models
that have a place."""
import numpy as np
import pytest

import symk
from symk import backend as K
from symk import config, layers, ops
from symk.compile import function
from symk.config import settings
from symk.graph import Placeholder, Shared
from symk.models import Sequential


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("peers", [0, 1])
def test_a_variable_goes_from_device_to_device(stand_in, late, peers):
    """Each device adds to what the others have left; only the last value comes home."""
    stand_in.late, stand_in.peers = late, peers
    total = Shared(np.zeros((40, 50), "float32"), name="total")
    x = Placeholder("float32", (40, 50))
    steps = []
    for name in ("cuda-host:1", "cuda-host:2", "cuda-host:3", "cpu"):
        with symk.device(name):
            steps.append(function([x], [], updates=[(total, ops.tanh(total) + x)]))
    expected = np.zeros((40, 50), "float32")
    peer_copies = stand_in.peer_copies
    for turn in range(5):
        for number, step in enumerate(steps):
            given = np.full((40, 50), 0.1 * (turn + number), "float32")
            step(given)
            expected = np.tanh(expected) + given
    np.testing.assert_allclose(total.get_value(), expected, rtol=1e-5)
    assert stand_in.peer_copies == peer_copies + 10     # the way over the host is the CPU's alone


def test_reading_a_variable_on_many_devices_moves_it_once_to_each(stand_in):
    weight = Shared(np.arange(12, dtype="float32"), name="weight")
    made = []
    for name in ("cuda-host:1", "cuda-host:2"):
        with K.device(name):
            made.append(function([], [weight * 2.0]))
    for f in made:
        f()
    copies = stand_in.copies
    for f in made * 3:
        np.testing.assert_array_equal(f()[0], np.arange(12) * 2)
    assert stand_in.copies - copies <= 6 * 2        # results and the copy inside, not the weight


@pytest.mark.parametrize("given, own", [
    ("/gpu:1", "cuda:1"), ("/device:GPU:2", "cuda:2"), ("gpu", "cuda:0"), ("/cpu:0", "cpu"),
    ("/device:CPU:0", "cpu"), ("cuda:3", "cuda:3"), ("cuda-host:1", "cuda-host:1")])
def test_devices_are_named_as_in_tensorflow_too(given, own):
    with K.device(given):
        assert settings.device == own
    assert settings.device == "cpu"
    with pytest.raises(ValueError, match="cuda:N"):
        with K.device("/tpu:0"):
            pass


def network():
    return Sequential([layers.Dense(5, activation="tanh", input_shape=(4,)), layers.Dense(1)])


@pytest.fixture
def outside(stand_in, monkeypatch):
    """The stand-in, outside of the scope that it comes with."""
    monkeypatch.setattr(config, "_scopes", [])
    monkeypatch.setattr(settings, "device", "cpu")
    return stand_in


def test_a_model_runs_where_it_was_built_or_compiled(outside):
    x, y = np.random.default_rng(0).standard_normal((12, 4)), np.zeros((12, 1))
    with symk.device("cuda-host:2"):
        built = network()
    expected = built.predict(x)
    assert built.predict_function.program.device == "cuda-host:2"
    built.compile("sgd", "mse")
    built.fit(x, y, epochs=2, verbose=0)
    assert built.train_function.program.device == "cuda-host:2"
    compiled = network()
    with symk.device("cuda-host:1"):
        compiled.compile("sgd", "mse")
    compiled.fit(x, y, verbose=0)
    assert compiled.train_function.program.device == "cuda-host:1"
    with symk.device("cpu"):                        # a scope that is open counts first
        plain = network()
        plain.set_weights(built.get_weights())
        plain.compile("sgd", "mse")
        np.testing.assert_allclose(plain.predict(x), built.predict(x), rtol=1e-4, atol=1e-6)
    assert not np.allclose(built.predict(x), expected)
    free = network()
    free.compile("sgd", "mse")
    free.predict(x)
    assert free.predict_function.program.device == "cpu"
