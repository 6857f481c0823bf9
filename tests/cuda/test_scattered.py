"""Programs one of whose operands is rows that are added into zeros: the step of an optimizer behind
the gradient of an embedding. The sums are never in memory."""
import shutil

import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.config import device, settings
from symk.graph import Placeholder, Shared
from symk.graph.errors import OutOfRangeError

COMPILER = shutil.which("c++") or shutil.which("g++")


def step_of(shape, index_shape, axis=0, dtype="float32", index_dtype="int32", curve=ops.tanh):
    """A step over a table whose rows are numbered along an axis."""
    generator = np.random.default_rng(1)
    table = Shared(generator.standard_normal(shape).astype(dtype), name="table")
    speed = Shared(generator.standard_normal(shape).astype(dtype), name="speed")
    ids = Placeholder(index_dtype, index_shape)
    rows = Placeholder(dtype, shape[:axis] + index_shape + shape[axis + 1:])
    slope = ops.scatter_add(rows, ids, axis, shape[axis])
    new = curve(speed * 0.5) + slope * slope
    f = function([ids, rows], [], updates=[(speed, new), (table, table - new * 0.1)])
    assert "fused_scatter(" in f.show("plan")
    return f, table, speed


def arrays_of(f, limit, seed):
    generator = np.random.default_rng(seed)
    ids, rows = f.inputs
    return [generator.integers(-limit, limit, ids.type.shape).astype(ids.dtype),
            generator.standard_normal(rows.type.shape).astype(rows.dtype)]


@pytest.mark.parametrize("shape, index_shape, axis", [
    ((1, 1), (1,), 0), ((50, 7), (33,), 0), ((7, 5), (300,), 0), ((300, 4), (257,), 0),
    ((1000, 3), (9, 2), 0), ((3, 40, 5), (70,), 1), ((2, 3, 66), (10,), 2), ((600, 130), (40,), 0),
    ((4, 5), (0,), 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_of_tables(on_device, shape, index_shape, axis, dtype):
    made = []
    for name in (on_device, "cpu"):
        with device(name):
            f, table, speed = step_of(shape, index_shape, axis, dtype)
        for seed in range(4):       # bound, recorded, replayed
            f.run(arrays_of(f, shape[axis], seed))
        made.append([table.get_value(), speed.get_value()])
        assert name == "cpu" or "on the host" not in f.show("device")
    for value, wanted in zip(*made):
        scale = np.max(np.abs(wanted), initial=1e-3)
        np.testing.assert_allclose(value, wanted, rtol=0,
                                   atol=scale * (3e-6 if dtype == "float32" else 1e-13))


@pytest.mark.parametrize("index_dtype", ["int8", "int64", "uint8"])
def test_indices_of_other_numbers(on_device, index_dtype):
    f, _, speed = step_of((9, 4), (5,), index_dtype=index_dtype)
    before = speed.get_value()
    f.run([np.array([8, 0, 8, 3, 8], index_dtype), np.ones((5, 4), "float32")])
    slope = np.array([1, 0, 0, 1, 0, 0, 0, 0, 3], "float32")[:, None]
    np.testing.assert_allclose(speed.get_value(), np.tanh(before * 0.5) + slope * slope, rtol=1e-5)


def test_sums_are_in_the_order_of_the_indices(on_device):
    """1e8 + 1 - 1e8 is 0 in that order, 1 in others."""
    ids, rows, factor = (Placeholder("int32", (4,)), Placeholder("float32", (4, 2)),
                         Placeholder("float32", (3, 2)))
    result = ops.tanh(ops.scatter_add(rows, ids, 0, 3) * factor) + factor
    f = function([ids, rows, factor], [result])
    assert "fused_scatter(" in f.show("plan")
    column = np.array([[1e8], [5], [1], [-1e8]], "float32")
    made = f(np.array([1, 0, 1, 1], "int32"), np.repeat(column, 2, 1), np.ones((3, 2), "float32"))
    np.testing.assert_allclose(made[0], [[np.tanh(5) + 1] * 2, [1, 1], [1, 1]], rtol=1e-6)


def test_a_refused_index_changes_nothing(on_device):
    f, table, speed = step_of((9, 4), (5,))
    rows = np.ones((5, 4), "float32")
    for _ in range(4):
        f.run([np.array([1, 2, 3, -9, 8], "int32"), rows])
        before = [shared.get_value() for shared in (table, speed)]
        for wrong in ([1, 9, 3, 4, 5], [-10, 2, 3, 4, 5]):
            with pytest.raises(OutOfRangeError):
                f.run([np.array(wrong, "int32"), rows])
            for shared, kept in zip((table, speed), before):
                np.testing.assert_array_equal(shared.get_value(), kept)


@pytest.mark.skipif(COMPILER is None, reason="a compiler of C++ is needed in place of NVRTC")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_compiled_gives_the_bits_of_the_interpreter(stand_in, monkeypatch, dtype):
    stand_in.use_host_compiler(COMPILER)     # a program that no test before could not compile
    made = []
    for setting in ("1", "0"):
        monkeypatch.setattr(settings, "nvrtc", setting)
        f, table, speed = step_of((1200, 33), (90,), dtype=dtype, curve=ops.sin)
        for seed in range(3):
            f.run(arrays_of(f, 1200, seed))
        said = f.show("device")
        assert ("fused_scatter, compiled" if setting == "1" else "fused_scatter, interpreted") \
            in said, said
        before = [table.get_value(), speed.get_value()]
        with pytest.raises(OutOfRangeError):
            f.run([np.full(90, 1200, "int32"), np.ones((90, 33), dtype)])
        made.append([table.get_value(), speed.get_value()])
        for value, kept in zip(made[-1], before):
            np.testing.assert_array_equal(value, kept)
    stand_in.use_host_compiler("")
    for value, wanted in zip(*made):
        np.testing.assert_array_equal(value, wanted)
