"""Pooling, padding and resizing of K against plain loops."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import DtypeError, GraphError, ShapeError


def draw(*shape):
    return np.random.normal(size=shape).astype("float32")


def close(tensor, expected):
    result = K.eval(tensor)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def pool(x, size, strides, reduce):
    """Valid pooling of (batch, ..., channels), by its definition."""
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], size, strides)]
    y = np.zeros((x.shape[0],) + tuple(counts) + (x.shape[-1],))
    for place in np.ndindex(*counts):
        window = tuple(slice(p * s, p * s + k) for p, s, k in zip(place, strides, size))
        y[(slice(None),) + place] = reduce(x[(slice(None),) + window],
                                           axis=tuple(range(1, x.ndim - 1)))
    return y


@pytest.mark.parametrize("mode_name, reduce", [("max", np.max), ("avg", np.mean)])
def test_pooling(mode_name, reduce):
    x = draw(2, 6, 7, 3)
    expected = pool(x, (2, 3), (2, 1), reduce)
    close(K.pool2d(K.constant(x), (2, 3), (2, 1), pool_mode=mode_name), expected)
    close(K.pool2d(K.constant(x.transpose(0, 3, 1, 2)), (2, 3), (2, 1), pool_mode=mode_name,
                   data_format="channels_first"), expected.transpose(0, 3, 1, 2))
    x = draw(2, 4, 6, 5, 3)
    expected = pool(x, (2, 3, 2), (1, 2, 2), reduce)
    close(K.pool3d(K.constant(x), (2, 3, 2), (1, 2, 2), pool_mode=mode_name), expected)


def test_average_pooling_leaves_padding_out():
    close(K.pool2d(K.ones((1, 3, 3, 1)), (2, 2), (2, 2), "same", pool_mode="avg"),
          np.ones((1, 2, 2, 1)))
    close(K.pool3d(K.ones((1, 3, 3, 3, 1)), (2, 2, 2), (2, 2, 2), "same", pool_mode="avg"),
          np.ones((1, 2, 2, 2, 1)))
    with pytest.raises(ValueError, match="'max' or 'avg'"):
        K.pool2d(K.ones((1, 3, 3, 1)), (2, 2), pool_mode="sum")
    with pytest.raises(ShapeError, match="one integer or 2 of them"):
        K.pool2d(K.ones((1, 3, 3, 1)), (True, 2))


def test_pooling_keeps_unknown_sizes():
    x = K.placeholder((None, None, None, 3))
    f = K.function([x], [K.pool2d(x, (2, 2), (2, 2))])
    assert f([np.zeros((2, 7, 4, 3))])[0].shape == (2, 3, 2, 3)


def test_padding():
    x = draw(2, 3, 4)
    close(K.temporal_padding(K.constant(x), (1, 2)), np.pad(x, ((0, 0), (1, 2), (0, 0))))
    x = draw(2, 3, 4, 5)
    close(K.spatial_2d_padding(K.constant(x), ((1, 0), (0, 2))),
          np.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0))))
    close(K.spatial_2d_padding(K.constant(x), ((1, 0), (0, 2)), "channels_first"),
          np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2))))
    x = draw(2, 2, 3, 2, 3)
    close(K.spatial_3d_padding(K.constant(x)), np.pad(x, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0))))
    with pytest.raises(ShapeError, match="a tensor of 4 axes and a pair of numbers"):
        K.spatial_2d_padding(K.constant(x))


def test_resizing_repeats_pixels():
    x = draw(2, 3, 4, 2)
    close(K.resize_images(K.constant(x), 2, 3, "channels_last"), x.repeat(2, 1).repeat(3, 2))
    close(K.resize_images(K.constant(x), 2, 3, "channels_first"), x.repeat(2, 2).repeat(3, 3))
    x = draw(1, 2, 3, 2, 3)
    close(K.resize_volumes(K.constant(x), 2, 1, 3, "channels_last"), x.repeat(2, 1).repeat(3, 3))


def test_bilinear_resizing_keeps_the_pixels_and_lies_between_them():
    x = np.array([[0.0, 2.0], [4.0, 10.0]], "float32").reshape(1, 2, 2, 1)
    y = K.eval(K.resize_images(K.constant(x), 2, 2, "channels_last", "bilinear"))[0, :, :, 0]
    np.testing.assert_allclose(y, [[0, 1, 2, 2], [2, 4, 6, 6], [4, 7, 10, 10], [4, 7, 10, 10]])
    with pytest.raises(ValueError, match="'nearest' or 'bilinear'"):
        K.resize_images(K.constant(x), 2, 2, "channels_last", "cubic")


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("factor", [0, -1, 2 ** 16 + 1, 2 ** 62])
def test_factors_have_bounds(mode, factor):
    images, volumes = K.ones((1, 2, 2, 1)), K.ones((1, 2, 2, 2, 1))
    with pytest.raises(ShapeError, match=r"\[resize_images\] factors must be from 1 to 65536"):
        K.resize_images(images, 2, factor, "channels_last", mode)
    with pytest.raises(ShapeError, match=r"\[resize_volumes\] factors must be from 1 to 65536"):
        K.resize_volumes(volumes, 2, factor, 1, "channels_last")
    with pytest.raises(GraphError, match=r"\[resize_images\] a factor must be an integer"):
        K.resize_images(images, True, 2, "channels_last", mode)


def test_bilinear_resizing_of_integers_gives_floats():
    x = np.array([[0, 2], [4, 10]], "int32").reshape(1, 2, 2, 1)
    assert K.eval(K.resize_images(K.constant(x), 2, 1, "channels_last", "bilinear"))[0, 1, 0] == 2
    with pytest.raises(DtypeError, match="Cast it first"):
        K.resize_images(K.constant(x > 1, dtype="bool"), 2, 1, "channels_last", "bilinear")


def test_bilinear_resizing_of_images_of_unknown_size():
    x = draw(2, 5, 4, 3)
    images = K.placeholder((None, None, None, 3))
    resized = K.resize_images(images, 3, 2, "channels_last", "bilinear")
    assert K.int_shape(resized) == (None, None, None, 3)
    result, slopes = K.function([images], [resized, K.gradients(K.sum(resized), images)[0]])([x])
    np.testing.assert_allclose(result[:, ::3, ::2], x, rtol=1e-6)
    np.testing.assert_allclose(result[:, 1, ::2], x[:, 0] + (x[:, 1] - x[:, 0]) / 3, rtol=1e-5)
    np.testing.assert_allclose(slopes.sum(), result.size, rtol=1e-5)
    assert K.function([images], [resized])([x[:, :0]])[0].shape == (2, 0, 8, 3)
