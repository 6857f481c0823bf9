"""Sizes as tensors and back."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.graph import GraphError, Placeholder, ShapeError
from symk.graph.reference import evaluate

X = Placeholder("float32", (None, None, 3), name="x")
N, M = X.shape[:2]


@pytest.mark.parametrize("value, expected", [
    (3, (3,)), ((2, N), (2, N)), ([2, 3], (2, 3)), (np.array([2, 3]), (2, 3)), (N, (N,)),
    (np.int64(4), (4,)), (ops.shape_of(X), (N, M, 3)), (ops.shape_of(X)[0], (N,)),
    (ops.shape_of(X)[:2], (N, M)), (ops.shape_of(X)[1:] * 2, (2 * M, 6)),
    ((ops.shape_of(X)[0] * ops.shape_of(X)[1], 3), (N * M, 3)),
    (ops.prod(ops.shape_of(X)), (3 * N * M,)), (ops.sum(ops.shape_of(X)), (N + M + 3,)),
    (ops.concat([ops.shape_of(X)[:1], ops.constant([7])]), (N, 7)),
    (ops.stack([ops.shape_of(X)[1], ops.constant(7)]), (M, 7)),
    (ops.cast(ops.shape_of(X), "int32")[0] + 1, (N + 1,)), (ops.shape_of(X)[0] // 2, (N // 2,)),
    (ops.maximum(ops.shape_of(X)[0], 0), None), (-ops.shape_of(X)[0] + N, (0,)),
    (ops.gather(ops.shape_of(X), np.array([1, 0])), (M, N)), (ops.constant([4, 5]), (4, 5)),
    (ops.identity(ops.shape_of(X)), (N, M, 3)), ((), ())])
def test_a_shape_is_read_back(value, expected):
    sizes = ops.as_sizes(value)
    if expected is None:
        assert len(sizes) == 1
    else:
        assert sizes == expected


@pytest.mark.parametrize("value", [ops.argmax(X, 0), ops.cast(ops.sum(X), "int32"),
                                   Placeholder("int32", ()), ops.constant(2.5)])
def test_a_shape_that_depends_on_data_is_refused(value):
    with pytest.raises(GraphError, match="a shape must follow from the sizes of the inputs"):
        ops.as_sizes(value)


@pytest.mark.parametrize("value", [None, 2.5, (2, None), "3", True])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(GraphError, match="a size must be an integer"):
        ops.as_sizes(value)


def test_sizes_are_evaluated_in_the_call():
    values = {X: np.zeros((4, 5, 3))}
    shape, size = evaluate([ops.shape_of(X), ops.size_of(N * M)], values)
    assert shape.tolist() == [4, 5, 3] and size == 20
    assert shape.dtype == size.dtype == "int64"


def test_a_reshape_by_computed_sizes_keeps_its_shape():
    shape = ops.shape_of(X)
    y = ops.reshape(X, ops.stack([shape[0] * shape[1], shape[2]]))
    assert y.shape == (N * M, 3)


@pytest.mark.parametrize("mode", ["native", "reference"])
def test_an_unknown_size_that_meets_a_known_one_is_the_known_one(mode):
    x = Placeholder("float32", (None, 2), name="x")
    known = ops.constant(np.arange(10.0).reshape(5, 2), dtype="float32")
    total = x + known
    assert total.shape == (5, 2)
    gradient = grad(ops.sum(ops.square(total)), x)
    run = function([x], [total, gradient], mode=mode).run
    for rows in (5, 1):
        array = np.ones((rows, 2), "float32")
        value, slope = run([array])
        np.testing.assert_array_equal(value, array + known.value)
        np.testing.assert_allclose(slope, (2 * value).sum(0, keepdims=True) if rows == 1
                                   else 2 * value)
    with pytest.raises(ShapeError, match="broadcast"):
        run([np.ones((3, 2), "float32")])
