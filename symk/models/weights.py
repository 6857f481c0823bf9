"""Weights to and from HDF5 groups: by order or by name, checked before anything is set.

A file whose name ends in .safetensors is in that format: a tensor for each weight, called as the
weight is without its ":0", behind the name of its layer where it does not begin so. Which tensors
belong to which layer, in order, stands in its metadata.
"""
import collections
import json
import os
import warnings

import numpy as np

from .. import backend as K
from ..backend.common import backend
from ..utils import hdf5, safetensors
from .legacy import modern_arrays, old_count
from .text import KERAS_VERSION

__all__ = ["flipped_kernels", "load_weights", "load_weights_from_hdf5_group",
           "load_weights_from_hdf5_group_by_name", "preprocess_weights_for_loading",
           "read_weights", "save_weights", "save_weights_to_hdf5_group", "saved_layers",
           "saved_names", "writer_of"]

# Layers whose first weights Keras on Theano keeps for true convolution: flipped on both axes.
_CONVOLUTIONS = {"Conv1D": 1, "Conv2D": 1, "Conv3D": 1, "Conv2DTranspose": 1, "ConvLSTM2D": 2}


def save_weights(model, filepath, overwrite=True):
    """Saves a model's weights as a file: HDF5, or what the name ends in: .safetensors."""
    if _is_safetensors(filepath):
        _save_tensors(model, filepath, overwrite)
        return
    with hdf5.open_to_write(filepath, overwrite) as file:
        save_weights_to_hdf5_group(file, model.layers)


def save_weights_to_hdf5_group(group, layers):
    """Writes the weights of layers into a group, one group for each layer."""
    hdf5.write_names(group, "layer_names", [layer.name for layer in layers])
    hdf5.write_text(group, "backend", backend())
    hdf5.write_text(group, "keras_version", KERAS_VERSION)
    for layer in layers:
        values = K.batch_get_value(layer.weights)
        hdf5.write_arrays(group.create_group(layer.name),
                          zip([weight.name for weight in layer.weights], values))


def load_weights(model, filepath, by_name=False, skip_mismatch=False, reshape=False):
    """Loads a model's weights from a file of weights or of a whole model."""
    if skip_mismatch and not by_name:
        raise ValueError("[load_weights] skip_mismatch needs by_name=True; by order, every layer "
                         "must fit.")
    if _is_safetensors(filepath):
        filepath = _as_groups(filepath)
    with hdf5.open_to_read(filepath) as file:
        group = file
        if hdf5.names(file, "layer_names") is None and "model_weights" in file:
            group = file["model_weights"]
        read_weights(group, model.layers, by_name, skip_mismatch, reshape)


def _is_safetensors(filepath):
    return isinstance(filepath, (str, os.PathLike)) and os.fspath(filepath).endswith(
        ".safetensors")


def _save_tensors(model, filepath, overwrite):
    if not overwrite and os.path.exists(filepath):
        raise FileExistsError("[save] a new file is required with overwrite=False; %r exists."
                              % os.fspath(filepath))
    tensors, layers = {}, {}
    for layer in model.layers:
        layers[layer.name] = []
        for weight, value in zip(layer.weights, K.batch_get_value(layer.weights)):
            name = hdf5.unused(_tensor_name(layer, weight), tensors)
            layers[layer.name].append(name)
            tensors[name] = value
    safetensors.write(filepath, tensors, {
        "format": "keras", "keras_version": KERAS_VERSION, "backend": backend(),
        "layers": json.dumps(layers)})


def _tensor_name(layer, weight):
    name = weight.name[:-2] if weight.name.endswith(":0") else weight.name
    return name if name.startswith(layer.name + "/") else "%s/%s" % (layer.name, name)


def _as_groups(filepath):
    """A safetensors file as the dict that `hdf5.open_to_read` takes: a group for each layer."""
    tensors, metadata = safetensors.read(filepath)
    try:
        layers = json.loads(metadata["layers"])
        if "attributes" in {*layers, *tensors}:     # the name of what is no dataset in a group
            raise ValueError
        groups = {layer: {"attributes": {"weight_names": [name.encode() for name in names]},
                          **{name: tensors[name] for name in names}}
                  for layer, names in layers.items()}
    except (KeyError, ValueError, AttributeError, TypeError, RecursionError):
        raise ValueError("[load_weights] a safetensors file of save_weights is required, which "
                         "says in its metadata which tensors belong to which layer; %r does not."
                         % os.fspath(filepath)) from None
    about = {"layer_names": [layer.encode() for layer in layers],
             "backend": metadata.get("backend", "tensorflow"),
             "keras_version": metadata.get("keras_version", KERAS_VERSION)}
    return {"attributes": about, **groups}


def read_weights(group, layers, by_name=False, skip_mismatch=False, reshape=False):
    """Sets the weights of layers from a group; all are set, or none.

    Raises:   ValueError, naming the layer, if what is in the file does not fit.
    """
    writer = writer_of(group)
    saved = saved_layers(group)
    assignments = []
    pairs = _pairs_by_name(saved, layers) if by_name else _pairs_by_order(saved, layers)
    for name, layer in pairs:
        try:
            assignments += _layer_values(group[name], saved[name], layer, writer, reshape)
        except ValueError as error:
            if not skip_mismatch:
                raise
            warnings.warn("[load_weights] layer %r is left as it is: %s" % (name, error),
                          stacklevel=4)
    K.batch_set_value(assignments)


def load_weights_from_hdf5_group(f, layers, reshape=False):
    """Sets the weights of layers from a group, in the order of the group."""
    read_weights(f, layers, reshape=reshape)


def load_weights_from_hdf5_group_by_name(f, layers, skip_mismatch=False, reshape=False):
    """Sets the weights of the layers that a group has by their names."""
    read_weights(f, layers, True, skip_mismatch, reshape)


class Writer(collections.namedtuple("Writer", "version backend")):
    """Which Keras, on which backend, has written a group."""

    @property
    def is_keras_1(self):
        return self.version.startswith("1")


def writer_of(group):
    """What wrote a group of weights: Keras 1 has left no version, and Theano's names no ":0"."""
    version = hdf5.read_text(group, "keras_version") or "1"
    backend = hdf5.read_text(group, "backend")
    if backend is None and version.startswith("1"):
        names = [name for names in saved_layers(group).values() for name in names]
        backend = "tensorflow" if any(name.endswith(":0") for name in names) else "theano"
    return Writer(version, backend)


def saved_names(group, layers):
    """[(layer, names of its arrays)] of the layers with weights, in their order."""
    saved = saved_layers(group)
    return [(layer, saved[name]) for name, layer in _pairs_by_order(saved, layers)]


def saved_layers(group):
    """{layer name: names of its weights} in the order of the file."""
    layer_names = hdf5.names(group, "layer_names")
    if layer_names is None and "nb_layers" in group.attrs:
        return _numbered_layers(group)
    if layer_names is None:
        raise ValueError("[load_weights] a file with weights in Keras's layout is required; %r has "
                         "no list of layers." % group.file.filename)
    saved = {}
    for name in layer_names:
        if name not in group:
            raise ValueError("[load_weights] the file must have a group for each layer; %r has "
                             "none for %r." % (group.file.filename, name))
        saved[name] = hdf5.names(group[name], "weight_names") or []
    return saved


def _numbered_layers(group):
    """The same for a file from before Keras 1, which has numbers in place of names."""
    saved = {}
    for number in range(int(group.attrs["nb_layers"])):
        name = "layer_%d" % number
        if name not in group:
            raise ValueError("[load_weights] the file must have a group for each of its %d layers; "
                             "%r has no %r."
                             % (group.attrs["nb_layers"], group.file.filename, name))
        saved[name] = ["param_%d" % place for place in range(int(group[name].attrs["nb_params"]))]
    return saved


def _pairs_by_order(saved, layers):
    """Layers with weights, in the order of the file and of the model."""
    filled = [name for name, weights in saved.items() if weights]
    targets = [layer for layer in layers if layer.weights]
    if len(filled) != len(targets):
        raise ValueError("[load_weights] the file must have weights of as many layers as the "
                         "model, %d (%s); it has %d (%s)."
                         % (len(targets), ", ".join(layer.name for layer in targets),
                            len(filled), ", ".join(filled)))
    return list(zip(filled, targets))


def _pairs_by_name(saved, layers):
    return [(name, layer) for name, weights in saved.items() for layer in layers
            if layer.name == name and (weights or layer.weights)]


def _layer_values(group, names, layer, writer, reshape):
    """[(variable, array)] of one layer."""
    count = old_count(layer) if writer.is_keras_1 else len(layer.weights)
    if len(names) not in (count, len(layer.weights)):   # Keras 1 may have all gates in one array
        raise ValueError('[load_weights] layer "%s" (%s) has %d weights; the file has %d for it '
                         "(%s)." % (layer.name, type(layer).__name__, count, len(names),
                                    ", ".join(names)))
    datasets = [hdf5.dataset(group, name) for name in names]
    _check_sizes(datasets, layer)
    arrays = preprocess_weights_for_loading(layer, [np.asarray(data) for data in datasets],
                                            writer.version, writer.backend, reshape)
    for place, (weight, array) in enumerate(zip(layer.weights, arrays)):
        if array.shape != weight.shape:
            raise ValueError('[load_weights] layer "%s": weight %s has the shape %s; that in the '
                             "file, %s, has %s." % (layer.name, weight.name, weight.shape,
                                                    names[min(place, len(names) - 1)],
                                                    array.shape))
    return list(zip(layer.weights, arrays))


def preprocess_weights_for_loading(layer, weights, original_keras_version=None,
                                   original_backend=None, reshape=False):
    """Arrays of a file as the values of a layer's weights, in the layouts that they have here.

    Args:     original_keras_version, original_backend: what has written the file; "2" and a
              backend of this layout by default.
              reshape: whether an array with the right number of elements gets the weight's shape.
    """
    writer = Writer(original_keras_version or "2", original_backend)
    try:
        arrays = modern_arrays(layer, weights) if writer.is_keras_1 else _adapted(layer, weights)
    except (ValueError, IndexError) as error:
        raise ValueError('[load_weights] layer "%s" (%s): the arrays in the file must have the '
                         "layout of this class; they have the shapes %s (%s)."
                         % (layer.name, type(layer).__name__,
                            ", ".join(str(np.shape(array)) for array in weights), error)) from None
    if reshape:
        arrays = [array.reshape(weight.shape) if array.size == np.prod(weight.shape) else array
                  for weight, array in zip(layer.weights, arrays)]
    return flipped_kernels(layer, arrays) if writer.backend == "theano" else arrays


def _check_sizes(datasets, layer):
    """Data that cannot be a layer's are not read: a file may declare any size. The layout of cuDNN
    has at most twice as many numbers."""
    declared = sum(int(np.prod(data.shape, dtype=np.float64)) for data in datasets)
    needed = sum(int(np.prod(weight.shape, dtype=np.int64)) for weight in layer.weights)
    if declared > 2 * needed:
        raise ValueError('[load_weights] layer "%s" (%s): the weights have the shapes %s; those in '
                         "the file have %s." % (
                             layer.name, type(layer).__name__,
                             ", ".join(str(weight.shape) for weight in layer.weights),
                             ", ".join(str(data.shape) for data in datasets)))


def _adapted(layer, arrays):
    """Arrays of a file in the layouts that a layer and those inside of it have."""
    values = dict(zip(layer.weights, arrays))
    waiting = [layer]
    for part in waiting:
        waiting += part._sublayers
        if hasattr(part, "adapt_weights"):
            values.update(zip(part.weights,
                              part.adapt_weights([values[weight] for weight in part.weights])))
    return [values[weight] for weight in layer.weights]


def flipped_kernels(layer, arrays):
    """A layer's arrays with those turned that Keras on Theano keeps in the other direction."""
    flips = _flipped([layer])
    return [_flip(array) if weight in flips else array
            for weight, array in zip(layer.weights, arrays)]


def _flipped(layers):
    """The kernels that are kept in the other direction in files of Keras on Theano."""
    found = set()
    for layer in layers:
        found |= _flipped(layer._sublayers)
        found.update(layer.weights[:_CONVOLUTIONS.get(type(layer).__name__, 0)])
    return found


def _flip(kernel):
    """Reverses the spatial axes, which are all but the last two."""
    return kernel[(slice(None, None, -1),) * (kernel.ndim - 2)]
