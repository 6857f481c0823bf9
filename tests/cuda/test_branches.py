"""Steps of a recording that run beside each other: the same bits as in turn, in whatever order the
stand-in does what is not ordered, and another one at each launch of a graph."""
import re

import numpy as np
import pytest

from symk import backend as K
from symk import config, layers, ops
from symk.compile import function
from symk.config import device, settings
from symk.graph import Placeholder, Shared
from symk.graph.errors import OutOfRangeError
from symk.models import Model

CALLS = 12      # of which the stand-in does ten in different orders


def branches(f):
    """How many branches each part of the last call had."""
    return [part[5] for part in f.program.parts()]


def in_turn(monkeypatch, make):
    """What `make` gives without branches."""
    with monkeypatch.context() as without:
        without.setattr(settings, "branches", False)
        return make()


def same_bits(ours, others):
    for own, other in zip(ours, others):
        np.testing.assert_array_equal(np.asarray(own), np.asarray(other))


def trained(build, arrays, targets, loss="mse"):
    """(the train function, weights and losses) after some steps from the same values."""
    np.random.seed(7)
    model = build()
    model.compile("adam", loss)
    losses = [model.train_on_batch(arrays, targets) for _ in range(CALLS)]
    return model.train_function, [*model.get_weights(), *losses]


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


# ---- models

def both_directions(kind, units, deep=1):
    def build():
        x = y = layers.Input((5, 6))
        for left in reversed(range(deep)):
            y = layers.Bidirectional(kind(units, return_sequences=left > 0))(y)
        return Model(x, layers.Dense(3)(y))
    return build


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_both_directions_of_a_layer_run_beside_each_other(on_device, monkeypatch, kind):
    x, y = normal(6, 5, 6), normal(6, 3, seed=2)
    build = both_directions(kind, 20, deep=2)
    f, ours = trained(build, x, y)
    assert branches(f)[0] > 1, f.show("device")
    assert re.search(r"one graph of \d+ launches and copies in [234] branches", f.show("device"))
    others, theirs = in_turn(monkeypatch, lambda: trained(build, x, y))
    assert set(branches(others)) == {1} and "branches" not in others.show("device")
    same_bits(ours, theirs)


def test_directions_that_fill_the_device_share_it_by_halves(stand_in, monkeypatch):
    """Blocks that wait for each other: eight of each direction would have to wait for ever beside
    eight others on a device of twelve, so each has four with twice the rows."""
    x, y = normal(8, 5, 6), normal(8, 3, seed=2)
    build = both_directions(layers.LSTM, 20)
    f, ours = trained(build, x, y)
    assert "2 x lstm_sequence, all steps in one launch of 1 x 4 blocks" in f.show("device")
    others, theirs = in_turn(monkeypatch, lambda: trained(build, x, y))
    assert "2 x lstm_sequence, all steps in one launch of 1 x 8 blocks" in others.show("device")
    same_bits(ours, theirs)


def test_directions_that_cannot_share_the_device_take_turns(stand_in, monkeypatch):
    """The weights of 130 units need five blocks of six; the stand-in refuses graphs in which two
    such launches are not ordered."""
    stand_in.together = 6
    x, y = normal(2, 5, 6), normal(2, 3, seed=2)
    build = both_directions(layers.LSTM, 130)
    f, ours = trained(build, x, y)
    found = re.search(r"lstm_sequence, all steps in one launch of (\d+) x", f.show("device"))
    assert int(found.group(1)) == 5
    same_bits(ours, in_turn(monkeypatch, lambda: trained(build, x, y))[1])


def towers():
    image, ids, numbers = layers.Input((8, 8, 3)), layers.Input((4,)), layers.Input((5,))
    a = layers.Conv2D(6, 3, activation="relu", padding="same")(image)
    b = layers.Conv2D(6, 1)(image)
    joined = layers.concatenate([layers.MaxPooling2D(2)(a), layers.AveragePooling2D(2)(b)])
    first = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(joined))
    second = layers.LSTM(7)(layers.Embedding(9, 6)(ids))
    third = layers.Dropout(0.3)(layers.Dense(8, activation="tanh")(numbers))
    out = layers.Dense(4, activation="softmax")(layers.concatenate([first, second, third]))
    return Model([image, ids, numbers], out)


def test_towers_of_several_inputs(on_device, monkeypatch):
    ids = np.random.default_rng(3).integers(0, 9, (6, 4))
    arrays, y = [normal(6, 8, 8, 3), ids, normal(6, 5)], np.eye(4, dtype="float32")[ids[:, 0] % 4]
    f, ours = trained(towers, arrays, y, "categorical_crossentropy")
    assert max(branches(f)) > 1
    others, theirs = in_turn(monkeypatch,
                             lambda: trained(towers, arrays, y, "categorical_crossentropy"))
    same_bits(ours, theirs)


def test_a_step_of_training_of_a_resnet_block_and_its_shortcut(on_device, monkeypatch):
    def build():
        x = layers.Input((8, 8, 4))
        y = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2,
                                                                                padding="same")(x)))
        y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(y))
        shortcut = layers.BatchNormalization()(layers.Conv2D(8, 1, strides=2)(x))
        y = layers.Activation("relu")(layers.add([y, shortcut]))
        return Model(x, layers.Dense(2)(layers.Flatten()(y)))
    x, y = normal(4, 8, 8, 4), normal(4, 2, seed=2)
    f, ours = trained(build, x, y)
    assert max(branches(f)) > 1
    same_bits(ours, in_turn(monkeypatch, lambda: trained(build, x, y))[1])


# ---- functions

def chains(x, count=4, length=4):
    """As many ways from one value, each of several reductions in turn."""
    results = []
    for way in range(count):
        y = x + float(way)
        for _ in range(length):
            y = ops.matmul(ops.tanh(y), ops.transpose(y, (1, 0)))
        results.append(y)
    return results


def test_chains_use_memory_again_but_not_that_of_their_neighbours(on_device, monkeypatch):
    x, array = Placeholder("float32", (24, 24)), normal(24, 24)

    def run():
        f = function([x], chains(x))
        results = [f(array) for _ in range(CALLS)]
        assert all(np.array_equal(a, b) for a, b in zip(results[0], results[-1]))
        return f, [value for values in results for value in values]
    f, ours = run()
    assert branches(f) == [4]
    memory = f.program.memory()
    others, theirs = in_turn(monkeypatch, run)
    same_bits(ours, theirs)
    assert others.program.memory()["arena_bytes"] <= memory["arena_bytes"] < \
        memory["unshared_bytes"]


@pytest.mark.slow
def test_memory_that_would_be_too_much_is_shared_and_waited_for(stand_in, monkeypatch):
    """Ways of values of 4 MB take more than 32 MB beyond those of one line; of small ones they do
    not."""
    def run(size):
        x = Placeholder("float32", (size, size))
        ways = []
        for number in range(4):
            y = z = x * float(number + 1)
            for _ in range(4):      # all are read again at the end
                y = ops.transpose(y, (1, 0))
                z = ops.concat([z, y], 0)
            ways.append(ops.sum(z))
        f, row = function([x], ways), np.linspace(-1, 1, size, dtype="float32")
        results = [f(np.broadcast_to(row, (size, size)) * k) for k in range(3)]
        return f.program.memory()["arena_bytes"], sum(results, [])
    small, _ = run(128)
    assert small > in_turn(monkeypatch, lambda: run(128))[0]
    large, ours = run(1024)
    packed, theirs = in_turn(monkeypatch, lambda: run(1024))
    assert large == packed
    same_bits(ours, theirs)


def test_updates_read_old_values_and_draws_go_on(on_device, monkeypatch):
    def run():
        np.random.seed(11)
        slots = [Shared(normal(12, 12, seed=k), name="slot%d" % k) for k in range(4)]
        x = Placeholder("float32", (12, 12))
        noise = [K.random_uniform((12, 12)) for _ in range(4)]
        ways = [ops.matmul(ops.matmul(x + n, slot), slot) for n, slot in zip(noise, slots)]
        turned = slots[1:] + slots[:1]          # each takes over another one's old value
        updates = [(slot, other) for slot, other in zip(slots[:2], turned[:2])]
        updates += [(slot, slot * 0.5 + way * 0.01) for slot, way in zip(slots[2:], ways[2:])]
        f = function([x], [ops.sum(way) for way in ways], updates=updates)
        results = [f(normal(12, 12, seed=50 + k)) for k in range(CALLS)]
        return f, [slot.get_value() for slot in slots] + sum(results, [])
    f, ours = run()
    assert max(branches(f)) > 1
    same_bits(ours, in_turn(monkeypatch, run)[1])


def test_refused_indices_in_branches_update_nothing(on_device):
    tables = [Shared(normal(5, 16, seed=k), name="table%d" % k) for k in range(3)]
    count, rows = Shared(np.zeros(()), name="count"), Placeholder("int32", (16,))
    ways = [ops.matmul(g, ops.matmul(g, g)) for g in (ops.gather(table, rows) for table in tables)]
    f = function([rows], [ops.sum(way) for way in ways],
                 updates=[(count, count + 1)] + [(t, ops.tanh(t) * 2.0) for t in tables])
    right, wrong = np.arange(16, dtype="int32") % 5, np.full(16, 4, "int32")
    wrong[3] = 9
    for turn in range(CALLS):
        f(right)
        before = [table.get_value() for table in tables]
        with pytest.raises(OutOfRangeError, match=r"size 5; 9 was given at position 3"):
            f(wrong)
        assert count.get_value() == turn + 1
        same_bits([table.get_value() for table in tables], before)
    assert branches(f)[0] > 1


def test_what_is_done_at_once_begins_behind_the_look_for_refused_indices(on_device):
    """One program for a shared value and for another one: together they are one launch, which
    writes nothing when an index is refused."""
    table, value = Shared(normal(5, 16), name="table"), Shared(normal(4, 4), name="value")
    rows, x = Placeholder("int32", (3,)), Placeholder("float32", (4, 4))
    f = function([rows, x], [ops.gather(table, rows), ops.matmul(ops.tanh(x) * 2.0, x)],
                 updates=[(value, ops.tanh(value) * 2.0)])
    wanted = value.get_value()
    for _ in range(4):
        f(np.array([0, 1, 4], "int32"), normal(4, 4))
        wanted = np.tanh(wanted) * 2
        np.testing.assert_allclose(value.get_value(), wanted, rtol=1e-5)
        with pytest.raises(OutOfRangeError):
            f(np.array([0, 7, 4], "int32"), normal(4, 4))
        np.testing.assert_allclose(value.get_value(), wanted, rtol=1e-5)


def test_loops_run_beside_each_other(on_device, monkeypatch):
    x, w = Placeholder("float32", (6, 3, 8)), Placeholder("float32", (8, 8))

    def loop(reverse):
        (state,), (rows,) = ops.scan(
            lambda row, carried: (
                [ops.tanh(row[0] + ops.matmul(carried[0], w))], [carried[0] * 2.0]),
            [x], [ops.constant(np.zeros((3, 8), "float32"))], reverse=reverse)
        return [state, rows]

    def run():
        f = function([x, w], loop(False) + loop(True))
        return f, sum((f(normal(6, 3, 8, seed=k), normal(8, 8)) for k in range(CALLS)), [])
    f, ours = run()
    assert branches(f) == [2]
    same_bits(ours, in_turn(monkeypatch, run)[1])


def test_parts_between_which_the_host_acts(on_device, monkeypatch, capfd):
    x = Placeholder("float32", (16, 16))

    def run():
        shown = [ops.print_value(ops.sum(way), "way") for way in chains(x, 3, 3)]
        f = function([x], chains(x * shown[0], 3, 3) + shown)
        return f, sum((f(normal(16, 16, seed=k) / 9) for k in range(CALLS)), [])
    f, ours = run()
    assert [part[2] for part in f.program.parts()].count("hosted") >= 1
    assert max(branches(f)) > 1
    same_bits(ours, in_turn(monkeypatch, run)[1])
    capfd.readouterr()


def test_several_devices_branch_each(outside, monkeypatch):
    x = Placeholder("float32", (16, 16))

    def run():
        with device("cuda-host:1"):
            away = [ops.sum(way) for way in chains(x, 3, 3)]
        with device("cuda-host:0"):
            here = [ops.sum(way) for way in chains(x * 0.5, 3, 3)]
            f = function([x], [a + b for a, b in zip(here, away)])
        return f, sum((f(normal(16, 16, seed=k) / 9) for k in range(CALLS)), [])
    f, ours = run()
    assert f.show("device").count("branches") == 2
    same_bits(ours, in_turn(monkeypatch, run)[1])


# ---- what does without

def test_small_work_stays_in_one_line(on_device):
    x = Placeholder("float32", (4,))
    f = function([x], [ops.sum(ops.tanh(x)), ops.cumsum(x)])
    for _ in range(3):
        f(np.ones(4, "float32"))
    assert branches(f) == [1] and "branches" not in f.show("device")


def test_calls_that_are_timed_or_watched_have_no_branches(stand_in, monkeypatch):
    x, array = Placeholder("float32", (24, 24)), normal(24, 24) / 9
    plain = function([x], chains(x))
    wanted = plain(array)
    before = stand_in.replays
    for f in (function([x], chains(x), profile=True), function([x], chains(x), check_nan=True)):
        for _ in range(3):
            values = f(array)
        for value, other in zip(values, wanted):
            np.testing.assert_allclose(value, other, rtol=1e-4)
    assert stand_in.replays == before


def test_a_device_without_streams_goes_on_one_by_one(stand_in):
    x, array = Placeholder("float32", (24, 24)), normal(24, 24)
    f = function([x], chains(x))
    wanted = f(array)
    stand_in.streams = stand_in.open_streams + 2        # a recording wants four
    for _ in range(3):
        same_bits(f(array), wanted)
    assert [part[2] for part in f.program.parts()] == ["refused"]
    assert stand_in.open_streams == stand_in.streams - 2


def test_the_setting():
    assert config.Settings({}).branches is True
    assert config.Settings({"SYMK_BRANCHES": "0"}).branches is False
    with pytest.raises(ValueError, match="SYMK_BRANCHES must be one of 0, 1"):
        config.Settings({"SYMK_BRANCHES": "4"})
