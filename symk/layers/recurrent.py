"""Recurrent layers: SimpleRNN, GRU and LSTM. The cells and `RNN` are in files of their own."""
import inspect
import warnings

from .. import backend as K
from .. import regularizers
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.generic_utils import to_list
from .cudnn_layout import from_cudnn, is_cudnn
from .legacy import Recurrent
from .recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from .rnn import RNN

__all__ = ["GRU", "GRUCell", "InputSpec", "LSTM", "LSTMCell", "Layer", "RNN", "Recurrent",
           "SimpleRNN", "SimpleRNNCell", "StackedRNNCells"]


class CellLayer(RNN):
    """A layer over a cell of its own, whose arguments are the layer's too."""

    cell_class = None

    def __init_subclass__(cls, **kwargs):
        """The arguments of the cell become properties of the layer."""
        super().__init_subclass__(**kwargs)
        for name in _arguments(cls.cell_class):
            if not hasattr(cls, name):
                setattr(cls, name, _of_cell(name))

    def __init__(self, activity_regularizer=None, return_sequences=False, return_state=False,
                 go_backwards=False, stateful=False, unroll=False, cell=None, **kwargs):
        cell = self.cell_class(dtype=kwargs.get("dtype") or kwargs.get("input_dtype"), **cell)
        super().__init__(cell, return_sequences, return_state, go_backwards, stateful, unroll,
                         **kwargs)
        self.activity_regularizer = regularizers.get(activity_regularizer)

    def build(self, input_shape):
        shape = to_list(input_shape)[0]
        axis = 2 if getattr(self.cell, "data_format", None) == "channels_first" else -1
        if shape[axis] is None:
            raise ValueError('in layer "%s" (%s): [build] the number of features must be known; '
                             "the input has the shape %s, its axis %d is unknown."
                             % (self.name, type(self).__name__, shape, axis))
        super().build(input_shape)

    # ---- as in Keras 1; a subclass may have a step of its own

    def step(self, x, states):
        """(output, new states) of a step."""
        return self.cell.call(x, list(states))

    def get_constants(self, x):
        """Tensors that each step gets after the states; the cell needs none."""
        return []

    def preprocess_input(self, x):
        """The sequence that the steps get."""
        return x

    def _run(self, inputs, states, mask, training, constants):
        """As all recurrent layers; by `step` if a subclass has its own."""
        if type(self).step is CellLayer.step:
            return super()._run(inputs, states, mask, training, constants)
        constants = list(constants or []) + list(self.get_constants(inputs))
        return K.rnn(self.step, self.preprocess_input(inputs), states,
                     go_backwards=self.go_backwards, mask=mask, constants=constants,
                     unroll=self.unroll, input_length=K.int_shape(inputs)[1])

    def adapt_weights(self, arrays):
        """Arrays of a file as this layer holds them: those in cuDNN's layout are converted."""
        fits = len(arrays) == 3 and arrays[-1].shape != self.cell.bias.shape
        return from_cudnn(arrays) if fits and is_cudnn(arrays) else arrays

    def get_config(self):
        config = super().get_config()
        cell = config.pop("cell")["config"]
        return dict({name: cell[name] for name in _arguments(self.cell_class)}, **dict(
            config, activity_regularizer=regularizers.serialize(self.activity_regularizer)))


def _arguments(cell_class):
    """The names of the arguments of a cell's class."""
    parameters = inspect.signature(cell_class.__init__).parameters.values()
    return [parameter.name for parameter in list(parameters)[1:]
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]


def _of_cell(name):
    return property(lambda layer: getattr(layer.cell, name), doc="`%s` of the cell." % name)


@register("layer")
class SimpleRNN(CellLayer):
    """The fully connected recurrent layer: the output of a step is input of the next.

    # Arguments
        units: size of the output.
        activation: name or function.
        use_bias, and the initializers, regularizers, constraints: as in `Dense`; those of the
            state's kernel are called "recurrent".
        dropout, recurrent_dropout: the parts of inputs and state that are dropped in training.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
    """

    cell_class = SimpleRNNCell

    def __init__(self, units, activation="tanh", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, dropout=0.0,
                 recurrent_dropout=0.0, return_sequences=False, return_state=False,
                 go_backwards=False, stateful=False, unroll=False, **kwargs):
        if kwargs.pop("implementation", None) is not None:
            warnings.warn("[SimpleRNN] there is one implementation; the argument is not needed.",
                          stacklevel=3)
        super().__init__(
            activity_regularizer, return_sequences, return_state, go_backwards, stateful, unroll,
            cell=dict(
                units=units, activation=activation, use_bias=use_bias,
                kernel_initializer=kernel_initializer,
                recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer,
                recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
                bias_constraint=bias_constraint, dropout=dropout,
                recurrent_dropout=recurrent_dropout),
            **kwargs)


@register("layer")
class GRU(CellLayer):
    """Gated recurrent unit.

    # Arguments
        units: size of the output.
        activation: of the new values. recurrent_activation: of the gates.
        use_bias, and the initializers, regularizers, constraints: as in `Dense`; those of the
            state's kernel are called "recurrent".
        dropout, recurrent_dropout: the parts of inputs and state that are dropped in training.
        implementation: 1 makes the products of each gate apart, with dropout masks of their own;
            2 makes them together.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        reset_after: whether the reset gate is applied after the product with the state, as in
            cuDNN; the bias then has a second row, for the state.

    # References
        Cho et al. 2014, https://arxiv.org/abs/1406.1078 (version 3: `reset_after=False`)
        Gal & Ghahramani 2015, https://arxiv.org/abs/1512.05287 (the dropout)
    """

    cell_class = GRUCell

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, dropout=0.0,
                 recurrent_dropout=0.0, implementation=2, return_sequences=False,
                 return_state=False, go_backwards=False, stateful=False, unroll=False,
                 reset_after=False, **kwargs):
        super().__init__(
            activity_regularizer, return_sequences, return_state, go_backwards, stateful, unroll,
            cell=dict(
                units=units, activation=activation, recurrent_activation=recurrent_activation,
                use_bias=use_bias, kernel_initializer=kernel_initializer,
                recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer,
                recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
                bias_constraint=bias_constraint, dropout=dropout,
                recurrent_dropout=recurrent_dropout, implementation=implementation,
                reset_after=reset_after),
            **kwargs)


@register("layer")
class LSTM(CellLayer):
    """Long short-term memory.

    # Arguments
        units: size of the output.
        activation: of the new values and of the output. recurrent_activation: of the gates.
        use_bias, and the initializers, regularizers, constraints: as in `Dense`; those of the
            state's kernel are called "recurrent".
        unit_forget_bias: whether the bias of the forget gate begins with 1.
        dropout, recurrent_dropout: the parts of inputs and state that are dropped in training.
        implementation: 1 makes the products of each gate apart, with dropout masks of their own;
            2 makes them together.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.

    # References
        Hochreiter & Schmidhuber 1997, Long Short-Term Memory.
        Gers et al. 1999, Learning to Forget.
        Gal & Ghahramani 2015, https://arxiv.org/abs/1512.05287 (the dropout)
    """

    cell_class = LSTMCell

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", unit_forget_bias=True, kernel_regularizer=None,
                 recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, implementation=2, return_sequences=False,
                 return_state=False, go_backwards=False, stateful=False, unroll=False, **kwargs):
        super().__init__(
            activity_regularizer, return_sequences, return_state, go_backwards, stateful, unroll,
            cell=dict(
                units=units, activation=activation, recurrent_activation=recurrent_activation,
                use_bias=use_bias, kernel_initializer=kernel_initializer,
                recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                unit_forget_bias=unit_forget_bias, kernel_regularizer=kernel_regularizer,
                recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
                bias_constraint=bias_constraint, dropout=dropout,
                recurrent_dropout=recurrent_dropout, implementation=implementation),
            **kwargs)
