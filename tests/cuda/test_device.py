"""What a device is to functions: where values live, what is refused, how it is asked for."""
import threading

import numpy as np
import pytest

from symk import layers, ops
from symk.compile import function
from symk.compile.native import core, device_kernel_names
from symk.compile.plan import encode
from symk.config import device, settings
from symk.deploy.exporter import exported
from symk.graph import Placeholder, Shared
from symk.graph.errors import DeviceError, NotFiniteError, OutOfRangeError
from symk.models import Sequential


def test_values_follow_to_where_they_are_used(on_device):
    weight = Shared(np.arange(4.0), name="weight")
    x = Placeholder("float64", (4,))
    step = function([x], [weight * x], updates=[(weight, weight + x)])
    with device("cpu"):
        read = function([], [weight * 1.0])
        write = function([x], [], updates=[(weight, x)])
    np.testing.assert_array_equal(step(np.ones(4))[0], np.arange(4.0))
    np.testing.assert_array_equal(read()[0], np.arange(4.0) + 1)
    np.testing.assert_array_equal(weight.get_value(), np.arange(4.0) + 1)
    weight.set_value(np.full(4, 7.0))
    np.testing.assert_array_equal(step(np.ones(4))[0], np.full(4, 7.0))
    np.testing.assert_array_equal(read()[0], np.full(4, 8.0))
    write(np.zeros(4))
    np.testing.assert_array_equal(step(np.ones(4))[0], np.zeros(4))


def test_updates_read_old_values(on_device):
    a, b = Shared(np.zeros(3), name="a"), Shared(np.ones(3), name="b")
    swap = function([], [a + b], updates=[(a, b), (b, a)])
    for turn in range(3):
        np.testing.assert_array_equal(swap()[0], np.ones(3))
        np.testing.assert_array_equal(a.get_value(), np.full(3, 1.0 - turn % 2))


def test_results_that_last_follow_their_variables(on_device):
    weight, scale = Shared(np.ones((6, 4), "float32")), Shared(np.ones(4, "float32"))
    x = Placeholder("float32", (None, 6))
    f = function([x], ops.matmul(x, ops.mul(weight, ops.exp(scale))))
    given = Placeholder("float32", (4,))
    change = function([given], [], updates=[(scale, given)])
    data = np.ones((3, 6), "float32")
    for value in (0.0, 0.5, -1.0):
        change(np.full(4, value, "float32"))
        for _ in range(2):
            np.testing.assert_allclose(f(data), np.full((3, 4), 6 * np.exp(value)), rtol=1e-5)
    weight.set_value(np.zeros((6, 4)))
    assert not f(data).any() and f.program.memory()["kept_bytes"] >= 96


def test_a_lasting_index_outside_is_refused_at_each_call(on_device):
    table, place = Shared(np.ones((4, 3), "float32")), Shared(np.array([9]), "int64")
    x = Placeholder("float32", (None, 3))
    f = function([x], ops.mul(x, ops.exp(ops.gather(table, place))))
    for _ in range(2):
        with pytest.raises(OutOfRangeError, match="9 was given"):
            f(np.ones((2, 3)))
    place.set_value(np.array([1]))
    np.testing.assert_allclose(f(np.ones((2, 3))), np.full((2, 3), np.exp(1.0)), rtol=1e-5)


def test_a_failing_call_updates_nothing(on_device):
    table = Shared(np.arange(6.0).reshape(3, 2), name="table")
    count, rows = Shared(np.zeros(()), name="count"), Placeholder("int32", (None,))
    f = function([rows], [ops.gather(table, rows)], updates=[(count, count + 1)])
    np.testing.assert_array_equal(f(np.array([2, 0], "int32"))[0], [[4, 5], [0, 1]])
    with pytest.raises(OutOfRangeError, match=r"size 3; 9 was given at position 1"):
        f(np.array([1, 9, 11], "int32"))
    assert count.get_value() == 1
    f(np.array([-1], "int32"))
    assert count.get_value() == 2


def test_a_check_for_nan_names_the_op(on_device):
    x = Placeholder("float32", (3,))
    f = function([x], [ops.log(x)], check_nan=True)
    f(np.ones(3, "float32"))
    with pytest.raises(NotFiniteError, match="log"):
        f(np.array([1, 0, 1], "float32"))


def test_sizes_may_change_from_call_to_call(on_device):
    x = Placeholder("float32", (None, None))
    f = function([x], [ops.tanh(x) + ops.constant(np.float32(1)), ops.sum(x)])
    for shape in ((3, 5), (0, 5), (70, 9), (1, 1), (3, 5)):
        array = np.random.standard_normal(shape).astype("float32")
        value, total = f(array)
        np.testing.assert_allclose(value, np.tanh(array) + 1, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(total, array.sum(), rtol=1e-4, atol=1e-5)


def test_calls_from_several_threads(on_device):
    x = Placeholder("float32", (None,))
    f = function([x], [ops.exp(x) * x])
    arrays = [np.linspace(-1, 1, 50 + 13 * k).astype("float32") for k in range(4)]
    results = [None] * 4

    def call(k):
        for _ in range(5):
            results[k] = f(arrays[k])[0]
    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for array, result in zip(arrays, results):
        np.testing.assert_allclose(result, np.exp(array) * array, rtol=1e-6)


def test_a_device_that_is_not_there_is_refused():
    with device("cuda:99"):
        with pytest.raises(DeviceError, match="device cuda:99"):
            function([], [ops.constant(np.ones(3)) * 2.0])
    with pytest.raises(ValueError, match="cuda:N"):
        with device("tpu"):
            pass
    assert settings.device == "cpu"


def test_a_device_is_one_however_its_number_is_written(stand_in):
    total, peer_copies = Shared(np.zeros(3, "float32")), stand_in.peer_copies
    for name in ("cuda-host:1", "cuda-host:01", "cuda-host:001"):
        with device(name):
            function([], [], updates=[(total, total + 1.0)])()
    np.testing.assert_array_equal(total.get_value(), np.full(3, 3.0))
    assert stand_in.peer_copies == peer_copies


def test_an_unknown_kind_has_no_kernels():
    with pytest.raises(DeviceError, match="there is no other kind"):
        device_kernel_names("gpu")


@pytest.mark.parametrize("build, given, message", [
    (lambda x, i: ops.gather(x, i), [0, 5, -6, 7], "size 5; 5 was given at position 1"),
    (lambda x, i: ops.gather(x, i), [0, -6, 5], "size 5; -6 was given at position 1"),
    (lambda x, i: ops.scatter_add(x[:3], i, 0, 5), [4, 9, 0], "size 5; 9 was given at position 1"),
    (lambda x, i: ops.sparse_softmax_cross_entropy(x, i), [0, 1, 2, 3, 2],
     "size 3; 3 was given at position 3"),
])
def test_the_first_index_outside_is_named(on_device, build, given, message):
    x, indices = Placeholder("float32", (5, 3)), Placeholder("int64", (len(given),))
    f = function([x, indices], [build(x, indices)])
    with pytest.raises(OutOfRangeError) as raised:
        f(np.zeros((5, 3), "float32"), np.array(given))
    assert message in str(raised.value)


def test_a_step_of_a_loop_that_fails_says_which(on_device):
    links, steps = ops.constant(np.array([1, 2, 5])), Placeholder("float32", (None,))
    (last,), _ = ops.scan(lambda row, state: ([ops.gather(links, state[0])], []), [steps],
                          [ops.constant(np.int64(0))])
    f = function([steps], [last])
    assert f(np.zeros(2, "float32"))[0] == 2
    assert f(np.zeros(0, "float32"))[0] == 0
    with pytest.raises(OutOfRangeError, match=r"in step 3 of the loop.*size 3; 5 was given"):
        f(np.zeros(6, "float32"))


def test_a_branch_is_taken_by_a_value_of_the_device(on_device):
    x = Placeholder("float32", (3,))
    y = ops.cond(ops.sum(x) > 0, lambda: x * 2.0, lambda: x - 1.0)
    f = function([x], [y])
    np.testing.assert_array_equal(f(np.ones(3, "float32"))[0], np.full(3, 2.0))
    np.testing.assert_array_equal(f(-np.ones(3, "float32"))[0], np.full(3, -2.0))


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_weights_that_are_stored_in_less_are_read_by_the_host(on_device, weights):
    """The device has no kernels for them; its results are those of the CPU."""
    model = Sequential([layers.Embedding(30, 8, input_length=12), layers.Conv1D(16, 3),
                        layers.LSTM(8, return_sequences=True), layers.Flatten(), layers.Dense(10)])
    x = np.random.default_rng(3).integers(0, 30, (4, 12)).astype("int32")
    with device("cpu"):
        model.predict(x)
        function, values = exported(model, weights=weights)[:2]
    arrays = [np.asarray(values[number].array) for number in function[0].values]
    made = [core().Program(encode(function[0].plan), [core().Tensor(array) for array in arrays],
                           where) for where in ("cpu", on_device)]
    given = [np.asarray(x, function[0].plan.buffers[function[0].plan.inputs[0][1]].dtype)]
    for _ in range(3):
        expected, found = (program.run(given)[0] for program in made)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    hosted = [part for part in made[1].parts() if part[2] == "hosted"]
    assert hosted and all("dtype" in reason for part in hosted for reason in part[4])
