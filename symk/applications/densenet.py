"""DenseNet with 121, 169 and 201 layers (Huang et al. 2016, arXiv:1608.06993)."""
from .. import backend as K
from ..layers import (Activation, AveragePooling2D, BatchNormalization, Concatenate, Conv2D,
                      MaxPooling2D, ZeroPadding2D)
from .common import Builder, WeightsFile, channel_axis
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

_BASE = "https://github.com/keras-team/keras-applications/releases/download/densenet/"
_GROWTH = 32        # channels that a block adds

# layers -> (blocks of each stage, MD5 of the weights with and without classifier)
_VARIANTS = {
    121: ((6, 12, 24, 16), "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
    169: ((6, 12, 32, 32), "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
    201: ((6, 12, 48, 32), "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
}


def DenseNet121(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
                pooling=None, classes=1000, **kwargs):
    """DenseNet with 121 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    return _densenet(121, include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)


def DenseNet169(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
                pooling=None, classes=1000, **kwargs):
    """DenseNet with 169 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    return _densenet(169, include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)


def DenseNet201(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
                pooling=None, classes=1000, **kwargs):
    """DenseNet with 201 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    return _densenet(201, include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)


def _densenet(layers, *arguments):
    builder = Builder("DenseNet%d" % layers, *arguments, default_size=224, min_size=32)
    depths, with_top, without_top = _VARIANTS[layers]
    x = ZeroPadding2D(3)(builder.inputs)
    x = Conv2D(64, 7, strides=2, use_bias=False, name="conv1/conv")(x)
    x = _norm_relu(x, "conv1/bn", "conv1/relu")
    x = ZeroPadding2D(1)(x)
    x = MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, depth in enumerate(depths, 2):
        if stage > 2:
            x = _transition(x, "pool%d" % (stage - 1))
        for number in range(1, depth + 1):
            x = _block(x, "conv%d_block%d" % (stage, number))
    x = BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name="bn")(x)
    x = Activation("relu", name="relu")(x)
    x = builder.classifier(x, name="fc1000", max_name="max_pool")
    stem = "%sdensenet%d_weights_tf_dim_ordering_tf_kernels" % (_BASE, layers)
    return builder.model(x, "densenet%d" % layers,
                         WeightsFile(stem + ".h5", with_top, stem + "_notop.h5", without_top))


def _norm_relu(x, norm_name, activation_name):
    x = BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name=norm_name)(x)
    return Activation("relu", name=activation_name)(x)


def _block(x, name):
    """x, with some channels more."""
    new = _norm_relu(x, name + "_0_bn", name + "_0_relu")
    new = Conv2D(4 * _GROWTH, 1, use_bias=False, name=name + "_1_conv")(new)
    new = _norm_relu(new, name + "_1_bn", name + "_1_relu")
    new = Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=name + "_2_conv")(new)
    return Concatenate(axis=channel_axis(), name=name + "_concat")([x, new])


def _transition(x, name):
    """Half of the channels, half of the rows and columns."""
    x = _norm_relu(x, name + "_bn", name + "_relu")
    x = Conv2D(K.int_shape(x)[channel_axis()] // 2, 1, use_bias=False, name=name + "_conv")(x)
    return AveragePooling2D(2, strides=2, name=name + "_pool")(x)


def preprocess_input(x, data_format=None, **kwargs):
    """Values from 0 to 1 minus the means, over the deviations."""
    return _preprocess_input(x, data_format, mode="torch", **kwargs)
