"""A property: at any shape and geometry the native kernels give the meaning in NumPy."""
import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies

from symk import ops
from symk.compile import function
from symk.graph import Placeholder, ShapeError, apply
from symk.graph.reference import evaluate

core = pytest.importorskip("symk._core", exc_type=ImportError)

SIZE = strategies.sampled_from([0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33])
SHAPE = strategies.lists(SIZE, max_size=4).map(tuple)
DTYPE = strategies.sampled_from(["float32", "float64", "int32", "int64", "int8", "uint8"])


def draw(shape, dtype="float32"):
    """Small integers, whose sums and products are exact in every dtype."""
    generator = np.random.default_rng(sum(shape) + 7 * len(shape))
    return generator.integers(0, 4, shape).astype(dtype)


def check(build, *arrays):
    """The native value of an expression is its meaning, with its sizes known and unknown."""
    for symbolic in (False, True):
        inputs = [Placeholder(a.dtype, (None,) * a.ndim if symbolic else a.shape) for a in arrays]
        output = build(*inputs)
        expected, = evaluate([output], dict(zip(inputs, arrays)))
        actual = function(inputs, output, mode="native", stages=())(*arrays)
        assert actual.dtype == expected.dtype and actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def hidden(shape, mask):
    """The shape with size 1 where the mask says so, and without leading axes."""
    kept = tuple(1 if one else size for size, one in zip(shape, mask))
    return kept[mask.count(True) % 2:]


@settings(max_examples=60)
@given(SHAPE, strategies.lists(strategies.booleans(), min_size=4, max_size=4), DTYPE)
def test_operands_broadcast(shape, mask, dtype):
    other = hidden(shape, mask)
    check(lambda a, b: a * b + b, draw(shape, dtype), draw(other, dtype))
    check(lambda a, b: ops.where(a > b, b, a), draw(other, dtype), draw(shape, dtype))
    check(lambda a: ops.broadcast_to(a, shape), draw(other, dtype))
    check(lambda a: ops.sum_to(a, other), draw(shape, dtype))


@settings(max_examples=60)
@given(SHAPE, strategies.integers(0, 15), strategies.booleans(), DTYPE)
def test_reductions_over_any_axes(shape, which, keepdims, dtype):
    axes = tuple(axis for axis in range(len(shape)) if which >> axis & 1)
    for reduce in (ops.sum, ops.max, ops.min, ops.prod):
        check(lambda x: reduce(x, axes, keepdims), draw(shape, dtype) % 2)
    for axis in axes:
        if shape[axis]:
            check(lambda x: ops.argmax(x, axis), draw(shape, dtype))
    check(lambda x: ops.mean(x, axes, keepdims),
          draw(tuple(size or 1 for size in shape), "float32"))
    check(lambda x: ops.logsumexp(x, axes, keepdims), draw(shape, "float64"))


@settings(max_examples=60)
@given(SHAPE.flatmap(lambda shape: strategies.tuples(
    strategies.just(shape), strategies.permutations(range(len(shape))))), DTYPE)
def test_transposes(shape_and_order, dtype):
    shape, order = shape_and_order
    check(lambda x: ops.transpose(x, order), draw(shape, dtype))


@settings(max_examples=60)
@given(SHAPE, strategies.data(), DTYPE)
def test_moving_ops(shape, data, dtype):
    assume(shape)
    axis = data.draw(strategies.integers(0, len(shape) - 1))
    step = data.draw(strategies.sampled_from([1, 2, 3, -1, -2]))
    start = data.draw(strategies.none() | strategies.integers(-5, 5))
    stop = data.draw(strategies.none() | strategies.integers(-5, 5))
    key = (slice(None),) * axis + (slice(start, stop, step),)
    widths = [data.draw(strategies.integers(0, 3)) for _ in range(2 * len(shape))]
    value = draw(shape, dtype)
    check(lambda x: x[key], value)
    check(lambda x: ops.pad(x, widths[::2], widths[1::2], 3), value)
    check(lambda x: ops.concat([x, x[key], x], axis), value)
    check(lambda x: ops.tile(x, [2] * len(shape)), value)
    if shape[axis]:
        indices = np.arange(-shape[axis], shape[axis], 2)
        check(lambda x, i: ops.gather(x, i, axis), value, indices)


@settings(max_examples=60)
@given(SIZE, SIZE, SIZE, strategies.booleans(), strategies.booleans(),
       strategies.sampled_from([((), ()), ((2,), ()), ((3, 1), (2,)), ((), (2,)), ((2,), (1,))]))
def test_matrix_products(m, k, n, transpose_a, transpose_b, lead):
    a = draw(lead[0] + ((k, m) if transpose_a else (m, k)))
    b = draw(lead[1] + ((n, k) if transpose_b else (k, n)))
    check(lambda a, b: ops.matmul(a, b, transpose_a, transpose_b), a, b)


WINDOW = strategies.tuples(strategies.integers(1, 4), strategies.integers(1, 4))
STRIDES = strategies.tuples(strategies.integers(1, 3), strategies.integers(1, 3))
IMAGE = strategies.tuples(strategies.integers(1, 3), strategies.integers(1, 12),
                          strategies.integers(1, 12), strategies.sampled_from([1, 2, 3, 8, 17]))
PADDING = strategies.sampled_from(["same", "valid"])


@settings(max_examples=60)
@given(IMAGE, WINDOW, STRIDES, STRIDES, PADDING, strategies.sampled_from([1, 3, 8, 20]))
def test_convolutions_and_their_gradients(image, window, strides, dilation, padding, channels):
    geometry = dict(strides=strides, dilation=dilation, padding=padding)
    x, w = draw(image), draw(window + (image[3], channels))
    try:
        y = ops.conv(x, w, **geometry)
    except ShapeError:
        assume(False)
    conv = y.node.op
    g = draw(y.shape)
    check(lambda x, w: ops.conv(x, w, **geometry), x, w)
    for wanted in conv.grad(*(Placeholder("float32", v.shape) for v in (x, w, y, g))):
        check_op(wanted.node.op, {"conv_grad_input": (g, w)}.get(wanted.node.op.name, (x, g)))


@settings(max_examples=60)
@given(IMAGE, WINDOW, STRIDES, PADDING)
def test_pools_and_their_gradients(image, window, strides, padding):
    x = draw(image)
    for pool in (ops.max_pool, ops.average_pool):
        try:
            y, = evaluate([pool(x, window, strides, padding)], {})
        except ShapeError:
            assume(False)
        check(lambda x: pool(x, window, strides, padding), x)
        inputs = [Placeholder("float32", v.shape) for v in (x, y, y)]
        made = pool(x, window, strides, padding).node.op.grad(*inputs)
        check_op(made.node.op, (x, y, draw(y.shape))[-len(made.node.inputs):])


def check_op(op, arrays):
    """The native value of an op is its meaning."""
    inputs = [Placeholder(a.dtype, a.shape) for a in arrays]
    output = apply(op, *inputs)
    expected, = evaluate([output], dict(zip(inputs, arrays)))
    actual = function(inputs, output, mode="native", stages=())(*arrays)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
