"""The functions made of moving ops, against NumPy."""
import numpy as np
import pytest

from symk import ops
from symk.graph import Placeholder, ShapeError
from symk.graph.reference import evaluate

VALUE = np.arange(24.0).reshape(2, 3, 4)
KNOWN = Placeholder("float64", (2, 3, 4))
UNKNOWN = Placeholder("float64", (None, None, 4))


@pytest.mark.parametrize("x", [KNOWN, UNKNOWN])
@pytest.mark.parametrize("function, expected", [
    (lambda x: ops.reshape(x, (-1, 4)), lambda v: v.reshape(-1, 4)),
    (lambda x: ops.reshape(x, (-1,)), lambda v: v.reshape(-1)),
    (lambda x: ops.reshape(x, (x.shape[0], -1)), lambda v: v.reshape(2, -1)),
    (lambda x: ops.transpose(x), np.transpose),
    (lambda x: ops.transpose(x, (1, -1, 0)), lambda v: np.transpose(v, (1, 2, 0))),
    (lambda x: ops.expand_dims(x, 1), lambda v: v[:, None]),
    (lambda x: ops.expand_dims(x, -1), lambda v: v[..., None]),
    (lambda x: ops.squeeze(x[:1], 0), lambda v: v[0]),
    (lambda x: ops.stack([x, x + 1], 0), lambda v: np.stack([v, v + 1], 0)),
    (lambda x: ops.stack([x, x + 1], -1), lambda v: np.stack([v, v + 1], -1)),
    (lambda x: ops.concat([x, x * 2], -1), lambda v: np.concatenate([v, v * 2], -1)),
    (lambda x: ops.tile(x, (2, 1, 3)), lambda v: np.tile(v, (2, 1, 3))),
    (lambda x: ops.repeat(x, 3, 1), lambda v: np.repeat(v, 3, 1)),
    (lambda x: ops.repeat(x, 2, -1), lambda v: np.repeat(v, 2, -1)),
    (lambda x: ops.pad(x, (1, 0, 2), (0, 1, 0), 5.0),
     lambda v: np.pad(v, ((1, 0), (0, 1), (2, 0)), constant_values=5.0)),
    (lambda x: ops.broadcast_to(ops.sum(x, 0, keepdims=True), x.shape),
     lambda v: np.broadcast_to(v.sum(0), v.shape)),
    (lambda x: ops.full(x.shape, 2.5, "float64"), lambda v: np.full(v.shape, 2.5)),
    (lambda x: ops.gather(x, np.array([[0, -1]]), 1), lambda v: v[:, [[0, -1]]]),
])
def test_a_function_means_what_numpy_means(x, function, expected):
    result, = evaluate([function(x)], {x: VALUE})
    np.testing.assert_array_equal(result, expected(VALUE))


@pytest.mark.parametrize("use", [
    lambda: ops.reshape(KNOWN, (-1, -1)), lambda: ops.reshape(KNOWN, (-1, 7)),
    lambda: ops.reshape(KNOWN, (-1, 0)), lambda: ops.reshape(KNOWN, (5, 5)),
    lambda: ops.transpose(KNOWN, (0, 1)), lambda: ops.transpose(KNOWN, (0, 1, 3)),
    lambda: ops.expand_dims(KNOWN, 4), lambda: ops.squeeze(KNOWN, 0), lambda: ops.squeeze(KNOWN, 3),
    lambda: ops.stack([KNOWN, KNOWN[0]]), lambda: ops.stack([]), lambda: ops.concat([]),
    lambda: ops.concat([KNOWN, KNOWN], 3), lambda: ops.tile(KNOWN, (2,)),
    lambda: ops.broadcast_to(KNOWN, (2, 3, 5)), lambda: ops.pad(KNOWN, (1,), (1,)),
    lambda: ops.sum(KNOWN, 3), lambda: ops.sum(KNOWN, (0, 0)), lambda: ops.sum(KNOWN, 1.5),
    lambda: ops.arange(0, 5, 0), lambda: ops.conv(KNOWN, KNOWN, strides=0),
    lambda: ops.max_pool(KNOWN, (1, 2, 3))])
def test_a_wrong_shape_is_refused(use):
    with pytest.raises(ShapeError, match=r"^\[\w+\] "):
        use()


def test_nothing_to_do_makes_no_node():
    x = UNKNOWN
    assert ops.reshape(x, x.shape) is x and ops.transpose(x, (0, 1, 2)) is x
    assert ops.broadcast_to(x, x.shape) is x and ops.sum_to(x, x.shape) is x
    assert ops.pad(x, (0, 0, 0), (0, 0, 0)) is x and x[:] is x and ops.concat([x]) is x
    assert ops.sum(x, ()) is x


@pytest.mark.parametrize("arguments, expected", [
    ((5,), np.arange(5)), ((2, 5), np.arange(2, 5)), ((5, 0, -2), np.arange(5, 0, -2)),
    ((0, 1, 0.25), np.arange(0, 1, 0.25)), ((3, 3), np.arange(3, 3)), ((5, 2), np.arange(5, 2))])
def test_arange_is_that_of_numpy(arguments, expected):
    result, = evaluate([ops.arange(*arguments)], {})
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == ("float32" if expected.dtype.kind == "f" else "int32")


def test_arange_may_go_up_to_a_size():
    x = Placeholder("float32", (None,))
    results = evaluate([ops.arange(x.shape[0]), ops.arange(1, x.shape[0], 2), ops.eye(x.shape[0])],
                       {x: np.zeros(4)})
    assert results[0].tolist() == [0, 1, 2, 3] and results[1].tolist() == [1, 3]
    np.testing.assert_array_equal(results[2], np.eye(4))


def test_one_hot_leaves_out_what_is_outside():
    result, = evaluate([ops.one_hot(np.array([0, 2, -1, 3]), 3)], {})
    assert result.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
