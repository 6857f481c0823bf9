"""Calls that a device does again from a recording: the same results, and what is not recorded is
said."""
import numpy as np
import pytest

from symk import backend as K
from symk import layers, ops
from symk.compile import function
from symk.compile.native import core
from symk.config import device, settings
from symk.engine.sources import _one_ahead
from symk.graph import Placeholder, Shared
from symk.graph.errors import GraphError, NotFiniteError, OutOfRangeError, ShapeError
from symk.models import Sequential


def kinds(f):
    """How the parts of the last call were done."""
    return [part[2] for part in f.program.parts()]


def training_step():
    """A step with momentum: (function, its variables, the same by NumPy)."""
    weight = Shared(np.full((4, 3), 0.5, "float32"), name="weight")
    speed = Shared(np.zeros((4, 3), "float32"), name="speed")
    x = Placeholder("float32", (None, 4))
    slope = ops.sum(ops.reshape(ops.tanh(x), (-1, 4, 1)), 0)
    new = speed * 0.5 - slope * 0.1
    f = function([x], [ops.sum(ops.matmul(x, weight))],
                 updates=[(speed, new), (weight, weight + new)])
    return f, weight, speed


def test_the_second_call_is_recorded_and_the_third_replayed(stand_in):
    f, weight, speed = training_step()
    reference_weight, reference_speed = weight.get_value(), speed.get_value()
    generator = np.random.default_rng(1)
    counts = []
    for _ in range(6):
        x = generator.standard_normal((5, 4)).astype("float32")
        launches, replays = stand_in.launches, stand_in.replays
        total, = f(x)
        counts.append((stand_in.launches - launches, stand_in.replays - replays))
        np.testing.assert_allclose(total, (x @ reference_weight).sum(), rtol=1e-5, atol=1e-5)
        reference_speed = reference_speed * 0.5 - np.tanh(x).sum(0).reshape(4, 1) * np.float32(0.1)
        reference_weight = reference_weight + reference_speed
        np.testing.assert_allclose(weight.get_value(), reference_weight, rtol=1e-5, atol=1e-6)
    assert counts[0][0] > 2 and counts[0][1] == 0
    assert counts[1:] == [(0, 1)] * 5
    assert kinds(f) == ["recorded"]
    assert "replayed as one graph of" in f.show("device")


def test_replaying_can_be_turned_off(stand_in, monkeypatch):
    monkeypatch.setattr(settings, "replay", False)
    f, *_ = training_step()
    before = stand_in.replays
    for _ in range(4):
        f(np.ones((5, 4), "float32"))
    assert stand_in.replays == before and kinds(f) == ["first"]


def test_each_shape_has_its_recording_and_a_moved_arena_ends_them(stand_in):
    x = Placeholder("float32", (None, 8))
    f = function([x], [ops.sum(ops.tanh(x) * x, 1), ops.exp(x)])
    for rows in (4, 4, 4, 2, 2, 4, 900, 4, 2, 2, 900, 900, 900, 2, 4):
        array = np.random.default_rng(rows).standard_normal((rows, 8)).astype("float32")
        total, exponential = f(array)
        np.testing.assert_allclose(total, (np.tanh(array) * array).sum(1), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(exponential, np.exp(array), rtol=1e-5)
    assert kinds(f) == ["recorded"]


def test_draws_go_on_in_replays(on_device):
    """The state of the stream is a variable, so a replay finds what the one before has left."""
    def draws(where):
        with device(where):
            np.random.seed(3)
            f = function([], [ops.tanh(K.random_uniform((4, 5))) * 2.0, K.random_normal((3,))])
            return [f() for _ in range(5)]
    ours, hosts = draws(on_device), draws("cpu")
    for own, other in zip(ours, hosts):
        for value, wanted in zip(own, other):
            np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-6)
    assert not np.array_equal(ours[3][0], ours[4][0])


def test_a_step_of_the_host_divides_the_recording(stand_in, capfd):
    x = Placeholder("float32", (None,))
    printed = ops.print_value(ops.tanh(x) * 3.0 + ops.sum(x), "in between")
    f = function([x], [ops.exp(printed) / ops.sum(printed), ops.sum(printed)])
    for turn in range(5):
        array = np.linspace(0, turn + 1, 6, dtype="float32")
        inner = np.tanh(array) * 3 + array.sum()
        value, total = f(array)
        np.testing.assert_allclose(value, np.exp(inner) / inner.sum(), rtol=1e-5)
        np.testing.assert_allclose(total, inner.sum(), rtol=1e-5)
    assert sum(text.count("in between") for text in capfd.readouterr()) == 5
    assert kinds(f) == ["recorded", "hosted", "recorded"]
    assert "each call needs the host: print" in f.show("device")


def test_a_branch_is_not_recorded_and_a_loop_is(stand_in):
    x = Placeholder("float32", (3, 4))
    (state,), (rows,) = ops.scan(
        lambda row, carried: ([ops.tanh(carried[0] + row[0])], [row[0] * 2.0]),
        [x], [ops.constant(np.zeros(4, "float32"))])
    loop = function([x], [state, rows])
    y = ops.cond(ops.sum(x) > 0, lambda: x * 2.0, lambda: x - 1.0)
    branch = function([x], [y])
    for turn in range(4):
        array = np.full((3, 4), turn - 1.5, "float32")
        expected = np.zeros(4, "float32")
        for row in array:
            expected = np.tanh(expected + row)
        np.testing.assert_allclose(loop(array)[0], expected, rtol=1e-5)
        np.testing.assert_array_equal(branch(array)[0], array * 2 if array.sum() > 0 else array - 1)
    assert kinds(loop) == ["recorded"]
    assert "hosted" in kinds(branch) and "cond" in branch.show("device")


def test_a_refused_index_in_a_replay_updates_nothing(stand_in):
    table = Shared(np.arange(6.0).reshape(3, 2), name="table")
    count, rows = Shared(np.zeros(()), name="count"), Placeholder("int32", (3,))
    f = function([rows], [ops.exp(ops.gather(table, rows) * 0.0)],
                 updates=[(count, count + 1), (table, table * 1.0)])
    for turn in range(4):
        f(np.array([2, 0, 1], "int32"))
        with pytest.raises(OutOfRangeError, match=r"size 3; 9 was given at position 1"):
            f(np.array([1, 9, 11], "int32"))
        assert count.get_value() == turn + 1


def test_looking_for_nan_and_timing_do_without_recordings(stand_in):
    x = Placeholder("float32", (3,))
    watched = function([x], [ops.log(x) * 2.0, x + 1.0], check_nan=True)
    timed = function([x], [ops.log(x) * 2.0, x + 1.0], profile=True)
    before = stand_in.replays
    for _ in range(4):
        watched(np.ones(3, "float32"))
        timed(np.ones(3, "float32"))
    with pytest.raises(NotFiniteError, match="log"):
        watched(np.array([1, 0, 1], "float32"))
    assert stand_in.replays == before


# ---- batches on their way

def test_a_prefetched_batch_is_run_once(stand_in):
    f, weight, _ = training_step()
    arrays = [np.full((5, 4), k, "float32") for k in range(4)]
    batches = [f.prefetch([array]) for array in arrays]
    for array in arrays:
        array[:] = np.nan       # has been read
    for k, batch in enumerate(batches):
        wanted = k * weight.get_value().sum() * 5
        np.testing.assert_allclose(f.run(batch)[0], wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(GraphError, match="must be run once"):
        f.run(batches[0])
    with pytest.raises(ValueError, match="the shape must be"):
        f.prefetch([np.zeros((5, 3), "float32")])


def test_a_batch_is_run_by_the_function_that_it_was_prefetched_for(stand_in):
    f, weight, _ = training_step()
    x, y = Placeholder("float32", (None, 4)), Placeholder("float64", (None, 70))
    others = [function([x, y], [ops.sum(x), ops.sum(y)]), function([y], [ops.exp(y)]),
              function([], [ops.constant(np.ones(3)) * 2.0]), function([x], [x], mode="reference")]
    with device("cpu"):
        others.append(function([x], [ops.sum(x)]))
    array = np.ones((5, 4), "float32")
    batch, wanted = f.prefetch([array]), weight.get_value().sum() * 5
    for other in others:
        with pytest.raises(GraphError, match="by the function that it was prefetched for"):
            other.run(batch)
    np.testing.assert_allclose(f.run(batch)[0], wanted, rtol=1e-4)


def test_the_host_prefetches_nothing(stand_in):
    x, array = Placeholder("float32", (3,)), np.arange(3, dtype="float32")
    with device("cpu"):
        f = function([x], [x * 2.0])
    assert f.prefetch([array])[0] is array
    program = core().Program(f.program.bytes, [], "cpu")
    with pytest.raises(GraphError, match="a device other than the host is required"):
        program.prefetch([array])


def test_a_batch_whose_call_has_failed_may_be_run_again(stand_in):
    table = Shared(np.arange(6.0).reshape(3, 2), name="table")
    count = Shared(np.zeros(()), name="count")
    rows, factors = Placeholder("int32", (None,)), Placeholder("float64", (None, 2))
    f = function([rows, factors], [ops.gather(table, rows) * factors], updates=[(count, count + 1)])
    right = f.prefetch([np.array([2, 0], "int32"), np.ones((2, 2))])
    np.testing.assert_array_equal(f.run(right)[0], [[4, 5], [0, 1]])
    held = stand_in.held
    wrong = f.prefetch([np.array([2, 9], "int32"), np.ones((2, 2))])
    unequal = f.prefetch([np.array([2, 0, 1], "int32"), np.ones((2, 2))])
    for _ in range(3):
        with pytest.raises(OutOfRangeError, match="9 was given at position 1"):
            f.run(wrong)
        with pytest.raises(ShapeError):
            f.run(unequal)
    assert count.get_value() == 1
    del wrong, unequal
    assert stand_in.held == held


def test_a_batch_may_be_dropped_while_it_moves(stand_in):
    f, weight, _ = training_step()
    array = np.ones((5, 4), "float32")
    for _ in range(3):
        f.prefetch([array])
        wanted = weight.get_value().sum() * 5
        np.testing.assert_allclose(f(array)[0], wanted, rtol=1e-4)


def test_memory_of_batches_is_used_again(stand_in):
    f, *_ = training_step()
    for _ in range(3):
        f.run(f.prefetch([np.ones((5, 4), "float32")]))
    before = stand_in.held
    for _ in range(5):
        f.run(f.prefetch([np.ones((5, 4), "float32")]))
    assert stand_in.held == before


def test_fit_sends_batches_ahead(stand_in):
    generator = np.random.default_rng(2)
    x, y = generator.standard_normal((70, 6)).astype("float32"), generator.integers(0, 3, 70)

    def train(where):
        np.random.seed(5)
        with device(where):
            model = Sequential([layers.Dense(8, activation="tanh", input_shape=(6,)),
                                layers.Dropout(0.2), layers.Dense(3, activation="softmax")])
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            history = model.fit(x, y, batch_size=16, epochs=4, verbose=0)
            return history.history["loss"], model.evaluate(x, y, batch_size=16, verbose=0), model
    before = stand_in.pinned_copies
    losses, (loss, accuracy), model = train("cuda-host")
    assert stand_in.pinned_copies > before
    expected, (wanted, _), _ = train("cpu")
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    np.testing.assert_allclose(loss, wanted, rtol=1e-4)
    assert set(kinds(model.train_function)) == {"recorded"}


def test_an_error_of_a_generator_comes_after_the_steps_before_it():
    class Plain:
        prefetches = True

        def prefetch(self, arrays):
            return arrays

    def steps():
        yield Plain(), [1], 1
        yield Plain(), [2], 1
        raise ValueError("the third")
    seen = []
    with pytest.raises(ValueError, match="the third"):
        for _, arrays, _ in _one_ahead(steps()):
            seen.append(arrays)
    assert seen == [[1], [2]]
