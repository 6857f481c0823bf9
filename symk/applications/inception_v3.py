"""Inception V3 (Szegedy et al. 2015, arXiv:1512.00567)."""
from ..layers import AveragePooling2D, MaxPooling2D, concatenate
from .common import Builder, WeightsFile, channel_axis, normalized_conv
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

_BASE = "https://github.com/fchollet/deep-learning-models/releases/download/v0.5/"
_WEIGHTS = WeightsFile(_BASE + "inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
                       "9a0d58056eeedaa3f26cb7ebd46da564",
                       _BASE + "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
                       "bcbd6486424b2319ff4ef7d526e38f63")


def InceptionV3(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
                pooling=None, classes=1000, **kwargs):
    """Inception V3; images of 299x299, at least 75x75.

    Args:     see `common.Builder`.
    """
    builder = Builder("InceptionV3", include_top, weights, input_tensor, input_shape, pooling,
                      classes, kwargs, default_size=299, min_size=75, fixed_size=False)
    x = _conv(builder.inputs, 32, 3, 2, "valid")
    x = _conv(x, 32, 3, 1, "valid")
    x = _conv(x, 64, 3)
    x = MaxPooling2D(3, strides=2)(x)
    x = _conv(x, 80, 1, 1, "valid")
    x = _conv(x, 192, 3, 1, "valid")
    x = MaxPooling2D(3, strides=2)(x)
    for number, pooled in enumerate((32, 64, 64)):
        x = _mixed_35(x, pooled, "mixed%d" % number)
    x = _reduction_35(x, "mixed3")
    for number, width in enumerate((128, 160, 160, 192), 4):
        x = _mixed_17(x, width, "mixed%d" % number)
    x = _reduction_17(x, "mixed8")
    for number in range(2):
        x = _mixed_8(x, number)
    return builder.model(builder.classifier(x, pool_name="avg_pool"), "inception_v3", _WEIGHTS)


def _conv(x, filters, kernel, strides=1, padding="same"):
    return normalized_conv(x, filters, kernel, strides, padding, scale=False)


def _chain(x, *convolutions):
    """Convolutions one after the other: pairs (filters, kernel)."""
    for filters, kernel in convolutions:
        x = _conv(x, filters, kernel)
    return x


def _pooled(x, filters):
    return _conv(AveragePooling2D(3, strides=1, padding="same")(x), filters, 1)


def _join(branches, name=None):
    return concatenate(branches, axis=channel_axis(), name=name)


def _mixed_35(x, pooled, name):
    """A module for 35x35 images."""
    return _join([_conv(x, 64, 1), _chain(x, (48, 1), (64, 5)),
                  _chain(x, (64, 1), (96, 3), (96, 3)), _pooled(x, pooled)], name)


def _reduction_35(x, name):
    """From 35x35 to 17x17."""
    return _join([_conv(x, 384, 3, 2, "valid"),
                  _conv(_chain(x, (64, 1), (96, 3)), 96, 3, 2, "valid"),
                  MaxPooling2D(3, strides=2)(x)], name)


def _mixed_17(x, width, name):
    """A module for 17x17 images: 7x7 convolutions as rows and columns."""
    row, column = (1, 7), (7, 1)
    return _join([_conv(x, 192, 1), _chain(x, (width, 1), (width, row), (192, column)),
                  _chain(x, (width, 1), (width, column), (width, row), (width, column), (192, row)),
                  _pooled(x, 192)], name)


def _reduction_17(x, name):
    """From 17x17 to 8x8."""
    return _join([_conv(_conv(x, 192, 1), 320, 3, 2, "valid"),
                  _conv(_chain(x, (192, 1), (192, (1, 7)), (192, (7, 1))), 192, 3, 2, "valid"),
                  MaxPooling2D(3, strides=2)(x)], name)


def _mixed_8(x, number):
    """A module for 8x8 images: 3x3 convolutions as rows beside columns."""
    single = _conv(x, 320, 1)
    branch = _conv(x, 384, 1)
    middle = _join([_conv(branch, 384, (1, 3)), _conv(branch, 384, (3, 1))], "mixed9_%d" % number)
    branch = _chain(x, (448, 1), (384, 3))
    double = _join([_conv(branch, 384, (1, 3)), _conv(branch, 384, (3, 1))])
    return _join([single, middle, double, _pooled(x, 192)], "mixed%d" % (9 + number))


def preprocess_input(x, data_format=None, **kwargs):
    """Values from -1 to 1: see `imagenet_utils.preprocess_input`."""
    return _preprocess_input(x, data_format, mode="tf", **kwargs)
