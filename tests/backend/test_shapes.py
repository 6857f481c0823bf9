"""Reshaping, joining, repeating and picking of K against NumPy."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import ShapeError

X = np.arange(24, dtype="float32").reshape(2, 3, 4)


def same(tensor, expected):
    result = K.eval(tensor)
    assert result.shape == np.shape(expected)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("function, expected", [
    (lambda x: K.reshape(x, (4, -1)), X.reshape(4, 6)),
    (lambda x: K.permute_dimensions(x, (2, 0, 1)), X.transpose(2, 0, 1)),
    (lambda x: K.transpose(x), X.T),
    (lambda x: K.concatenate([x, x]), np.concatenate([X, X], -1)),
    (lambda x: K.concatenate([x, x], axis=0), np.concatenate([X, X], 0)),
    (lambda x: K.stack([x, x], axis=1), np.stack([X, X], 1)),
    (lambda x: K.flatten(x), X.ravel()),
    (lambda x: K.batch_flatten(x), X.reshape(2, 12)),
    (lambda x: K.expand_dims(x), X[..., None]),
    (lambda x: K.expand_dims(x, 1), X[:, None]),
    (lambda x: K.squeeze(K.expand_dims(x, 1), 1), X),
    (lambda x: K.repeat_elements(x, 2, 1), X.repeat(2, 1)),
    (lambda x: K.tile(x, (1, 2, 1)), np.tile(X, (1, 2, 1))),
    (lambda x: K.tile(x, 2), np.tile(X, 2)), (lambda x: K.tile(x, [3, 1]), np.tile(X, [3, 1])),
    (lambda x: K.reverse(x, 1), X[:, ::-1]),
    (lambda x: K.reverse(x, (0, 2)), X[::-1, :, ::-1]),
    (lambda x: K.slice(x, (0, 1, 1), (2, 2, -1)), X[:, 1:3, 1:]),
    (lambda x: K.gather(x, [1, 0, 1]), X[[1, 0, 1]]),
    (lambda x: x[..., 0], X[..., 0]),
])
def test_like_numpy(function, expected):
    same(function(K.constant(X)), expected)


def test_repeat_samples():
    same(K.repeat(K.constant([[1.0, 2.0], [3.0, 4.0]]), 2),
         [[[1, 2], [1, 2]], [[3, 4], [3, 4]]])
    with pytest.raises(ShapeError, match=r"\(batch, features\) is required"):
        K.repeat(K.constant(X), 2)


def test_one_hot_and_arange():
    indices = K.constant([[0, 2], [1, 0]], dtype="int32")
    same(K.one_hot(indices, 3), np.eye(3)[[[0, 2], [1, 0]]])
    assert K.dtype(K.one_hot(indices, 3)) == "float32"
    same(K.arange(4), [0, 1, 2, 3])
    same(K.arange(2, 11, 3), [2, 5, 8])
    same(K.arange(1, 3, 0.5, dtype="float32"), [1.0, 1.5, 2.0, 2.5])
    assert K.dtype(K.arange(4)) == "int32"


def test_shapes_follow_an_unknown_batch():
    x = K.placeholder((None, 3, 4))
    for tensor, shape in ((K.batch_flatten(x), (None, 12)), (K.reshape(x, (-1, 6)), (None, 6)),
                          (K.flatten(x), (None,)),
                          (K.slice(x, (0, 1, 0), (-1, 2, 4)), (None, 2, 4)),
                          (K.repeat_elements(x, 2, 0), (None, 3, 4)),
                          (K.concatenate([x, x], 1), (None, 6, 4))):
        assert K.int_shape(tensor) == shape


def test_reshape_by_the_shape_of_another_tensor():
    x = K.placeholder((None, 6))
    y = K.reshape(x, (K.shape(x)[0] * 2, 3))
    assert K.int_shape(y) == (None, 3)
    assert K.function([x], [y])([np.zeros((5, 6))])[0].shape == (10, 3)


def test_slice_refuses_what_is_outside():
    for start, size in (((0, 2, 0), (2, 2, 4)), ((0, -1, 0), (2, 1, 4))):
        with pytest.raises(ShapeError, match="must be inside"):
            K.slice(K.constant(X), start, size)
    with pytest.raises(ShapeError, match="for each axis"):
        K.slice(K.constant(X), (0,), (1,))


def test_pattern_broadcast_requires_size_one():
    x = K.placeholder((3, None))
    assert K.int_shape(K.pattern_broadcast(x, (False, True))) == (3, 1)
    with pytest.raises(ShapeError, match="a marked axis must have size 1"):
        K.pattern_broadcast(x, (True, False))
    with pytest.raises(ShapeError, match="a mark is required for each axis"):
        K.pattern_broadcast(x, (True,))
