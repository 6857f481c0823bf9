"""Layers that Keras 2.3 keeps for programs of earlier versions, with their old arguments."""
from .. import activations, constraints, initializers, regularizers, renames
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.conv_utils import normalize_tuple
from .rnn import RNN

__all__ = ["Highway", "MaxoutDense", "Recurrent"]


class _OldDense(Layer):
    """A dense layer with the arguments of Keras 1."""

    def __init__(self, init, weights, W_regularizer, b_regularizer, activity_regularizer,
                 W_constraint, b_constraint, bias, input_dim, **kwargs):
        if input_dim:
            kwargs["input_shape"] = (input_dim,)
        super().__init__(weights=weights, **kwargs)
        self.init = initializers.get(init)
        self.W_regularizer = regularizers.get(W_regularizer)
        self.b_regularizer = regularizers.get(b_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.W_constraint = constraints.get(W_constraint)
        self.b_constraint = constraints.get(b_constraint)
        self.bias = bias
        self.input_dim = input_dim
        self.input_spec = InputSpec(ndim=2)

    def _add_kernel(self, shape):
        self.W = self.add_weight("W", shape, initializer=self.init,
                                 regularizer=self.W_regularizer, constraint=self.W_constraint)

    def _add_bias(self, shape):
        self.b = None
        if self.bias:
            self.b = self.add_weight("b", shape, initializer="zeros",
                                     regularizer=self.b_regularizer, constraint=self.b_constraint)

    def get_config(self):
        return dict(super().get_config(), init=initializers.serialize(self.init),
                    W_regularizer=regularizers.serialize(self.W_regularizer),
                    b_regularizer=regularizers.serialize(self.b_regularizer),
                    activity_regularizer=regularizers.serialize(self.activity_regularizer),
                    W_constraint=constraints.serialize(self.W_constraint),
                    b_constraint=constraints.serialize(self.b_constraint), bias=self.bias,
                    input_dim=self.input_dim)


@register("layer")
class MaxoutDense(_OldDense):
    """The greatest of several linear maps, for each output.

    # Arguments
        output_dim: size of the output.
        nb_feature: number of linear maps.
        init, weights, W_regularizer, b_regularizer, activity_regularizer, W_constraint,
        b_constraint, bias, input_dim: as in Keras 1.

    # References
        Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389
    """

    def __init__(self, output_dim, nb_feature=4, init="glorot_uniform", weights=None,
                 W_regularizer=None, b_regularizer=None, activity_regularizer=None,
                 W_constraint=None, b_constraint=None, bias=True, input_dim=None, **kwargs):
        super().__init__(init, weights, W_regularizer, b_regularizer, activity_regularizer,
                         W_constraint, b_constraint, bias, input_dim, **kwargs)
        self.output_dim = normalize_tuple(output_dim, 1, "output_dim")[0]
        self.nb_feature = normalize_tuple(nb_feature, 1, "nb_feature")[0]

    def build(self, input_shape):
        self._add_kernel((self.nb_feature, input_shape[1], self.output_dim))
        self._add_bias((self.nb_feature, self.output_dim))
        self.input_spec = InputSpec(ndim=2, axes={1: input_shape[1]})
        self.built = True

    def call(self, x):
        outputs = K.dot(x, self.W)
        return K.max(outputs + self.b if self.bias else outputs, axis=1)

    def get_config(self):
        return dict(super().get_config(), output_dim=self.output_dim, nb_feature=self.nb_feature)


@register("layer")
class Highway(_OldDense):
    """A dense layer with a gate that lets a part of the input through unchanged.

    # Arguments
        transform_bias: the first value of the bias of the gate; 1 by default.
        init, activation, weights, W_regularizer, b_regularizer, activity_regularizer,
        W_constraint, b_constraint, bias, input_dim: as in Keras 1.

    # References
        Srivastava et al. 2015, https://arxiv.org/abs/1505.00387
    """

    def __init__(self, init="glorot_uniform", activation=None, weights=None, W_regularizer=None,
                 b_regularizer=None, activity_regularizer=None, W_constraint=None,
                 b_constraint=None, bias=True, input_dim=None, transform_bias=None, **kwargs):
        super().__init__(init, weights, W_regularizer, b_regularizer, activity_regularizer,
                         W_constraint, b_constraint, bias, input_dim, **kwargs)
        self.transform_bias = transform_bias
        self.activation = activations.get(activation)

    def build(self, input_shape):
        size = input_shape[1]
        self._add_kernel((size, size))
        self.W_carry = self.add_weight("W_carry", (size, size), initializer=self.init)
        self._add_bias((size,))
        self.b_carry = None
        if self.bias:
            first = 1.0 if self.transform_bias is None else self.transform_bias
            self.b_carry = self.add_weight("b_carry", (size,),
                                           initializer=initializers.Constant(first))
        self.input_spec = InputSpec(ndim=2, axes={1: size})
        self.built = True

    def call(self, x):
        gate, new = K.dot(x, self.W_carry), K.dot(x, self.W)
        if self.bias:
            gate, new = gate + self.b_carry, new + self.b
        gate = K.sigmoid(gate)
        return self.activation(new) * gate + (1 - gate) * x

    def get_config(self):
        config = dict(super().get_config(), activation=activations.serialize(self.activation))
        return config if self.transform_bias is None \
            else dict(config, transform_bias=self.transform_bias)


class _Step:
    """The step of a `Recurrent` layer as a cell."""

    def __init__(self, layer):
        self.layer = layer

    @property
    def state_size(self):
        units = self.layer.units
        return [getattr(self.layer, "output_dim", None) if units is None else units] * len(
            self.layer._states or [None])

    def call(self, inputs, states, constants=()):
        return self.layer.step(inputs, list(states) + list(constants))


class Recurrent(RNN):
    """The base of recurrent layers as programs for Keras 2.0 derive them.

    A subclass sets `units`, makes its weights and `self.states = [None, ...]`, one for each state,
    in `build`, and says in `step(inputs, states)` the output and the new states of a step.
    `preprocess_input` may change the whole sequence before, and `get_constants` may give tensors
    that come after the states in each step.

    # Arguments
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        implementation, consume_less: for the subclass to read.
    """

    units = None        # a subclass of Keras 1 sets output_dim in its place

    def __init__(self, return_sequences=False, return_state=False, go_backwards=False,
                 stateful=False, unroll=False, implementation=0, consume_less=None, **kwargs):
        super().__init__(_Step(self), return_sequences, return_state, go_backwards, stateful,
                         unroll, **kwargs)
        self.implementation = implementation
        self.consume_less = consume_less

    def build(self, input_shape):
        """For subclasses: makes the weights."""
        self.built = True

    @renames.accepts("Recurrent")
    def step(self, inputs, states):
        """(output, new states) of a step; `states` ends with the constants."""
        raise NotImplementedError("[Recurrent] %s must define step(inputs, states)."
                                  % type(self).__name__)

    @renames.accepts("Recurrent")
    def get_constants(self, inputs, training=None):
        """Tensors that each step gets."""
        return []

    @renames.accepts("Recurrent")
    def preprocess_input(self, inputs, training=None):
        """The sequence that the steps get."""
        return inputs

    @renames.accepts("Recurrent")
    def get_initial_states(self, inputs):
        """The states to begin with, where none are given."""
        return self.get_initial_state(inputs)

    def _first_states(self, inputs, initial_state):
        if initial_state is None and not self.stateful:
            initial_state = self.get_initial_states(inputs)
        return super()._first_states(inputs, initial_state)

    def _run(self, inputs, states, mask, training, constants):
        constants = self.get_constants(inputs)
        inputs = self.preprocess_input(inputs)
        return super()._run(inputs, states, mask, training, constants)

    def get_config(self):
        config = Layer.get_config(self)
        return dict(config, return_sequences=self.return_sequences,
                    return_state=self.return_state, go_backwards=self.go_backwards,
                    stateful=self.stateful, unroll=self.unroll,
                    implementation=self.implementation)
