"""Keras's layers."""
from .. import registry
from ..engine import Input, InputLayer, InputSpec, Layer
from ..engine.network import layer_from_config
from . import (advanced_activations, convolutional, convolutional_recurrent, core, cudnn_recurrent,
               embeddings, legacy, local, merge, noise, normalization, pooling, recurrent,
               wrappers)
from .advanced_activations import *
from .convolutional import *
from .convolutional_recurrent import *
from .core import *
from .cudnn_recurrent import *
from .embeddings import *
from .legacy import *
from .local import *
from .merge import *
from .noise import *
from .normalization import *
from .pooling import *
from .recurrent import *
from .wrappers import *

__all__ = sorted({"Input", "InputLayer", "InputSpec", "Layer", "deserialize", "serialize"}.union(
    *(module.__all__ for module in (
        advanced_activations, convolutional, convolutional_recurrent, core, cudnn_recurrent,
        embeddings, legacy, local, merge, noise, normalization, pooling, recurrent, wrappers))))


def serialize(layer):
    """A layer's class name and config."""
    return registry.serialize(layer)


def deserialize(config, custom_objects=None):
    """The layer of a dict with "class_name" and "config".

    # Arguments
        custom_objects: dict from names in the config to classes or functions of your own.
    """
    return layer_from_config(config, custom_objects)
