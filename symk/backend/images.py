"""Sequences, images and volumes: pooling, padding and resizing."""
from .. import ops
from ..graph import ShapeError
from ..ops.checks import one_of, whole
from .common import listed, normalize_data_format, normalize_padding
from .data_format import channels_last, restored

__all__ = ["pool2d", "pool3d", "temporal_padding", "spatial_2d_padding", "spatial_3d_padding",
           "resize_images", "resize_volumes"]


# ---- pooling

def pool2d(x, pool_size, strides=(1, 1), padding="valid", data_format=None, pool_mode="max"):
    """The maximum or the mean ("avg") over windows of images; means leave padding out.

    Shapes:   x (batch, height, width, channels) -> (batch, height', width', channels).
    """
    return _pooled("pool2d", x, 4, pool_size, strides, padding, data_format, pool_mode)


def pool3d(x, pool_size, strides=(1, 1, 1), padding="valid", data_format=None, pool_mode="max"):
    """The maximum or the mean ("avg") over windows of volumes; means leave padding out.

    Shapes:   x (batch, depth, height, width, channels) -> (batch, depth', ..., channels).
    """
    return _pooled("pool3d", x, 5, pool_size, strides, padding, data_format, pool_mode)


def _pooled(who, x, rank, pool_size, strides, padding, data_format, mode):
    one_of(who, "pool_mode", mode, ("max", "avg"))
    padding = normalize_padding(padding)
    x = ops.as_variable(x)
    if x.ndim != rank:
        raise ShapeError("[%s] a tensor of %d axes is required; it is %r." % (who, rank, x.type))
    pool = ops.max_pool if mode == "max" else ops.average_pool
    x, data_format = channels_last(x, data_format)
    return restored(pool(x, pool_size, strides, padding), data_format)


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
    padding = [listed("padding", pair) for pair in listed("padding", padding)]
    if x.ndim != len(padding) + 2 or any(len(pair) != 2 for pair in padding):
        raise ShapeError("[padding] a tensor of %d axes and a pair of numbers for each axis but "
                         "batch and channels are required; the tensor is %r, the pairs are %r."
                         % (len(padding) + 2, x.type, padding))
    pairs = [tuple(pair) for pair in padding]
    pairs = [(0, 0)] + (pairs + [(0, 0)] if data_format == "channels_last" else [(0, 0)] + pairs)
    widths = [[whole("padding", "a width", width) for width in pair] for pair in pairs]
    return ops.pad(x, [before for before, _ in widths], [after for _, after in widths])


def resize_images(x, height_factor, width_factor, data_format, interpolation="nearest"):
    """Images larger by whole factors.

    Args:     interpolation: "nearest" repeats pixels, "bilinear" interpolates between them.
    Raises:   ShapeError for a factor out of 1 to 2**16; GraphError for another interpolation.
    """
    one_of("resize_images", "interpolation", interpolation, ("nearest", "bilinear"))
    height_factor, width_factor = _factors("resize_images", height_factor, width_factor)
    resize = ops.repeat if interpolation == "nearest" else ops.interpolate
    x, data_format = channels_last(x, data_format)
    return restored(resize(resize(x, height_factor, 1), width_factor, 2), data_format)


def resize_volumes(x, depth_factor, height_factor, width_factor, data_format):
    """Volumes larger by whole factors; voxels are repeated.

    Raises:   ShapeError for a factor out of 1 to 2**16.
    """
    factors = _factors("resize_volumes", depth_factor, height_factor, width_factor)
    x, data_format = channels_last(x, data_format)
    for axis, factor in enumerate(factors, start=1):
        x = ops.repeat(x, factor, axis)
    return restored(x, data_format)


def _factors(name, *factors):
    """Factors of resizing as integers."""
    factors = [whole(name, "a factor", factor) for factor in factors]
    if not all(1 <= factor <= ops.LARGEST_FACTOR for factor in factors):
        raise ShapeError("[%s] factors must be from 1 to %d; %r were given."
                         % (name, ops.LARGEST_FACTOR, factors))
    return factors
