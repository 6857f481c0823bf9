"""Sequences, images and volumes: pooling, padding and resizing."""
import numpy as np

from .. import ops
from ..graph import ShapeError, dims
from .common import normalize_data_format, normalize_padding
from .data_format import channels_last, restored

__all__ = ["pool2d", "pool3d", "temporal_padding", "spatial_2d_padding", "spatial_3d_padding",
           "resize_images", "resize_volumes"]


# ---- pooling

def pool2d(x, pool_size, strides=(1, 1), padding="valid", data_format=None, pool_mode="max"):
    """The maximum or the mean ("avg") over windows of images; means leave padding out.

    Shapes:   x (batch, height, width, channels) -> (batch, height', width', channels).
    """
    pool = _pooling(pool_mode)
    padding = normalize_padding(padding)
    x, data_format = channels_last(x, data_format)
    return restored(pool(x, tuple(pool_size), tuple(strides), padding), data_format)


def pool3d(x, pool_size, strides=(1, 1, 1), padding="valid", data_format=None, pool_mode="max"):
    """The maximum or the mean ("avg") over windows of volumes; means leave padding out.

    A window is a box, so pooling planes and then depth gives the same.
    Shapes:   x (batch, depth, height, width, channels) -> (batch, depth', ..., channels).
    """
    pool = _pooling(pool_mode)
    padding = normalize_padding(padding)
    x, data_format = channels_last(x, data_format)
    if x.ndim != 5:
        raise ShapeError("[pool3d] volumes must have 5 axes; %r was given." % (x.type,))
    batch, depth, height, width, channels = x.shape
    planes = ops.reshape(x, (batch * depth, height, width, channels))
    planes = pool(planes, tuple(pool_size[1:]), tuple(strides[1:]), padding)
    height, width = planes.shape[1:3]
    lines = ops.reshape(planes, (batch, depth, height * width, channels))
    lines = pool(lines, (pool_size[0], 1), (strides[0], 1), padding)
    y = ops.reshape(lines, (batch, lines.shape[1], height, width, channels))
    return restored(y, data_format)


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
