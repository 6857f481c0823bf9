"""Recurrent layers whose inputs and states are images: ConvRNN2D and ConvLSTM2D."""
from .. import backend as K
from .. import ops
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.conv_utils import conv_output_length, normalize_tuple
from .legacy import Recurrent
from .recurrent import CellLayer
from .recurrent_cells import DroppingCell, begin_with_open_gates, output_size_of, sizes_of
from .recurrent_kernels import curve_of
from .rnn import RNN

__all__ = ["ConvLSTM2D", "ConvLSTM2DCell", "ConvRNN2D", "ConvRecurrent2D", "InputSpec", "Layer",
           "RNN", "Recurrent"]


def image_shape(convolution, input_shape, channels):
    """The shape of an image that a convolution makes of a step of sequences of this shape."""
    first = convolution.data_format == "channels_first"
    sizes = input_shape[3:5] if first else input_shape[2:4]
    sizes = tuple(conv_output_length(size, window, convolution.padding, stride, rate)
                  for size, window, stride, rate in zip(
                      sizes, convolution.kernel_size, convolution.strides,
                      convolution.dilation_rate))
    return input_shape[:1] + ((channels,) + sizes if first else sizes + (channels,))


class ConvRNN2D(RNN):
    """Runs a cell of images over the steps of sequences.

    # Arguments
        cell: as in `RNN`, with `filters`, `kernel_size`, `strides`, `padding`, `dilation_rate`
            and `data_format`, which say the size of its states; `state_size` is in channels.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`.
        unroll: must be False.

    # Input shape
        `(batch, steps, rows, columns, channels)`, or `(batch, steps, channels, rows, columns)`.
    """

    input_ndim = 5

    def __init__(self, cell, return_sequences=False, return_state=False, go_backwards=False,
                 stateful=False, unroll=False, **kwargs):
        if unroll:
            raise TypeError("[ConvRNN2D] unroll must be False; True was given.")
        if isinstance(cell, (list, tuple)):
            raise TypeError("[ConvRNN2D] one cell is required; a list of %d was given."
                            % len(cell))
        super().__init__(cell, return_sequences, return_state, go_backwards, stateful, unroll,
                         **kwargs)

    def state_shapes(self, input_shape):
        return [image_shape(self.cell, input_shape, size) for size in sizes_of(self.cell)]

    def state_spec(self, size):
        axis = 1 if self.cell.data_format == "channels_first" else 3
        return InputSpec(ndim=4, axes={axis: size})

    def output_shape_of(self, input_shape):
        return image_shape(self.cell, input_shape, output_size_of(self.cell))


@register("layer")
class ConvLSTM2DCell(DroppingCell):
    """One step of `ConvLSTM2D`: `LSTMCell` with convolutions in place of products.

    # Arguments
        filters, kernel_size, strides, padding, data_format, dilation_rate: as in `Conv2D`; the
            state is convolved with padding "same" and strides of 1.
        activation: of the new values and of the output. recurrent_activation: of the gates.
        use_bias, and the initializers, regularizers, constraints: as in `Dense`.
        unit_forget_bias: whether the bias of the forget gate begins with 1.
        dropout, recurrent_dropout: the parts of inputs and state that are dropped in training.
    """

    gates = 4

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None,
                 dilation_rate=(1, 1), activation="tanh", recurrent_activation="hard_sigmoid",
                 use_bias=True, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, kernel_constraint=None, recurrent_constraint=None,
                 bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, **kwargs):
        super().__init__(dropout, recurrent_dropout, **kwargs)
        self.filters = normalize_tuple(filters, 1, "filters")[0]
        self.kernel_size = normalize_tuple(kernel_size, 2, "kernel_size")
        self.strides = normalize_tuple(strides, 2, "strides")
        self.padding = K.normalize_padding(padding)
        self.data_format = K.normalize_data_format(data_format)
        self.dilation_rate = normalize_tuple(dilation_rate, 2, "dilation_rate")
        self.use_bias = use_bias
        self.unit_forget_bias = unit_forget_bias
        self.state_size = (self.filters, self.filters)
        self._keep(activation=activation, recurrent_activation=recurrent_activation,
                   kernel_initializer=kernel_initializer,
                   recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                   kernel_regularizer=kernel_regularizer,
                   recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                   kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
                   bias_constraint=bias_constraint)

    def build(self, input_shape):
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        columns = self.filters * self.gates
        self.kernel_shape = self.kernel_size + (channels, columns)
        self.kernel = self._add("kernel", self.kernel_shape)
        self.recurrent_kernel = self._add("recurrent", self.kernel_size + (self.filters, columns),
                                          "recurrent_kernel")
        self.bias = self._add("bias", (columns,)) if self.use_bias else None
        if self.use_bias and self.unit_forget_bias and K.is_variable(self.bias):
            begin_with_open_gates(self.bias, self.filters)
        self.built = True

    def call(self, inputs, states, training=None):
        carry = states[1]
        inputs = self.dropped_inputs(inputs, training)
        hidden = self.dropped_state(states[0], training)
        curves = self._curves(inputs + hidden)
        if curves is not None:
            # The bias joins the product that is made in the step, as that of the inputs is made
            # for all steps at once, before them.
            sums = self.recurrent_conv(hidden[0], self.recurrent_kernel)
            sums = sums if self.bias is None else K.bias_add(sums, self.bias, self.data_format)
            output, carry = ops.lstm_cell(
                self.input_conv(inputs[0], self.kernel, padding=self.padding), sums, carry,
                *curves)
            return output, [output, carry]
        products = zip(self._convolved(self.input_conv, inputs, self.kernel, self.bias),
                       self._convolved(self.recurrent_conv, hidden, self.recurrent_kernel))
        i, f, c, o = [x + h for x, h in products]
        carry = (self.recurrent_activation(f) * carry
                 + self.recurrent_activation(i) * self.activation(c))
        output = self.recurrent_activation(o) * self.activation(carry)
        return output, [output, carry]

    def _curves(self, images):
        """The names of both activations where the op of a whole step can be used, else None."""
        curves = [curve_of(self.activation), curve_of(self.recurrent_activation)]
        one_mask = all(any(one is images[gate] for gate in (0, self.gates)) for one in images)
        plain = one_mask and self.data_format == "channels_last" and None not in curves
        return curves if plain else None

    def _convolved(self, convolution, images, kernel, bias=None):
        """A convolution for each gate; as one where no gate has a dropout mask of its own."""
        given = {"padding": self.padding} if kernel is self.kernel else {}
        if all(one is images[0] for one in images):
            result = convolution(images[0], kernel, **given)
            if bias is not None:
                result = K.bias_add(result, bias, data_format=self.data_format)
            return self._blocks(result, 1 if self.data_format == "channels_first" else 3)
        results = [convolution(one, part, **given)
                   for one, part in zip(images, self._blocks(kernel, 3))]
        if bias is None:
            return results
        return [K.bias_add(result, part, data_format=self.data_format)
                for result, part in zip(results, self._blocks(bias, 0))]

    def _blocks(self, tensor, axis):
        """The parts along an axis that belong to each gate."""
        before = (slice(None),) * axis
        return [tensor[before + (slice(gate * self.filters, (gate + 1) * self.filters),)]
                for gate in range(self.gates)]

    def input_conv(self, x, w, b=None, padding="valid"):
        """The convolution of the input."""
        outputs = K.conv2d(x, w, strides=self.strides, padding=padding,
                           data_format=self.data_format, dilation_rate=self.dilation_rate)
        return outputs if b is None else K.bias_add(outputs, b, data_format=self.data_format)

    def recurrent_conv(self, x, w):
        """The convolution of the state, which keeps its size."""
        return K.conv2d(x, w, strides=(1, 1), padding="same", data_format=self.data_format)

    def get_config(self):
        return dict(super().get_config(), filters=self.filters, kernel_size=self.kernel_size,
                    strides=self.strides, padding=self.padding, data_format=self.data_format,
                    dilation_rate=self.dilation_rate, use_bias=self.use_bias,
                    unit_forget_bias=self.unit_forget_bias)


@register("layer")
class ConvLSTM2D(CellLayer, ConvRNN2D):
    """LSTM of images: convolutions in place of products.

    # Arguments
        filters, kernel_size, strides, padding, data_format, dilation_rate: as in `Conv2D`.
        activation: of the new values and of the output. recurrent_activation: of the gates.
        use_bias, and the initializers, regularizers, constraints: as in `Dense`; those of the
            state's kernel are called "recurrent".
        unit_forget_bias: whether the bias of the forget gate begins with 1.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`.
        dropout, recurrent_dropout: the parts of inputs and state that are dropped in training.

    # Input shape
        `(batch, steps, rows, columns, channels)`, or `(batch, steps, channels, rows, columns)`.

    # Output shape
        The same with `filters` channels and the sizes of a convolution; without the steps if
        `return_sequences` is False.

    # References
        Shi et al. 2015, https://arxiv.org/abs/1506.04214 (here without the products of the carry
        with the gates)
    """

    cell_class = ConvLSTM2DCell

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None,
                 dilation_rate=(1, 1), activation="tanh", recurrent_activation="hard_sigmoid",
                 use_bias=True, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, return_sequences=False,
                 go_backwards=False, stateful=False, dropout=0.0, recurrent_dropout=0.0,
                 **kwargs):
        super().__init__(
            activity_regularizer, return_sequences, go_backwards=go_backwards, stateful=stateful,
            cell=dict(
                filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
                data_format=data_format, dilation_rate=dilation_rate, activation=activation,
                recurrent_activation=recurrent_activation, use_bias=use_bias,
                kernel_initializer=kernel_initializer,
                recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                unit_forget_bias=unit_forget_bias, kernel_regularizer=kernel_regularizer,
                recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
                bias_constraint=bias_constraint, dropout=dropout,
                recurrent_dropout=recurrent_dropout),
            **kwargs)

    def conv_step(self, x, W, b=None, border_mode="valid"):
        """The convolution of the input, as Keras 1 names it."""
        return self.cell.input_conv(x, W, b, padding=border_mode)

    def conv_step_hidden(self, x, W, border_mode="same"):
        """The convolution of the state, as Keras 1 names it; the state keeps its size."""
        if border_mode != "same":
            raise ValueError('[conv_step_hidden] border_mode must be "same"; %r was given.'
                             % (border_mode,))
        return self.cell.recurrent_conv(x, W)



class ConvRecurrent2D(Recurrent):
    """The base of recurrent layers of images. A subclass defines `step`, as in `Recurrent`.

    # Arguments
        filters, kernel_size, strides, padding, data_format, dilation_rate: as in `Conv2D`.
        return_sequences, go_backwards, stateful: as in `RNN`.
    """

    input_ndim = 5

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None,
                 dilation_rate=(1, 1), return_sequences=False, go_backwards=False, stateful=False,
                 **kwargs):
        super().__init__(return_sequences, go_backwards=go_backwards, stateful=stateful, **kwargs)
        self.filters = normalize_tuple(filters, 1, "filters")[0]
        self.units = self.filters
        self.kernel_size = normalize_tuple(kernel_size, 2, "kernel_size")
        self.strides = normalize_tuple(strides, 2, "strides")
        self.padding = K.normalize_padding(padding)
        self.data_format = K.normalize_data_format(data_format)
        self.dilation_rate = normalize_tuple(dilation_rate, 2, "dilation_rate")

    def state_shapes(self, input_shape):
        return [image_shape(self, input_shape, self.filters) for _ in self.cell.state_size]

    def output_shape_of(self, input_shape):
        return image_shape(self, input_shape, self.filters)

    def state_spec(self, size):
        return InputSpec(ndim=4)

    def get_config(self):
        return dict(super().get_config(), filters=self.filters, kernel_size=self.kernel_size,
                    strides=self.strides, padding=self.padding, data_format=self.data_format,
                    dilation_rate=self.dilation_rate)
