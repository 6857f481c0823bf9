"""Keras's tools: one-hot labels, progress bars, tables of layers, objects by name."""
from .data_utils import Sequence
from .generic_utils import (CustomObjectScope, custom_object_scope, deserialize_keras_object,
                            get_custom_objects, serialize_keras_object)
from .layer_utils import print_summary
from .np_utils import normalize, to_categorical
from .progress import Progbar

__all__ = ["CustomObjectScope", "Progbar", "Sequence", "custom_object_scope",
           "deserialize_keras_object", "get_custom_objects", "normalize", "print_summary",
           "serialize_keras_object", "to_categorical"]
