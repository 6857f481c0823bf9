"""VGG19 under the module name of Keras; see `vgg.py`."""
from .imagenet_utils import decode_predictions, preprocess_input
from .vgg import VGG19

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
