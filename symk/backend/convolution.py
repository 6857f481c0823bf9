"""Convolutions of sequences, images and volumes. Kernels are not flipped: it is correlation."""
import numpy as np

from .. import ops
from ..autodiff import grad
from ..graph import ShapeError, apply, dims
from ..ops.conv import Conv2dGradInput
from ..ops.convert import meet
from ..ops.window import output_size
from .common import normalize_padding
from .data_format import channels_last, restored
from .images import temporal_padding

__all__ = ["conv1d", "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose",
           "depthwise_conv2d", "separable_conv1d", "separable_conv2d", "local_conv1d",
           "local_conv2d"]


def conv1d(x, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution over one axis; "causal" padding uses no later step.

    Shapes:   x (batch, steps, in), kernel (width, in, out) -> (batch, steps', out).
    """
    padding = normalize_padding(padding, ("same", "valid", "causal"))
    x, kernel = meet(x, kernel)
    if x.ndim != 3 or kernel.ndim != 3:
        raise ShapeError("[conv1d] a tensor (batch, steps, channels) and a kernel (width, in, out) "
                         "are required; they are %r and %r." % (x.type, kernel.type))
    x, data_format = channels_last(x, data_format)
    if padding == "causal":
        x = temporal_padding(x, (dilation_rate * (kernel.shape[0] - 1), 0))
        padding = "valid"
    y = conv2d(ops.expand_dims(x, 1), ops.expand_dims(kernel, 0), (1, strides), padding,
               "channels_last", (1, dilation_rate))
    return restored(ops.squeeze(y, 1), data_format)


def conv2d(x, kernel, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1)):
    """Convolution of images.

    Args:     padding: "valid", or "same" for ceil(size / stride) results.
    Shapes:   x (batch, height, width, in), kernel (rows, columns, in, out)
              -> (batch, height', width', out).
    """
    padding, strides = normalize_padding(padding), tuple(strides)
    dilation_rate = tuple(dilation_rate)
    _check_strides(strides, dilation_rate)
    x, data_format = channels_last(x, data_format)
    return restored(ops.conv2d(x, kernel, strides, padding, dilation_rate), data_format)


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
    x, data_format = channels_last(x, data_format)
    shape = _output_shape(x, output_shape, data_format)
    y = apply(Conv2dGradInput(strides, dilation_rate, padding, shape), x, kernel)
    return restored(y, data_format)


def _output_shape(x, output_shape, data_format):
    """The shape of a transposed convolution of x, channels last."""
    batch, *sizes = output_shape
    if data_format == "channels_first":
        sizes = sizes[1:] + sizes[:1]
    return ops.as_sizes([x.shape[0] if batch is None else batch] + sizes)


def _check_strides(strides, dilation):
    if any(stride != 1 for stride in strides) and any(rate != 1 for rate in dilation):
        raise ValueError("[convolution] strides or dilation_rate must be 1; strides %r and "
                         "dilation_rate %r were given." % (strides, dilation))


def conv3d(x, kernel, strides=(1, 1, 1), padding="valid", data_format=None,
           dilation_rate=(1, 1, 1)):
    """Convolution of volumes: the sum of the convolutions of their planes.

    Shapes:   x (batch, depth, height, width, in), kernel (planes, rows, columns, in, out)
              -> (batch, depth', height', width', out).
    """
    padding, strides = normalize_padding(padding), tuple(strides)
    dilation_rate = tuple(dilation_rate)
    _check_strides(strides, dilation_rate)
    x, kernel = meet(x, kernel)
    _check_ranks("conv3d", x, kernel, 5)
    x, data_format = channels_last(x, data_format)
    x, (depth,) = _padded(x, kernel.shape[:1], strides[:1], dilation_rate[:1], padding)
    total = None
    for plane in range(kernel.shape[0]):
        planes = _tap(x, [plane * dilation_rate[0]], [depth], strides[:1])
        planes = ops.reshape(planes, (planes.shape[0] * depth,) + planes.shape[2:])
        y = ops.conv2d(planes, kernel[plane], strides[1:], padding, dilation_rate[1:])
        total = y if total is None else total + y
    return restored(ops.reshape(total, (x.shape[0], depth) + total.shape[1:]), data_format)


def conv3d_transpose(x, kernel, output_shape, strides=(1, 1, 1), padding="valid",
                     data_format=None):
    """The gradient of a convolution with regard to its volumes, as a function of its own.

    Args:     output_shape: the shape of the result, in the order of `data_format`; the batch
              may be None.
    Shapes:   x (batch, depth, height, width, in), kernel (planes, rows, columns, out, in)
              -> output_shape.
    """
    x, kernel = meet(x, kernel)
    _check_ranks("conv3d_transpose", x, kernel, 5)
    x, data_format = channels_last(x, data_format)
    shape = _output_shape(x, output_shape, data_format)
    volumes = ops.full(shape, 0, x.dtype)
    y = conv3d(volumes, kernel, strides, padding, "channels_last")
    if any(map(dims.known_different, y.shape, x.shape)):
        raise ShapeError("[conv3d_transpose] output_shape must be that of volumes whose "
                         "convolution has the shape of x; with %s it has %s, x is %r."
                         % (shape, y.shape, x.type))
    return restored(grad(ops.sum(y * x), [volumes])[0], data_format)


def depthwise_conv2d(x, depthwise_kernel, strides=(1, 1), padding="valid", data_format=None,
                     dilation_rate=(1, 1)):
    """Convolution of each channel by itself.

    Shapes:   x (batch, height, width, in), depthwise_kernel (rows, columns, in, multiplier)
              -> (batch, height', width', in * multiplier).
    """
    padding, strides = normalize_padding(padding), tuple(strides)
    dilation_rate = tuple(dilation_rate)
    _check_strides(strides, dilation_rate)
    x, kernel = meet(x, depthwise_kernel)
    _check_ranks("depthwise_conv2d", x, kernel, 4)
    x, data_format = channels_last(x, data_format)
    if dims.known_different(x.shape[3], kernel.shape[2]):
        raise ShapeError("[depthwise_conv2d] the channels must agree; x is %r, the kernel %r."
                         % (x.type, kernel.type))
    rows, columns, channels, multiplier = kernel.shape
    x = ops.repeat(x, multiplier, 3) if multiplier != 1 else x
    kernel = ops.reshape(kernel, (rows, columns, channels * multiplier))
    x, counts = _padded(x, (rows, columns), strides, dilation_rate, padding)
    total = None
    for row, column in np.ndindex(rows, columns):
        offsets = [row * dilation_rate[0], column * dilation_rate[1]]
        part = _tap(x, offsets, counts, strides) * kernel[row, column]
        total = part if total is None else total + part
    return restored(total, data_format)


def separable_conv2d(x, depthwise_kernel, pointwise_kernel, strides=(1, 1), padding="valid",
                     data_format=None, dilation_rate=(1, 1)):
    """`depthwise_conv2d`, then a convolution over single pixels that mixes the channels.

    Shapes:   pointwise_kernel (1, 1, in * multiplier, out) -> (batch, height', width', out).
    """
    x, data_format = channels_last(x, data_format)
    y = depthwise_conv2d(x, depthwise_kernel, strides, padding, "channels_last", dilation_rate)
    return restored(ops.conv2d(y, pointwise_kernel), data_format)


def separable_conv1d(x, depthwise_kernel, pointwise_kernel, strides=1, padding="valid",
                     data_format=None, dilation_rate=1):
    """`separable_conv2d` over one axis.

    Shapes:   x (batch, steps, in), depthwise_kernel (width, in, multiplier),
              pointwise_kernel (1, in * multiplier, out) -> (batch, steps', out).
    """
    x, data_format = channels_last(x, data_format)
    y = separable_conv2d(ops.expand_dims(x, 1), ops.expand_dims(depthwise_kernel, 0),
                         ops.expand_dims(pointwise_kernel, 0), (1, _single(strides)), padding,
                         "channels_last", (1, _single(dilation_rate)))
    return restored(ops.squeeze(y, 1), data_format)


def _single(value):
    """An integer from itself or from a tuple of one."""
    return value[0] if isinstance(value, (tuple, list)) else value


def _padded(x, windows, strides, dilation, padding):
    """x with the padding that windows over its axes from 1 on need, and the numbers of windows."""
    before, after, counts = [0], [0], []
    for axis, (window, stride, rate) in enumerate(zip(windows, strides, dilation), start=1):
        size = x.shape[axis]
        counts.append(output_size("convolution", size, window, stride, rate, padding))
        missing = 0
        if padding == "same":
            reach = (window - 1) * rate + 1
            missing = dims.maximum((counts[-1] - 1) * stride + reach - size, 0)
        before.append(dims.floor_div(missing, 2))
        after.append(missing - before[-1])
    rest = [0] * (x.ndim - len(before))
    return ops.pad(x, before + rest, after + rest), counts


def _tap(x, offsets, counts, strides):
    """What one position of the windows sees, of each of them, along the axes from 1 on."""
    rest = x.ndim - 1 - len(offsets)
    shape = x.shape[:1] + tuple(counts) + x.shape[1 + len(offsets):]
    return ops.slice(x, [0] + list(offsets) + [0] * rest, [1] + list(strides) + [1] * rest, shape)


def _check_ranks(who, x, kernel, rank):
    """Images (4 axes) or volumes (5), and a kernel of as many."""
    if x.ndim != rank or kernel.ndim != rank:
        raise ShapeError("[%s] a tensor and a kernel of %d axes each are required; they are %r and "
                         "%r." % (who, rank, x.type, kernel.type))


def local_conv1d(inputs, kernel, kernel_size, strides, data_format=None):
    """Convolution over one axis with a kernel of its own at each position.

    Shapes:   inputs (batch, steps, in), kernel (steps', width * in, out)
              -> (batch, steps', out).
    """
    x, kernel = meet(inputs, kernel)
    x, data_format = channels_last(x, data_format)
    _check_local_kernel(kernel, x, kernel_size)
    positions = _positions(kernel.shape[0], kernel_size[0], strides[0])
    patches = ops.transpose(ops.gather(x, positions, axis=1), (1, 0, 2, 3))
    rows = ops.reshape(patches, (kernel.shape[0], x.shape[0], kernel.shape[1]))
    return restored(ops.transpose(ops.matmul(rows, kernel), (1, 0, 2)), data_format)


def local_conv2d(inputs, kernel, kernel_size, strides, output_shape, data_format=None):
    """Convolution of images with a kernel of its own at each position.

    Args:     output_shape: (height', width').
    Shapes:   inputs (batch, height, width, in), kernel (height' * width', rows * columns * in,
              out) -> (batch, height', width', out); with "channels_first" the middle axis of
              the kernel is in * rows * columns.
    """
    x, kernel = meet(inputs, kernel)
    x, data_format = channels_last(x, data_format)
    _check_local_kernel(kernel, x, kernel_size)
    height, width = output_shape
    patches = ops.gather(x, _positions(height, kernel_size[0], strides[0]), axis=1)
    patches = ops.gather(patches, _positions(width, kernel_size[1], strides[1]), axis=3)
    inner = (2, 4, 5) if data_format == "channels_last" else (5, 2, 4)
    patches = ops.transpose(patches, (1, 3, 0) + inner)
    rows = ops.reshape(patches, (height * width, x.shape[0], kernel.shape[1]))
    y = ops.reshape(ops.matmul(rows, kernel), (height, width, x.shape[0], kernel.shape[2]))
    return restored(ops.transpose(y, (2, 0, 1, 3)), data_format)


def _check_local_kernel(kernel, x, window):
    """A kernel must have a row for each element of a window."""
    inner = dims.product(window) * x.shape[-1]
    if kernel.ndim != 3 or dims.known_different(kernel.shape[1], inner):
        raise ShapeError("[local_conv] the kernel must be (positions, %s, out), windows being %r "
                         "of %s channels; it is %r." % (inner, window, x.shape[-1], kernel.type))


def _positions(count, width, stride):
    """The indices that each of `count` windows covers: (count, width)."""
    return np.arange(count)[:, None] * stride + np.arange(width)
