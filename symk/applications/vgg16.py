"""VGG16 under the module name of Keras; see `vgg.py`."""
from .imagenet_utils import decode_predictions, preprocess_input
from .vgg import VGG16

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
