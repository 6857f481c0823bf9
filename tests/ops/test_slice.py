"""Indexing has NumPy's meaning, also where sizes are known only in the call."""
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from symk import ops
from symk.graph import GraphError, OutOfRangeError, Placeholder, ShapeError
from symk.graph.reference import evaluate

BOUND = strategies.none() | strategies.integers(-7, 7)
SLICE = strategies.builds(slice, BOUND, BOUND, strategies.sampled_from([None, 1, 2, 3, -1, -2]))
ITEM = SLICE | strategies.integers(-2, 1) | strategies.none() | strategies.just(Ellipsis)


def usable(key):
    """At most one Ellipsis and one index per axis."""
    return key.count(Ellipsis) <= 1 and sum(k is not None and k is not Ellipsis for k in key) <= 3


@settings(max_examples=300)
@given(strategies.lists(ITEM, max_size=5).filter(usable).map(tuple), strategies.booleans(),
       strategies.tuples(*[strategies.integers(2, 5)] * 3))
def test_an_index_means_what_numpy_means(key, symbolic, shape):
    x = Placeholder("float32", [None] * 3 if symbolic else shape)
    value = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    result, = evaluate([x[key]], {x: value})
    np.testing.assert_array_equal(result, value[key])


@settings(max_examples=100)
@given(SLICE, strategies.integers(0, 5))
def test_a_slice_of_a_short_axis_means_what_numpy_means(item, size):
    x = Placeholder("float32", (None,))
    value = np.arange(size, dtype="float32")
    result, = evaluate([x[item]], {x: value})
    np.testing.assert_array_equal(result, value[item])


def test_pieces_next_to_each_other_have_equal_sizes():
    x = Placeholder("float32", (None, 3))
    assert x[1:].shape == x[:-1].shape
    assert (x[1:] - x[:-1]).shape == x[1:].shape


def test_bounds_may_be_sizes():
    x, y = Placeholder("float32", (None,)), Placeholder("float32", (None,))
    values = {x: np.arange(5.0), y: np.zeros(2)}
    assert evaluate([x[y.shape[0]:]], values)[0].tolist() == [2, 3, 4]
    assert evaluate([x[:ops.shape_of(y)[0]]], values)[0].tolist() == [0, 1]


def test_a_tensor_is_iterated_along_its_first_axis():
    first, second = Placeholder("float32", (2, 3))
    assert first.shape == second.shape == (3,)


@pytest.mark.parametrize("key, error, message", [
    (3, OutOfRangeError, "an index of axis 0 must be in -3..2"),
    (-4, OutOfRangeError, "an index of axis 0 must be in -3..2"),
    ((0, 0, 0), ShapeError, "one index per axis"), ((..., ...), ShapeError, "at most one ..."),
    (1.5, GraphError, "an index must be an integer"), ("a", GraphError, "must be an integer"),
    (np.array([0, 1]), GraphError, "Use gather"), (True, GraphError, "must be an integer"),
    (slice(None, None, 0), ShapeError, "a step must be an integer that is not 0")])
def test_a_wrong_index_is_refused(key, error, message):
    with pytest.raises(error, match=message):
        Placeholder("float32", (3, 4))[key]


def test_split_makes_pieces():
    x = Placeholder("float32", (2, 6))
    assert [p.shape for p in ops.split(x, 3, axis=1)] == [(2, 2)] * 3
    assert [p.shape for p in ops.split(x, (1, 0, 5), axis=-1)] == [(2, 1), (2, 0), (2, 5)]
    value = np.arange(12.0).reshape(2, 6)
    pieces = evaluate(ops.split(x, (4, 2), axis=1), {x: value})
    np.testing.assert_array_equal(np.concatenate(pieces, 1), value)
    for sizes in ((1, 2), 4, 0):
        with pytest.raises(ShapeError, match=r"\[split\]"):
            ops.split(x, sizes, axis=1)


def test_an_unknown_axis_is_split_in_equal_pieces():
    x = Placeholder("float32", (None,))
    first, second = ops.split(x, 2)
    assert evaluate([second], {x: np.arange(6.0)})[0].tolist() == [3, 4, 5]


def test_flip_reverses_axes():
    x = Placeholder("float32", (None, 3))
    value = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(evaluate([ops.flip(x, (0, -1))], {x: value})[0],
                                  value[::-1, ::-1])


def test_one_index_may_be_a_tensor():
    values = np.arange(24.0).reshape(2, 3, 4)
    for index in (np.array(1), np.array([2, 0, 2]), np.array([[1, -1]])):
        number = ops.as_variable(index)
        for made, expected in ((lambda x, n: x[:, n], values[:, index]),
                               (lambda x, n: x[..., n, 1:3], values[:, index, 1:3]),
                               (lambda x, n: x[1, None, n], values[1][None, index])):
            np.testing.assert_array_equal(
                evaluate([made(ops.as_variable(values), number)], {})[0], expected)
    for wrong in (ops.as_variable(np.array([0.0])), (number, number)):
        with pytest.raises(GraphError, match="Use gather"):
            ops.as_variable(values)[wrong]
