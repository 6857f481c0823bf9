"""Arithmetic of K against NumPy."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import ShapeError

X = np.random.RandomState(0).normal(size=(3, 4, 5)).astype("float32")
AXES = [None, 0, -1, (0, 2), [1]]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "mean", "var", "std"])
def test_reductions(name, axis, keepdims):
    axes = tuple(axis) if isinstance(axis, list) else axis
    expected = getattr(np, name)(X.astype("float64"), axis=axes, keepdims=keepdims)
    result = K.eval(getattr(K, name)(K.constant(X), axis=axis, keepdims=keepdims))
    assert result.shape == np.shape(expected)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_mean_of_integers_and_bools_is_a_float():
    assert K.eval(K.mean(K.constant([1, 2], dtype="int32"))) == 1.5
    assert K.eval(K.mean(K.greater(K.constant([1.0, 2.0, 3.0, 4.0]), 1.0))) == 0.75
    assert K.dtype(K.var(K.constant([1, 2], dtype="int64"))) == "float32"


def test_any_and_all_give_bools():
    x = K.constant([[0.0, 2.0], [1.0, 3.0]])
    assert K.dtype(K.any(x)) == "bool"
    assert K.eval(K.all(x, axis=1)).tolist() == [False, True]
    assert K.eval(K.any(x, axis=0, keepdims=True)).tolist() == [[True, True]]


def test_positions_of_extremes():
    x = K.constant([[1.0, 5.0, 5.0], [0.0, -1.0, -1.0]])
    assert K.eval(K.argmax(x)).tolist() == [1, 0]
    assert K.eval(K.argmin(x, axis=0)).tolist() == [1, 1, 1]
    assert K.dtype(K.argmax(x)) == "int64"


def test_logsumexp_does_not_overflow():
    x = K.constant([[1000.0, 1000.0], [-1000.0, -1000.0]])
    np.testing.assert_allclose(K.eval(K.logsumexp(x, axis=1)),
                               [1000 + np.log(2), -1000 + np.log(2)], rtol=1e-6)


def test_clip_with_one_bound_or_two():
    x = K.constant([-2.0, 0.5, 2.0])
    assert K.eval(K.clip(x, -1, 1)).tolist() == [-1.0, 0.5, 1.0]
    assert K.eval(K.clip(x, 0.0, None)).tolist() == [0.0, 0.5, 2.0]
    assert K.eval(K.clip(x, None, 0.0)).tolist() == [-2.0, 0.0, 0.0]
    assert K.eval(K.clip(x, 1.0, 0.0)).tolist() == [1.0, 1.0, 1.0]


def test_square_root_of_a_negative_number_is_zero():
    assert K.eval(K.sqrt(K.constant([-4.0, 4.0]))).tolist() == [0.0, 2.0]


def test_round_goes_to_even():
    assert K.eval(K.round(K.constant([0.5, 1.5, -0.5, 2.4]))).tolist() == [0.0, 2.0, 0.0, 2.0]


def test_comparisons_give_bools():
    a, b = K.constant([1.0, 2.0, 3.0]), K.constant([2.0, 2.0, 2.0])
    for name, expected in (("equal", [0, 1, 0]), ("not_equal", [1, 0, 1]), ("greater", [0, 0, 1]),
                           ("greater_equal", [0, 1, 1]), ("less", [1, 0, 0]),
                           ("less_equal", [1, 1, 0])):
        result = K.eval(getattr(K, name)(a, b))
        assert result.dtype == bool and result.astype(int).tolist() == expected


def test_l2_normalize():
    expected = X / np.sqrt((X ** 2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(K.eval(K.l2_normalize(K.constant(X), axis=1)), expected, rtol=1e-5)
    assert K.eval(K.l2_normalize(K.zeros((2, 2)))).tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("first, second", [
    ((2, 3), (3, 4)), ((2, 5, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((2, 5, 3), (2, 3, 4)),
    ((3,), (3, 4)), ((2, 3), (3,)), ((2, 3, 4, 5), (5, 2))])
def test_dot(first, second):
    a, b = (np.random.normal(size=shape).astype("float32") for shape in (first, second))
    result = K.eval(K.dot(K.constant(a), K.constant(b)))
    expected = np.dot(a, b)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_dot_keeps_an_unknown_batch():
    x, w = K.placeholder((None, 6, 3)), K.variable(np.ones((3, 2)))
    y = K.dot(x, w)
    assert K.int_shape(y) == (None, 6, 2)
    np.testing.assert_array_equal(K.function([x], [y])([np.ones((4, 6, 3))])[0],
                                  np.full((4, 6, 2), 3.0))


def test_dot_names_both_shapes_when_they_do_not_fit():
    with pytest.raises(ShapeError, match=r"\(2, 3\) float32 and \(4, 5\) float32"):
        K.dot(K.zeros((2, 3)), K.zeros((4, 5)))
    with pytest.raises(ShapeError, match="must have an axis"):
        K.dot(K.constant(1.0), K.zeros((2, 3)))


@pytest.mark.parametrize("first, second, axes, letters", [
    ((2, 3, 4), (2, 4, 5), None, "bij,bjk->bik"),
    ((2, 3, 4), (2, 5, 4), 2, "bij,bkj->bik"),
    ((2, 3, 4), (2, 5, 3), (1, 2), "bji,bkj->bik"),
    ((2, 3, 4), (2, 4), (2, 1), "bij,bj->bi"),
    ((2, 4), (2, 4, 3), (1, 1), "bj,bjk->bk"),
    ((2, 3, 4, 5), (2, 5, 6), (-1, 1), "bhij,bjk->bhik"),
    ((2, 3, 4), (2, 5, 6, 4), (2, 3), "bij,bklj->bikl")])
def test_batch_dot(first, second, axes, letters):
    a, b = (np.random.normal(size=shape).astype("float32") for shape in (first, second))
    result = K.eval(K.batch_dot(K.constant(a), K.constant(b), axes=axes))
    np.testing.assert_allclose(result, np.einsum(letters, a, b), rtol=1e-4, atol=1e-5)


def test_batch_dot_of_vectors_keeps_an_axis():
    a = K.constant([[1.0, 2.0], [3.0, 4.0]])
    assert K.eval(K.batch_dot(a, a, axes=1)).tolist() == [[5.0], [25.0]]


def test_batch_dot_refuses_the_batch_and_other_sizes():
    a, b = K.zeros((2, 3, 4)), K.zeros((2, 5, 6))
    with pytest.raises(ShapeError, match="other than the batch"):
        K.batch_dot(a, b, axes=(0, 1))
    with pytest.raises(ShapeError, match="the sizes of the summed axes must agree"):
        K.batch_dot(a, b, axes=(1, 1))
    with pytest.raises(ValueError, match="one integer or two"):
        K.batch_dot(a, b, axes=(1, 1, 1))


def test_running_sums_and_products():
    x = np.random.RandomState(1).uniform(0.5, 1.5, (3, 4)).astype("float32")
    for axis in (0, 1, -1):
        np.testing.assert_allclose(K.eval(K.cumsum(K.constant(x), axis)), np.cumsum(x, axis),
                                   rtol=1e-6)
        np.testing.assert_allclose(K.eval(K.cumprod(K.constant(x), axis)), np.cumprod(x, axis),
                                   rtol=1e-6)
    with pytest.raises(ShapeError, match="axis 2 is outside rank 2"):
        K.cumsum(K.constant(x), 2)
