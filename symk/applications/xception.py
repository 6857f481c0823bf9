"""Xception (Chollet 2016, arXiv:1610.02357)."""
from ..layers import (Activation, BatchNormalization, Conv2D, MaxPooling2D, SeparableConv2D, add)
from .common import Builder, WeightsFile, channel_axis, normalized_conv
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

_BASE = "https://github.com/fchollet/deep-learning-models/releases/download/v0.4/"
_WEIGHTS = WeightsFile(_BASE + "xception_weights_tf_dim_ordering_tf_kernels.h5",
                       "0a58e3b7378bc2990ea3b43d5981f1f6",
                       _BASE + "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
                       "b0042744bf5b25fce3cb969f33bebb97")


def Xception(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
             pooling=None, classes=1000, **kwargs):
    """Xception; images of 299x299, at least 71x71.

    Args:     see `common.Builder`.
    """
    builder = Builder("Xception", include_top, weights, input_tensor, input_shape, pooling, classes,
                      kwargs, default_size=299, min_size=71, fixed_size=False)
    x = builder.inputs
    for number, (filters, stride) in enumerate(((32, 2), (64, 1)), 1):
        name = "block1_conv%d" % number
        x = normalized_conv(x, filters, 3, stride, "valid", name=name + "_act", conv_name=name,
                            norm_name=name + "_bn")
    for block, filters in enumerate((128, 256, 728), 2):
        x = _reducing(x, block, (filters, filters), first_activation=block > 2)
    for block in range(5, 13):
        residual = x
        for number in range(1, 4):
            x = _separable(x, 728, "block%d_sepconv%d" % (block, number))
        x = add([x, residual])
    x = _reducing(x, 13, (728, 1024))
    for number, filters in enumerate((1536, 2048), 1):
        name = "block14_sepconv%d" % number
        x = _separable(x, filters, name, before=False)
        x = Activation("relu", name=name + "_act")(x)
    return builder.model(builder.classifier(x), "xception", _WEIGHTS)


def _separable(x, filters, name, before=True, activation_name=None):
    """Activation (if before), separable convolution, normalisation."""
    if before:
        x = Activation("relu", name=activation_name or name + "_act")(x)
    x = SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return BatchNormalization(axis=channel_axis(), name=name + "_bn")(x)


def _reducing(x, block, filters, first_activation=True):
    """Two separable convolutions and a pooling, beside a shortcut with a stride."""
    shortcut = Conv2D(filters[1], 1, strides=2, padding="same", use_bias=False)(x)
    shortcut = BatchNormalization(axis=channel_axis())(shortcut)
    name = "block%d_" % block
    x = _separable(x, filters[0], name + "sepconv1", before=first_activation)
    x = _separable(x, filters[1], name + "sepconv2")
    x = MaxPooling2D(3, strides=2, padding="same", name=name + "pool")(x)
    return add([x, shortcut])


def preprocess_input(x, data_format=None, **kwargs):
    """Values from -1 to 1: see `imagenet_utils.preprocess_input`."""
    return _preprocess_input(x, data_format, mode="tf", **kwargs)
