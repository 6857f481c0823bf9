"""Functions on several devices: their values, what they wait for, what they refuse, who may call
them at once."""
import importlib.util
import os
import threading

import numpy as np
import pytest

from symk import config, ops
from symk.autodiff import grad
from symk.compile import function
from symk.graph import Placeholder, Shared
from symk.graph.errors import DeviceError, GraphError, NotFiniteError, OutOfRangeError, ShapeError

_PLACE = os.path.join(os.path.dirname(__file__), "..", "optimize", "random_graphs.py")
_SPEC = importlib.util.spec_from_file_location("random_graphs", _PLACE)
random_graphs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(random_graphs)

NAMES = ("cuda-host:0", "cuda-host:1", "cuda-host:2", "cpu")
GRAPHS, BATCH = 300, 50


class Scattered(random_graphs.Drawing):
    """A random graph whose steps are made on devices drawn at random, or outside of all scopes."""

    def _step(self):
        place = self._pick(None, *NAMES)
        if place is None:
            return super()._step()
        with config.device(place):
            return super()._step()

    def updates(self):
        """New values of the variables, so that steps of their own read what others change."""
        total = sum(ops.mean(ops.tanh(result)) for result in self.results)
        return [(self.weight, self.weight * 0.5 + total), (self.bias, self.bias + total)]


def run_twice(drawing, mode):
    """The results of two calls and what the variables are behind them, as they were before."""
    before = [shared.get_value() for shared in (drawing.weight, drawing.bias)]
    f = function(drawing.inputs, drawing.results, updates=drawing.updates(), mode=mode)
    values = [f.run(drawing.arrays) for _ in range(3)]
    after = [shared.get_value() for shared in (drawing.weight, drawing.bias)]
    for shared, value in zip((drawing.weight, drawing.bias), before):
        shared.set_value(value)
    return f, values, after


@pytest.mark.parametrize("first", range(0, GRAPHS, BATCH))
def test_scattered_graphs_keep_their_values(outside, first):
    several = 0
    for seed in range(first, first + BATCH):
        drawing = Scattered(seed)
        meaning = drawing.values()
        masks = random_graphs.sure(drawing, meaning)
        f, values, after = run_twice(drawing, "native")
        random_graphs.assert_same(meaning, values[0], masks, "seed %d" % seed)
        several += f.plan is None
        again, same_values, same_after = run_twice(drawing, "native")
        for one, other in zip(values + [after], same_values + [same_after]):
            for value, other_value in zip(one, other):
                np.testing.assert_array_equal(value, other_value, "seed %d" % seed)
        if all(mask.all() for mask in masks) and all(np.isfinite(v).all() for v in after):
            for value, wanted in zip(after, run_twice(drawing, "reference")[2]):
                np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-8, err_msg=str(seed))
    assert several > BATCH * 0.9


def in_threads(work, arguments):
    """Calls work with each argument in a thread of its own, and waits for all."""
    threads = [threading.Thread(target=work, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def gathered_halves(table):
    """Numbers of rows, and these rows of a table: each half of them on a device of its own."""
    ids = Placeholder("int32", (None,))
    half = ids.shape[0] // 2
    picked = []
    for name, part in zip(NAMES, (ids[:half], ids[half:])):
        with config.device(name):
            picked.append(ops.gather(table, part))
    return ids, ops.concat(picked, 0)


def two_halves(weight, join="cpu"):
    """tanh(x w) of two halves of x on two devices, joined on one."""
    x = Placeholder("float32", (None, 8), name="x")
    half = x.shape[0] // 2
    parts = []
    for name, part in zip(NAMES, (x[:half], x[half:])):
        with config.device(name):
            parts.append(ops.tanh(ops.matmul(part, weight)))
    with config.device(join):
        return x, ops.concat(parts, 0)


def new_weight():
    value = np.random.default_rng(0).standard_normal((8, 4)).astype("float32")
    return Shared(value, name="w")


def training(weight, join="cpu"):
    x, y = two_halves(weight, join)
    loss = ops.mean(ops.square(y))
    return function([x], [loss, y], updates=[(weight, weight - 0.1 * grad(loss, weight))])


def rows(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 8)).astype("float32")


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("peers", [0, 1])
@pytest.mark.parametrize("pinned", [0, 1 << 40])
@pytest.mark.parametrize("join", ["cpu", "cuda-host:0", "cuda-host:2"])
def test_steps_on_two_devices_are_those_on_one(outside, late, peers, pinned, join):
    outside.late, outside.peers, outside.pinned = late, peers, pinned
    several, one = new_weight(), new_weight()
    f = training(several, join)
    x = Placeholder("float32", (None, 8))
    y = ops.tanh(ops.matmul(x, one))
    loss = ops.mean(ops.square(y))
    plain = function([x], [loss, y], updates=[(one, one - 0.1 * grad(loss, one))])
    for turn, count in enumerate((6, 6, 6, 7, 1, 0, 7, 6)):
        for given, wanted in zip(f(rows(count, turn)), plain(rows(count, turn))):
            np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-6)
        if count:
            np.testing.assert_allclose(several.get_value(), one.get_value(), rtol=1e-5, atol=1e-6)
        else:
            several.set_value(new_weight().get_value())
            one.set_value(new_weight().get_value())


def test_the_host_waits_for_results_alone(outside):
    f = training(new_weight(), "cuda-host:2")
    for _ in range(4):
        f(rows(6))
    waits, replays = outside.waits, outside.replays
    f(rows(6))
    devices, outputs = 3, 2
    assert outside.waits - waits == devices + outputs
    assert outside.replays - replays >= 4       # forward and backward of two devices


def test_values_go_from_device_to_device(outside):
    f = training(new_weight(), "cuda-host:0")
    f(rows(6))
    copies = outside.peer_copies
    f(rows(6))
    # y of device 1, its gradient back, and that of the weight; then the weight to where it is read.
    assert outside.peer_copies - copies == 4


def test_what_goes_from_one_section_to_another_is_one_copy(outside):
    """Whatever it is: here six values that are read in another order than they are made."""
    x = Placeholder("float32", (None, 3))
    with config.device("cuda-host:0"):
        made = [ops.tanh(x * (number + 1.0)) for number in range(6)]
        own = ops.exp(made[2])
    with config.device("cuda-host:1"):
        y = ops.matmul(made[4], ops.transpose(made[1]))
        for value in (made[5], made[0], made[3], made[2]):
            y = y + ops.matmul(value, ops.transpose(value))
    f = function([x], [y, own])
    given = rows(5)[:, :3]
    for _ in range(3):
        copies = outside.peer_copies
        value, _ = f(given)
        assert outside.peer_copies == copies + 1
    made = [np.tanh(given * (number + 1.0)) for number in range(6)]
    wanted = made[4] @ made[1].T + sum(made[number] @ made[number].T for number in (5, 0, 3, 2))
    np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5)    # sums of terms around 10


def test_a_loss_on_the_host_waits_for_each_device_once(outside):
    f = training(new_weight())
    for _ in range(3):
        f(rows(6))
    waits = outside.waits
    f(rows(6))
    assert outside.waits - waits == 2 + 2       # y of both; the end of both


def test_sections_of_one_level_are_asked_for_before_the_host_works(outside):
    """The halves of x; forward; the gradient of y; backward, on the device that hands on first; the
    loss; backward; the step."""
    f = training(new_weight())
    assert [program.device for program in f.program.programs] == [
        "cpu", "cuda-host:0", "cuda-host:1", "cpu", "cuda-host:1", "cpu", "cuda-host:0",
        "cuda-host:0"]


def test_a_wrong_index_on_one_device_changes_no_variable(outside):
    table, count = Shared(np.ones((50, 4), "float32")), Shared(np.zeros((), "float32"))
    ids, picked = gathered_halves(table)
    loss = ops.sum(picked * 2.0)
    step = function([ids], [loss], updates=[(table, table - 0.25 * grad(loss, table)),
                                            (count, count + 1)])
    for turn in range(4):
        step(np.array([1, 2, 3, 3], "int32"))
        before = table.get_value()
        for wrong in ([1, 50, 2, 3], [1, 2, 2, -51]):
            with pytest.raises(OutOfRangeError):
                step(np.array(wrong, "int32"))
            np.testing.assert_array_equal(table.get_value(), before)
            assert count.get_value() == turn + 1


@pytest.mark.parametrize("after", range(0, 30, 3))
def test_a_lost_device_is_said_and_what_is_on_the_host_stays(outside, after):
    weight, kept = new_weight(), Shared(np.arange(4, dtype="float32"))
    f = training(weight, "cuda-host:0")
    for _ in range(3):
        f(rows(6))
    saved = weight.get_value()
    outside.lost = after
    with pytest.raises(DeviceError, match="device is lost.*Start the program again"):
        for _ in range(5):
            f(rows(6))
    with pytest.raises(DeviceError, match="device is lost"):
        f(rows(6))
    assert kept.get_value()[3] == 3
    weight.set_value(saved)         # a value of the host needs no device
    np.testing.assert_array_equal(weight.get_value(), saved)
    x = Placeholder("float32", (None, 8))
    np.testing.assert_allclose(function([x], ops.matmul(x, weight))(rows(2)), rows(2) @ saved,
                               rtol=1e-5)


def test_too_large_a_batch_is_refused_and_a_smaller_one_runs(outside):
    weight = new_weight()
    f = training(weight)
    f(rows(6))
    before = weight.get_value()
    outside.memory = outside.held + (1 << 16)
    with pytest.raises(MemoryError, match="Use a smaller batch"):
        f(rows(20000))
    np.testing.assert_array_equal(weight.get_value(), before)
    f(rows(8))
    outside.memory = 1 << 40
    f(rows(20000))


def test_threads_may_call_one_function(outside):
    x, y = two_halves(new_weight())
    f = function([x], y)
    wanted = {count: f(rows(count)) for count in (3, 4, 9)}
    failures = []

    def work(count):
        for _ in range(20):
            if not np.array_equal(f(rows(count)), wanted[count]):
                failures.append(count)

    in_threads(work, (3, 4, 9, 4))
    assert not failures


def test_wrong_arrays_are_refused_by_the_name_of_the_input(outside):
    x, y = two_halves(new_weight())
    f = function([x], y)
    with pytest.raises(ShapeError, match=r"input x"):
        f(np.ones((3, 9), "float32"))
    with pytest.raises(GraphError, match=r"1 arrays are required \(x\); 2 were given"):
        f.run([rows(2), rows(2)])


def test_nan_is_found_on_the_device_that_made_it(outside):
    x = Placeholder("float32", (None,))
    with config.device("cuda-host:1"):
        y = ops.log(x)
    f = function([x], y * 2.0, check_nan=True)
    f(np.ones(3, "float32"))
    with pytest.raises(NotFiniteError, match="log"):
        f(np.array([1, -1, 1], "float32"))


def test_views_show_each_section(outside):
    f = training(new_weight())
    for _ in range(3):
        f(rows(6))
    f.profile()
    f(rows(6))
    for view in ("plan", "memory", "profile", "device"):
        text = f.show(view)
        assert "section 0 on cpu" in text and " on cuda-host:1\n" in text
    assert "replayed as one graph" in f.show("device") and f.plan is None
    assert "placed" in f.show("graph")
    with pytest.raises(GraphError, match="is of a function on one device"):
        f.show("memory svg")
