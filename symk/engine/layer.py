"""Layer: a recipe that owns weights and can be called on symbolic tensors.

A layer makes its weights in `build`, its output in `call`, and says with `get_config` how to make
it again. There is one shape rule, the ops' own: `compute_output_shape` asks `call`.
"""
import contextlib
import re
import threading

import numpy as np

from .. import backend as K
from .. import initializers, registry, regularizers, renames
from ..graph import DtypeError, Placeholder, Shared, SymkError, dims, layer_scope
from ..graph.dtype import DTYPES, canonical
from ..utils.generic_utils import to_list, unpack_singleton
from . import legacy
from .edges import Node, check_inputs, history_of, mark, shapes_of
from .keras1 import LayerOfKeras1

__all__ = ["Layer", "Contribution", "placeholder_of"]

_state = threading.local()

_KEYWORDS = ("name", "trainable", "dtype", "input_shape", "batch_input_shape", "batch_size",
             "weights", "input_dtype")


@contextlib.contextmanager
def _shapes_only():
    """Inside, layers make placeholders for weights, and record neither losses nor updates."""
    before = _in_shapes_only()
    _state.shapes_only = True
    try:
        yield
    finally:
        _state.shapes_only = before


def _in_shapes_only():
    return getattr(_state, "shapes_only", False)


@contextlib.contextmanager
def _naming(layer):
    """Errors of expressions made inside say in which layer they were made."""
    try:
        yield
    except SymkError as error:
        if getattr(error, "layer_named", False):
            raise
        named = type(error)('in layer "%s" (%s): %s' % (layer.name, type(layer).__name__, error))
        named.layer_named = True
        raise named from None


def placeholder_of(dtype, shape, name=None):
    """A placeholder whose unknown first size is called `batch` in messages."""
    shape = tuple(shape)
    if shape and shape[0] is None:
        shape = (dims.Size.new("batch"),) + shape[1:]
    return Placeholder(dtype, shape, name=name)


class Contribution:
    """A loss or an update that a layer adds to the models it is in.

    `inputs` are the tensors that it was made for, None if it does not depend on a call; `outputs`
    those that the call gave, as far as it is known.
    """

    __slots__ = ("value", "inputs", "outputs")

    def __init__(self, value, inputs):
        self.value = value
        self.inputs = None if inputs is None else tuple(to_list(inputs))
        self.outputs = ()

    def is_for(self, inputs):
        if self.inputs is None or inputs is None:
            return self.inputs is None and inputs is None
        inputs = to_list(inputs)
        return len(inputs) == len(self.inputs) and all(
            mine is given for mine, given in zip(self.inputs, inputs))


class Layer(LayerOfKeras1):
    """The base of all layers.

    # Arguments
        name: unique in a model; made from the class name by default.
        trainable: whether the optimizer changes the weights.
        dtype: of the weights and of an input made from `input_shape`; `K.floatx()` by default. A
            policy of tf.keras with the name of a dtype means that one.
        input_shape, batch_input_shape, batch_size: the shape of the input, without or with the
            batch axis, for the first layer of a Sequential.
        weights: initial values, in the order of `get_weights`.
    """

    def __init__(self, **kwargs):
        for key in kwargs:
            if key not in _KEYWORDS:
                raise TypeError("[%s] the keyword arguments of every layer are %s; %r was given."
                                % (type(self).__name__, ", ".join(_KEYWORDS), key))
        self._trainable_weights = []
        self._non_trainable_weights = []
        self._loss_entries = []
        self._update_entries = []
        self._sublayers = []
        self._metrics = []
        self._inbound_nodes = []
        self._outbound_nodes = []
        self.built = False
        self.input_spec = None
        self.supports_masking = False
        self.stateful = False
        self.name = kwargs.get("name") or _unique_name(type(self).__name__)
        self.trainable = kwargs.get("trainable", True)
        self.dtype = _dtype_of(self.name, kwargs.get("dtype") or kwargs.get("input_dtype"))
        self._initial_weights = kwargs.get("weights")
        if kwargs.get("batch_input_shape") is not None:
            self.batch_input_shape = tuple(kwargs["batch_input_shape"])
        elif kwargs.get("input_shape") is not None:
            self.batch_input_shape = (kwargs.get("batch_size"),) + tuple(kwargs["input_shape"])

    def __init_subclass__(cls, **kwargs):
        """Layers that had other arguments in Keras 1 take those too."""
        super().__init_subclass__(**kwargs)
        if legacy.has_old_names(cls.__name__):
            legacy.accept_old_names(cls)

    def __setattr__(self, name, value):
        """Also notes weights, layers and metrics that become attributes."""
        if isinstance(value, Layer):
            self._track_layer(value)
        elif isinstance(value, Shared) and value.default_update is None:
            self._track_weight(value)
        object.__setattr__(self, name, value)

    def _track_layer(self, layer):
        kept = self._metrics if hasattr(layer, "update_state") else self._sublayers
        if not any(layer is known for known in kept):
            kept.append(layer)

    def _track_weight(self, weight):
        inside = [known for layer in self._sublayers for known in layer.weights]
        if any(weight is known for known in
               self._trainable_weights + self._non_trainable_weights + inside):
            return
        trainable = getattr(weight, "trainable", True)
        (self._trainable_weights if trainable else self._non_trainable_weights).append(weight)

    # ---- for subclasses to define

    def build(self, input_shape=None):
        """Makes the weights.

        # Arguments
            input_shape: tuple with None for unknown sizes, or a list of them.
        """
        self.built = True

    @renames.accepts("Layer.call")
    def call(self, inputs, **kwargs):
        """The output for symbolic inputs."""
        return inputs

    @renames.accepts("compute_mask")
    def compute_mask(self, inputs, mask=None):
        """The mask of the output: the input's if the layer supports masking, else none."""
        if self.supports_masking:
            return mask
        if any(one is not None for one in to_list(mask)):
            raise TypeError('in layer "%s" (%s): [mask] this layer takes no mask; its input has '
                            "one, made by %s. Put no masking layer before it."
                            % (self.name, type(self).__name__, _makers(to_list(inputs))))
        return None

    def get_config(self):
        """What `from_config` needs to make this layer again, without its weights."""
        config = {"name": self.name, "trainable": self.trainable}
        if hasattr(self, "batch_input_shape"):
            config["batch_input_shape"] = self.batch_input_shape
        config["dtype"] = self.dtype
        return config

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def compute_output_shape(self, input_shape):
        """The static shape of the output for a static shape of the input (or lists of them)."""
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        with _shapes_only(), self._scope():
            layer = self if self.built else type(self).from_config(self.get_config())
            if not layer.built:
                layer.build(unpack_singleton(shapes))
            inputs = [placeholder_of(self.dtype, shape) for shape in shapes]
            return shapes_of(layer.call(unpack_singleton(inputs)))

    # ---- weights

    @legacy.shape_first
    def add_weight(self, name=None, shape=None, dtype=None, initializer=None, regularizer=None,
                   trainable=True, constraint=None):
        """A new weight of this layer, a variable.

        # Arguments
            name: the last part of its name: "kernel" of "dense_1/kernel:0".
            shape: tuple of integers.
            dtype: the layer's by default.
            initializer, regularizer, constraint: object, name or config.
            trainable: whether the optimizer changes it.
        """
        shape = () if shape is None else tuple(shape)
        if any(size is None for size in shape):
            raise ValueError('in layer "%s" (%s): [add_weight] all sizes of %r must be known; the '
                             "shape is %s. Give the input a full shape on these axes."
                             % (self.name, type(self).__name__, name, shape))
        dtype = dtype or self.dtype
        if _in_shapes_only():
            return Placeholder(dtype, shape, name=name)
        initializer = initializers.get("glorot_uniform" if initializer is None else initializer)
        value = initializers.initial_value(initializer, shape, dtype)
        weight = K.variable(value, dtype=dtype, name=name or "variable", constraint=constraint)
        weight.trainable = trainable
        self._track_weight(weight)
        regularizer = regularizers.get(regularizer)
        if regularizer is not None:
            self.add_loss(regularizer(weight))
        return weight

    @property
    def trainable_weights(self):
        return self._all_trainable_weights() if self.trainable else []

    @trainable_weights.setter
    def trainable_weights(self, weights):
        self._trainable_weights = list(weights)
        self._non_trainable_weights = _without(self._non_trainable_weights, weights)

    @property
    def non_trainable_weights(self):
        fixed = self._non_trainable_weights + [
            weight for layer in self._sublayers for weight in layer.non_trainable_weights]
        return fixed if self.trainable else self._all_trainable_weights() + fixed

    @non_trainable_weights.setter
    def non_trainable_weights(self, weights):
        self._non_trainable_weights = list(weights)
        self._trainable_weights = _without(self._trainable_weights, weights)

    def _all_trainable_weights(self):
        return self._trainable_weights + [
            weight for layer in self._sublayers for weight in layer.trainable_weights]

    @property
    def weights(self):
        return self.trainable_weights + self.non_trainable_weights

    # How arrays that users get and set are laid out: None as the weights are, or an object with
    # `old_count`, `old_arrays` and `modern_arrays` of a layer, for all layers (`compat`).
    array_layout = None

    def get_weights(self):
        """The values of the weights, as arrays."""
        values = K.batch_get_value(self.weights)
        return values if self.array_layout is None else self.array_layout.old_arrays(self, values)

    def array_count(self):
        """How many arrays `get_weights` gives."""
        return len(self.weights) if self.array_layout is None \
            else self.array_layout.old_count(self)

    def set_weights(self, weights):
        """Sets the values of all weights, in the order of `get_weights`.

        # Raises
            ValueError: if their number or a shape is another.
        """
        assign_weights('layer "%s" (%s)' % (self.name, type(self).__name__), self.weights,
                       self.values_of(weights))

    def values_of(self, arrays):
        """The values of the weights from arrays that are laid out as those of `get_weights`."""
        arrays = list(arrays)
        if self.array_layout is None or len(arrays) != self.array_count():
            return arrays
        return self.array_layout.modern_arrays(self, [np.asarray(array) for array in arrays])

    def count_params(self):
        """The number of scalars in the weights."""
        if not self.built:
            raise RuntimeError('[count_params] a built layer is required; layer "%s" (%s) has not '
                               "been called yet, so its weights do not exist."
                               % (self.name, type(self).__name__))
        return sum(int(np.prod(weight.shape, dtype=np.int64)) for weight in self.weights)

    # ---- losses and updates

    def add_loss(self, losses, inputs=None):
        """Adds losses to all models that use this layer.

        # Arguments
            inputs: the tensors that they depend on; None if they depend on weights alone.
        """
        if not _in_shapes_only():
            self._loss_entries += [
                Contribution(loss if K.is_tensor(loss) else K.constant(loss), inputs)
                for loss in to_list(losses) if loss is not None]

    def add_update(self, updates, inputs=None):
        """Adds updates `(variable, new value)` to the training of all models with this layer."""
        if not _in_shapes_only():
            updates = updates if isinstance(updates, list) else [updates]
            self._update_entries += [Contribution(update, inputs) for update in updates]

    def add_metric(self, value, name=None):
        """Reports a value of this layer in training and evaluation, in all models that use it.

        # Arguments
            value: a tensor, of which the mean over all batches is reported; or what a call of a
                Metric gave.
            name: under which it is reported; a Metric has one of its own.
        """
        if _in_shapes_only():
            return
        metric = getattr(value, "_metric_obj", None)
        if metric is None:
            metric = self._mean_named(name)
            metric.update_state(value)
        self._track_layer(metric)

    def _mean_named(self, name):
        """The mean that is reported under a name; a second call of the layer goes on with it."""
        if not name:
            raise ValueError('in layer "%s" (%s): [add_metric] a name is required for a tensor; '
                             "none was given." % (self.name, type(self).__name__))
        known = [metric for metric in self._metrics if metric.name == name]
        return known[0] if known else registry.lookup("metric", "Mean")(name=name)

    def metric_objects(self):
        """The metrics that were added, those of sub-layers first."""
        return [metric for layer in self._sublayers
                for metric in layer.metric_objects()] + self._metrics

    def loss_entries(self):
        """The Contributions to the loss, of sub-layers too."""
        return self._loss_entries + [entry for layer in self._sublayers
                                     for entry in layer.loss_entries()]

    def update_entries(self):
        """The Contributions to the updates, of sub-layers too; none of a frozen layer."""
        if not self.trainable and not self.stateful:
            return []
        return self._update_entries + [entry for layer in self._sublayers
                                       for entry in layer.update_entries()]

    @property
    def losses(self):
        return [entry.value for entry in self.loss_entries()]

    @property
    def updates(self):
        return [entry.value for entry in self.update_entries()]

    @property
    def metrics(self):
        return self.metric_objects()

    def get_losses_for(self, inputs):
        """The losses made for these input tensors; None: those that depend on no input."""
        return [entry.value for entry in self.loss_entries() if entry.is_for(inputs)]

    def get_updates_for(self, inputs):
        return [entry.value for entry in self.update_entries() if entry.is_for(inputs)]

    # ---- calling

    def _scope(self):
        scopes = contextlib.ExitStack()
        scopes.enter_context(layer_scope(self.name, type(self).__name__))
        scopes.enter_context(K.name_scope(self.name))
        scopes.enter_context(_naming(self))
        return scopes

    @renames.accepts("assert_input_compatibility")
    def assert_input_compatibility(self, inputs):
        """Raises unless the layer can be called on these tensors."""
        check_inputs(self, inputs)

    def __call__(self, inputs, **kwargs):
        """The output tensors for input tensors; makes the weights at the first call."""
        if isinstance(inputs, (list, tuple)):
            inputs = list(inputs)
        with self._scope():
            self.assert_input_compatibility(inputs)
            if not self.built:
                self._build_for(inputs)
            arguments = dict(kwargs)
            masks = [mask_of(tensor) for tensor in to_list(inputs)]
            if any(mask is not None for mask in masks) and "mask" not in kwargs \
                    and registry.accepts(self.call, "mask"):
                kwargs["mask"] = unpack_singleton(masks)
            outputs = self.outputs_for(inputs, kwargs)
            output_masks = self._output_masks(inputs, masks, outputs)
            outputs = _distinct(outputs, to_list(inputs))
            self._regularize_activity(inputs, outputs)
        self._connect(inputs, outputs, masks, output_masks, arguments)
        return outputs

    def outputs_for(self, inputs, arguments):
        """What `call` gives for keyword arguments: a tensor, or a list of several."""
        with self._noting_outputs() as given:
            outputs = unpack_singleton(self.call(inputs, **arguments))
            if isinstance(outputs, tuple):
                outputs = list(outputs)
            given += [output for output in to_list(outputs)
                      if not any(output is tensor for tensor in to_list(inputs))]
        for output in to_list(outputs):
            if not K.is_tensor(output):
                raise ValueError('in layer "%s" (%s): [call] a tensor, or a list of them, must be '
                                 "returned; %r was." % (self.name, type(self).__name__, output))
        return outputs

    @contextlib.contextmanager
    def _noting_outputs(self):
        """Contributions made inside are of the call that gave the tensors that a list receives."""
        losses, updates, outputs = len(self._loss_entries), len(self._update_entries), []
        yield outputs
        for entry in self._loss_entries[losses:] + self._update_entries[updates:]:
            entry.outputs = tuple(outputs)

    def _build_for(self, inputs):
        self.build(shapes_of(inputs))
        self.built = True
        self._take_given()
        self.assert_input_compatibility(inputs)
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def _output_masks(self, inputs, masks, outputs):
        """One mask or None for each output."""
        mask = self.compute_mask(inputs, unpack_singleton(masks))
        given = to_list(mask) if mask is not None else [None]
        count = len(to_list(outputs))
        return given if len(given) == count else [None] * count

    def _regularize_activity(self, inputs, outputs):
        regularizer = getattr(self, "activity_regularizer", None)
        if regularizer is not None:
            with self._noting_outputs() as given:
                self.add_loss([regularizer(output) for output in to_list(outputs)], inputs)
                given += to_list(outputs)

    def _connect(self, inputs, outputs, input_masks, output_masks, arguments):
        """Records a call as an edge."""
        outputs = to_list(outputs)
        Node.of_call(self, to_list(inputs), outputs, input_masks, output_masks, arguments)
        for index, output in enumerate(outputs):
            mark(output, self, len(self._inbound_nodes) - 1, index)

    # ---- what calls made

    def _at(self, node_index, attribute):
        """A fact of one call, the last one by -1, as a single value if there is only one tensor."""
        count = len(self._inbound_nodes)
        if not -count <= node_index < count:
            raise ValueError('[layer] a call number below %d is required for layer "%s"; %d was '
                             "given." % (count, self.name, node_index))
        return unpack_singleton(getattr(self._inbound_nodes[node_index], attribute))

    def _only(self, attribute, word):
        """A fact that all calls share; AttributeError if there is none, or several."""
        nodes = self._inbound_nodes
        if not nodes:
            raise AttributeError('Layer "%s" has not been called, so it has no %s.'
                                 % (self.name, word))
        facts = [getattr(node, attribute) for node in nodes]
        same = all(fact is facts[0] for fact in facts) if "shapes" not in attribute \
            else all(fact == facts[0] for fact in facts)
        if not same:
            raise AttributeError('Layer "%s" has been called %d times, so "%s" has no one value. '
                                 "Use get_%s_at(node_index)." % (self.name, len(nodes), word, word))
        return unpack_singleton(facts[0])

    def get_input_at(self, node_index):
        return self._at(node_index, "input_tensors")

    def get_output_at(self, node_index):
        return self._at(node_index, "output_tensors")

    def get_input_shape_at(self, node_index):
        return self._at(node_index, "input_shapes")

    def get_output_shape_at(self, node_index):
        return self._at(node_index, "output_shapes")

    def get_input_mask_at(self, node_index):
        return self._at(node_index, "input_masks")

    def get_output_mask_at(self, node_index):
        return self._at(node_index, "output_masks")

    @property
    def input(self):
        return self._only("input_tensors", "input")

    @property
    def output(self):
        return self._only("output_tensors", "output")

    @property
    def input_shape(self):
        return self._only("input_shapes", "input_shape")

    @property
    def output_shape(self):
        return self._only("output_shapes", "output_shape")

    @property
    def input_mask(self):
        return self._only("input_masks", "input_mask")

    @property
    def output_mask(self):
        return self._only("output_masks", "output_mask")

    @property
    def inbound_nodes(self):
        return self._inbound_nodes

    @property
    def outbound_nodes(self):
        return self._outbound_nodes


def _without(weights, removed):
    """The weights that are not among others, by identity."""
    return [weight for weight in weights if not any(weight is other for other in removed)]


def _dtype_of(layer, given):
    """The dtype of a layer: a name, anything of NumPy's, or a policy of tf.keras or its config.

    Raises:   DtypeError, which names the layer.
    """
    if given is None:
        return K.floatx()
    policy = getattr(given, "name", None) if hasattr(given, "variable_dtype") else None
    if isinstance(given, dict) and isinstance(given.get("config"), dict):
        policy = given["config"].get("name")
    try:
        return canonical(policy or given)
    except DtypeError as error:
        raise DtypeError('[%s] dtype must be one of %s; %r was given. Numbers of products are '
                         "chosen for a whole model: symk.mixed_precision, or compile(products=...)."
                         % (layer, ", ".join(DTYPES), policy or given)) from error


def _unique_name(class_name):
    """dense_1 for Dense, conv2d_1 for Conv2D, p_re_lu_1 for PReLU."""
    words = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    words = re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
    if words[0] == "_":
        words = "private" + words
    return "%s_%d" % (words, K.get_uid(words))


def assign_weights(owner, weights, values):
    """Sets variables to arrays, in order.

    Raises:   ValueError, naming the owner and the weight, if the number or a shape differs.
    """
    values = list(values)
    if len(values) != len(weights):
        raise ValueError("[set_weights] %s has %d weights (%s); %d arrays were given."
                         % (owner, len(weights),
                            ", ".join("%s %s" % (weight.name, weight.shape) for weight in weights),
                            len(values)))
    arrays = [np.asarray(value) for value in values]
    for weight, array in zip(weights, arrays):
        if array.shape != weight.shape:
            raise ValueError("[set_weights] %s: weight %s has the shape %s; an array of shape %s "
                             "was given." % (owner, weight.name, weight.shape, array.shape))
    K.batch_set_value(list(zip(weights, arrays)))


def mask_of(tensor):
    """The mask that the layer which made a tensor gave it, or None."""
    history = history_of(tensor)
    if history is None:
        return None
    return history.layer._inbound_nodes[history.node_index].output_masks[history.tensor_index]


def _makers(tensors):
    """The layers that made tensors with a mask, for messages."""
    names = ['"%s"' % history_of(tensor).layer.name for tensor in tensors
             if mask_of(tensor) is not None]
    return ", ".join(names) or "a caller"


def _distinct(outputs, inputs):
    """Outputs that are none of the inputs, and no two the same: a tensor has one place."""
    taken, made = list(inputs), []
    for output in to_list(outputs):
        made.append(K.identity(output) if any(output is one for one in taken) else output)
        taken.append(output)
    return made if isinstance(outputs, list) else made[0]
