"""ResNet50 with the layer names and the weights that it had in Keras from the beginning.

`resnet.py` has the same network under the names of the later family, with other weights.
"""
from ..layers import Activation, BatchNormalization, Conv2D, MaxPooling2D, ZeroPadding2D, add
from .common import Builder, WeightsFile, channel_axis
from .imagenet_utils import decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

_BASE = "https://github.com/fchollet/deep-learning-models/releases/download/v0.2/"
_WEIGHTS = WeightsFile(_BASE + "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
                       "a7b3fe01876f51b976af0dea6bc144eb",
                       _BASE + "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
                       "a268eb855778b3df3c7506639542a6af")


def ResNet50(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
             pooling=None, classes=1000, **kwargs):
    """ResNet with 50 layers (He et al. 2015); images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    builder = Builder("ResNet50", include_top, weights, input_tensor, input_shape, pooling, classes,
                      kwargs, default_size=224, min_size=32)
    x = ZeroPadding2D(3, name="conv1_pad")(builder.inputs)
    x = Conv2D(64, 7, strides=2, kernel_initializer="he_normal", name="conv1")(x)
    x = BatchNormalization(axis=channel_axis(), name="bn_conv1")(x)
    x = Activation("relu")(x)
    x = ZeroPadding2D(1, name="pool1_pad")(x)
    x = MaxPooling2D(3, strides=2)(x)
    for stage, (depth, filters) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512)), 2):
        for number, letter in enumerate("abcdef"[:depth]):
            stride = 2 if stage > 2 and number == 0 else 1
            x = _block(x, filters, stride, number == 0, "%d%s" % (stage, letter))
    x = builder.classifier(x, name="fc1000")
    return builder.model(x, "resnet50", _WEIGHTS)


def _block(x, filters, stride, widen, where):
    """Three convolutions and a shortcut."""
    shortcut = x
    for letter, count, kernel in (("a", filters, 1), ("b", filters, 3), ("c", 4 * filters, 1)):
        x = _convolution(x, count, kernel, stride if letter == "a" else 1,
                         where + "_branch2" + letter)
        x = x if letter == "c" else Activation("relu")(x)
    if widen:
        shortcut = _convolution(shortcut, 4 * filters, 1, stride, where + "_branch1")
    return Activation("relu")(add([x, shortcut]))


def _convolution(x, filters, kernel, stride, name):
    x = Conv2D(filters, kernel, strides=stride, padding="same" if kernel == 3 else "valid",
               kernel_initializer="he_normal", name="res" + name)(x)
    return BatchNormalization(axis=channel_axis(), name="bn" + name)(x)
