"""Convolutions of sequences, images and volumes. Kernels are not flipped: it is correlation."""
import numpy as np

from .. import ops
from ..graph import ShapeError, dims
from ..ops.checks import at_least
from ..ops.convert import meet
from ..ops.window import per_axis
from .common import listed, normalize_padding
from .data_format import channels_last, restored

__all__ = ["conv1d", "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose",
           "depthwise_conv2d", "separable_conv1d", "separable_conv2d", "local_conv1d",
           "local_conv2d"]


def conv1d(x, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution over one axis; "causal" padding uses no later step.

    Shapes:   x (batch, steps, in), kernel (width, in, out) -> (batch, steps', out).
    """
    padding = normalize_padding(padding, ("same", "valid", "causal"))
    return _convolution("conv1d", x, kernel, 3, strides, padding, data_format, dilation_rate)


def conv2d(x, kernel, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1)):
    """Convolution of images.

    Args:     padding: "valid", or "same" for ceil(size / stride) results.
    Shapes:   x (batch, height, width, in), kernel (rows, columns, in, out)
              -> (batch, height', width', out).
    """
    padding = normalize_padding(padding)
    return _convolution("conv2d", x, kernel, 4, strides, padding, data_format, dilation_rate)


def conv3d(x, kernel, strides=(1, 1, 1), padding="valid", data_format=None,
           dilation_rate=(1, 1, 1)):
    """Convolution of volumes.

    Shapes:   x (batch, depth, height, width, in), kernel (planes, rows, columns, in, out)
              -> (batch, depth', height', width', out).
    """
    padding = normalize_padding(padding)
    return _convolution("conv3d", x, kernel, 5, strides, padding, data_format, dilation_rate)


def _convolution(who, x, kernel, rank, strides, padding, data_format, dilation):
    x, kernel = meet(x, kernel)
    _check_ranks(who, x, kernel, rank)
    _check_strides(who, strides, dilation, rank)
    x, data_format = channels_last(x, data_format)
    return restored(ops.conv(x, kernel, strides, padding, dilation), data_format)


def conv2d_transpose(x, kernel, output_shape, strides=(1, 1), padding="valid", data_format=None,
                     dilation_rate=(1, 1)):
    """The gradient of a convolution with regard to its images, as a function of its own.

    Args:     output_shape: the shape of the result, in the order of `data_format`; the batch
              may be None.
    Shapes:   x (batch, height, width, in), kernel (rows, columns, out, in) -> output_shape.
    """
    return _transposed("conv2d_transpose", x, kernel, 4, output_shape, strides, padding,
                       data_format, dilation_rate)


def conv3d_transpose(x, kernel, output_shape, strides=(1, 1, 1), padding="valid",
                     data_format=None):
    """The gradient of a convolution with regard to its volumes, as a function of its own.

    Args:     output_shape: the shape of the result, in the order of `data_format`; the batch
              may be None.
    Shapes:   x (batch, depth, height, width, in), kernel (planes, rows, columns, out, in)
              -> output_shape.
    """
    return _transposed("conv3d_transpose", x, kernel, 5, output_shape, strides, padding,
                       data_format, (1, 1, 1))


def _transposed(who, x, kernel, rank, output_shape, strides, padding, data_format, dilation):
    padding = normalize_padding(padding)
    x, kernel = meet(x, kernel)
    _check_ranks(who, x, kernel, rank)
    _check_strides(who, strides, dilation, rank)
    x, data_format = channels_last(x, data_format)
    shape = _output_shape(who, x, output_shape, data_format)
    return restored(ops.conv_transpose(x, kernel, shape, strides, padding, dilation), data_format)


def _output_shape(who, x, output_shape, data_format):
    """The shape of a transposed convolution of x, channels last."""
    batch, *sizes = listed(who, output_shape) or [None]
    if len(sizes) != x.ndim - 1:
        raise ShapeError("[%s] output_shape must have a size for each of %d axes; %r was given."
                         % (who, x.ndim, output_shape))
    if data_format == "channels_first":
        sizes = sizes[1:] + sizes[:1]
    return ops.as_sizes([x.shape[0] if batch is None else batch] + sizes)


def _check_strides(who, strides, dilation, rank):
    """One of them must be 1 along all axes, as in Keras."""
    strides = per_axis(who, "strides", strides, rank - 2)
    dilation = per_axis(who, "dilation_rate", dilation, rank - 2)
    if max(strides) > 1 and max(dilation) > 1:
        raise ValueError("[%s] strides or dilation_rate must be 1; strides %r and dilation_rate %r "
                         "were given." % (who, strides, dilation))


def _check_ranks(who, x, kernel, rank):
    """A tensor and a kernel must have as many axes as the function is for."""
    if x.ndim != rank or kernel.ndim != rank:
        raise ShapeError("[%s] a tensor and a kernel of %d axes each are required; they are %r and "
                         "%r." % (who, rank, x.type, kernel.type))


def depthwise_conv2d(x, depthwise_kernel, strides=(1, 1), padding="valid", data_format=None,
                     dilation_rate=(1, 1)):
    """Convolution of each channel by itself.

    Shapes:   x (batch, height, width, in), depthwise_kernel (rows, columns, in, multiplier)
              -> (batch, height', width', in * multiplier).
    """
    padding = normalize_padding(padding)
    x, kernel = meet(x, depthwise_kernel)
    _check_ranks("depthwise_conv2d", x, kernel, 4)
    _check_strides("depthwise_conv2d", strides, dilation_rate, 4)
    x, data_format = channels_last(x, data_format)
    return restored(_depthwise(x, kernel, strides, padding, dilation_rate), data_format)


def _depthwise(x, kernel, strides, padding, dilation):
    """A convolution whose groups are single channels; kernel (window ..., in, multiplier)."""
    *window, channels, multiplier = kernel.shape
    if dims.known_different(x.shape[-1], channels):
        raise ShapeError("[depthwise_conv] the channels must agree; x is %r, the kernel %r."
                         % (x.type, kernel.type))
    kernel = ops.reshape(kernel, (*window, 1, channels * multiplier))
    return ops.conv(x, kernel, strides, padding, dilation, groups=channels)


def separable_conv1d(x, depthwise_kernel, pointwise_kernel, strides=1, padding="valid",
                     data_format=None, dilation_rate=1):
    """`separable_conv2d` over one axis.

    Shapes:   x (batch, steps, in), depthwise_kernel (width, in, multiplier),
              pointwise_kernel (1, in * multiplier, out) -> (batch, steps', out).
    """
    return _separable("separable_conv1d", x, depthwise_kernel, pointwise_kernel, 3, strides,
                      padding, data_format, dilation_rate)


def separable_conv2d(x, depthwise_kernel, pointwise_kernel, strides=(1, 1), padding="valid",
                     data_format=None, dilation_rate=(1, 1)):
    """`depthwise_conv2d`, then a convolution over single pixels that mixes the channels.

    Shapes:   pointwise_kernel (1, 1, in * multiplier, out) -> (batch, height', width', out).
    """
    return _separable("separable_conv2d", x, depthwise_kernel, pointwise_kernel, 4, strides,
                      padding, data_format, dilation_rate)


def _separable(who, x, depthwise_kernel, pointwise_kernel, rank, strides, padding, data_format,
               dilation):
    padding = normalize_padding(padding)
    x, depthwise_kernel, pointwise_kernel = meet(x, depthwise_kernel, pointwise_kernel)
    _check_ranks(who, x, depthwise_kernel, rank)
    _check_ranks(who, x, pointwise_kernel, rank)
    _check_strides(who, strides, dilation, rank)
    x, data_format = channels_last(x, data_format)
    y = _depthwise(x, depthwise_kernel, strides, padding, dilation)
    return restored(ops.conv(y, pointwise_kernel), data_format)


def local_conv1d(inputs, kernel, kernel_size, strides, data_format=None):
    """Convolution over one axis with a kernel of its own at each position.

    Shapes:   inputs (batch, steps, in), kernel (steps', width * in, out)
              -> (batch, steps', out).
    """
    x, kernel = meet(inputs, kernel)
    _check_local_ranks("local_conv1d", x, kernel, 3)
    (width,), (stride,) = (per_axis("local_conv1d", what, value, 1) for what, value in
                           (("kernel_size", kernel_size), ("strides", strides)))
    x, data_format = channels_last(x, data_format)
    _check_local_kernel(kernel, x, (width,))
    positions = _positions("local_conv1d", x, 1, kernel.shape[0], width, stride)
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
    _check_local_ranks("local_conv2d", x, kernel, 4)
    window, strides, (height, width) = (
        per_axis("local_conv2d", what, value, 2) for what, value in
        (("kernel_size", kernel_size), ("strides", strides), ("output_shape", output_shape)))
    x, data_format = channels_last(x, data_format)
    _check_local_kernel(kernel, x, window)
    rows = _positions("local_conv2d", x, 1, height, window[0], strides[0])
    columns = _positions("local_conv2d", x, 2, width, window[1], strides[1])
    patches = ops.gather(ops.gather(x, rows, axis=1), columns, axis=3)
    inner = (2, 4, 5) if data_format == "channels_last" else (5, 2, 4)
    patches = ops.transpose(patches, (1, 3, 0) + inner)
    rows = ops.reshape(patches, (height * width, x.shape[0], kernel.shape[1]))
    y = ops.reshape(ops.matmul(rows, kernel), (height, width, x.shape[0], kernel.shape[2]))
    return restored(ops.transpose(y, (2, 0, 1, 3)), data_format)


def _check_local_ranks(who, x, kernel, rank):
    if x.ndim != rank or kernel.ndim != 3:
        raise ShapeError("[%s] a tensor of %d axes and a kernel of 3 are required; they are %r and "
                         "%r." % (who, rank, x.type, kernel.type))


def _check_local_kernel(kernel, x, window):
    """A kernel must have a row for each element of a window."""
    inner = dims.product(window) * x.shape[-1]
    if dims.known_different(kernel.shape[1], inner):
        raise ShapeError("[local_conv] the kernel must be (positions, %s, out), windows being %r "
                         "of %s channels; it is %r." % (inner, window, x.shape[-1], kernel.type))


def _positions(who, x, axis, count, width, stride):
    """The indices that each of `count` windows covers along an axis of x: (count, width)."""
    reach = (count - 1) * stride + width
    at_least(who, x.shape[axis], reach, "the windows must lie inside of %r; along axis %d they "
             "take %s elements" % (x.type, axis, reach))
    return np.arange(count)[:, None] * stride + np.arange(width)
