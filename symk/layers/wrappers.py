"""Layers around another layer: TimeDistributed for each step, Bidirectional in both directions."""
from .. import backend as K
from .. import registry
from ..engine import InputSpec, Layer
from ..engine.network import layer_from_config
from ..graph import dims
from ..registry import accepts, register
from ..utils.generic_utils import to_list, unpack_singleton
from .rnn import call_with_states, standardize_args

__all__ = ["Bidirectional", "InputSpec", "Layer", "TimeDistributed", "Wrapper"]


class Wrapper(Layer):
    """A layer around another one, whose weights, losses and updates it has.

    # Arguments
        layer: the layer.
    """

    def __init__(self, layer, **kwargs):
        if not isinstance(layer, Layer):
            raise ValueError("[%s] a layer is required; %r was given."
                             % (type(self).__name__, layer))
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape=None):
        self.built = True

    @property
    def activity_regularizer(self):
        """That of the layer inside, for the output of this one."""
        return getattr(self.layer, "activity_regularizer", None)

    @property
    def trainable(self):
        """Whether the layer inside is."""
        return self._sublayers[0].trainable if self._sublayers else self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = value
        for layer in self._sublayers:
            layer.trainable = value

    def get_weights(self):
        """The values of the weights, in the order of the layer inside."""
        return [value for layer in self._sublayers for value in layer.get_weights()]

    def set_weights(self, weights):
        weights = list(weights)
        if len(weights) != self.array_count():
            super().set_weights(weights)    # says what is wrong
        for layer in self._sublayers:
            count = layer.array_count()
            layer.set_weights(weights[:count])
            weights = weights[count:]

    def get_config(self):
        return dict(super().get_config(), layer={"class_name": type(self.layer).__name__,
                                                 "config": self.layer.get_config()})

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        layer = layer_from_config(config.pop("layer"), custom_objects)
        return cls(layer, **config)


@register("layer")
class TimeDistributed(Wrapper):
    """Applies a layer, or a whole model, to each step.

    Steps and batch become one axis, on which the layer works once. A layer or model that is for a
    batch of fixed size is called step by step.

    # Arguments
        layer: a layer or a model with one input and one output.

    # Input shape
        `(batch, steps, ...)`; the layer gets `(batch, ...)`.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.supports_masking = True
        self.input_spec = InputSpec(min_ndim=3)

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build(_inner_shape(input_shape))
            self.layer.built = True
        self.built = True

    def compute_output_shape(self, input_shape):
        inner = self.layer.compute_output_shape(_inner_shape(input_shape))
        return tuple(inner[:1]) + tuple(input_shape[1:2]) + tuple(inner[1:])

    def call(self, inputs, training=None, mask=None):
        given = {"training": training} if accepts(self.layer.call, "training") else {}
        if _batch_size(self.layer) is not None:
            return self._step_by_step(inputs, given)
        if mask is not None and accepts(self.layer.call, "mask"):
            given["mask"] = _merged(mask)
        outputs = self.layer.call(_merged(inputs), **given)
        if isinstance(outputs, (list, tuple)):
            raise ValueError('in layer "%s" (TimeDistributed): [call] a layer with one output is '
                             'required; "%s" has %d.'
                             % (self.name, self.layer.name, len(outputs)))
        return _parted(outputs, inputs)

    def _step_by_step(self, inputs, given):
        """The layer for each step apart, for its fixed batch size."""
        steps = K.int_shape(inputs)[1]
        if steps is not None:
            return K.stack([self.layer.call(inputs[:, step], **given) for step in range(steps)],
                           axis=1)
        before = _count_contributions(self.layer)
        outputs = K.rnn(lambda step, _: (self.layer.call(step, **given), []), inputs, [])[1]
        if _count_contributions(self.layer) != before:
            raise ValueError('in layer "%s" (TimeDistributed): [call] the number of steps must be '
                             'known, since "%s" adds losses or updates in each; the input is %r.'
                             % (self.name, self.layer.name, inputs.type))
        return outputs

    def compute_mask(self, inputs, mask=None):
        """The masks of the steps. A layer that makes none leaves a mask of steps as it is."""
        if _batch_size(self.layer) is not None:
            return mask
        made = self.layer.compute_mask(_merged(inputs), None if mask is None else _merged(mask))
        if made is not None:
            return _parted(made, inputs)
        for _ in range(2, 0 if mask is None else mask.ndim):
            mask = K.any(mask, axis=-1)
        return mask


def _count_contributions(layer):
    return len(layer.loss_entries()) + len(layer.update_entries())


def _batch_size(layer):
    """The batch size that a layer or model is for, if it is fixed."""
    shape = getattr(layer, "batch_input_shape", None)
    if getattr(layer, "inputs", None):
        shape = K.int_shape(layer.inputs[0])
    return shape[0] if shape else None


def _inner_shape(shape):
    """The shape without the steps."""
    return tuple(shape[:1]) + tuple(shape[2:])


def _merged(tensor):
    """Batch and steps as one axis."""
    return K.reshape(tensor, (dims.product(tensor.shape[:2]),) + tensor.shape[2:])


def _parted(tensor, like):
    """The first axis as batch and steps, as many as another tensor has."""
    return K.reshape(tensor, like.shape[:2] + tensor.shape[1:])


_MERGE_MODES = {
    "sum": lambda one, other: one + other,
    "mul": lambda one, other: one * other,
    "ave": lambda one, other: (one + other) / 2,
    "concat": lambda one, other: K.concatenate([one, other], axis=-1),
    None: lambda one, other: [one, other],
}


@register("layer")
class Bidirectional(Wrapper):
    """A recurrent layer and a second one that reads the sequence from its end.

    # Arguments
        layer: a recurrent layer.
        merge_mode: how the outputs of both become one: "sum", "mul", "ave" or "concat"; None
            returns both.
        weights: initial values, those of the forward layer first.

    # Initial states
        `layer(x, initial_state=[...])`: those of the forward layer first. With `return_state` the
        last states come after the output in the same order.

    # Stateful layers
        As in Keras 2.3.1, their states move in training, but not in testing and prediction; and
        `reset_states` of a model does not reset them, that of this layer does.
    """

    def __init__(self, layer, merge_mode="concat", weights=None, **kwargs):
        if merge_mode not in _MERGE_MODES:
            raise ValueError("[Bidirectional] merge_mode must be one of %s; %r was given."
                             % (", ".join(map(repr, _MERGE_MODES)), merge_mode))
        super().__init__(layer, weights=weights, **kwargs)
        for need in ("return_sequences", "return_state", "go_backwards"):
            if not hasattr(layer, need):
                raise ValueError('[Bidirectional] a recurrent layer is required; "%s" (%s) has no '
                                 "%s." % (layer.name, type(layer).__name__, need))
        self.merge_mode = merge_mode
        self._num_constants = None
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self.forward_layer = _directed(layer, "forward_", layer.go_backwards)
        self.backward_layer = _directed(layer, "backward_", not layer.go_backwards)
        self._sublayers = [self.forward_layer, self.backward_layer]
        self.trainable = layer.trainable
        self.input_spec = layer.input_spec

    @property
    def activity_regularizer(self):
        """None: both layers add their own penalties."""
        return None

    @property
    def constraints(self):
        """{weight: its constraint} of both layers."""
        return {weight: weight.constraint for weight in self.weights
                if weight.constraint is not None}

    def build(self, input_shape):
        shapes = to_list(input_shape)
        count = self._num_constants or 0
        shapes = shapes[:1] + shapes[len(shapes) - count:]
        for layer in self._sublayers:
            layer._num_constants = self._num_constants
            with K.name_scope(layer.name):
                layer.build(unpack_singleton(shapes))
        self.built = True

    def reset_states(self):
        """Sets the states of both layers to 0."""
        for layer in self._sublayers:
            layer.reset_states()

    def assert_input_compatibility(self, inputs):
        """The input, and each half of the initial states, must suit a layer."""
        given = to_list(inputs)
        end = len(given) - (self._num_constants or 0)
        half = 1 + (end - 1) // 2
        if end % 2 == 0:
            raise ValueError('in layer "%s" (Bidirectional): [initial_state] an even number of '
                             "states is required, those of the forward layer first; %d were given."
                             % (self.name, end - 1))
        for layer, states in zip(self._sublayers, (given[1:half], given[half:end])):
            layer._num_constants = self._num_constants
            layer.assert_input_compatibility(given[:1] + states + given[end:])

    # ---- calling

    def __call__(self, inputs, initial_state=None, constants=None, **kwargs):
        """The output for sequences, beginning with states and given constants, if there are any."""
        return call_with_states(self, super().__call__, inputs, initial_state, constants, kwargs)

    def call(self, inputs, mask=None, training=None, initial_state=None, constants=None):
        """The output; `inputs` may be a list of the input, the initial states, the constants."""
        if isinstance(inputs, (list, tuple)) and len(inputs) > 1:
            tensor, initial_state, constants = standardize_args(
                inputs, initial_state, constants, self._num_constants)
        else:
            tensor = to_list(inputs)[0]
        initial_state, constants = list(initial_state or []), list(constants or [])
        half = len(initial_state) // 2
        results = [
            self._call_one(layer, [tensor] + states + constants, to_list(mask)[0], training)
            for layer, states in zip(self._sublayers, (initial_state[:half], initial_state[half:]))]
        return self._merged(*results)

    def _call_one(self, layer, inputs, mask, training):
        given = {"training": training} if accepts(layer.call, "training") else {}
        if mask is not None and accepts(layer.call, "mask"):
            given["mask"] = mask
        inputs = unpack_singleton(inputs)
        outputs = layer.call(inputs, **given)
        layer._regularize_activity(inputs, to_list(outputs)[:1])
        return to_list(outputs)

    def _merged(self, forward, backward):
        """One output of those of both directions, and the states."""
        one, other = forward[0], backward[0]
        if self.return_sequences:
            other = K.reverse(other, 1)
        output = _MERGE_MODES[self.merge_mode](one, other)
        if self.return_state:
            return to_list(output) + forward[1:] + backward[1:]
        return output

    # ---- shapes, masks, configs

    def compute_output_shape(self, input_shape):
        shapes = to_list(self.forward_layer.compute_output_shape(input_shape))
        output, states = tuple(shapes[0]), shapes[1:] * 2
        if self.merge_mode == "concat":
            output = output[:-1] + (None if output[-1] is None else output[-1] * 2,)
        outputs = [output] * (1 if self.merge_mode else 2)
        return outputs + states if self.return_state else unpack_singleton(outputs)

    def compute_mask(self, inputs, mask=None):
        """The mask of the input for sequences, else none; states have none."""
        mask = to_list(mask)[0] if self.return_sequences else None
        masks = [mask] * (1 if self.merge_mode else 2)
        if self.return_state:
            masks += [None] * (2 * len(self.forward_layer.states))
        return unpack_singleton(masks)

    def get_config(self):
        config = dict(super().get_config(), merge_mode=self.merge_mode)
        if self._num_constants is not None:
            config["num_constants"] = self._num_constants
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Also from tf.keras, which may write the backward layer apart."""
        config = dict(config)
        backward, count = config.pop("backward_layer", None), config.pop("num_constants", None)
        layer = super().from_config(config, custom_objects)
        if backward is not None and not _mirrored(layer.layer.get_config(), backward["config"]):
            raise ValueError('[Bidirectional] the backward layer in the config of "%s" must be the '
                             "forward one in the other direction." % config.get("name"))
        layer._num_constants = count
        return layer


def _directed(layer, prefix, go_backwards):
    """A new layer like another one, in a direction, with a name of its own."""
    config = dict(layer.get_config(), go_backwards=go_backwards, name=prefix + layer.name)
    own = {type(part).__name__: type(part) for part in _parts(layer)}
    with registry.CustomObjectScope(own):
        return type(layer).from_config(config)


def _parts(layer):
    """A layer and all layers inside of it."""
    found = [layer]
    for part in found:
        found += part._sublayers
    return found


def _mirrored(config, other):
    """Whether two configs are those of one layer in both directions."""
    differing = {name for name in set(config) & set(other)
                 if name not in ("name", "cell") and config[name] != other[name]}
    return differing <= {"go_backwards"} and config["go_backwards"] != other["go_backwards"]
