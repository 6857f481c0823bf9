"""Convolutions of K against their definitions."""
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
    with pytest.raises(ValueError, match="or 'channels_first'; 'weird' was given"):
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
    with pytest.raises(ShapeError, match="a kernel of 3 axes"):
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


@pytest.mark.parametrize("strides, dilation", [((1, 1, 1), (1, 1, 1)), ((2, 1, 2), (1, 1, 1)),
                                               ((1, 1, 1), (2, 1, 2))])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_conv3d(padding, strides, dilation):
    x, w = draw(2, 6, 5, 6, 2), draw(2, 3, 2, 2, 3)
    y = K.conv3d(K.constant(x), K.constant(w), strides, padding, dilation_rate=dilation)
    if padding == "same":
        x = padded(x, w.shape[:3], strides, dilation)
    counts = [(x.shape[k + 1] - (w.shape[k] - 1) * dilation[k] - 1) // strides[k] + 1
              for k in range(3)]
    expected = np.zeros((2, *counts, 3))
    for place in np.ndindex(*counts):
        window = tuple(slice(p * s, p * s + (k - 1) * d + 1, d)
                       for p, s, k, d in zip(place, strides, w.shape, dilation))
        expected[(slice(None),) + place] = np.tensordot(x[(slice(None),) + window], w, 4)
    close(y, expected)


def padded(x, windows, strides, dilation):
    """x with the padding of "same", by its definition."""
    widths = [(0, 0)]
    for size, window, stride, rate in zip(x.shape[1:], windows, strides, dilation):
        count = -(-size // stride)
        missing = max(0, (count - 1) * stride + (window - 1) * rate + 1 - size)
        widths.append((missing // 2, missing - missing // 2))
    return np.pad(x, widths + [(0, 0)])


def test_conv3d_with_the_channels_first_and_an_unknown_batch():
    x, w = draw(2, 4, 5, 6, 2), draw(2, 3, 2, 2, 3)
    p = K.placeholder((None, 2, 4, 5, 6))
    y = K.conv3d(p, K.constant(w), data_format="channels_first")
    assert K.int_shape(y) == (None, 3, 3, 3, 5)
    expected = K.eval(K.conv3d(K.constant(x), K.constant(w))).transpose(0, 4, 1, 2, 3)
    result, = K.function([p], [y])([x.transpose(0, 4, 1, 2, 3)])
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_conv3d_transpose_is_the_gradient_of_conv3d(padding):
    x, w = K.variable(draw(2, 4, 5, 6, 2)), K.constant(draw(2, 3, 2, 2, 3))
    y = K.conv3d(x, w, (2, 2, 2), padding)
    g = draw(*K.int_shape(y))
    expected = K.eval(K.gradients(K.sum(y * g), x)[0])
    close(K.conv3d_transpose(K.constant(g), w, (None, 4, 5, 6, 2), (2, 2, 2), padding), expected)
    with pytest.raises(ShapeError, match="must be one whose convolution has the shape"):
        K.conv3d_transpose(K.constant(g), w, (2, 9, 5, 6, 2), (2, 2, 2), padding)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides, dilation", [((1, 1), (1, 1)), ((2, 2), (1, 1)),
                                               ((1, 1), (2, 1))])
def test_depthwise_conv2d(strides, dilation, padding):
    x, w = draw(2, 7, 8, 3), draw(3, 2, 3, 2)
    y = K.depthwise_conv2d(K.constant(x), K.constant(w), strides, padding, dilation_rate=dilation)
    if padding == "same":
        x = padded(x, w.shape[:2], strides, dilation)
    parts = [convolve(x[..., c:c + 1], w[:, :, c:c + 1], strides, dilation) for c in range(3)]
    close(y, np.concatenate(parts, -1))


def test_separable_convolutions():
    x, depthwise, pointwise = draw(2, 6, 7, 3), draw(3, 2, 3, 2), draw(1, 1, 6, 4)
    middle = K.eval(K.depthwise_conv2d(K.constant(x), K.constant(depthwise), padding="same"))
    expected = middle @ pointwise[0, 0]
    close(K.separable_conv2d(K.constant(x), K.constant(depthwise), K.constant(pointwise),
                             padding="same"), expected)
    first = K.constant(x.transpose(0, 3, 1, 2))
    close(K.separable_conv2d(first, K.constant(depthwise), K.constant(pointwise), padding="same",
                             data_format="channels_first"), expected.transpose(0, 3, 1, 2))
    line = K.separable_conv1d(K.constant(x[:, 0]), K.constant(depthwise[0]),
                              K.constant(pointwise[0]), strides=2)
    close(line, convolve_line(x[:, 0], depthwise[0])[:, ::2] @ pointwise[0, 0])


def convolve_line(x, w):
    """A valid depthwise convolution of (batch, steps, in)."""
    parts = [convolve(x[:, None, :, c:c + 1], w[None, :, c:c + 1])[:, 0] for c in range(3)]
    return np.concatenate(parts, -1)


def test_channels_and_ranks_must_fit():
    with pytest.raises(ShapeError, match="the channels must agree"):
        K.depthwise_conv2d(K.ones((1, 5, 5, 3)), K.ones((3, 3, 2, 1)))
    with pytest.raises(ShapeError, match="of 5 axes each are required"):
        K.conv3d(K.ones((1, 5, 5, 3)), K.ones((3, 3, 2, 1)))
    with pytest.raises(ValueError, match="strides or dilation_rate must be 1"):
        K.depthwise_conv2d(K.ones((1, 5, 5, 3)), K.ones((3, 3, 3, 1)), (2, 2), dilation_rate=(2, 2))
    with pytest.raises(ShapeError, match="at least as large as a window"):
        K.conv3d(K.ones((1, 2, 5, 5, 1)), K.ones((3, 3, 3, 1, 1)))
