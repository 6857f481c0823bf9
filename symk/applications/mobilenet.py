"""MobileNet (Howard et al. 2017, arXiv:1704.04861)."""
from .. import backend as K
from ..layers import (Activation, BatchNormalization, Conv2D, DepthwiseConv2D, Dropout,
                      GlobalAveragePooling2D, ReLU, Reshape, ZeroPadding2D)
from .common import Builder, WeightsFile, channel_axis
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input

__all__ = ["DepthwiseConv2D", "MobileNet", "decode_predictions", "preprocess_input", "relu6"]

_BASE = "https://github.com/fchollet/deep-learning-models/releases/download/v0.6/"
_ALPHA_TEXT = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
_SIZES = (128, 160, 192, 224)

# filters and stride of each depthwise block
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
           (512, 1), (512, 1), (1024, 2), (1024, 1))


def relu6(x):
    """relu up to 6: under this name, models of Keras before 2.2 have it in their files."""
    return K.relu(x, max_value=6)


def MobileNet(input_shape=None, alpha=1.0, depth_multiplier=1, dropout=1e-3, include_top=True,
              weights="imagenet", input_tensor=None, pooling=None, classes=1000, **kwargs):
    """MobileNet; images of 224x224, at least 32x32.

    Args:
        alpha: multiplies the number of filters; there are weights for 0.25, 0.5, 0.75 and 1.
        depth_multiplier: outputs of a depthwise convolution per channel.
        dropout: rate before the classifier.
        others: see `common.Builder`.
    """
    builder = Builder("MobileNet", include_top, weights, input_tensor, input_shape, pooling,
                      classes, kwargs, default_size=_default_size(input_shape, _SIZES), min_size=32)
    x = ZeroPadding2D(((0, 1), (0, 1)), name="conv1_pad")(builder.inputs)
    x = Conv2D(int(32 * alpha), 3, strides=2, use_bias=False, name="conv1")(x)
    x = BatchNormalization(axis=channel_axis(), name="conv1_bn")(x)
    x = ReLU(6.0, name="conv1_relu")(x)
    for number, (filters, stride) in enumerate(_BLOCKS, 1):
        x = _block(x, int(filters * alpha), depth_multiplier, stride, number)
    if include_top:
        width = int(1024 * alpha)
        first = K.image_data_format() == "channels_first"
        x = GlobalAveragePooling2D()(x)
        x = Reshape((width, 1, 1) if first else (1, 1, width), name="reshape_1")(x)
        x = Dropout(dropout, name="dropout")(x)
        x = Conv2D(classes, 1, padding="same", name="conv_preds")(x)
        x = Reshape((classes,), name="reshape_2")(x)
        x = Activation("softmax", name="act_softmax")(x)
    else:
        x = builder.pooled(x)
    rows = builder.rows
    official = _official(alpha, rows or 224) if depth_multiplier == 1 else None
    return builder.model(x, "mobilenet_%0.2f_%s" % (alpha, rows), official)


def _default_size(shape, sizes):
    """The size of square images for which there are weights; 224 for others."""
    if shape is None:
        return 224
    rows, columns = shape[1:] if K.image_data_format() == "channels_first" else shape[:2]
    return rows if rows == columns and rows in sizes else 224


def _official(alpha, rows):
    """The weights for a width and a size. Their publisher gave no hashes."""
    if alpha not in _ALPHA_TEXT or rows not in _SIZES:
        return None
    stem = "%smobilenet_%s_%d_tf" % (_BASE, _ALPHA_TEXT[alpha], rows)
    return WeightsFile(stem + ".h5", None, stem + "_no_top.h5", None)


def _block(x, filters, multiplier, stride, number):
    """A depthwise 3x3 convolution and a 1x1 convolution."""
    if stride == 2:
        x = ZeroPadding2D(((0, 1), (0, 1)), name="conv_pad_%d" % number)(x)
    x = DepthwiseConv2D(3, padding="same" if stride == 1 else "valid", strides=stride,
                        depth_multiplier=multiplier, use_bias=False, name="conv_dw_%d" % number)(x)
    x = BatchNormalization(axis=channel_axis(), name="conv_dw_%d_bn" % number)(x)
    x = ReLU(6.0, name="conv_dw_%d_relu" % number)(x)
    x = Conv2D(filters, 1, padding="same", use_bias=False, name="conv_pw_%d" % number)(x)
    x = BatchNormalization(axis=channel_axis(), name="conv_pw_%d_bn" % number)(x)
    return ReLU(6.0, name="conv_pw_%d_relu" % number)(x)


def preprocess_input(x, data_format=None, **kwargs):
    """Values from -1 to 1: see `imagenet_utils.preprocess_input`."""
    return _preprocess_input(x, data_format, mode="tf", **kwargs)
