"""What only a GPU and its driver can show; left out elsewhere."""
import time

import numpy as np
import pytest

from symk import layers, ops
from symk.compile import function
from symk.compile.native import device_kernel_names
from symk.config import device, settings
from symk.graph import Placeholder, Shared
from symk.graph.errors import DeviceError
from symk.models import Sequential


@pytest.fixture
def gpu(on_device):
    if on_device.startswith("cuda-host"):
        pytest.skip("needs a GPU: SYMK_TEST_DEVICE=cuda")
    return on_device


def median_seconds(call, times=30):
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return sorted(taken)[times // 2]


def test_the_driver_takes_a_training_step_as_one_graph(gpu):
    model = Sequential([layers.Conv2D(8, 3, activation="relu", input_shape=(12, 12, 3)),
                        layers.BatchNormalization(), layers.MaxPooling2D(), layers.Dropout(0.3),
                        layers.Flatten(), layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = np.ones((16, 12, 12, 3), "float32"), np.arange(16) % 4
    losses = [model.train_on_batch(x, y) for _ in range(20)]
    assert {part[2] for part in model.train_function.program.parts()} == {"recorded"}
    assert losses[-1] < losses[0]


def test_a_replay_costs_less_than_its_launches(gpu):
    x = Placeholder("float32", (64,))
    y = x
    for _ in range(20):
        y = ops.sum(ops.reshape(y, (8, 8)), 1, keepdims=True) + ops.reshape(x, (8, 8))
        y = ops.reshape(y, (64,))
    replayed = function([x], [y])
    direct = function([x], [y])
    direct.program._program.replay(False)
    array = np.ones(64, "float32")
    for f in (replayed, direct):
        for _ in range(3):
            f(array)
    np.testing.assert_array_equal(replayed(array)[0], direct(array)[0])
    assert median_seconds(lambda: replayed(array)) < median_seconds(lambda: direct(array))


def test_branches_are_done_beside_each_other(gpu, monkeypatch):
    """Two sequences, each of which leaves most of a GPU free."""
    x, w = Placeholder("float32", (32, 100, 256)), Placeholder("float32", (64, 256))
    zeros = ops.constant(np.zeros((32, 64), "float32"))
    both = [ops.lstm_sequence(x, w, zeros, zeros, reverse=reverse)[0] for reverse in (False, True)]
    branched = function([x, w], both)
    arrays = [np.ones((32, 100, 256), "float32"), np.ones((64, 256), "float32") / 64]
    results = [branched(*arrays) for _ in range(3)]
    with monkeypatch.context() as without:
        without.setattr(settings, "branches", False)
        line = function([x, w], both)
        for _ in range(3):
            results.append(line(*arrays))
    for values in results[1:]:
        for value, first in zip(values, results[0]):
            np.testing.assert_array_equal(value, first)
    assert [part[5] for part in branched.program.parts()] == [2]
    assert [part[5] for part in line.program.parts()] == [1]
    assert median_seconds(lambda: branched(*arrays)) < median_seconds(lambda: line(*arrays))


def test_compiled_programs_have_the_bits_of_the_interpreter(gpu, monkeypatch):
    array = np.random.default_rng(1).standard_normal((4099, 65)).astype("float32") * 4
    found = []
    for setting in ("1", "0"):
        monkeypatch.setattr(settings, "nvrtc", setting)
        x = Placeholder("float32", (None, 65))
        f = function([x], [ops.tanh(x) * ops.exp(x) + ops.sin(x) / (x * x + 1.0),
                           ops.where(x > 0, ops.log1p(x), x)])
        found.append([f(array) for _ in range(3)][2])
        if setting == "1" and "compiled" not in f.show("device"):
            pytest.skip(f.show("device"))
    for value, wanted in zip(*found):
        assert value.tobytes() == wanted.tobytes()


def test_more_memory_than_there_is_is_refused_and_less_runs(gpu):
    x = Placeholder("float32", (None, 1))
    row = ops.constant(np.ones((1, 1 << 20), "float32"))
    f = function([x], [ops.cumsum(x * row, 1)[0, 0]])     # 4 MB for each row, at least
    assert f(np.ones((2, 1), "float32"))[0] == 1
    with pytest.raises(MemoryError, match="bytes are required for arenas of functions.*symk holds"):
        f(np.ones((1 << 20, 1), "float32"))
    for _ in range(3):
        assert f(np.ones((2, 1), "float32"))[0] == 1


def hidden(products):
    """How much of the time of so many products is hidden where their batch is sent before."""
    weight = Shared(np.full((2048, 2048), 1e-3, "float32"), name="weight")
    array = np.ones((16384, 2048), "float32")

    def total(x):
        for _ in range(products):
            x = ops.matmul(x, weight)
        return ops.sum(x)
    x = Placeholder("float32", array.shape)
    f, steps = function([x], [total(x)]), function([], [total(Shared(array))])
    ready = [f.prefetch([array])]

    def ahead():
        batch = ready.pop()
        ready.append(f.prefetch([array]))
        f.run(batch)
    calls = (ahead, lambda: f.run([array]), lambda: steps.run([]))
    for call in calls:
        for _ in range(3):
            call()
    ahead_time, plain_time, steps_time = (median_seconds(call, 15) for call in calls)
    return (plain_time - ahead_time) / steps_time


def test_batches_arrive_while_steps_run(gpu):
    """Where steps take less time than the way of their batch, all of it is hidden; one of these
    takes less, and long enough to be seen.
    """
    assert max(map(hidden, (1, 2, 4, 8))) > 0.5


def test_batches_arrive_on_two_gpus(gpu):
    try:
        device_kernel_names("cuda:1")
    except DeviceError as error:
        pytest.skip(str(error))
    x = Placeholder("float32", (None, 512))
    with device("cpu"):
        halves = [x[::2], x[1::2]]
    sums = []
    for name, half in zip(("cuda:0", "cuda:1"), halves):
        with device(name):
            sums.append(ops.sum(ops.square(half), 1))
    f = function([x], sums)
    arrays = [np.random.default_rng(turn).standard_normal((2048, 512)).astype("float32")
              for turn in range(8)]
    ready = f.prefetch([arrays[0]])
    for array, later in zip(arrays, arrays[1:]):
        wanted = np.square(array.astype("float64")).sum(1)
        sent, ready = ready, f.prefetch([later])
        for number, value in enumerate(f.run(sent)):
            np.testing.assert_allclose(value, wanted[number::2], rtol=1e-5)


def test_a_gpu_that_is_not_there_is_named(gpu):
    with pytest.raises(DeviceError, match="number 99 is required; there are"):
        device_kernel_names("cuda:99")


def test_values_go_between_two_gpus(gpu):
    try:
        device_kernel_names("cuda:1")
    except DeviceError as error:
        pytest.skip(str(error))
    total = Shared(np.zeros(1000, "float32"), name="total")
    steps = []
    for name in ("cuda:0", "cuda:1"):
        with device(name):
            steps.append(function([], [], updates=[(total, total + 1.0)]))
    for _ in range(5):
        for step in steps:
            step()
    np.testing.assert_array_equal(total.get_value(), np.full(1000, 10.0))
