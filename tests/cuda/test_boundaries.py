"""Sizes around the tiles, blocks and pieces of the kernels, which the registry's samples do not
reach."""
import numpy as np
import pytest

from symk import autodiff, ops
from symk.compile import function
from symk.graph import Placeholder
from symk.graph.reference import evaluate
from symk.optimize import fuse

FLOATS = pytest.mark.parametrize("dtype", ("float32", "float64"))
TOLERANCE = {"float16": 1e-3, "float32": 3e-6, "float64": 1e-13}


def compare(build, *arrays, error=1.0):
    """The device's results of build(*placeholders) beside NumPy's; twice, to the same bits.

    `error`: what sums of many terms add to the tolerance, as a factor.
    """
    inputs = [Placeholder(array.dtype, array.shape) for array in arrays]
    outputs = build(*inputs)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    run = function(inputs, outputs).run
    actual = run(list(arrays))
    for value, again in zip(actual, run(list(arrays))):
        np.testing.assert_array_equal(value, again)
    for value, wanted in zip(actual, evaluate(outputs, dict(zip(inputs, arrays)))):
        assert value.dtype == wanted.dtype and value.shape == wanted.shape
        if value.dtype.kind != "f":
            np.testing.assert_array_equal(value, wanted)
            continue
        scale = np.max(np.abs(wanted), initial=1e-3)
        np.testing.assert_allclose(value, wanted, rtol=0,
                                   atol=error * TOLERANCE[value.dtype.name] * scale)


def compare_beyond_tf32(a, b):
    """Infinity, NaN and the largest numbers give what float32 gives, in the rows that see them."""
    a[3, 4], a[5, 6], a[9, 0], b[2, 7] = np.inf, np.nan, 3.4e38, -np.inf
    b[0] = 0.5
    inputs = [Placeholder("float32", array.shape) for array in (a, b)]
    value = function(inputs, ops.matmul(*inputs))(a, b)
    with np.errstate(invalid="ignore", over="ignore"):
        wanted = (a.astype("float64") @ b).astype("float32")
    np.testing.assert_array_equal(np.isnan(value), np.isnan(wanted))
    np.testing.assert_array_equal(np.isinf(value), np.isinf(wanted))
    value[~np.isfinite(value)] = wanted[~np.isfinite(wanted)] = 0
    assert np.all(np.abs(value - wanted) <= 1e-5 * np.abs(wanted).max(axis=1, keepdims=True))


def normal(shape, dtype="float32"):
    return np.random.default_rng(3).standard_normal(shape).astype(dtype)


@FLOATS
@pytest.mark.parametrize("shape", [(63, 64, 65), (65, 63, 17), (1, 200, 129), (130, 1, 7),
                                   (64, 64, 16)])
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_products_around_a_tile(on_device, shape, transposed, dtype):
    m, n, k = shape
    a = normal((k, m) if transposed[0] else (m, k), dtype)
    b = normal((n, k) if transposed[1] else (k, n), dtype)
    compare(lambda a, b: ops.matmul(a, b, *transposed), a, b)


@FLOATS
@pytest.mark.parametrize("depth", [511, 512, 513, 2000])
def test_deep_products_are_sums_of_pieces(on_device, depth, dtype):
    compare(lambda a, b, bias: ops.tanh(ops.matmul(a, b) * 0.01 + bias),
            normal((5, depth), dtype), normal((depth, 6), dtype), normal(6, dtype), error=4)


def test_large_products_take_large_tiles(on_device):
    compare(ops.matmul, normal((2049, 9)), normal((9, 2050)))


@FLOATS
@pytest.mark.parametrize("groups, filters", [(1, 5), (1, 70), (2, 34), (2, 6), (6, 6)])
def test_convolutions_and_their_gradients(on_device, groups, filters, dtype):
    x, w = normal((2, 9, 8, 6), dtype), normal((3, 3, 6 // groups, filters), dtype)

    def build(x, w):
        y = ops.conv(x, w, strides=(2, 1), padding="same", groups=groups)
        return (y, *autodiff.grad(ops.sum(ops.square(y)), [x, w]))
    compare(build, x, w, error=8)


def test_a_gradient_by_the_kernel_is_a_sum_of_pieces(on_device):
    x, w = normal((3, 20, 20, 4)), normal((3, 3, 4, 4))
    compare(lambda x, w: autodiff.grad(ops.sum(ops.conv(x, w)), [w])[0], x, w, error=8)
    depthwise = normal((3, 3, 1, 4))
    compare(lambda x, w: autodiff.grad(ops.sum(ops.conv(x, w, groups=4)), [w])[0], x, depthwise,
            error=8)


REDUCTIONS = {"sum": ops.sum, "max": ops.max, "mean": ops.mean, "logsumexp": ops.logsumexp}


@FLOATS
@pytest.mark.parametrize("name", sorted(REDUCTIONS))
@pytest.mark.parametrize("shape, axis", [
    ((3, 127), 1), ((3, 128), 1), ((3, 257), 1), ((2, 16384), 1), ((1, 40000), 1), ((40000,), 0),
    ((255, 3), 0), ((256, 3), 0), ((5000, 2), 0), ((7, 90, 5), 1), ((4, 3, 200), (0, 2)),
    ((0, 4), 0)])
def test_reductions_by_threads_blocks_and_pieces(on_device, name, shape, axis, dtype):
    if 0 in shape and name in ("max", "logsumexp", "mean"):
        pytest.skip("nothing has no such value that is finite")
    compare(lambda x: REDUCTIONS[name](x, axis), normal(shape, dtype), error=4)


@pytest.mark.parametrize("shape, axis", [((3, 300), 1), ((300, 3), 0), ((1, 30000), 1)])
def test_positions_of_the_largest(on_device, shape, axis):
    x = np.random.default_rng(4).integers(0, 50, shape).astype("float32")   # with many equals
    compare(lambda x: (ops.argmax(x, axis), ops.argmin(x, axis)), x)
    x[tuple(size // 2 for size in shape)] = np.nan
    compare(lambda x: (ops.argmax(x, axis), ops.argmin(x, axis)), x)


@pytest.mark.parametrize("shape", [(33, 65), (32, 32), (1, 40), (3, 31, 34), (2, 33, 3, 5)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8"])
def test_transposing_ragged_tiles(on_device, shape, dtype):
    x = (normal(shape) * 10).astype(dtype)
    axes = tuple(range(len(shape)))[::-1]
    compare(lambda x: ops.transpose(x, axes), x)
    compare(lambda x: ops.transpose(x, axes[1:] + axes[:1]), x)


@FLOATS
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape, axis", [((3, 63), 1), ((3, 64), 1), ((2, 700), 1), ((70, 4), 0)])
def test_lines_by_threads_and_blocks(on_device, name, shape, axis, dtype):
    def build(x):
        y = getattr(ops, name)(x, axis)
        return y, autodiff.grad(ops.sum(ops.square(y)), [x])[0]
    compare(build, normal(shape, dtype), error=4)


@pytest.mark.parametrize("length", [2047, 2048, 2049, 5000])
@pytest.mark.parametrize("reverse", [False, True])
def test_long_lines_are_taken_by_blocks(on_device, length, reverse):
    x = normal((2, length), "float64")
    compare(lambda x: ops.cumsum(x, 1, reverse=reverse), x, error=8)
    compare(lambda x: ops.cumsum(x, 1, reverse=reverse), (x * 100).astype("int32"))


@pytest.mark.parametrize("n, k", [(1024, 5), (1025, 5), (1025, 1), (3000, 17), (40, 40)])
def test_the_largest_of_short_and_long_rows(on_device, n, k):
    x = np.random.default_rng(5).integers(0, 400, (3, n)).astype("float32")
    x[1, n // 3] = np.nan
    inputs = Placeholder("float32", x.shape)
    values, positions = function([inputs], list(ops.top_k(inputs, k))).run([x])
    order = np.lexsort((np.arange(n) + np.zeros((3, 1)), np.where(np.isnan(x), -np.inf, -x)),
                       axis=1)
    np.testing.assert_array_equal(positions, order[:, :k])
    np.testing.assert_array_equal(values, np.take_along_axis(x, order[:, :k], 1))


@pytest.mark.parametrize("count", [1, 255, 256, 257, 3000])
@pytest.mark.parametrize("limit", [1, 256, 257, 70000])
def test_sums_into_rows_are_in_the_order_of_the_indices(on_device, count, limit):
    generator = np.random.default_rng(6)
    indices = generator.integers(-limit, limit, count)
    indices[: count // 2] = limit // 2     # one row that takes half of all
    g = generator.standard_normal((count, 2)).astype("float32")
    placeholders = Placeholder("float32", g.shape), Placeholder("int64", indices.shape)
    y = function(list(placeholders), ops.scatter_add(*placeholders, 0, limit)).run([g, indices])[0]
    wanted = np.zeros((limit, 2), "float32")
    np.add.at(wanted, indices, g)          # in order, in float32: the same bits
    np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
@pytest.mark.parametrize("count", [1, 127, 1023, 1024, 1025, 5000])
def test_programs_around_a_block(on_device, count, dtype):
    x = (normal(count) * 4).astype(dtype)
    compare(lambda x: (ops.maximum(x, 1) * x - x, x > 0), x, error=1)


@pytest.mark.parametrize("count", [4, 20, 30, 90])
def test_a_program_of_many_living_values(on_device, monkeypatch, count):
    """So many that blocks get smaller, and then that the device leaves the step to the host."""
    monkeypatch.setattr(fuse, "MOST_INSTRUCTIONS", 1000)

    def build(x):
        values = [ops.sin(x * float(k + 1)) for k in range(count)]
        total = values[0]
        for value in values[1:]:
            total = total * 0.5 + value
        for value in values:
            total = total + value * value
        return total
    compare(build, normal(77, "float64"), error=20)


def test_batch_norm_over_many_rows(on_device):
    x, gamma, beta = normal((3000, 5)) + 30, normal(5), normal(5)
    compare(lambda x, gamma, beta: tuple(ops.batch_norm(x, gamma, beta)), x, gamma, beta, error=30)
