"""RNN: any recurrent cell over the steps of sequences."""
import numpy as np

from .. import backend as K
from .. import ops, renames
from ..engine import InputSpec, Layer
from ..engine.edges import check_inputs
from ..engine.network import layer_from_config
from ..registry import accepts, register
from ..utils.generic_utils import to_list
from .parametric import with_sequence_shape
from .recurrent_cells import (StackedRNNCells, build_cell, check_cell, output_size_of,
                              reset_dropout_masks, sizes_of, to_tuple)
from .recurrent_kernels import by_kernel

__all__ = ["RNN", "call_with_states", "standardize_args"]


def standardize_args(inputs, initial_state, constants, num_constants):
    """(inputs, initial state, constants) of a call; the last two are lists or None.

    All three may come as one list: the input, the states, and the last `num_constants` tensors.
    """
    if isinstance(inputs, (list, tuple)):
        if initial_state is not None or constants is not None:
            raise ValueError("[RNN] a list of inputs holds the initial state and the constants; "
                             "these were given as arguments too.")
        rest = list(inputs[1:])
        inputs = inputs[0]
        if num_constants:
            constants, rest = rest[-num_constants:], rest[:-num_constants]
        initial_state = rest
    return inputs, _listed(initial_state), _listed(constants)


def call_with_states(layer, call, inputs, initial_state, constants, arguments):
    """Calls a layer with states and constants; those made by layers are inputs of the call.

    Args:     call: the call of its base class. arguments: the other keyword arguments.
    """
    inputs, initial_state, constants = standardize_args(inputs, initial_state, constants,
                                                        layer._num_constants)
    if constants is not None:
        layer._num_constants = len(constants)
    more = (initial_state or []) + (constants or [])
    if not more:
        return call(inputs, **arguments)
    kinds = {K.is_keras_tensor(tensor) for tensor in more}
    if len(kinds) > 1:
        raise ValueError('in layer "%s" (%s): [call] initial states and constants must all be '
                         "made by layers, or none of them." % (layer.name, type(layer).__name__))
    if kinds.pop():
        return call([inputs] + more, **arguments)
    return call(inputs, initial_state=initial_state, constants=constants, **arguments)


def _listed(tensors):
    return to_list(tensors, allow_tuple=True) or None if tensors is not None else None


@register("layer")
class RNN(Layer):
    """Runs a cell over the steps of sequences.

    # Arguments
        cell: an object with `call(inputs, states)`, which gives the output of a step and the list
            of new states, and `state_size`, a size or a list of sizes; it may have
            `output_size`, and `get_initial_state(inputs, batch_size, dtype)`. Usually a Layer. A
            list of cells is stacked.
        return_sequences: whether to return the outputs of all steps, not that of the last alone.
        return_state: whether to return the last states too, after the output.
        go_backwards: whether to begin with the last step; the outputs are then in that order.
        stateful: whether the last states are the first ones of the next batch. The batch size must
            be known (`batch_input_shape`); `reset_states` sets them to 0.
        unroll: whether to write all steps out in the graph; for short sequences of known length.
        input_dim, input_length: `input_shape`, as Keras 1 wrote it.

    # Input shape
        `(batch, steps, features)`.

    # Output shape
        `(batch, steps, units)` or `(batch, units)`, and with `return_state` the states.

    # Masking
        In steps that a mask hides, the states and the output stay what they were.

    # Initial states and constants
        `layer(x, initial_state=[...])` begins with these tensors. `layer(x, constants=[...])`
        gives tensors to each step, as the argument `constants` of the cell's call.
    """

    input_ndim = 3
    _states = None

    def __init__(self, cell, return_sequences=False, return_state=False, go_backwards=False,
                 stateful=False, unroll=False, **kwargs):
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(cell)
        super().__init__(**with_sequence_shape(kwargs))
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.supports_masking = True
        self.input_spec = [InputSpec(ndim=self.input_ndim)]
        self._num_constants = None

    # ---- states

    @property
    def states(self):
        """The variables that hold the states of a stateful layer; None before it is built."""
        return [None] * len(sizes_of(self.cell)) if self._states is None else self._states

    @states.setter
    def states(self, states):
        self._states = states

    def state_shapes(self, input_shape):
        """The shape of each state, for a shape of the input."""
        return [(input_shape[0],) + to_tuple(size) for size in sizes_of(self.cell)]

    def state_spec(self, size):
        """What is required of a state of this size."""
        return InputSpec(shape=(None,) + to_tuple(size))

    def get_initial_state(self, inputs):
        """The states to begin with, where none are given: zeros."""
        if hasattr(self.cell, "get_initial_state"):
            return _listed(self.cell.get_initial_state(inputs=inputs, batch_size=None, dtype=None))
        return [ops.full(shape, 0, K.dtype(inputs)) for shape in self.state_shapes(inputs.shape)]

    def reset_states(self, states=None):
        """Sets the states of a stateful layer.

        # Arguments
            states: an array for each state; zeros by default.
        """
        if not self.stateful:
            raise AttributeError('in layer "%s" (%s): [reset_states] a stateful layer is required.'
                                 % (self.name, type(self).__name__))
        shapes = self._known_state_shapes()
        arrays = [np.zeros(shape) for shape in shapes] if states is None else \
            [np.asarray(state) for state in to_list(states, allow_tuple=True)]
        if [array.shape for array in arrays] != shapes:
            raise ValueError('in layer "%s" (%s): [reset_states] states of the shapes %s are '
                             "required; %s were given."
                             % (self.name, type(self).__name__, shapes,
                                [array.shape for array in arrays]))
        if any(state is None for state in self.states):
            self._states = [K.variable(np.zeros(shape), self.dtype) for shape in shapes]
        K.batch_set_value(list(zip(self._states, arrays)))

    def _known_state_shapes(self):
        shape = self.input_spec[0].shape
        shapes = [(None,)] if shape is None else self.state_shapes(shape)
        if any(None in shape for shape in shapes):
            raise ValueError(
                'in layer "%s" (%s): [stateful] a known batch size is required; the input has the '
                "shape %s. Give the first layer batch_input_shape=(batch, ...), or the Input "
                "batch_shape." % (self.name, type(self).__name__, shape))
        return shapes

    # ---- shapes and masks

    def build(self, input_shape):
        shapes = to_list(input_shape)
        count = self._num_constants or 0
        input_shape, constants = tuple(shapes[0]), shapes[len(shapes) - count:]
        batch = input_shape[0] if self.stateful else None
        self.input_spec = [InputSpec(shape=(batch, None) + input_shape[2:])]
        build_cell(self.cell, (input_shape[0],) + input_shape[2:], constants)
        if self.stateful:
            self.reset_states()
        self.built = True

    def output_shape_of(self, input_shape):
        """The shape of the output of one step, for a shape of the input."""
        return input_shape[:1] + to_tuple(output_size_of(self.cell))

    def compute_output_shape(self, input_shape):
        """The shape of the output; with `return_state` a list of it and those of the states."""
        shape = tuple(to_list(input_shape)[0])
        output = self.output_shape_of(shape)
        if self.return_sequences:
            output = shape[:2] + output[1:]
        return [output] + self.state_shapes(shape) if self.return_state else output

    @renames.accepts("compute_mask")
    def compute_mask(self, inputs, mask=None):
        """The mask of the input for sequences, else none; states have none."""
        mask = to_list(mask)[0] if self.return_sequences else None
        return [mask] + [None] * len(sizes_of(self.cell)) if self.return_state else mask

    def assert_input_compatibility(self, inputs):
        """The input must be as `input_spec` says; initial states must fit the cell."""
        given = to_list(inputs)
        states = given[1:len(given) - (self._num_constants or 0)]
        check_inputs(self, inputs, self.input_spec + self._state_specs(states)
                     + [None] * (len(given) - 1 - len(states)))

    def _state_specs(self, states):
        sizes = sizes_of(self.cell)
        if states and len(states) != len(sizes):
            raise ValueError('in layer "%s" (%s): [initial_state] %d states are required, of sizes '
                             "%s; %d were given." % (self.name, type(self).__name__, len(sizes),
                                                     sizes, len(states)))
        return [self.state_spec(size) for size in sizes[:len(states)]]

    # ---- calling

    def __call__(self, inputs, initial_state=None, constants=None, **kwargs):
        """The output for sequences, beginning with states and given constants, if there are any."""
        return call_with_states(self, super().__call__, inputs, initial_state, constants, kwargs)

    @renames.accepts("Layer.call")
    def call(self, inputs, mask=None, training=None, initial_state=None, constants=None):
        """The output; `inputs` may be a list of the input, the initial states, the constants."""
        tensor = to_list(inputs)[0]
        if isinstance(inputs, (list, tuple)) and len(inputs) > 1:
            tensor, initial_state, constants = standardize_args(
                inputs, initial_state, constants, self._num_constants)
        states = self._first_states(tensor, _listed(initial_state))
        last, outputs, states = self._run(tensor, states, to_list(mask)[0], training,
                                          _listed(constants))
        if self.stateful:
            self.add_update([K.update(old, new) for old, new in zip(self.states, states)], inputs)
        output = outputs if self.return_sequences else last
        return [output] + list(states) if self.return_state else output

    def _first_states(self, inputs, initial_state):
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(inputs)
        self._state_specs(initial_state)
        return initial_state

    def _run(self, inputs, states, mask, training, constants):
        """What `K.rnn` gives: the last output, all outputs, the last states.

        By one kernel, if there is one that does what the cell does.
        """
        steps = K.int_shape(inputs)[1]
        if self.unroll and steps is None:
            raise ValueError('in layer "%s" (%s): [unroll] the number of steps must be known; the '
                             "input is %r. Give it in input_shape, or unroll=False."
                             % (self.name, type(self).__name__, inputs.type))
        reset_dropout_masks(self.cell)
        if not (self.unroll or constants):
            found = by_kernel(self.cell, inputs, states, mask, self.go_backwards, training)
            if found is not None:
                return found
        return K.rnn(self._step(training, len(constants or [])), inputs, states,
                     go_backwards=self.go_backwards, mask=mask, constants=constants,
                     unroll=self.unroll, input_length=steps)

    def _step(self, training, num_constants):
        """A step of the cell as a function of an input, and of states and constants."""
        given = {"training": training} if accepts(self.cell.call, "training") else {}
        if not num_constants:
            return lambda inputs, states: self.cell.call(inputs, states, **given)
        if not accepts(self.cell.call, "constants"):
            raise ValueError('in layer "%s" (%s): [constants] a cell whose call has an argument '
                             "`constants` is required; the cell is %r."
                             % (self.name, type(self).__name__, self.cell))

        def step(inputs, states):
            states, constants = list(states[:-num_constants]), list(states[-num_constants:])
            return self.cell.call(inputs, states, constants=constants, **given)
        return step

    # ---- configs

    def get_config(self):
        config = dict(super().get_config(), return_sequences=self.return_sequences,
                      return_state=self.return_state, go_backwards=self.go_backwards,
                      stateful=self.stateful, unroll=self.unroll,
                      cell={"class_name": type(self.cell).__name__,
                            "config": self.cell.get_config()})
        if self._num_constants is not None:
            config["num_constants"] = self._num_constants
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = keras_2_config(config)
        count = config.pop("num_constants", None)
        if "cell" in config:
            config["cell"] = layer_from_config(config["cell"], custom_objects)
        layer = cls(**config)
        layer._num_constants = count
        return layer


def keras_2_config(config):
    """The config of a recurrent layer as Keras 2.3 writes it, from that of other versions."""
    config = dict(config)
    for name in ("time_major", "zero_output_for_mask"):      # of tf.keras
        if config.pop(name, False):
            raise ValueError('[RNN] %s must be False in the config of "%s".'
                             % (name, config.get("name")))
    if config.get("implementation") == 0:                     # of Keras before 2.2
        config["implementation"] = 1
    return config
