"""Sequences, images and volumes: convolution, pooling, padding and resizing.

Everything is computed with the channels last. Tensors with the channels first are transposed
around it; the optimiser removes transpositions that meet.
"""
import numpy as np

from .. import ops
from ..graph import ShapeError, apply, dims
from ..ops.conv import Conv2dGradInput
from ..ops.convert import meet
from .common import normalize_data_format, normalize_padding

__all__ = ["conv1d", "conv2d", "conv2d_transpose", "pool2d", "pool3d", "local_conv1d",
           "local_conv2d", "temporal_padding", "spatial_2d_padding", "spatial_3d_padding",
           "resize_images", "resize_volumes"]


# ---- data formats

def _channels_last(x, data_format):
    """x (batch, ..., channels) in any format, and the format itself, checked."""
    x, data_format = ops.as_variable(x), normalize_data_format(data_format)
    if data_format == "channels_last":
        return x, data_format
    return ops.transpose(x, [0] + list(range(2, x.ndim)) + [1]), data_format


def _restored(y, data_format):
    """The way back from (batch, ..., channels)."""
    if data_format == "channels_last":
        return y
    return ops.transpose(y, [0, y.ndim - 1] + list(range(1, y.ndim - 1)))


# ---- convolution

def conv1d(x, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution over one axis; "causal" padding uses no later step.

    Shapes:   x (batch, steps, in), kernel (width, in, out) -> (batch, steps', out).
    """
    padding = normalize_padding(padding, ("same", "valid", "causal"))
    x, kernel = meet(x, kernel)
    if x.ndim != 3 or kernel.ndim != 3:
        raise ShapeError("[conv1d] a tensor (batch, steps, channels) and a kernel (width, in, out) "
                         "are required; they are %r and %r." % (x.type, kernel.type))
    x, data_format = _channels_last(x, data_format)
    if padding == "causal":
        x = temporal_padding(x, (dilation_rate * (kernel.shape[0] - 1), 0))
        padding = "valid"
    y = conv2d(ops.expand_dims(x, 1), ops.expand_dims(kernel, 0), (1, strides), padding,
               "channels_last", (1, dilation_rate))
    return _restored(ops.squeeze(y, 1), data_format)


def conv2d(x, kernel, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1)):
    """Convolution of images (cross-correlation: the kernel is not flipped).

    Args:     padding: "valid", or "same" for ceil(size / stride) results.
    Shapes:   x (batch, height, width, in), kernel (rows, columns, in, out)
              -> (batch, height', width', out).
    """
    padding, strides = normalize_padding(padding), tuple(strides)
    dilation_rate = tuple(dilation_rate)
    _check_strides(strides, dilation_rate)
    x, data_format = _channels_last(x, data_format)
    return _restored(ops.conv2d(x, kernel, strides, padding, dilation_rate), data_format)


def conv2d_transpose(x, kernel, output_shape, strides=(1, 1), padding="valid", data_format=None,
                     dilation_rate=(1, 1)):
    """The gradient of a convolution with regard to its images, as a function of its own.

    Args:     output_shape: the shape of the result, in the order of `data_format`; the batch
              may be None.
    Shapes:   x (batch, height, width, in), kernel (rows, columns, out, in) -> output_shape.
    """
    padding, strides = normalize_padding(padding), tuple(strides)
    dilation_rate = tuple(dilation_rate)
    _check_strides(strides, dilation_rate)
    x, kernel = meet(x, kernel)
    x, data_format = _channels_last(x, data_format)
    batch, *sizes = output_shape
    if data_format == "channels_first":
        sizes = sizes[1:] + sizes[:1]
    shape = ops.as_sizes([x.shape[0] if batch is None else batch] + list(sizes))
    y = apply(Conv2dGradInput(strides, dilation_rate, padding, shape), x, kernel)
    return _restored(y, data_format)


def _check_strides(strides, dilation):
    if any(stride != 1 for stride in strides) and any(rate != 1 for rate in dilation):
        raise ValueError("[conv2d] strides or dilation_rate must be 1; strides %r and "
                         "dilation_rate %r were given." % (strides, dilation))


def local_conv1d(inputs, kernel, kernel_size, strides, data_format=None):
    """Convolution over one axis with a kernel of its own at each position.

    Shapes:   inputs (batch, steps, in), kernel (steps', width * in, out)
              -> (batch, steps', out).
    """
    x, kernel = meet(inputs, kernel)
    x, data_format = _channels_last(x, data_format)
    _check_local_kernel(kernel, x, kernel_size)
    positions = _positions(kernel.shape[0], kernel_size[0], strides[0])
    patches = ops.transpose(ops.gather(x, positions, axis=1), (1, 0, 2, 3))
    rows = ops.reshape(patches, (kernel.shape[0], x.shape[0], kernel.shape[1]))
    return _restored(ops.transpose(ops.matmul(rows, kernel), (1, 0, 2)), data_format)


def local_conv2d(inputs, kernel, kernel_size, strides, output_shape, data_format=None):
    """Convolution of images with a kernel of its own at each position.

    Args:     output_shape: (height', width').
    Shapes:   inputs (batch, height, width, in), kernel (height' * width', rows * columns * in,
              out) -> (batch, height', width', out); with "channels_first" the middle axis of
              the kernel is in * rows * columns.
    """
    x, kernel = meet(inputs, kernel)
    x, data_format = _channels_last(x, data_format)
    _check_local_kernel(kernel, x, kernel_size)
    height, width = output_shape
    patches = ops.gather(x, _positions(height, kernel_size[0], strides[0]), axis=1)
    patches = ops.gather(patches, _positions(width, kernel_size[1], strides[1]), axis=3)
    inner = (2, 4, 5) if data_format == "channels_last" else (5, 2, 4)
    patches = ops.transpose(patches, (1, 3, 0) + inner)
    rows = ops.reshape(patches, (height * width, x.shape[0], kernel.shape[1]))
    y = ops.reshape(ops.matmul(rows, kernel), (height, width, x.shape[0], kernel.shape[2]))
    return _restored(ops.transpose(y, (2, 0, 1, 3)), data_format)


def _check_local_kernel(kernel, x, window):
    """A kernel must have a row for each element of a window."""
    inner = dims.product(window) * x.shape[-1]
    if kernel.ndim != 3 or dims.known_different(kernel.shape[1], inner):
        raise ShapeError("[local_conv] the kernel must be (positions, %s, out), windows being %r "
                         "of %s channels; it is %r." % (inner, window, x.shape[-1], kernel.type))


def _positions(count, width, stride):
    """The indices that each of `count` windows covers: (count, width)."""
    return np.arange(count)[:, None] * stride + np.arange(width)


# ---- pooling

def pool2d(x, pool_size, strides=(1, 1), padding="valid", data_format=None, pool_mode="max"):
    """The maximum or the mean ("avg") over windows of images; means leave padding out.

    Shapes:   x (batch, height, width, channels) -> (batch, height', width', channels).
    """
    pool = _pooling(pool_mode)
    padding = normalize_padding(padding)
    x, data_format = _channels_last(x, data_format)
    return _restored(pool(x, tuple(pool_size), tuple(strides), padding), data_format)


def pool3d(x, pool_size, strides=(1, 1, 1), padding="valid", data_format=None, pool_mode="max"):
    """The maximum or the mean ("avg") over windows of volumes; means leave padding out.

    A window is a box, so pooling planes and then depth gives the same.
    Shapes:   x (batch, depth, height, width, channels) -> (batch, depth', ..., channels).
    """
    pool = _pooling(pool_mode)
    padding = normalize_padding(padding)
    x, data_format = _channels_last(x, data_format)
    batch, depth, height, width, channels = x.shape
    planes = ops.reshape(x, (batch * depth, height, width, channels))
    planes = pool(planes, tuple(pool_size[1:]), tuple(strides[1:]), padding)
    height, width = planes.shape[1:3]
    lines = ops.reshape(planes, (batch, depth, height * width, channels))
    lines = pool(lines, (pool_size[0], 1), (strides[0], 1), padding)
    y = ops.reshape(lines, (batch, lines.shape[1], height, width, channels))
    return _restored(y, data_format)


def _pooling(mode):
    if mode not in ("max", "avg"):
        raise ValueError("[pool] pool_mode must be 'max' or 'avg'; %r was given." % (mode,))
    return ops.max_pool2d if mode == "max" else ops.average_pool2d


# ---- padding and resizing

def temporal_padding(x, padding=(1, 1)):
    """Zeros before and after the steps of (batch, steps, channels)."""
    x = ops.as_variable(x)
    return _padded(x, [padding], "channels_last")


def spatial_2d_padding(x, padding=((1, 1), (1, 1)), data_format=None):
    """Zeros around images: ((top, bottom), (left, right))."""
    return _padded(ops.as_variable(x), padding, normalize_data_format(data_format))


def spatial_3d_padding(x, padding=((1, 1), (1, 1), (1, 1)), data_format=None):
    """Zeros around volumes: a pair for each of depth, height, width."""
    return _padded(ops.as_variable(x), padding, normalize_data_format(data_format))


def _padded(x, padding, data_format):
    if x.ndim != len(padding) + 2 or any(len(pair) != 2 for pair in padding):
        raise ShapeError("[padding] a tensor of %d axes and a pair of numbers for each axis but "
                         "batch and channels are required; the tensor is %r, the pairs are %r."
                         % (len(padding) + 2, x.type, padding))
    pairs = [tuple(pair) for pair in padding]
    pairs = [(0, 0)] + (pairs + [(0, 0)] if data_format == "channels_last" else [(0, 0)] + pairs)
    return ops.pad(x, [before for before, _ in pairs], [after for _, after in pairs])


def resize_images(x, height_factor, width_factor, data_format, interpolation="nearest"):
    """Images larger by whole factors.

    Args:     interpolation: "nearest" repeats pixels, "bilinear" interpolates between them.
    """
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError("[resize_images] interpolation must be 'nearest' or 'bilinear'; %r was "
                         "given." % (interpolation,))
    axis = 1 if normalize_data_format(data_format) == "channels_last" else 2
    resize = ops.repeat if interpolation == "nearest" else _interpolated
    return resize(resize(x, height_factor, axis), width_factor, axis + 1)


def resize_volumes(x, depth_factor, height_factor, width_factor, data_format):
    """Volumes larger by whole factors; voxels are repeated."""
    axis = 1 if normalize_data_format(data_format) == "channels_last" else 2
    for offset, factor in enumerate((depth_factor, height_factor, width_factor)):
        x = ops.repeat(x, factor, axis + offset)
    return x


def _interpolated(x, factor, axis):
    """Linear interpolation along an axis; the result i is at position i / factor of x."""
    x = ops.as_variable(x)
    size = x.shape[axis]
    if isinstance(size, dims.Dim):
        raise ShapeError("[resize_images] bilinear interpolation requires images of known size; "
                         "they are %r." % (x.type,))
    position = np.arange(size * factor) / factor
    below = position.astype(np.int64)
    above = np.minimum(below + 1, size - 1)
    weight = (position - below).reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    lower, upper = ops.gather(x, below, axis=axis), ops.gather(x, above, axis=axis)
    return lower + (upper - lower) * weight
