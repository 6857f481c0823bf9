"""CuDNNGRU and CuDNNLSTM: GRU and LSTM with weights in the layout of cuDNN.

They run on the same kernels as `GRU` and `LSTM`; the names are for models and files that have
them. Weights of a file of plain layers are converted when they are loaded, and the reverse.
"""
from .. import backend as K
from ..engine import InputSpec
from ..registry import register
from .cudnn_layout import is_cudnn, to_cudnn
from .parametric import Parametric
from .recurrent_cells import GRUCell, LSTMCell
from .rnn import RNN

__all__ = ["CuDNNGRU", "CuDNNLSTM", "InputSpec", "RNN"]


class _CuDNN(RNN, Parametric):
    """A recurrent layer that gives a cell its weights at each call.

    The kernel of each gate is stored as its matrix (units, features) would be, row by row, in an
    array of shape (features, units); that of the state is transposed. The bias has a part for
    the input and one for the state.
    """

    cell_class = None
    cell_options = {}

    def __init__(self, units, return_sequences, return_state, stateful, go_backwards=False,
                 unroll=False, **kwargs):
        options = kwargs.pop("options")
        cell = self.cell_class(units, dtype=kwargs.get("dtype"), **self.cell_options)
        cell.built = True       # its weights are this layer's
        super().__init__(cell, return_sequences, return_state, go_backwards, stateful, unroll,
                         **kwargs)
        self.units = cell.units
        self._keep(**options)

    @property
    def cell(self):
        """The cell that runs with the layer's weights."""
        return self._cell

    @cell.setter
    def cell(self, cell):
        self._cell = cell

    def build(self, input_shape):
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        columns = self.units * self.cell.gates
        self.kernel = self._add("kernel", (shape[-1], columns))
        self.recurrent_kernel = self._add("recurrent", (self.units, columns), "recurrent_kernel")
        self.bias = self._add("bias", (2 * columns,))
        super().build(input_shape)

    def call(self, inputs, mask=None, training=None, initial_state=None):
        self.cell.kernel = self._joined(self.kernel, lambda part: K.transpose(
            K.reshape(part, part.shape[::-1])))
        self.cell.recurrent_kernel = self._joined(self.recurrent_kernel, K.transpose)
        self.cell.bias = self._cell_bias()
        return super().call(inputs, mask, training, initial_state)

    def adapt_weights(self, arrays):
        """Arrays of a file as this layer holds them: those of `GRU` or `LSTM` are converted."""
        return arrays if is_cudnn(arrays) else to_cudnn(arrays)

    def _joined(self, kernel, change):
        """A kernel whose parts, one for each gate, are changed."""
        return K.concatenate([change(part) for part in self.cell.blocks(kernel)], axis=-1)

    def _cell_bias(self):
        """The bias as the cell has it."""
        raise NotImplementedError

    def get_config(self):
        config = super().get_config()
        del config["cell"], config["unroll"]
        return dict(config, units=self.units)


@register("layer")
class CuDNNGRU(_CuDNN):
    """`GRU(reset_after=True)` with weights in the layout of cuDNN.

    # Arguments
        units: size of the output.
        the initializers, regularizers, constraints: as in `GRU`.
        return_sequences, return_state, stateful: as in `RNN`.
    """

    cell_class = GRUCell
    cell_options = {"reset_after": True}

    def __init__(self, units, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros",
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None,
                 bias_constraint=None, return_sequences=False, return_state=False, stateful=False,
                 **kwargs):
        super().__init__(
            units, return_sequences, return_state, stateful,
            options=dict(
                kernel_initializer=kernel_initializer,
                recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer,
                recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                activity_regularizer=activity_regularizer, kernel_constraint=kernel_constraint,
                recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint),
            **kwargs)

    def _cell_bias(self):
        return K.reshape(self.bias, (2, -1))


@register("layer")
class CuDNNLSTM(_CuDNN):
    """`LSTM` with weights in the layout of cuDNN.

    # Arguments
        units: size of the output.
        unit_forget_bias: whether the bias of the forget gate begins with 1.
        the initializers, regularizers, constraints: as in `LSTM`.
        return_sequences, return_state, stateful: as in `RNN`.
    """

    cell_class = LSTMCell

    def __init__(self, units, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, return_sequences=False,
                 return_state=False, stateful=False, **kwargs):
        super().__init__(
            units, return_sequences, return_state, stateful,
            options=dict(
                kernel_initializer=kernel_initializer,
                recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer,
                recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                activity_regularizer=activity_regularizer, kernel_constraint=kernel_constraint,
                recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint),
            **kwargs)
        self.unit_forget_bias = unit_forget_bias

    def build(self, input_shape):
        super().build(input_shape)
        if self.unit_forget_bias and K.is_variable(self.bias):
            value = K.get_value(self.bias)
            value[5 * self.units:6 * self.units] = 1    # of the state: input, forget, ...
            K.set_value(self.bias, value)

    def _cell_bias(self):
        half = self.units * self.cell.gates
        return self.bias[:half] + self.bias[half:]

    def get_config(self):
        return dict(super().get_config(), unit_forget_bias=self.unit_forget_bias)
