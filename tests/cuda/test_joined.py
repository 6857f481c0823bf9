"""Steps of one program that a device does at once: fewer launches, the same bits, and only where no
order is lost."""
import re

import numpy as np
import pytest

from symk import layers, ops
from symk.applications import ResNet50
from symk.compile import function
from symk.config import settings
from symk.graph import Placeholder, Shared
from symk.models import Sequential


@pytest.fixture(autouse=True)
def no_replay(monkeypatch):
    """Every call launches its kernels, so that they can be counted."""
    monkeypatch.setattr(settings, "replay", False)


def launches(stand_in, call):
    call()
    before = stand_in.launches
    call()
    return stand_in.launches - before


def joined(f):
    """How many steps were done at once, per group."""
    groups = re.findall(r"(\d+) x elementwise, (\d+) steps", f.show("device"))
    return sorted(int(steps) for count, steps in groups for _ in range(int(count)))


def updating(sizes, timed, seed=3):
    """A function that updates variables of many shapes by one formula: (function, variables)."""
    generator = np.random.default_rng(seed)
    rate = Shared(np.float32(0.25), name="rate")
    x = Placeholder("float32", ())
    slots = [[Shared(generator.standard_normal(size).astype("float32"), name="%s%d" % (name, k))
              for name in ("weight", "speed", "slope")] for k, size in enumerate(sizes)]
    updates = []
    for weight, speed, slope in slots:
        new = speed * 0.5 - rate * ops.tanh(slope * x)
        updates += [(speed, new), (weight, weight + new)]
    return function([x], [x + 1.0], updates=updates, profile=timed), sum(slots, [])


SIZES = [(7,), (1,), (3, 5), (1024,), (1025,), (), (2, 3, 4, 5), (4097,)]


def test_one_launch_updates_all_to_the_same_bits(stand_in):
    together, ours = updating(SIZES, False)
    alone, theirs = updating(SIZES, True)       # steps that are timed are done one by one
    count = launches(stand_in, lambda: together(np.float32(0.75)))
    assert launches(stand_in, lambda: alone(np.float32(0.75))) - count == len(SIZES) - 1
    assert joined(together) == [len(SIZES)]
    for own, other in zip(ours, theirs):
        assert own.get_value().tobytes() == other.get_value().tobytes(), own.name


def test_more_arrays_than_a_launch_can_name_take_several(stand_in):
    sizes = [(1 + k % 5,) for k in range(257)]
    together, ours = updating(sizes, False)
    alone, theirs = updating(sizes, True)
    count = launches(stand_in, lambda: together(np.float32(0.5)))
    assert launches(stand_in, lambda: alone(np.float32(0.5))) == count + 257 - 3     # 120, 120, 17
    for own, other in zip(ours, theirs):
        assert own.get_value().tobytes() == other.get_value().tobytes(), own.name


def test_steps_that_read_each_other_keep_their_order(stand_in):
    chain = [Shared(np.full((6,), 1.0 + k, "float32"), name="link%d" % k) for k in range(5)]
    f = function([], [], updates=[(own, ops.tanh(before) + own)
                                  for before, own in zip(chain, chain[1:])])
    expected = [variable.get_value() for variable in chain]
    for _ in range(3):
        f()
        expected = [expected[0]] + [np.tanh(before) + own
                                    for before, own in zip(expected, expected[1:])]
        for variable, wanted in zip(chain, expected):
            np.testing.assert_allclose(variable.get_value(), wanted, rtol=1e-6)


def test_steps_of_two_kinds_in_turn_become_two_launches(stand_in):
    """As the running means and variances of batch normalisation, a pair for each layer."""
    values = [Shared(np.full((k + 2,), 0.5, "float32"), name="v%d" % k) for k in range(12)]
    x = Placeholder("float32", ())
    f = function([x], [x * 1.5], updates=[(v, v * x + 1.0 if k % 2 else ops.exp(v) - x)
                                          for k, v in enumerate(values)])
    assert launches(stand_in, lambda: f(np.float32(0.5))) == 3
    assert joined(f) == [6, 6]


def test_a_replay_holds_the_joined_launch(stand_in, monkeypatch):
    monkeypatch.setattr(settings, "replay", True)
    replayed, ours = updating(SIZES, False)
    alone, theirs = updating(SIZES, True)
    for turn in range(5):
        replayed(np.float32(turn))
        alone(np.float32(turn))
    assert [part[2] for part in replayed.program.parts()] == ["recorded"]
    for own, other in zip(ours, theirs):
        assert own.get_value().tobytes() == other.get_value().tobytes(), own.name


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax",
                                       "nadam"])
def test_every_optimizer_updates_all_weights_at_once(stand_in, optimizer):
    model = Sequential([layers.Dense(6, activation="tanh", input_shape=(4,)), layers.Dense(5),
                        layers.Dense(3)])
    model.compile(optimizer, "mse")
    x, y = np.ones((8, 4), "float32"), np.ones((8, 3), "float32")
    model.train_on_batch(x, y)
    assert max(joined(model.train_function)) == 6


LAUNCHES_ONE_BY_ONE = 47     # of a step of the MNIST CNN with Adam


def mnist_cnn():
    return Sequential([
        layers.Conv2D(4, 3, activation="relu", input_shape=(12, 12, 1)),
        layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(2), layers.Dropout(0.25),
        layers.Flatten(), layers.Dense(8, activation="relu"), layers.Dropout(0.5),
        layers.Dense(3, activation="softmax")])


def test_launches_of_a_training_step_of_the_mnist_cnn(stand_in):
    model = mnist_cnn()
    model.compile("adam", "categorical_crossentropy")
    x, y = np.ones((4, 12, 12, 1), "float32"), np.eye(3, dtype="float32")[[0, 1, 2, 0]]
    count = launches(stand_in, lambda: model.train_on_batch(x, y))
    # The two keys of dropout; a kernel and a bias of four layers.
    assert joined(model.train_function) == [2, 8]
    assert count == LAUNCHES_ONE_BY_ONE - 1 - 7


@pytest.mark.slow
def test_launches_of_a_training_step_of_resnet50(stand_in):
    model = ResNet50(weights=None, input_shape=(32, 32, 3), classes=3)
    model.compile("adam", "categorical_crossentropy")
    x, y = np.ones((1, 32, 32, 3), "float32"), np.eye(3, dtype="float32")[[1]]
    count = launches(stand_in, lambda: model.train_on_batch(x, y))
    # The running means and variances of 53 normalisations; a kernel and a bias, or a scale and an
    # offset, of 107 layers.
    assert joined(model.train_function) == [53, 53, 214]
    assert count == 738     # 1053 one by one: 214 become 3, and 53 become 1 twice
