"""Keras's tools: one-hot labels, progress bars, tables of layers, objects by name."""
from .data_utils import GeneratorEnqueuer, OrderedEnqueuer, Sequence, get_file
from .generic_utils import (CustomObjectScope, custom_object_scope, deserialize_keras_object,
                            get_custom_objects, serialize_keras_object)
from .layer_utils import get_source_inputs, print_summary
from .np_utils import normalize, to_categorical
from .progress import Progbar

__all__ = ["CustomObjectScope", "GeneratorEnqueuer", "OrderedEnqueuer", "Progbar", "Sequence",
           "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_file",
           "get_source_inputs", "normalize", "print_summary", "serialize_keras_object",
           "to_categorical"]
