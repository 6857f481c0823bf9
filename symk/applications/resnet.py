"""ResNet with 50, 101 and 152 layers (He et al. 2015, arXiv:1512.03385)."""
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input
from .resnet_blocks import basic_block, resnet

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]


def ResNet50(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
             pooling=None, classes=1000, **kwargs):
    """ResNet with 50 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    arguments = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return resnet("ResNet50", "resnet50", basic_block, (3, 4, 6, 3), arguments)


def ResNet101(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
              pooling=None, classes=1000, **kwargs):
    """ResNet with 101 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    arguments = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return resnet("ResNet101", "resnet101", basic_block, (3, 4, 23, 3), arguments)


def ResNet152(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
              pooling=None, classes=1000, **kwargs):
    """ResNet with 152 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    arguments = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return resnet("ResNet152", "resnet152", basic_block, (3, 8, 36, 3), arguments)


def preprocess_input(x, data_format=None, **kwargs):
    """Blue, green, red minus their means: see `imagenet_utils.preprocess_input`."""
    return _preprocess_input(x, data_format, mode="caffe", **kwargs)
