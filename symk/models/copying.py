"""Copies of models with new weights, also on other inputs."""
from .. import registry
from ..engine import Input, InputLayer
from ..engine.edges import history_of
from ..utils.generic_utils import to_list, unpack_singleton
from .files import custom_classes
from .model import Model
from .sequential import Sequential

__all__ = ["clone_model"]


def clone_model(model, input_tensors=None):
    """A model with the same layers, joined in the same way, and new weights.

    # Arguments
        model: a Model of the functional kind, or a Sequential.
        input_tensors: tensors that the copy begins with, one for each input; new inputs by default.
            Tensors that are not made by `Input` become the values of inputs.
    """
    if not isinstance(model, Model):
        raise ValueError("[clone_model] a Model is required; %r was given." % (model,))
    with registry.CustomObjectScope(custom_classes(model)):
        if input_tensors is None:
            return type(model).from_config(model.get_config())
        return _clone_on(model, input_tensors)


def _clone_on(model, input_tensors):
    """A copy that begins with given tensors."""
    model._require_built("clone_model")
    tensors = [_as_input(tensor) for tensor in to_list(input_tensors, allow_tuple=True)]
    if len(tensors) != len(model.inputs):
        raise ValueError("[clone_model] %d input tensors are required (%s); %d were given."
                         % (len(model.inputs), ", ".join(model.input_names), len(tensors)))
    if isinstance(model, Sequential):
        return _clone_chain(model, tensors[0])
    return Model(unpack_singleton(tensors), unpack_singleton(_outputs_on(model, tensors)),
                 name=model.name)


def _as_input(tensor):
    """A tensor of an input layer."""
    history = history_of(tensor)
    if history is not None and isinstance(history.layer, InputLayer):
        return tensor
    if history is not None:
        raise ValueError("[clone_model] input tensors must be made by Input, or by no layer; %r is "
                         'the output of layer "%s". Call the copy on it.'
                         % (tensor, history.layer.name))
    return Input(tensor=tensor)


def _new(layer):
    return type(layer).from_config(layer.get_config())


def _clone_chain(model, tensor):
    clone = Sequential([history_of(tensor).layer], name=model.name)
    for layer in model.layers:
        clone.add(_new(layer))
    return clone


def _outputs_on(model, tensors):
    """The outputs of new layers, called as those of a model are, on other inputs."""
    layers = {layer: _new(layer) for layer in model.layers if not isinstance(layer, InputLayer)}
    known = dict(zip(model.inputs, tensors))
    for depth in sorted(model.nodes_by_depth, reverse=True):
        for node in model.nodes_by_depth[depth]:
            if node.outbound_layer in layers:
                inputs = unpack_singleton([known[tensor] for tensor in node.input_tensors])
                outputs = layers[node.outbound_layer](inputs, **node.arguments)
                known.update(zip(node.output_tensors, to_list(outputs, allow_tuple=True)))
    return [known[tensor] for tensor in model.outputs]
