"""VGG16 and VGG19 (Simonyan, Zisserman 2014, arXiv:1409.1556)."""
from ..layers import Conv2D, Dense, Flatten, MaxPooling2D
from .common import Builder, WeightsFile

__all__ = ["VGG16", "VGG19"]

_FILTERS = (64, 128, 256, 512, 512)
_BASE = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"
_WEIGHTS = {
    "vgg16": WeightsFile(_BASE + "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
                         "64373286793e3c8b2b4e3219cbf3544b",
                         _BASE + "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                         "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": WeightsFile(_BASE + "vgg19_weights_tf_dim_ordering_tf_kernels.h5",
                         "cbe5617147190e668d6c5d5026f83318",
                         _BASE + "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
                         "253f8cb515780f3b799900260a226db6"),
}


def VGG16(include_top=True, weights="imagenet", input_tensor=None, input_shape=None, pooling=None,
          classes=1000, **kwargs):
    """VGG with 16 layers of weights; images of 224x224, at least 32x32.

    Args:     see `Builder`.
    """
    builder = Builder("VGG16", include_top, weights, input_tensor, input_shape, pooling, classes,
                      kwargs, default_size=224, min_size=32)
    return _vgg(builder, "vgg16", (2, 2, 3, 3, 3))


def VGG19(include_top=True, weights="imagenet", input_tensor=None, input_shape=None, pooling=None,
          classes=1000, **kwargs):
    """VGG with 19 layers of weights; images of 224x224, at least 32x32.

    Args:     see `Builder`.
    """
    builder = Builder("VGG19", include_top, weights, input_tensor, input_shape, pooling, classes,
                      kwargs, default_size=224, min_size=32)
    return _vgg(builder, "vgg19", (2, 2, 4, 4, 4))


def _vgg(builder, name, depths):
    """Blocks of 3x3 convolutions, and three dense layers."""
    x = builder.inputs
    for block, (depth, filters) in enumerate(zip(depths, _FILTERS), 1):
        for number in range(1, depth + 1):
            x = Conv2D(filters, 3, activation="relu", padding="same",
                       name="block%d_conv%d" % (block, number))(x)
        x = MaxPooling2D(2, strides=2, name="block%d_pool" % block)(x)
    if builder.include_top:
        x = Flatten(name="flatten")(x)
        x = Dense(4096, activation="relu", name="fc1")(x)
        x = Dense(4096, activation="relu", name="fc2")(x)
        x = Dense(builder.classes, activation="softmax", name="predictions")(x)
    else:
        x = builder.pooled(x)
    return builder.model(x, name, _WEIGHTS[name])
