"""Convolution, pooling, padding and resizing of K against plain loops."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import ShapeError


def draw(*shape):
    return np.random.normal(size=shape).astype("float32")


def close(tensor, expected):
    result = K.eval(tensor)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def convolve(x, w, strides=(1, 1), dilation=(1, 1)):
    """A valid convolution of (batch, h, w, in), by its definition."""
    rows, columns = ((w.shape[k] - 1) * dilation[k] + 1 for k in range(2))
    height = (x.shape[1] - rows) // strides[0] + 1
    width = (x.shape[2] - columns) // strides[1] + 1
    y = np.zeros((x.shape[0], height, width, w.shape[3]))
    for i in range(height):
        for j in range(width):
            top, left = i * strides[0], j * strides[1]
            patch = x[:, top:top + rows:dilation[0], left:left + columns:dilation[1]]
            y[:, i, j] = np.tensordot(patch, w, 3)
    return y


@pytest.mark.parametrize("strides, dilation", [((1, 1), (1, 1)), ((2, 1), (1, 1)),
                                               ((1, 1), (2, 3))])
def test_conv2d(strides, dilation):
    x, w = draw(2, 8, 9, 3), draw(3, 2, 3, 4)
    expected = convolve(x, w, strides, dilation)
    close(K.conv2d(K.constant(x), K.constant(w), strides, dilation_rate=dilation), expected)
    close(K.conv2d(K.constant(x.transpose(0, 3, 1, 2)), K.constant(w), strides,
                   data_format="channels_first", dilation_rate=dilation),
          expected.transpose(0, 3, 1, 2))


def test_conv2d_same_padding_puts_the_odd_row_at_the_end():
    x, w = draw(1, 5, 6, 2), draw(2, 4, 2, 3)
    padded = np.pad(x, ((0, 0), (0, 1), (1, 2), (0, 0)))
    close(K.conv2d(K.constant(x), K.constant(w), padding="same"), convolve(padded, w))


def test_conv2d_refuses_strides_with_dilation_and_unknown_words():
    x, w = K.zeros((1, 8, 8, 1)), K.zeros((3, 3, 1, 1))
    with pytest.raises(ValueError, match="strides or dilation_rate must be 1"):
        K.conv2d(x, w, strides=(2, 2), dilation_rate=(2, 2))
    with pytest.raises(ValueError, match="'same', 'valid' is required; 'weird' was given"):
        K.conv2d(x, w, padding="weird")
    with pytest.raises(ValueError, match="is required; 'weird' was given"):
        K.conv2d(x, w, data_format="weird")


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_conv1d(padding):
    x, w = draw(2, 7, 3), draw(3, 3, 4)
    before, after = {"valid": (0, 0), "same": (2, 2), "causal": (4, 0)}[padding]
    padded = np.pad(x, ((0, 0), (before, after), (0, 0)))
    expected = convolve(padded[:, None], w[None], dilation=(1, 2))[:, 0]
    close(K.conv1d(K.constant(x), K.constant(w), 1, padding, dilation_rate=2), expected)
    first = K.constant(x.transpose(0, 2, 1))
    close(K.conv1d(first, K.constant(w), 1, padding, "channels_first", 2),
          expected.transpose(0, 2, 1))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_conv2d_transpose_is_the_gradient_of_conv2d(padding):
    x, w = K.variable(draw(2, 7, 8, 3)), K.constant(draw(3, 3, 3, 4))
    y = K.conv2d(x, w, (2, 2), padding)
    g = draw(*K.int_shape(y))
    expected = K.eval(K.gradients(K.sum(y * g), x)[0])
    close(K.conv2d_transpose(K.constant(g), w, (None, 7, 8, 3), (2, 2), padding), expected)
    close(K.conv2d_transpose(K.constant(g.transpose(0, 3, 1, 2)), w, (2, 3, 7, 8), (2, 2), padding,
                             "channels_first"), expected.transpose(0, 3, 1, 2))


def test_local_conv1d():
    x, w = draw(2, 7, 3), draw(3, 6, 4)
    expected = np.stack([x[:, 2 * i:2 * i + 2].reshape(2, 6) @ w[i] for i in range(3)], 1)
    close(K.local_conv1d(K.constant(x), K.constant(w), (2,), (2,)), expected)


def test_kernels_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match=r"the kernel must be \(positions, 6, out\)"):
        K.local_conv1d(K.ones((2, 7, 3)), K.ones((3, 5, 4)), (2,), (2,))
    with pytest.raises(ShapeError, match=r"a kernel \(width, in, out\)"):
        K.conv1d(K.ones((2, 7, 3)), K.ones((2, 2, 3, 4)))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_local_conv2d(data_format):
    x, w = draw(2, 5, 6, 3), draw(2 * 4, 2 * 3 * 3, 4)
    first = data_format == "channels_first"
    expected = np.zeros((2, 2, 4, 4))
    for i in range(2):
        for j in range(4):
            patch = x[:, 2 * i:2 * i + 2, j:j + 3]
            patch = patch.transpose(0, 3, 1, 2) if first else patch
            expected[:, i, j] = patch.reshape(2, -1) @ w[i * 4 + j]
    if first:
        x, expected = x.transpose(0, 3, 1, 2), expected.transpose(0, 3, 1, 2)
    close(K.local_conv2d(K.constant(x), K.constant(w), (2, 3), (2, 1), (2, 4), data_format),
          expected)


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
    with pytest.raises(ShapeError, match="images of known size"):
        K.resize_images(K.placeholder((None, None, 2, 1)), 2, 2, "channels_last", "bilinear")
