"""ResNeXt with 50 and 101 layers, 32 groups (Xie et al. 2016, arXiv:1611.05431)."""
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input
from .resnet_blocks import grouped_block, resnet

__all__ = ["ResNeXt50", "ResNeXt101", "decode_predictions", "preprocess_input"]


def ResNeXt50(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
              pooling=None, classes=1000, **kwargs):
    """ResNeXt with 50 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    arguments = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return resnet("ResNeXt50", "resnext50", grouped_block, (3, 4, 6, 3), arguments, filters=128,
                  bias=False)


def ResNeXt101(include_top=True, weights="imagenet", input_tensor=None, input_shape=None,
               pooling=None, classes=1000, **kwargs):
    """ResNeXt with 101 layers; images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    arguments = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return resnet("ResNeXt101", "resnext101", grouped_block, (3, 4, 23, 3), arguments, filters=128,
                  bias=False)


def preprocess_input(x, data_format=None, **kwargs):
    """Values from 0 to 1 minus the means, over the deviations."""
    return _preprocess_input(x, data_format, mode="torch", **kwargs)
