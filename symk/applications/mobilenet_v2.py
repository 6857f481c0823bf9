"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381)."""
from .. import backend as K
from ..layers import (Add, BatchNormalization, Conv2D, DepthwiseConv2D, ReLU, ZeroPadding2D)
from .common import Builder, WeightsFile, channel_axis
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input
from .mobilenet import _default_size

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

_BASE = "https://github.com/JonathanCMitchell/mobilenet_v2_keras/releases/download/v1.1/"
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_SIZES = (96, 128, 160, 192, 224)

# filters and stride of each block; the first does not widen, the others by 6
_BLOCKS = ((16, 1), (24, 2), (24, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (64, 1),
           (96, 1), (96, 1), (96, 1), (160, 2), (160, 1), (160, 1), (320, 1))


def MobileNetV2(input_shape=None, alpha=1.0, include_top=True, weights="imagenet",
                input_tensor=None, pooling=None, classes=1000, **kwargs):
    """MobileNetV2; images of 224x224, at least 32x32.

    Args:
        alpha: multiplies the number of filters; there are weights for 0.35, 0.5, 0.75, 1, 1.3
            and 1.4.
        others: see `common.Builder`.
    """
    builder = Builder("MobileNetV2", include_top, weights, input_tensor, input_shape, pooling,
                      classes, kwargs, default_size=_default_size(input_shape, _SIZES), min_size=32)
    x = ZeroPadding2D(_padding(builder.inputs), name="Conv1_pad")(builder.inputs)
    x = Conv2D(_divisible(32 * alpha), 3, strides=2, use_bias=False, name="Conv1")(x)
    x = ReLU(6.0, name="Conv1_relu")(_norm(x, "bn_Conv1"))
    for number, (filters, stride) in enumerate(_BLOCKS):
        x = _block(x, _divisible(filters * alpha), stride, 6 if number else 1, number)
    last = _divisible(1280 * alpha) if alpha > 1 else 1280
    x = Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    x = ReLU(6.0, name="out_relu")(_norm(x, "Conv_1_bn"))
    x = builder.classifier(x, name="Logits", pool_name=None)
    rows = builder.rows
    official = None
    if alpha in _ALPHAS and (rows or 224) in _SIZES:
        stem = "%smobilenet_v2_weights_tf_dim_ordering_tf_kernels_%s_%d" % (_BASE, alpha,
                                                                           rows or 224)
        official = WeightsFile(stem + ".h5", None, stem + "_no_top.h5", None)
    return builder.model(x, "mobilenetv2_%0.2f_%s" % (alpha, rows), official)


def _divisible(filters, divisor=8):
    """The next multiple of 8, but not below 0.9 times the number."""
    nearest = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * filters else nearest


def _padding(x):
    """What makes a 3x3 convolution with stride 2 give half of the rows, rounded up."""
    first = K.image_data_format() == "channels_first"
    sizes = K.int_shape(x)[2:4] if first else K.int_shape(x)[1:3]
    return tuple((0 if size is not None and size % 2 == 0 else 1, 1) for size in sizes)


def _norm(x, name):
    return BatchNormalization(axis=channel_axis(), epsilon=1e-3, momentum=0.999, name=name)(x)


def _block(x, filters, stride, widening, number):
    """Wider, depthwise, narrower; with a shortcut where the shapes agree."""
    channels = K.int_shape(x)[channel_axis()]
    name = "block_%d_" % number if number else "expanded_conv_"
    inputs = x
    if number:
        x = Conv2D(widening * channels, 1, padding="same", use_bias=False, name=name + "expand")(x)
        x = ReLU(6.0, name=name + "expand_relu")(_norm(x, name + "expand_BN"))
    if stride == 2:
        x = ZeroPadding2D(_padding(x), name=name + "pad")(x)
    x = DepthwiseConv2D(3, strides=stride, use_bias=False,
                        padding="same" if stride == 1 else "valid", name=name + "depthwise")(x)
    x = ReLU(6.0, name=name + "depthwise_relu")(_norm(x, name + "depthwise_BN"))
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=name + "project")(x)
    x = _norm(x, name + "project_BN")
    return Add(name=name + "add")([inputs, x]) if channels == filters and stride == 1 else x


def preprocess_input(x, data_format=None, **kwargs):
    """Values from -1 to 1: see `imagenet_utils.preprocess_input`."""
    return _preprocess_input(x, data_format, mode="tf", **kwargs)
