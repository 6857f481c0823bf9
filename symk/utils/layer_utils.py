"""What a model looks like as a table, its parameters, and weights in other layouts."""
import numpy as np

from .. import backend as K
from .. import paths, renames
from .conv_utils import convert_kernel

__all__ = ["convert_all_kernels_in_model", "convert_dense_weights_data_format", "convert_kernel",
           "count_params", "get_source_inputs", "print_summary"]

__getattr__ = paths.later(__name__)

# Layers whose kernels Keras on Theano keeps the other way round.
_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose")

# Ends of the columns as fractions of the line, as in Keras: with and without "Connected to".
_CHAIN_COLUMNS = (65, (0.45, 0.85, 1.0), ["Layer (type)", "Output Shape", "Param #"])
_GRAPH_COLUMNS = (98, (0.33, 0.55, 0.67, 1.0),
                  ["Layer (type)", "Output Shape", "Param #", "Connected to"])


def count_params(weights):
    """The number of scalars in a collection of weights, each weight counted once."""
    return sum(int(np.prod(weight.shape, dtype=np.int64)) for weight in set(weights))


def get_source_inputs(tensor, layer=None, node_index=None):
    """The inputs that a tensor is computed from.

    Args:     layer, node_index: the layer and the number of its call that made the tensor; None
                  asks the tensor.
    Returns:  a list of tensors, each once, in the order in which they are found.
    """
    history = getattr(tensor, "_keras_history", None)
    if layer is None or node_index:
        if history is None:
            return [tensor]
        layer, node_index = history[:2]
    sources, seen, waiting = [], set(), [layer._inbound_nodes[node_index or 0]]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        before = node.inbound_nodes()
        if before:
            waiting += reversed(before)
        else:
            sources += [found for found in node.input_tensors
                        if not any(found is known for known in sources)]
    return sources


@renames.accepts("print_summary")
def print_summary(model, line_length=None, positions=None, print_fn=None, relevant_nodes=None):
    """Prints a model's layers, output shapes and numbers of parameters.

    Args:     model: a model; or a list of layers, with `relevant_nodes`, the calls by which they
                  are joined, if that is to be shown.
              line_length: characters per line; 65, or 98 with the column "Connected to".
              positions: ends of the columns, as fractions of the line or in characters.
              print_fn: called with each line; `print` by default.
    """
    print_fn = print_fn or print
    if isinstance(model, (list, tuple)):
        model = _Layers(model, relevant_nodes)
    chain = _is_chain(model)
    length, ends, titles = _CHAIN_COLUMNS if chain else _GRAPH_COLUMNS
    line_length = line_length or length
    ends = positions or ends
    if ends[-1] <= 1:
        ends = [int(line_length * end) for end in ends]
    print_fn('Model: "%s"' % model.name)
    print_fn("_" * line_length)
    print_fn(_row(titles, ends))
    print_fn("=" * line_length)
    for layer in model.layers:
        for row in _layer_rows(model, layer, chain):
            print_fn(_row(row, ends))
        print_fn(("=" if layer is model.layers[-1] else "_") * line_length)
    trainable = count_params(model.trainable_weights)
    fixed = count_params(model.non_trainable_weights)
    print_fn("Total params: {:,}".format(trainable + fixed))
    print_fn("Trainable params: {:,}".format(trainable))
    print_fn("Non-trainable params: {:,}".format(fixed))
    print_fn("_" * line_length)


class _Layers:
    """A list of layers, to be shown as a model is."""

    name = "layers"

    def __init__(self, layers, nodes=None):
        self.layers = list(layers)
        self.nodes_by_depth = {number: [node] for number, node in enumerate(nodes or ())}
        self._topology = None if nodes is None else self

    @property
    def trainable_weights(self):
        return [weight for layer in self.layers for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self):
        return [weight for layer in self.layers for weight in layer.non_trainable_weights]


def _is_chain(model):
    """Whether every layer is called once, on the output of the one before."""
    if type(model).__name__ == "Sequential" or model._topology is None:
        return True
    levels = list(model.nodes_by_depth.values())
    if any(len(nodes) > 1 or len(nodes[0].inbound_layers) > 1 for nodes in levels):
        return False
    nodes = {node for level in levels for node in level}
    return all(sum(node in nodes for node in layer.inbound_nodes) <= 1 for layer in model.layers)


def _layer_rows(model, layer, chain):
    """The fields of a layer; further rows name its further inputs."""
    try:
        shape = layer.output_shape
    except AttributeError:
        shape = "multiple"
    fields = ["%s (%s)" % (layer.name, type(layer).__name__), shape, layer.count_params()]
    if chain:
        return [fields]
    sources = _sources(model, layer) or [""]
    return [fields + sources[:1]] + [["", "", "", source] for source in sources[1:]]


def _sources(model, layer):
    """Where the inputs of a layer come from: name[call][output]."""
    relevant = {node for level in model.nodes_by_depth.values() for node in level}
    return ["%s[%d][%d]" % (inbound.name, node_index, tensor_index)
            for node in layer.inbound_nodes if node in relevant
            for inbound, node_index, tensor_index in zip(
                node.inbound_layers, node.node_indices, node.tensor_indices)]


def _row(fields, ends):
    """Fields cut and filled to their columns; one blank stands between two columns."""
    line = ""
    for number, (field, end) in enumerate(zip(fields, ends)):
        if number:
            line = line[:-1] + " "
        line = (line + str(field))[:end].ljust(end)
    return line


# ---- weights in other layouts

def convert_all_kernels_in_model(model):
    """Turns the kernels of all convolutions round: between those of Keras on Theano and on
    TensorFlow."""
    for layer in model.layers:
        if type(layer).__name__ in _CONVOLUTIONS:
            K.set_value(layer.kernel, convert_kernel(K.get_value(layer.kernel)))


def convert_dense_weights_data_format(dense, previous_feature_map_shape,
                                      target_data_format="channels_first"):
    """Puts the rows of a Dense kernel after a Flatten into the order of another data format.

    Args:     previous_feature_map_shape: the three sizes of an image before the Flatten, in the
              target format.
              target_data_format: the format of the new images.
    """
    if target_data_format not in ("channels_first", "channels_last"):
        raise ValueError("[convert_dense_weights_data_format] 'channels_first' or "
                         "'channels_last' is required; %r was given." % (target_data_format,))
    kernel, bias = dense.get_weights()
    sizes = tuple(previous_feature_map_shape)
    if target_data_format == "channels_first":
        before, order = (sizes[1], sizes[2], sizes[0]), (2, 0, 1, 3)
    else:
        before, order = (sizes[2], sizes[0], sizes[1]), (1, 2, 0, 3)
    images = kernel.reshape(before + (-1,))     # ValueError if the sizes are not those of the rows
    dense.set_weights([images.transpose(order).reshape(kernel.shape), bias])
