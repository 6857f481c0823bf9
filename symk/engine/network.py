"""Network: a graph of layers that is itself a layer."""
import contextlib
import copy

from .. import backend as K
from .. import registry, renames
from ..graph import Placeholder, layer_scope, nodes_of, sources_of
from ..utils.generic_utils import to_list, unpack_singleton
from ..utils.layer_utils import print_summary
from . import legacy
from .edges import Node, history_of, shapes_of
from .inputs import InputLayer
from .layer import Layer, _shapes_only, assign_weights, mask_of, placeholder_of
from .order import map_graph

__all__ = ["Network", "layer_from_config"]


class Network(Layer):
    """The layers between some input tensors and some output tensors.

    A subclass with a `call` of its own is made without inputs and outputs: its layers are its
    attributes, and the first data or tensors that it gets make its weights.

    # Arguments
        inputs: an `Input`, or a list of them.
        outputs: a tensor made by layers, or a list of them.
        name: name of the network.
    """

    @renames.accepts("Model")
    def __init__(self, inputs=None, outputs=None, name=None, trainable=True):
        super().__init__(name=name, trainable=trainable)
        if inputs is None and outputs is None:
            self._begin_subclass()
        else:
            self._connect_graph(inputs, outputs)

    def __setattr__(self, name, value):
        """The layers of a graph are those that it joins; those of a subclass its attributes."""
        if "_sublayers" in self.__dict__:
            if self._topology is None:
                self._track_inside(value)
        elif isinstance(value, Layer):
            raise RuntimeError('[%s] super().__init__() must be called before layers become '
                               "attributes of a model; %r was set before it."
                               % (type(self).__name__, name))
        object.__setattr__(self, name, value)

    def _track_inside(self, value):
        """Notes layers and metrics, also those inside of lists and dicts."""
        if isinstance(value, Layer):
            self._track_layer(value)
        elif isinstance(value, dict):
            self._track_inside(list(value.values()))
        elif isinstance(value, (list, tuple)):
            for one in value:
                self._track_inside(one)

    def _begin_subclass(self):
        """A model whose layers are its attributes; `_set_inputs` gives it inputs."""
        if type(self).call is Network.call:
            raise TypeError("[%s] inputs and outputs are required, or a subclass with a method "
                            "`call`; neither was given." % type(self).__name__)
        self.inputs = self.outputs = None
        self._last_run = None
        self._variables = None

    def _set_inputs(self, shapes):
        """Gives a subclass inputs of these shapes and calls it on them."""
        for attribute in list(vars(self).values()):
            if attribute is not self._inbound_nodes and attribute is not self._outbound_nodes:
                self._track_inside(attribute)
        layers = [InputLayer(batch_input_shape=shape, name="input_%d" % number, dtype=self.dtype)
                  for number, shape in enumerate(shapes, 1)]
        inputs = [layer.output for layer in layers]
        with layer_scope(self.name, type(self).__name__):
            outputs = to_list(self.call(unpack_singleton(list(inputs))), allow_tuple=True)
        for output in outputs:
            if not K.is_tensor(output):
                raise TypeError("[%s] call must return a tensor or a list of tensors; %r was "
                                "returned." % (type(self).__name__, output))
        self.outputs = outputs
        self.inputs = inputs
        self.input_names = [layer.name for layer in layers]
        self.output_names = ["output_%d" % number for number in range(1, len(outputs) + 1)]
        self.built = True

    def _connect_graph(self, inputs, outputs):
        """Finds the layers of the graph; they replace those of an earlier graph."""
        self.inputs = _checked_inputs(to_list(inputs))
        self.outputs = _checked_outputs(to_list(outputs))
        self._topology = map_graph(self.inputs, self.outputs)
        self._sublayers = self._topology.layers
        self._input_layers = [history_of(tensor).layer for tensor in self.inputs]
        self._output_layers = [history_of(tensor).layer for tensor in self.outputs]
        self.input_names = [layer.name for layer in self._input_layers]
        self.output_names = [layer.name for layer in self._output_layers]
        self._last_run = None
        self._variables = None
        self.built = True
        self.supports_masking = True
        self._inbound_nodes, self._outbound_nodes = [], []
        Node.of_source(self, self.inputs, self.outputs,
                       [mask_of(tensor) for tensor in self.outputs])

    # ---- layers

    _topology = None    # of a graph; a subclass with a `call` of its own has none

    @property
    def layers(self):
        return list(self._sublayers)

    @property
    def nodes_by_depth(self):
        """{depth: nodes}: the calls of layers in this graph; the outputs have the depth 0."""
        if self._topology is None:
            raise AttributeError("[%s] a model made of inputs and outputs is required; a `call` of "
                                 "its own has no graph of layers." % self.name)
        return self._topology.nodes_by_depth

    def get_layer(self, name=None, index=None):
        """A layer by its name, or by its place in `layers`."""
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError("[get_layer] an index below %d is required; %d was given."
                                 % (len(self.layers), index))
            return self.layers[index]
        if not name:
            raise ValueError("[get_layer] name or index is required; neither was given.")
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError('[get_layer] the name of a layer of "%s" is required; %r was given. Its '
                         "layers are %s." % (self.name, name,
                                             ", ".join(layer.name for layer in self.layers)))

    @property
    def stateful(self):
        return any(getattr(layer, "stateful", False) for layer in self._sublayers)

    @stateful.setter
    def stateful(self, value):
        """A network is stateful if a layer is; Layer's initial value says nothing."""

    def reset_states(self):
        """Resets the states of all stateful layers."""
        for layer in self.layers:
            if getattr(layer, "stateful", False) and hasattr(layer, "reset_states"):
                layer.reset_states()

    @property
    def uses_learning_phase(self):
        """Whether training and prediction differ, as with Dropout."""
        phase = K.learning_phase()
        return any(source is phase for source in sources_of(self.outputs))

    # ---- weights

    def get_weights(self):
        """The values of all weights, layer by layer."""
        if self.array_layout is None:
            return K.batch_get_value(self._weights_by_layer())
        return [array for layer in self.layers for array in self.array_layout.old_arrays(
            layer, K.batch_get_value(layer.weights))]

    def set_weights(self, weights):
        assign_weights('model "%s"' % self.name, self._weights_by_layer(), self.values_of(weights))

    def values_of(self, arrays):
        if self.array_layout is None:
            return list(arrays)
        arrays, rest = list(arrays), list(arrays)
        counts = [layer.array_count() for layer in self.layers]
        if sum(counts) != len(arrays):
            return arrays
        values = []
        for layer, count in zip(self.layers, counts):
            values += self.array_layout.modern_arrays(layer, rest[:count])
            del rest[:count]
        return values

    def _weights_by_layer(self):
        return [weight for layer in self.layers for weight in layer.weights]

    # ---- losses and updates

    def belongs(self, entry):
        """Whether a layer's loss or update was made inside of this graph."""
        if self._variables is None:
            nodes = self._topology.nodes if self._topology is not None else ()
            self._variables = _variables_of(nodes, self.outputs)
        if entry.inputs is not None:
            return (all(tensor in self._variables for tensor in entry.inputs)
                    and (not entry.outputs or any(tensor in self._variables
                                                  for tensor in entry.outputs)))
        value = entry.value[1] if isinstance(entry.value, tuple) else entry.value
        return not hasattr(value, "node") or all(
            source in self._variables or getattr(source, "default", None) is not None
            for source in sources_of([value]) if isinstance(source, Placeholder))

    @property
    def losses(self):
        """The losses of the layers, made for the inputs of this model."""
        if self.inputs is None:
            return super().losses
        return _unique([entry.value for entry in self.loss_entries() if self.belongs(entry)])

    @property
    def updates(self):
        if self.inputs is None:
            return super().updates
        return [entry.value for entry in self.update_entries() if self.belongs(entry)]

    @property
    def state_updates(self):
        """The updates of stateful layers, which happen in testing and prediction too."""
        return [entry.value for entry in _state_entries(self.layers) if self.belongs(entry)]

    # ---- calling

    @renames.accepts("Network.call")
    def call(self, inputs, mask=None):
        """The outputs for other inputs, by calling every layer again."""
        return self._run(inputs, mask)[0]

    @renames.accepts("compute_mask")
    def compute_mask(self, inputs, mask=None):
        if self._topology is None:
            return None
        return self._run(inputs, mask)[1]

    def compute_output_shape(self, input_shape):
        if self._topology is None:
            return super().compute_output_shape(input_shape)
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        _check_count(self, shapes)
        with _shapes_only(), self._scope():
            inputs = [placeholder_of(tensor.dtype, shape)
                      for tensor, shape in zip(self.inputs, shapes)]
            outputs, _ = self._run_layers(inputs, [None] * len(inputs))
            return shapes_of(outputs)

    def run_internal_graph(self, inputs, masks=None):
        """(outputs, their masks, their shapes) for input tensors."""
        inputs = to_list(inputs)
        outputs, output_masks = self._run_layers(
            inputs, [None] * len(inputs) if masks is None else to_list(masks))
        return outputs, output_masks, [K.int_shape(output) for output in outputs]

    def _run(self, inputs, mask):
        """Outputs and masks for inputs; `call` and `compute_mask` ask for the same run."""
        inputs = to_list(inputs)
        masks = to_list(mask) if mask is not None else [None] * len(inputs)
        last = self._last_run
        if last is None or not (_same(last[0], inputs) and _same(last[1], masks)):
            self._last_run = last = (inputs, masks, self._run_layers(inputs, masks))
        outputs, output_masks = last[2]
        return unpack_singleton(list(outputs)), unpack_singleton(list(output_masks))

    def _run_layers(self, inputs, masks):
        _check_count(self, inputs)
        known = {tensor: (value, mask)
                 for tensor, value, mask in zip(self.inputs, inputs, masks)}
        with _explaining(self, inputs):
            for depth in sorted(self.nodes_by_depth, reverse=True):
                for node in self.nodes_by_depth[depth]:
                    if not isinstance(node.outbound_layer, InputLayer):
                        _run_node(node, known)
        results = [known[tensor] for tensor in self.outputs]
        return [value for value, _ in results], [mask for _, mask in results]

    # ---- configs

    def get_config(self):
        """The layers, how they are joined, the inputs and the outputs."""
        if self._topology is None:
            raise NotImplementedError(
                "[%s] a graph of layers is required for a config, a whole-model file or a copy; "
                "this model is a subclass with a `call` of its own. Use save_weights, or define "
                "get_config and from_config." % type(self).__name__)
        places = self._kept_node_indices()
        layers = [{"name": layer.name, "class_name": type(layer).__name__,
                   "config": layer.get_config(),
                   "inbound_nodes": [_node_config(node, places) for node in layer._inbound_nodes
                                     if node in self._topology.nodes and node.inbound_layers]}
                  for layer in self.layers]
        return copy.deepcopy({"name": self.name, "layers": layers,
                              "input_layers": [_place(tensor, places) for tensor in self.inputs],
                              "output_layers": [_place(tensor, places) for tensor in self.outputs]})

    def _kept_node_indices(self):
        """{node: its number among the calls of its layer that are in this graph}."""
        places = {}
        for layer in self.layers:
            kept = 1 if isinstance(layer, Network) else 0   # a network's own creation is number 0
            for node in layer._inbound_nodes:
                if node in self._topology.nodes:
                    places[node] = kept
                    kept += 1
        return places

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The network that a config describes.

        # Raises
            ValueError: for an unknown layer or a node that does not exist.
        """
        return cls(**graph_from_config(config, custom_objects))

    def _require_built(self, what):
        """Raises ValueError for a model without weights, before `what` is done with it."""
        if not self.built:
            raise ValueError('[%s] a built model is required; "%s" does not know the shape of its '
                             "input. Call fit, predict or build first." % (what, self.name))

    def summary(self, line_length=None, positions=None, print_fn=None):
        """Prints the layers, their output shapes and numbers of parameters."""
        self._require_built("summary")
        print_summary(self, line_length=line_length, positions=positions, print_fn=print_fn)


def layer_from_config(config, custom_objects=None):
    """The layer of a dict with "class_name" and "config", of Keras 1 or 2."""
    if isinstance(config, dict) and {"class_name", "config"} <= set(config):
        known = dict(registry.custom_objects(), **custom_objects or {})
        if config["class_name"] not in known:
            name, arguments = legacy.modern(config["class_name"], config["config"])
            config = dict(config, class_name=name, config=arguments)
    return registry.deserialize(config, registry.table("layer"), custom_objects, "layer")


def graph_from_config(config, custom_objects=None):
    """The arguments of a Network that a config describes: inputs, outputs, name."""
    layers, waiting = {}, []
    for entry in config["layers"]:
        layer = layer_from_config(entry, custom_objects)
        layers[entry.get("name", layer.name)] = layer
        waiting += [(layer, calls) for calls in entry["inbound_nodes"]]
    _make_calls(layers, waiting, config.get("name"))
    inputs = [_tensor_at(layers, place) for place in _places(config["input_layers"])]
    outputs = [_tensor_at(layers, place) for place in _places(config["output_layers"])]
    return {"inputs": unpack_singleton(inputs), "outputs": unpack_singleton(outputs),
            "name": config.get("name")}


def _make_calls(layers, waiting, name):
    """Calls the layers, each as soon as its inputs exist and its earlier calls are made."""
    while waiting:
        later, blocked = [], set()
        for layer, call in waiting:
            places = _call_places(call)
            if layer in blocked or any(_tensor_at(layers, place, True) is None
                                       for place in places):
                later.append((layer, call))
                blocked.add(layer)
                continue
            tensors = [_tensor_at(layers, place) for place in places]
            layer(unpack_singleton(tensors), **_call_arguments(call))
        if len(later) == len(waiting):
            missing = sorted({place[0] for layer, call in later for place in _call_places(call)
                              if _tensor_at(layers, place, True) is None})
            raise ValueError("[from_config] each inbound node must name a call of a layer of the "
                             'model %r; layer "%s" waits for %s, which is never made.'
                             % (name, later[0][0].name, ", ".join(map(repr, missing))))
        waiting = later


def _call_places(call):
    return [tuple(place[:3]) for place in call]


def _call_arguments(call):
    return dict(call[0][3]) if len(call[0]) > 3 and call[0][3] else {}


def _places(given):
    """A list of [layer, node, tensor]; a single one is written flat by some writers."""
    return [given] if given and isinstance(given[0], str) else given


def _tensor_at(layers, place, optional=False):
    """The tensor that [layer name, node number, tensor number] names; None if there is none yet."""
    name, node_index, tensor_index = place[:3]
    if name in layers and node_index < len(layers[name]._inbound_nodes):
        tensors = layers[name]._inbound_nodes[node_index].output_tensors
        if tensor_index < len(tensors):
            return tensors[tensor_index]
    if optional and name in layers:
        return None
    raise ValueError("[from_config] output %s of call %s of a layer %r is required; the config "
                     "has no such one." % (tensor_index, node_index, name))


def _place(tensor, places):
    history = history_of(tensor)
    return [history.layer.name, places[history.layer._inbound_nodes[history.node_index]],
            history.tensor_index]


def _node_config(node, places):
    return [_place(tensor, places) + [dict(node.arguments)] for tensor in node.input_tensors]


def _run_node(node, known):
    """Calls a layer again on the values that its inputs have now."""
    if any(tensor not in known for tensor in node.input_tensors):
        return
    layer = node.outbound_layer
    inputs = unpack_singleton([known[tensor][0] for tensor in node.input_tensors])
    masks = unpack_singleton([known[tensor][1] for tensor in node.input_tensors])
    arguments = dict(node.arguments)
    if any(mask is not None for mask in to_list(masks)) and "mask" not in arguments \
            and registry.accepts(layer.call, "mask"):
        arguments["mask"] = masks
    with layer._scope():
        outputs = layer.outputs_for(inputs, arguments)
        output_masks = layer._output_masks(inputs, to_list(masks), outputs)
        layer._regularize_activity(inputs, outputs)
    for tensor, value, mask in zip(node.output_tensors, to_list(outputs), output_masks):
        known[tensor] = (value, mask)


def _checked_inputs(inputs):
    if len(set(inputs)) != len(inputs):
        raise ValueError("[Model] each input may be given once; %r was given." % (inputs,))
    for tensor in inputs:
        history = history_of(tensor)
        if history is None or not isinstance(history.layer, InputLayer):
            raise ValueError("[Model] inputs must be made by Input(...); %r was given." % (tensor,))
    return inputs


def _checked_outputs(outputs):
    for tensor in outputs:
        if history_of(tensor) is None:
            raise ValueError("[Model] outputs must be tensors made by layers; %r was given. Wrap "
                             "expressions of K in a Lambda layer." % (tensor,))
    return outputs


def _check_count(network, given):
    if len(given) != len(network.inputs):
        raise ValueError('in model "%s": [call] %d inputs are required (%s); %d were given.'
                         % (network.name, len(network.inputs), ", ".join(network.input_names),
                            len(given)))


@contextlib.contextmanager
def _explaining(network, given):
    """A layer that refuses its input is a matter of the model's input, if that has another shape.

    Whatever all layers take is taken: Dense has no objection to one axis more, nor has Keras.
    """
    try:
        yield
    except ValueError as error:
        for tensor, value in zip(network.inputs, given):
            declared, shape = K.int_shape(tensor), K.int_shape(value)
            if len(declared) != len(shape) or any(
                    want is not None and have is not None and want != have
                    for want, have in zip(declared[1:], shape[1:])):
                raise ValueError('in model "%s": [call] input "%s" has the shape %s; %s was given: '
                                 "%s" % (network.name, history_of(tensor).layer.name, declared,
                                         shape, error)) from error
        raise


def _variables_of(nodes, outputs):
    """All tensors of a graph: those between layers, and those inside of them."""
    found = {tensor for node in nodes for tensor in node.input_tensors + node.output_tensors}
    for node in nodes_of(outputs):
        found.update(node.inputs)
        found.update(node.outputs)
    return found


def _state_entries(layers):
    """The updates of the stateful layers among some layers and inside of networks."""
    found = []
    for layer in layers:
        if isinstance(layer, Network):
            found += _state_entries(layer.layers)
        elif layer.stateful:
            found += layer.update_entries()
    return found


def _same(one, other):
    return len(one) == len(other) and all(a is b for a, b in zip(one, other))


def _unique(values):
    """Without repetitions, by identity."""
    kept = []
    for value in values:
        if not any(value is known for known in kept):
            kept.append(value)
    return kept
