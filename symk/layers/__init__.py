"""Keras's layers.

`merge` is a module, and Keras 1's function `merge(inputs, mode)`, as both have this path.
"""
import types

from .. import registry
from ..engine import Input, InputLayer, InputSpec, Layer
from ..engine.network import layer_from_config
from . import (advanced_activations, convolutional, convolutional_recurrent, core, cudnn_recurrent,
               embeddings, keras1, legacy, local, merge, noise, normalization, pooling, recurrent,
               wrappers)
from .advanced_activations import *
from .convolutional import *
from .convolutional_recurrent import *
from .core import *
from .cudnn_recurrent import *
from .embeddings import *
from .keras1 import Merge, ParametricSoftplus, SReLU, TimeDistributedDense, merge_tensors
from .legacy import *
from .local import *
from .merge import *
from .noise import *
from .normalization import *
from .pooling import *
from .recurrent import *
from .wrappers import *

__all__ = sorted({"Input", "InputLayer", "InputSpec", "Layer", "Merge", "ParametricSoftplus",
                  "SReLU", "TimeDistributedDense", "deserialize", "serialize"}.union(
    *(module.__all__ for module in (
        advanced_activations, convolutional, convolutional_recurrent, core, cudnn_recurrent,
        embeddings, legacy, local, merge, noise, normalization, pooling, recurrent, wrappers))))


# Names that Keras 1 has in these modules besides.
for _module, _names in ((core, ("Highway", "MaxoutDense", "Merge", "TimeDistributedDense")),
                        (advanced_activations, ("ParametricSoftplus", "SReLU")),
                        (recurrent, ("time_distributed_dense",))):
    for _name in _names:
        setattr(_module, _name, globals()[_name] if _name in globals()
                else getattr(keras1, _name))


class _Function(types.ModuleType):
    """A module that is called as a function."""

    def __call__(self, inputs, mode="sum", concat_axis=-1, dot_axes=-1, output_shape=None,
                 output_mask=None, arguments=None, name=None):
        return merge_tensors(inputs, mode, concat_axis, dot_axes, output_shape, output_mask,
                             arguments, name)


merge.__class__ = _Function


def serialize(layer):
    """A layer's class name and config."""
    return registry.serialize(layer)


def deserialize(config, custom_objects=None):
    """The layer of a dict with "class_name" and "config".

    # Arguments
        custom_objects: dict from names in the config to classes or functions of your own.
    """
    return layer_from_config(config, custom_objects)
