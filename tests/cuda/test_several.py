"""Several devices in one process: functions on each, values that go from one to another, models
that have a place."""
import copy
import pickle

import numpy as np
import pytest

import symk
from symk import backend as K
from symk import config, layers, ops
from symk.compile import function
from symk.config import settings
from symk.graph import Placeholder, Shared
from symk.models import Model, Sequential


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
        assert config.current_device() == own and settings.device == "cpu"
    assert config.current_device() == "cpu"
    with pytest.raises(ValueError, match="cuda:N"):
        with K.device("/tpu:0"):
            pass


def network():
    return Sequential([layers.Dense(5, activation="tanh", input_shape=(4,)), layers.Dense(1)])


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


def test_a_model_keeps_its_place_until_it_knows_its_shape(outside):
    x, y = np.ones((4, 3)), np.ones((4, 2))
    with symk.device("cuda-host:2"):
        compiled, added = Sequential([layers.Dense(2)]), Sequential()
        compiled.compile("sgd", "mse")
    compiled.fit(x, y, verbose=0)
    assert compiled.train_function.program.device == "cuda-host:2"
    added.add(layers.Dense(2, input_shape=(3,)))
    added.predict(x)
    assert added.predict_function.program.device == "cuda-host:2"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_has_the_place_of_its_model(outside, copied):
    with symk.device("cuda-host:1"):
        model = network()
    x = np.ones((3, 4))
    other = copied(model)
    np.testing.assert_array_equal(other.predict(x), model.predict(x))
    assert other.predict_function.program.device == "cuda-host:1"
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(loaded.predict(x), model.predict(x), rtol=1e-5)
    assert loaded.predict_function.program.device == "cpu"


def test_layers_of_one_model_run_where_they_were_called(outside):
    """The table of an embedding on one device, the rest on another, the loss on the host."""
    ids = layers.Input((5,), dtype="int32")
    plain = Model(ids, layers.Dense(1)(layers.LSTM(4)(layers.Embedding(30, 8)(ids))))
    ids = layers.Input((5,), dtype="int32")
    with K.device("cuda-host:1"):
        rows = layers.Embedding(30, 8)(ids)
    with K.device("cuda-host:2"):
        placed = Model(ids, layers.Dense(1)(layers.LSTM(4)(rows)))
    placed.set_weights(plain.get_weights())
    x = np.random.default_rng(0).integers(0, 30, (20, 5))
    y = np.linspace(-1, 1, 20)[:, None]
    for model in (plain, placed):
        model.compile("adam", "mse")
        model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    assert placed.train_function.program.device == "cuda-host:1, cuda-host:2"
    for one, other in zip(placed.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(placed.predict(x), plain.predict(x), rtol=1e-3, atol=1e-5)
