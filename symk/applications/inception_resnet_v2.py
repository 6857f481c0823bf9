"""Inception-ResNet V2 (Szegedy et al. 2016, arXiv:1602.07261), as TF-Slim has it."""
from .. import backend as K
from ..layers import (Activation, AveragePooling2D, Concatenate, Conv2D, Lambda, MaxPooling2D)
from ..registry import register
from .common import Builder, WeightsFile, channel_axis, normalized_conv
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

_BASE = "https://github.com/fchollet/deep-learning-models/releases/download/v0.7/"
_WEIGHTS = WeightsFile(_BASE + "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels.h5",
                       "e693bd0210a403b3192acc6073ad2e96",
                       _BASE + "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
                       "d19885ff4a710c122648d3b5c3b684e4")

# Branches of each kind of residual block: pairs (filters, kernel).
_BRANCHES = {
    "block35": [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]],
    "block17": [[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]],
    "block8": [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]],
}


def InceptionResNetV2(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
                      pooling=None, classes=1000, **kwargs):
    """Inception-ResNet V2; images of 299x299, at least 75x75.

    Args:     see `common.Builder`.
    """
    builder = Builder("InceptionResNetV2", include_top, weights, input_tensor, input_shape, pooling,
                      classes, kwargs, default_size=299, min_size=75, fixed_size=False)
    x = _conv(builder.inputs, 32, 3, 2, "valid")
    x = _conv(x, 32, 3, 1, "valid")
    x = _conv(x, 64, 3)
    x = MaxPooling2D(3, strides=2)(x)
    x = _conv(x, 80, 1, 1, "valid")
    x = _conv(x, 192, 3, 1, "valid")
    x = MaxPooling2D(3, strides=2)(x)
    x = _join([_conv(x, 96, 1), _chain(x, (48, 1), (64, 5)), _chain(x, (64, 1), (96, 3), (96, 3)),
               _conv(AveragePooling2D(3, strides=1, padding="same")(x), 64, 1)], "mixed_5b")
    for number in range(1, 11):
        x = _residual(x, 0.17, "block35", number)
    x = _join([_conv(x, 384, 3, 2, "valid"),
               _conv(_chain(x, (256, 1), (256, 3)), 384, 3, 2, "valid"),
               MaxPooling2D(3, strides=2)(x)], "mixed_6a")
    for number in range(1, 21):
        x = _residual(x, 0.1, "block17", number)
    x = _join([_conv(_conv(x, 256, 1), 384, 3, 2, "valid"),
               _conv(_conv(x, 256, 1), 288, 3, 2, "valid"),
               _conv(_chain(x, (256, 1), (288, 3)), 320, 3, 2, "valid"),
               MaxPooling2D(3, strides=2)(x)], "mixed_7a")
    for number in range(1, 10):
        x = _residual(x, 0.2, "block8", number)
    x = _residual(x, 1.0, "block8", 10, activation=None)
    x = normalized_conv(x, 1536, 1, name="conv_7b_ac", conv_name="conv_7b", norm_name="conv_7b_bn",
                        scale=False)
    return builder.model(builder.classifier(x), "inception_resnet_v2", _WEIGHTS)


def _conv(x, filters, kernel, strides=1, padding="same"):
    return normalized_conv(x, filters, kernel, strides, padding, scale=False)


def _chain(x, *convolutions):
    """Convolutions one after the other: pairs (filters, kernel)."""
    for filters, kernel in convolutions:
        x = _conv(x, filters, kernel)
    return x


def _join(branches, name):
    return Concatenate(axis=channel_axis(), name=name)(branches)


@register("function")
def scaled_sum(inputs, scale):
    """The first input plus the second times `scale`."""
    return inputs[0] + inputs[1] * scale


def _residual(x, scale, kind, number, activation="relu"):
    """x plus `scale` times an Inception block of x."""
    name = "%s_%d" % (kind, number)
    mixed = _join([_chain(x, *branch) for branch in _BRANCHES[kind]], name + "_mixed")
    up = Conv2D(K.int_shape(x)[channel_axis()], 1, padding="same", name=name + "_conv")(mixed)
    x = Lambda(scaled_sum, arguments={"scale": scale}, name=name)([x, up])
    return x if activation is None else Activation(activation, name=name + "_ac")(x)


def preprocess_input(x, data_format=None, **kwargs):
    """Values from -1 to 1: see `imagenet_utils.preprocess_input`."""
    return _preprocess_input(x, data_format, mode="tf", **kwargs)
