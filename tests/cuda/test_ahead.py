"""Batches that move ahead to several devices: the same bits as without, beside what the devices do,
in memory that is used again; and what may not be done ahead."""
import threading

import numpy as np
import pytest
from test_ensemble import (NAMES, Scattered, gathered_halves, in_threads, new_weight, rows,
                           training, two_halves)
from test_replicas import DEVICES, data, dense, pair

import symk
from symk import backend as K
from symk import config, layers, ops
from symk.compile import function
from symk.graph import Placeholder, Shared
from symk.graph.errors import DeviceError, GraphError, NotFiniteError, OutOfRangeError, ShapeError
from symk.models import Sequential


def one_ahead(f, calls):
    """The results of calls, each prefetched before the one ahead of it is run."""
    ready, results = f.prefetch(calls[0]), []
    for arrays in calls[1:]:
        later = f.prefetch(arrays)
        results.append(f.run(ready))
        ready = later
    return results + [f.run(ready)]


def assert_same_bits(given, wanted):
    for one, other in zip(given, wanted):
        for value, expected in zip(one, other):
            np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("peers", [0, 1])
@pytest.mark.parametrize("pinned", [0, 1 << 40])
@pytest.mark.parametrize("join", ["cpu", "cuda-host:0", "cuda-host:2"])
def test_steps_are_those_of_arrays_that_are_not_sent_ahead(outside, late, peers, pinned, join):
    outside.late, outside.peers, outside.pinned = late, peers, pinned
    calls = [[rows(count, turn)] for turn, count in enumerate((6, 6, 6, 7, 1, 7, 6, 12))]
    weights, runs = [new_weight(), new_weight()], []
    for weight, run in zip(weights, (lambda f: [f.run(arrays) for arrays in calls],
                                     lambda f: one_ahead(f, calls))):
        f = training(weight, join)
        assert f.prefetches
        runs.append(run(f) + [[weight.get_value()]])
    assert_same_bits(*runs)


def test_scattered_graphs_give_the_same_bits(outside):
    ahead = 0
    for seed in range(100):
        drawing = Scattered(seed)
        before = [shared.get_value() for shared in (drawing.weight, drawing.bias)]
        runs = []
        for run in (lambda f: [f.run(drawing.arrays) for _ in range(3)],
                    lambda f: one_ahead(f, [drawing.arrays] * 3)):
            f = function(drawing.inputs, drawing.results, updates=drawing.updates())
            runs.append(run(f) + [[shared.get_value()
                                   for shared in (drawing.weight, drawing.bias)]])
            for shared, value in zip((drawing.weight, drawing.bias), before):
                shared.set_value(value)
        ahead += f.plan is None and f.prefetches
        for one, other in zip(*runs):
            for value, wanted in zip(one, other):
                np.testing.assert_array_equal(value, wanted, "seed %d" % seed)
    assert ahead > 50


def test_what_is_made_ahead_may_be_wanted_anywhere(outside):
    """By two devices, by the host in the call, by the caller, and by a variable; or by nobody else
    than what is made ahead of it."""
    last, scale = Shared(np.zeros((), "float32"), name="last"), Shared(np.float32(3), name="scale")
    x, y = Placeholder("float32", (None, 4), name="x"), Placeholder("float32", (None,), name="y")
    with config.device("cpu"):
        part = ops.exp(x[1:])
        total = ops.sum(part)
        own = ops.sum(part * scale) + ops.sum(y)
    values = [part, total, own]
    for name in NAMES[:2]:
        with config.device(name):
            values.append(ops.tanh(part) * scale + total + ops.sum(x))
    f = function([x, y], values, updates=[(last, total)])
    for count in (3, 3, 3, 1, 5):
        arrays = [rows(count, count)[:, :4].copy(), np.arange(count, dtype="float32")]
        sent = f.prefetch(arrays)
        wanted = np.exp(arrays[0][1:])
        kept = [array.copy() for array in arrays]
        for array in arrays:
            array[:] = np.nan
        for given in (f.run(sent), f.run(kept)):
            np.testing.assert_allclose(given[0], wanted, rtol=1e-5)
            np.testing.assert_allclose(given[1], wanted.sum(), rtol=1e-5)
            np.testing.assert_allclose(given[2], wanted.sum() * 3 + kept[1].sum(), rtol=1e-5)
            np.testing.assert_allclose(last.get_value(), wanted.sum(), rtol=1e-5)
            for value in given[3:]:
                np.testing.assert_allclose(
                    value, np.tanh(wanted) * 3 + wanted.sum() + kept[0].sum(), rtol=1e-4)


def test_arrays_may_change_once_they_are_sent(outside):
    f = training(new_weight())
    wanted = training(new_weight()).run([rows(6)])
    array = rows(6)
    batch = f.prefetch([array])
    array[:] = np.nan
    assert_same_bits([f.run(batch)], [wanted])


def test_copies_go_beside_what_the_devices_do(outside):
    """The stand-in does work when somebody waits for it: who waits for the queues of the devices
    does not wait for the copies, but the call of their batch does."""
    x, y = two_halves(new_weight(), "cuda-host:0")
    f, others = function([x], [y]), []
    for name in NAMES[:2]:
        with config.device(name):
            others.append(function([], [ops.tanh(new_weight())]))
    for _ in range(3):
        f.run(f.prefetch([rows(6)]))
    assert outside.undone == 0
    batch = f.prefetch([rows(6)])
    assert outside.undone == 2          # a copy for each of two devices
    for other in others:
        other()
    assert outside.undone == 2
    copies = outside.pinned_copies
    f.run(batch)
    assert outside.undone == 0 and outside.pinned_copies == copies


def test_the_host_cuts_a_batch_once_for_all_and_ahead(outside):
    f = training(new_weight())
    times = [program.timed_calls for program in f.program.programs]
    f.profile()
    batch = f.prefetch([rows(6)])
    counts = [time() for time in times]
    assert counts[0] == 1 and not any(counts[1:])
    f.run(batch)
    assert [time() for time in times] == [1] * len(times)


def test_views_say_what_runs_ahead(outside):
    text = training(new_weight()).show("plan")
    assert "section 0 on cpu, ahead\n" in text and text.count(", ahead\n") == 1


def test_memory_of_batches_is_used_again(outside):
    f = training(new_weight())
    calls = [[rows(count, turn)] for turn, count in enumerate((6, 5, 6, 6, 5, 1, 6))]
    one_ahead(f, calls)
    held, allocations = outside.held, outside.allocations
    for _ in range(3):
        one_ahead(f, calls)
    assert outside.held == held and outside.allocations == allocations
    for _ in range(3):          # arrays that are not sent ahead take the same way
        f.run(calls[0])
    assert outside.allocations == allocations


def test_variables_are_read_when_a_batch_is_run(outside):
    weight = new_weight()
    x, y = two_halves(weight)
    f = function([x], [y])
    batch = f.prefetch([rows(6)])
    weight.set_value(np.zeros((8, 4), "float32"))
    assert not f.run(batch)[0].any()


# ---- what goes wrong

def test_a_batch_is_run_once_and_by_its_own_function(outside):
    x, y = two_halves(new_weight())
    f, other = function([x], [y]), training(new_weight())
    with config.device("cuda-host:0"):
        single = function([x], [ops.tanh(x)])
    batch, alone = f.prefetch([rows(6)]), single.prefetch([rows(6)])
    for runner, sent in ((other, batch), (single, batch), (f, alone)):
        with pytest.raises(GraphError, match="by the function that it was prefetched for"):
            runner.run(sent)
    np.testing.assert_array_equal(f.run(batch)[0], f.run([rows(6)])[0])
    with pytest.raises(GraphError, match="must be run once"):
        f.run(batch)


def test_a_batch_whose_call_has_failed_may_be_run_again(outside):
    table, count = Shared(np.ones((50, 4), "float32")), Shared(np.zeros((), "float32"))
    ids, picked = gathered_halves(table)
    step = function([ids], [picked], updates=[(count, count + 1)])
    right = [np.array([1, 2, 3, 3], "int32")]
    one_ahead(step, [right] * 3)
    allocations = outside.allocations
    wrong = step.prefetch([np.array([1, 2, 2, -51], "int32")])
    for _ in range(3):
        with pytest.raises(OutOfRangeError):
            step.run(wrong)
        step.run(right)
    assert count.get_value() == 6
    assert outside.allocations - allocations <= 6       # for one batch more


def test_a_batch_may_be_dropped_while_it_moves(outside):
    f = training(new_weight())
    plain = training(new_weight())
    for _ in range(3):
        f.prefetch([rows(6, 1)])
        assert_same_bits([f.run(f.prefetch([rows(6)]))], [plain.run([rows(6)])])


def test_wrong_arrays_are_refused_when_they_are_sent(outside):
    x, y = two_halves(new_weight())
    f = function([x], [y])
    with pytest.raises(ShapeError, match="input x"):
        f.prefetch([np.ones((3, 9), "float32")])
    with pytest.raises(GraphError, match="1 arrays are required"):
        f.prefetch([rows(2), rows(2)])


def test_what_the_host_refuses_ahead_is_said_with_its_place(outside):
    template = Sequential([layers.BatchNormalization(input_shape=(8,)), layers.Dense(3)])
    parallel = symk.utils.multi_gpu_model(template, DEVICES["three"])
    parallel.compile("sgd", "mse")
    x, y = data(20)
    before = template.get_weights()
    with pytest.raises(ShapeError, match='in layer "lambda.*each device must have a row'):
        parallel.fit(x, y, batch_size=9, shuffle=False, verbose=0)      # 9, 9, and 2 for three
    assert not np.array_equal(template.get_weights()[-1], before[-1])   # two steps were made
    parallel.fit(x[:18], y[:18], batch_size=9, verbose=0)


def test_a_nan_that_the_host_finds_ahead_is_said(outside):
    x = Placeholder("float32", (None,))
    with config.device("cpu"):
        y = ops.log(x)
    with config.device("cuda-host:1"):
        f = function([x], [ops.tanh(y) * 2.0], check_nan=True)
    f.run(f.prefetch([np.ones(3, "float32")]))
    with pytest.raises(NotFiniteError, match="log"):
        f.prefetch([np.array([1, -1, 1], "float32")])


def test_what_a_device_has_no_memory_for_waits_on_the_host(outside):
    weights = new_weight(), new_weight()
    f, plain = training(weights[0]), training(weights[1])
    for _ in range(3):
        f.run([rows(6)])
        plain.run([rows(6)])
    outside.memory = 1              # nothing more
    batches = [f.prefetch([rows(6, turn)]) for turn in range(3)]
    for turn, batch in enumerate(batches):
        assert_same_bits([f.run(batch)], [plain.run([rows(6, turn)])])
    with pytest.raises(MemoryError, match="Use a smaller batch"):
        f.run(f.prefetch([rows(20000)]))
    outside.memory = 1 << 40
    assert_same_bits([f.run(f.prefetch([rows(20000)])), [weights[0].get_value()]],
                     [plain.run([rows(20000)]), [weights[1].get_value()]])


@pytest.mark.parametrize("after", range(0, 24, 2))
def test_a_lost_device_is_said(outside, after):
    weight = new_weight()
    f = training(weight, "cuda-host:0")
    one_ahead(f, [[rows(6)]] * 3)
    saved = weight.get_value()
    outside.lost = after
    with pytest.raises(DeviceError, match="device is lost.*Start the program again"):
        one_ahead(f, [[rows(6)]] * 6)
    with pytest.raises(DeviceError, match="device is lost"):
        f.run(f.prefetch([rows(6)]))
    weight.set_value(saved)         # a value of the host needs no device
    np.testing.assert_array_equal(weight.get_value(), saved)


def test_threads_may_send_and_run_batches(outside):
    x, y = two_halves(new_weight())
    f = function([x], [y])
    wanted = {count: f.run([rows(count)])[0] for count in (3, 4, 9)}
    failures = []

    def work(count):
        for result, in one_ahead(f, [[rows(count)]] * 15):
            if not np.array_equal(result, wanted[count]):
                failures.append(count)

    in_threads(work, (3, 4, 9, 4))
    assert not failures


# ---- what may not be done ahead

def on_the_host(*made):
    """A function of x, of which the host makes values for a device."""
    x = Placeholder("float32", (None, 4), name="x")
    with config.device("cpu"):
        values = [make(x) for make in made]
    with config.device("cuda-host:1"):
        return function([x], [ops.tanh(value) for value in values])


def test_variables_of_the_host_are_read_when_the_batch_is_run(outside):
    factor = Shared(np.float32(2), name="factor")
    f = on_the_host(lambda x: x * factor)
    assert not f.prefetches         # nothing that a device reads is known ahead
    assert f.prefetch([1])[0] == 1
    factor.set_value(np.float32(0))
    assert not f(np.ones((2, 4), "float32"))[0].any()


def test_random_numbers_of_the_host_are_drawn_in_the_order_of_the_calls(outside):
    runs = []
    for run in (lambda f: [f.run([np.ones((2, 4), "float32")]) for _ in range(4)],
                lambda f: one_ahead(f, [[np.ones((2, 4), "float32")]] * 4)):
        np.random.seed(7)
        f = on_the_host(lambda x: K.random_uniform((2, 4)), lambda x: x * 2.0)
        assert f.prefetches
        runs.append(run(f))
    assert_same_bits(*runs)
    assert not np.array_equal(runs[0][0], runs[0][1])


def test_what_others_see_is_not_done_ahead(outside, capfd):
    calls = []

    @symk.custom_op("seen")
    class Seen(symk.CustomOp):
        """Counts its calls."""

        def infer(self, x):
            return x

        def reference(self, x):
            calls.append(len(x))
            return x + 1

    f = on_the_host(lambda x: x * 2.0, lambda x: Seen()(x * 2.0))
    batch = f.prefetch([np.ones((2, 4), "float32")])
    assert f.prefetches and not calls
    for value, wanted in zip(f.run(batch), (2, 3)):
        np.testing.assert_allclose(value, np.full((2, 4), np.tanh(wanted)), rtol=1e-6)
    assert calls == [2]
    f = on_the_host(lambda x: x * 2.0, lambda x: ops.print_value(x * 2.0, "seen now"))
    batch = f.prefetch([np.ones((2, 4), "float32")])
    assert f.prefetches and "seen now" not in capfd.readouterr().out
    f.run(batch)
    assert "seen now" in capfd.readouterr().out


def test_arrays_that_only_the_host_reads_are_not_sent(outside):
    weight = new_weight()
    x = Placeholder("float32", (None, 8))
    with config.device("cpu"):
        y = ops.matmul(x, weight)
    with config.device("cuda-host:1"):
        f = function([x], [ops.tanh(y)])
    assert not f.prefetches


# ---- models

def counted(f):
    """The batches that a function is asked to send ahead, a list that grows."""
    sent, send = [], f.program.prefetch
    f.program.prefetch = lambda arrays: sent.append(len(arrays[0])) or send(arrays)
    return sent


@pytest.mark.parametrize("devices", sorted(DEVICES) + ["one and host"])
@pytest.mark.parametrize("cpu_merge", [True, False])
def test_models_send_batches_ahead(outside, devices, cpu_merge, monkeypatch):
    monkeypatch.setitem(DEVICES, "one and host", ["cuda-host:0", "cpu"])
    x, y = data()
    borders = [(start, min(start + 8, len(x))) for start in range(0, len(x), 8)]
    values = []
    for fits in (False, True):
        _, model, template = pair(dense, devices, cpu_merge=cpu_merge)
        template.set_weights([np.full(w.shape, 0.1) + np.arange(w.size).reshape(w.shape) % 3 * 0.1
                              for w in template.get_weights()])
        model.compile("adam", "categorical_crossentropy")
        if fits:
            model.train_on_batch(x[:8], y[:8])
            model.test_on_batch(x[:8], y[:8])
            model.predict_on_batch(x[:8])
            sent = [counted(f) for f in (model.train_function, model.test_function,
                                         model.predict_function)]
            model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
            loss = model.evaluate(x, y, batch_size=8, verbose=0)
            results = model.predict(x, batch_size=8)
            counts = [stop - start for start, stop in borders]
            assert sent == [counts * 2, counts, counts]
        else:
            for start, stop in [(0, 8)] + borders * 2:
                model.train_on_batch(x[start:stop], y[start:stop])
            loss = sum(float(model.test_on_batch(x[start:stop], y[start:stop])) * (stop - start)
                       for start, stop in borders) / len(x)
            results = np.concatenate([model.predict_on_batch(x[start:stop])
                                      for start, stop in borders])
        values.append((template.get_weights() + [results], loss))
    assert_same_bits(values[:1][0][:1], values[1:][0][:1])
    np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-6)


@pytest.mark.parametrize("shuffle", [True, False])
def test_large_batches_are_sent_from_a_thread(outside, monkeypatch, shuffle):
    """The thread that cuts and shuffles them also sends them, while steps run."""
    monkeypatch.setattr("symk.engine.sources._WORTH_A_THREAD", 0)
    x, y = data()
    weights = []
    for devices in ("two", "host and one"):
        _, model, template = pair(dense, devices)
        template.set_weights([np.full(w.shape, 0.1) for w in template.get_weights()])
        model.compile("adam", "categorical_crossentropy")
        model.train_on_batch(x[:8], y[:8])
        threads, send = set(), model.train_function.program.prefetch
        model.train_function.program.prefetch = lambda arrays, threads=threads, send=send: (
            threads.add(threading.current_thread()) or send(arrays))
        np.random.seed(3)
        model.fit(x, y, batch_size=8, epochs=3, shuffle=shuffle, verbose=0)
        assert len(threads) == 3 and threading.current_thread() not in threads
        weights.append(template.get_weights())
    for one, other in zip(*weights):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
