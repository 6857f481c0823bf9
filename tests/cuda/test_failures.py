"""What goes wrong with a device: too little memory, a lost one, an old driver, a shared object of
another build."""
import os
import subprocess
import sys

import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.compile.native import device_kernel_names
from symk.graph import Placeholder, Shared
from symk.graph.errors import DeviceError, OutOfRangeError


def scaled_sum():
    x = Placeholder("float32", (None, 256))
    return function([x], [ops.tanh(x) * 2.0, ops.sum(x, 1)])


def check(f, rows):
    x = np.random.default_rng(rows).standard_normal((rows, 256)).astype("float32")
    value, total = f(x)
    np.testing.assert_allclose(value, np.tanh(x) * 2, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(total, x.sum(1), rtol=1e-4, atol=1e-4)


def test_too_large_a_batch_is_refused_and_a_smaller_one_runs(stand_in):
    f = scaled_sum()
    check(f, 3)
    stand_in.memory = stand_in.held + (1 << 20)
    for _ in range(3):
        with pytest.raises(MemoryError) as raised:
            check(f, 5000)
        message = str(raised.value)
        assert "[device cuda-host:0]" in message and "bytes are required for" in message
        assert "are free, symk holds" in message and "Use a smaller batch." in message
        for _ in range(3):      # bound, recorded, replayed
            check(f, 7)
    stand_in.memory = 1 << 40
    check(f, 5000)


def test_what_is_held_is_named_by_its_use(stand_in):
    weight = Shared(np.ones((64, 256), "float32"), name="weight")
    x = Placeholder("float32", (None, 64))
    f = function([x], [ops.matmul(ops.tanh(x), weight) + ops.constant(np.ones(256, "float32"))])
    f(np.ones((2, 64), "float32"))
    stand_in.memory = stand_in.held + 4096
    with pytest.raises(MemoryError, match="in values of variables") as raised:
        f(np.ones((3000, 64), "float32"))
    assert "in constants" in str(raised.value)


def test_a_variable_that_does_not_fit_is_refused_and_keeps_its_value(stand_in):
    large = Shared(np.full((512, 512), 2.0, "float32"), name="large")
    stand_in.memory = stand_in.held + 1000
    f = function([], [ops.sum(large)])
    with pytest.raises(MemoryError, match="for values of variables"):
        f()
    assert large.get_value()[3, 4] == 2.0
    stand_in.memory = 1 << 40
    assert f()[0] == 512 * 512 * 2


def test_without_pinned_memory_calls_are_the_same(stand_in):
    stand_in.pinned = 0
    f = scaled_sum()
    before = stand_in.pinned_copies
    for rows in (3, 3, 9, 3):
        check(f, rows)
    assert stand_in.pinned_copies == before
    stand_in.pinned = 1 << 40
    check(scaled_sum(), 4)
    assert stand_in.pinned_copies > before


def test_arrays_may_change_once_they_were_sent_without_pinned_memory(stand_in):
    """The driver may read them as late as it reads pinned memory."""
    stand_in.pinned = 0
    f, weight = scaled_sum(), Shared(np.full(256, 3.0, "float32"), name="weight")
    x = np.random.default_rng(1).standard_normal((3, 256)).astype("float32")
    wanted = np.tanh(x) * 2
    batch = f.prefetch([x])
    x[:] = np.nan
    np.testing.assert_allclose(f.run(batch)[0], wanted, rtol=1e-6, atol=1e-6)
    read = function([], [weight * 1.0])
    for value in (3.0, 4.0):
        weight.set_value(np.full(256, value, "float32"))
        np.testing.assert_array_equal(read()[0], np.full(256, value))


@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_a_lost_device_is_said_at_every_call_and_nothing_waits(stand_in, after):
    total = Shared(np.zeros(256, "float32"), name="total")
    x = Placeholder("float32", (None, 256))
    step = function([x], [ops.sum(x)], updates=[(total, total + ops.sum(x, 0))])
    one = np.ones((2, 256), "float32")
    for _ in range(3):
        step(one)
    stand_in.lost = after
    for _ in range(3):
        with pytest.raises(DeviceError, match="device is lost.*Start the program again"):
            for _ in range(3):
                step(one)
    with pytest.raises(DeviceError, match="device is lost"):
        total.get_value()
    with pytest.raises(DeviceError, match="device is lost"):
        scaled_sum()(one)
    total.set_value(np.zeros(256, "float32"))       # a value of the host needs no device
    assert not total.get_value().any()


def test_a_driver_that_is_too_old_or_missing_is_named(stand_in):
    stand_in.driver = 11080
    with pytest.raises(DeviceError, match=r"driver for CUDA 13 is required; this one is for 11\.8"):
        device_kernel_names("cuda-host:7")
    stand_in.driver = 0
    with pytest.raises(DeviceError, match="driver is required; none was found"):
        device_kernel_names("cuda-host:7")
    stand_in.driver, stand_in.devices = 13000, 0
    with pytest.raises(DeviceError, match="a GPU is required; the driver says"):
        device_kernel_names("cuda-host:7")
    stand_in.devices = 2
    with pytest.raises(DeviceError, match="number 7 is required; there are 2"):
        device_kernel_names("cuda-host:7")


def test_an_old_gpu_is_refused(stand_in):
    stand_in.devices, stand_in.capability = 9, 61
    with pytest.raises(DeviceError, match=r"7\.5 or later is required; stand-in has 6\.1"):
        device_kernel_names("cuda-host:8")
    stand_in.capability = 90
    assert "matmul" in device_kernel_names("cuda-host:8")


def test_a_shared_object_of_another_build_is_refused(stand_in):
    opened, message = stand_in.open(0, "0123456789ab")
    assert opened is None
    assert "built for another state of symk" in message and "Build symk again." in message


FORKED = """
import os, sys
import numpy as np
from symk import ops
from symk.compile import function
from symk.config import device
from symk.graph import Placeholder
x = Placeholder("float32", (None,))
with device("cuda-host"):
    f = function([x], [x * 2.0])
f(np.ones(3, "float32"))
child = os.fork()
if child == 0:
    try:
        f(np.ones(3, "float32"))
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
assert f(np.ones(3, "float32"))[0][0] == 2
print("the parent goes on")
"""


def test_a_forked_process_is_told_to_be_spawned(stand_in):
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True,
                          timeout=60)
    assert "DeviceError [device cuda-host:0]" in done.stdout, done.stderr
    assert 'by the method "spawn"' in done.stdout and "the parent goes on" in done.stdout


DROPPED = """
import os, sys
import numpy as np
from symk import ops
from symk.compile import function
from symk.config import device
from symk.graph import Placeholder, Shared
sys.path.insert(0, sys.argv[1])
from stand_in import StandIn
x, total = Placeholder("float32", (None,)), Shared(np.zeros((), "float32"))
with device("cuda-host"):
    f = function([x], [ops.tanh(x) * ops.sum(x)], updates=[(total, total + ops.sum(x))])
for _ in range(3):
    f(np.ones(3, "float32"))
batch = f.prefetch([np.ones(3, "float32")])
assert StandIn().replays > 0
child = os.fork()
if child == 0:
    del batch, f, total
    print(StandIn().forked, "calls of the child", flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_forked_process_lets_go_of_what_is_its_parents(stand_in):
    """Memory, recordings, marks: the driver would refuse each call, and the next one see it."""
    done = subprocess.run([sys.executable, "-c", DROPPED, os.path.dirname(__file__)],
                          capture_output=True, text=True, timeout=60)
    assert done.stdout == "0 calls of the child\n", done.stderr


@pytest.mark.parametrize("field, value, message", [
    ("streams", 1, "cudaStreamCreate failed: out of memory"), ("exhausted", 1, "bad_alloc")])
def test_a_device_that_cannot_be_opened_as_a_whole_leaves_nothing(stand_in, field, value, message):
    """Its second stream is refused, or the first one finds no memory on the host."""
    stand_in.devices, streams = 9, stand_in.open_streams
    setattr(stand_in, field, streams + value)
    with pytest.raises(DeviceError, match="device cuda-host:6.*" + message):
        device_kernel_names("cuda-host:6")
    assert stand_in.open_streams == streams


def test_a_wrong_index_changes_no_variable(on_device):
    """The rows of one table are written where they lie, by a step that may itself refuse."""
    tables = [Shared(np.ones((50, 4), "float32"), name="table") for _ in range(2)]
    count = Shared(np.zeros((), "float32"), name="count")
    ids, rows = Placeholder("int32", (3,)), Placeholder("float32", (3, 4))
    updates = [(table, table - 0.25 * ops.scatter_add(rows, ids * factor, 0, 50))
               for table, factor in zip(tables, (1, 2))]
    step = function([ids, rows], [], updates=updates + [(count, count + 1)])
    assert step.show("plan").count("scatter_into(") == 2
    values = np.arange(12, dtype="float32").reshape(3, 4)
    for turn in range(4):       # bound, recorded, replayed
        step.run([np.array([1, 2, 3], "int32"), values])
        before = [shared.get_value() for shared in (*tables, count)]
        assert before[0][1:4].sum() == 12 - 0.25 * values.sum() * (turn + 1)
        assert before[2] == turn + 1
        for wrong in ([1, 50, 2], [1, 30, 2]):
            with pytest.raises(OutOfRangeError):
                step.run([np.array(wrong, "int32"), values])
            for shared, kept in zip((*tables, count), before):
                np.testing.assert_array_equal(shared.get_value(), kept)


def test_a_wrong_index_leaves_a_variable_that_is_written_over_as_a_whole(on_device):
    """The step begins by writing all rows: half of the old ones."""
    table = Shared(np.ones((5, 4), "float32"), name="table")
    ids, rows = Placeholder("int32", (3,)), Placeholder("float32", (3, 4))
    halved = table * 0.5 - 0.25 * ops.scatter_add(rows, ids, 0, 5)
    step = function([ids, rows], [], updates=[(table, halved)])
    assert "scatter_into(" in step.show("plan")
    for turn in range(1, 4):        # bound, recorded, replayed
        with pytest.raises(OutOfRangeError):
            step.run([np.array([0, 1, 9], "int32"), np.ones((3, 4), "float32")])
        np.testing.assert_array_equal(table.get_value(), np.full((5, 4), 0.5 ** (turn - 1)))
        step.run([np.array([0, 1, 2], "int32"), np.zeros((3, 4), "float32")])
        np.testing.assert_array_equal(table.get_value(), np.full((5, 4), 0.5 ** turn))
