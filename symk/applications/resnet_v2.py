"""ResNetV2 with 50, 101 and 152 layers (He et al. 2016, arXiv:1603.05027)."""
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input
from .resnet_blocks import preactivated_block, resnet

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]


def ResNet50V2(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
               pooling=None, classes=1000, **kwargs):
    """ResNetV2 with 50 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    arguments = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return resnet("ResNet50V2", "resnet50v2", preactivated_block, (3, 4, 6, 3), arguments)


def ResNet101V2(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
                pooling=None, classes=1000, **kwargs):
    """ResNetV2 with 101 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    arguments = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return resnet("ResNet101V2", "resnet101v2", preactivated_block, (3, 4, 23, 3), arguments)


def ResNet152V2(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
                pooling=None, classes=1000, **kwargs):
    """ResNetV2 with 152 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    arguments = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return resnet("ResNet152V2", "resnet152v2", preactivated_block, (3, 8, 36, 3), arguments)


def preprocess_input(x, data_format=None, **kwargs):
    """Values from -1 to 1: see `imagenet_utils.preprocess_input`."""
    return _preprocess_input(x, data_format, mode="tf", **kwargs)
