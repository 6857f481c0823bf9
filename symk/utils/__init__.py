"""Keras's tools: one-hot labels, batches read ahead, pictures of models, objects by name."""
from .. import paths
from . import losses_utils
from .data_utils import GeneratorEnqueuer, OrderedEnqueuer, Sequence, get_file
from .generic_utils import (CustomObjectScope, custom_object_scope, deserialize_keras_object,
                            get_custom_objects, serialize_keras_object)
from .io_utils import H5Dict, HDF5Matrix
from .layer_utils import convert_all_kernels_in_model, get_source_inputs, print_summary
from .np_utils import normalize, to_categorical
from .progress import Progbar
from .vis_utils import model_to_dot, plot_model

__all__ = ["CustomObjectScope", "GeneratorEnqueuer", "H5Dict", "HDF5Matrix", "OrderedEnqueuer",
           "Progbar", "Sequence", "convert_all_kernels_in_model", "custom_object_scope",
           "deserialize_keras_object", "get_custom_objects", "get_file", "get_source_inputs",
           "losses_utils", "model_to_dot", "multi_gpu_model", "normalize", "plot_model",
           "print_summary", "serialize_keras_object", "to_categorical"]

__getattr__ = paths.later(__name__)
