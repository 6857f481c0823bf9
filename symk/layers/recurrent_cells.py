"""Recurrent cells: one step of a recurrent layer. `rnn` runs them over sequences.

A cell has `call(inputs, states)`, giving the output and the new states, and `state_size`, the
size of its state or a list of sizes. They are plain expressions of K.
"""
import numpy as np

from .. import backend as K
from .. import initializers
from ..engine import Layer
from ..engine.network import layer_from_config
from ..registry import accepts, register
from ..utils.conv_utils import normalize_tuple
from ..utils.generic_utils import to_list
from .parametric import Parametric

__all__ = ["GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells", "output_size_of",
           "sizes_of"]


def sizes_of(cell):
    """The sizes of a cell's states, as a list."""
    return to_list(cell.state_size, allow_tuple=True)


def output_size_of(cell):
    """The size of a cell's output: that of its first state unless the cell says another."""
    size = getattr(cell, "output_size", None)
    return sizes_of(cell)[0] if size is None else size


class DroppingCell(Parametric):
    """A cell with dropout on its inputs and its state: the same units in all steps of a call.

    `gates` is the number of masks, one for each gate.
    """

    gates = 1

    def __init__(self, dropout, recurrent_dropout, **kwargs):
        super().__init__(**kwargs)
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.reset_dropout_masks()

    def reset_dropout_masks(self):
        """The next call draws new masks."""
        self._masks = {}

    def _dropped(self, what, values, rate, training):
        """The values for each gate; masks are drawn in the first step of a sequence."""
        if not 0 < rate < 1:
            return [values] * self.gates
        if what not in self._masks:
            ones = K.ones_like(values)
            self._masks[what] = [
                K.in_train_phase(lambda: K.dropout(ones, rate), ones, training=training)
                for _ in range(self.gates)]
        return [values * mask for mask in self._masks[what]]

    def dropped_inputs(self, inputs, training):
        return self._dropped("inputs", inputs, self.dropout, training)

    def dropped_state(self, state, training):
        return self._dropped("state", state, self.recurrent_dropout, training)

    def get_config(self):
        return dict(super().get_config(), dropout=self.dropout,
                    recurrent_dropout=self.recurrent_dropout)


class _UnitsCell(DroppingCell):
    """A cell whose states are vectors of `units`; its kernels have one block for each gate."""

    def __init__(self, units, use_bias, dropout, recurrent_dropout, **kwargs):
        super().__init__(dropout, recurrent_dropout, **kwargs)
        self.units = normalize_tuple(units, 1, "units")[0]
        self.use_bias = use_bias
        self.state_size = self.units
        self.output_size = self.units

    def _build_kernels(self, input_shape, bias_shape):
        columns = self.units * self.gates
        self.kernel = self._add("kernel", (input_shape[-1], columns))
        self.recurrent_kernel = self._add("recurrent", (self.units, columns), "recurrent_kernel",
                                          self._identities())
        self.bias = self._add("bias", bias_shape) if self.use_bias else None
        self.built = True

    def _identities(self):
        """The initializer that makes each block an identity, where that is what is asked for."""
        initializer = self.recurrent_initializer
        if not isinstance(initializer, initializers.Identity):
            return None
        return lambda shape, dtype=None: np.tile(initializer((self.units,) * 2, dtype), self.gates)

    def blocks(self, tensor):
        """The parts of a kernel, a bias or a product that belong to each gate."""
        return [tensor[..., gate * self.units:(gate + 1) * self.units]
                for gate in range(self.gates)]

    def get_config(self):
        return dict(super().get_config(), units=self.units, use_bias=self.use_bias)


def _check_implementation(cell, implementation):
    if implementation not in (1, 2):
        raise ValueError("[%s] implementation must be 1 or 2; %r was given."
                         % (type(cell).__name__, implementation))
    return implementation


@register("layer")
class SimpleRNNCell(_UnitsCell):
    """One step of `SimpleRNN`: h = activation(x . kernel + bias + h . recurrent_kernel).

    # Arguments
        units: size of output and state.
        activation, use_bias, and the initializers, regularizers, constraints: as in `Dense`.
        dropout, recurrent_dropout: the parts of inputs and state that are dropped in training.
    """

    def __init__(self, units, activation="tanh", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, kernel_constraint=None, recurrent_constraint=None,
                 bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, **kwargs):
        super().__init__(units, use_bias, dropout, recurrent_dropout, **kwargs)
        self._keep(activation=activation, kernel_initializer=kernel_initializer,
                   recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                   kernel_regularizer=kernel_regularizer,
                   recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                   kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
                   bias_constraint=bias_constraint)

    def build(self, input_shape):
        self._build_kernels(input_shape, (self.units,))

    def call(self, inputs, states, training=None):
        inputs, = self.dropped_inputs(inputs, training)
        state, = self.dropped_state(states[0], training)
        output = K.dot(inputs, self.kernel)
        if self.use_bias:
            output = K.bias_add(output, self.bias, data_format="channels_last")
        output = self.activation(output + K.dot(state, self.recurrent_kernel))
        return output, [output]


@register("layer")
class GRUCell(_UnitsCell):
    """One step of `GRU`.

    With the gates z = recurrent_activation(x . kernel_z + h . recurrent_kernel_z + bias_z), and r
    likewise, and g = activation(x . kernel_h + (r * h) . recurrent_kernel_h + bias_h), the new
    state is z * h + (1 - z) * g.

    # Arguments
        units: size of output and state.
        activation: of the new values. recurrent_activation: of the gates.
        use_bias, and the initializers, regularizers, constraints: as in `Dense`.
        dropout, recurrent_dropout: the parts of inputs and state that are dropped in training.
        implementation: 1 makes the products of each gate apart, with dropout masks of their own;
            2 makes them together.
        reset_after: whether r is applied after the product with the state, as in cuDNN; the bias
            then has a second row, for the state.
    """

    gates = 3

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, kernel_constraint=None, recurrent_constraint=None,
                 bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, implementation=2,
                 reset_after=False, **kwargs):
        super().__init__(units, use_bias, dropout, recurrent_dropout, **kwargs)
        self.implementation = _check_implementation(self, implementation)
        self.reset_after = reset_after
        self._keep(activation=activation, recurrent_activation=recurrent_activation,
                   kernel_initializer=kernel_initializer,
                   recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                   kernel_regularizer=kernel_regularizer,
                   recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                   kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
                   bias_constraint=bias_constraint)

    def build(self, input_shape):
        columns = self.units * self.gates
        self._build_kernels(input_shape, (2, columns) if self.reset_after else (columns,))

    def call(self, inputs, states, training=None):
        state = states[0]
        inputs = self.dropped_inputs(inputs, training)
        hidden = self.dropped_state(state, training)
        x_z, x_r, x_h = self._input_products(inputs)
        products, product_h = self._state_products(hidden)
        z = self.recurrent_activation(x_z + products[0])
        r = self.recurrent_activation(x_r + products[1])
        output = z * state + (1 - z) * self.activation(x_h + product_h(r))
        return output, [output]

    def _biases(self):
        """The biases of the products with the inputs and with the state; None where not."""
        if not self.use_bias:
            return None, None
        return (self.bias[0], self.bias[1]) if self.reset_after else (self.bias, None)

    def _input_products(self, inputs):
        """x . kernel + bias, for each gate."""
        if self.implementation == 1:
            products = [K.dot(x, kernel) for x, kernel in zip(inputs, self.blocks(self.kernel))]
            return _with_biases(products, self._biases()[0], self.blocks)
        product = K.dot(inputs[0], self.kernel)
        bias, _ = self._biases()
        return self.blocks(product if bias is None else product + bias)

    def _state_products(self, hidden):
        """Those of z and r with the state, and a function of r that gives that of the values."""
        kernels = self.blocks(self.recurrent_kernel)
        _, bias = self._biases()
        if self.reset_after:
            if self.implementation == 1:
                products = [K.dot(h, kernel) for h, kernel in zip(hidden, kernels)]
                products = _with_biases(products, bias, self.blocks)
            else:
                product = K.dot(hidden[0], self.recurrent_kernel)
                products = self.blocks(product if bias is None else product + bias)
            return products[:2], lambda r: r * products[2]
        if self.implementation == 1:
            return ([K.dot(h, kernel) for h, kernel in zip(hidden[:2], kernels)],
                    lambda r: K.dot(r * hidden[2], kernels[2]))
        product = K.dot(hidden[0], self.recurrent_kernel[:, :2 * self.units])
        return ([product[:, :self.units], product[:, self.units:]],
                lambda r: K.dot(r * hidden[0], kernels[2]))

    def get_config(self):
        return dict(super().get_config(), implementation=self.implementation,
                    reset_after=self.reset_after)


def _with_biases(products, bias, blocks):
    """Products of the gates, with the parts of a bias added, if there is one."""
    if bias is None:
        return products
    return [product + part for product, part in zip(products, blocks(bias))]


@register("layer")
class LSTMCell(_UnitsCell):
    """One step of `LSTM`.

    With the gates i = recurrent_activation(x . kernel_i + h . recurrent_kernel_i + bias_i), f and
    o likewise, the carry is c = f * c + i * activation(x . kernel_c + h . recurrent_kernel_c +
    bias_c), and the output h = o * activation(c).

    # Arguments
        units: size of output and states.
        activation: of the new values and of the output. recurrent_activation: of the gates.
        use_bias, and the initializers, regularizers, constraints: as in `Dense`.
        unit_forget_bias: whether the bias of f begins with 1.
        dropout, recurrent_dropout: the parts of inputs and state that are dropped in training.
        implementation: 1 makes the products of each gate apart, with dropout masks of their own;
            2 makes them together.
    """

    gates = 4

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", unit_forget_bias=True, kernel_regularizer=None,
                 recurrent_regularizer=None, bias_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, dropout=0.0,
                 recurrent_dropout=0.0, implementation=2, **kwargs):
        super().__init__(units, use_bias, dropout, recurrent_dropout, **kwargs)
        self.state_size = (self.units, self.units)
        self.unit_forget_bias = unit_forget_bias
        self.implementation = _check_implementation(self, implementation)
        self._keep(activation=activation, recurrent_activation=recurrent_activation,
                   kernel_initializer=kernel_initializer,
                   recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
                   kernel_regularizer=kernel_regularizer,
                   recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
                   kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
                   bias_constraint=bias_constraint)

    def build(self, input_shape):
        self._build_kernels(input_shape, (self.units * self.gates,))
        if self.use_bias and self.unit_forget_bias and K.is_variable(self.bias):
            begin_with_open_gates(self.bias, self.units)

    def call(self, inputs, states, training=None):
        carry = states[1]
        inputs = self.dropped_inputs(inputs, training)
        hidden = self.dropped_state(states[0], training)
        i, f, c, o = self._products(inputs, hidden)
        carry = (self.recurrent_activation(f) * carry
                 + self.recurrent_activation(i) * self.activation(c))
        output = self.recurrent_activation(o) * self.activation(carry)
        return output, [output, carry]

    def _products(self, inputs, hidden):
        """x . kernel + h . recurrent_kernel + bias, for each gate."""
        if self.implementation == 1:
            products = [K.dot(x, kernel) + K.dot(h, recurrent) for x, kernel, h, recurrent in zip(
                inputs, self.blocks(self.kernel), hidden, self.blocks(self.recurrent_kernel))]
            return _with_biases(products, self.bias, self.blocks)
        product = K.dot(inputs[0], self.kernel) + K.dot(hidden[0], self.recurrent_kernel)
        return self.blocks(product if self.bias is None else product + self.bias)

    def get_config(self):
        return dict(super().get_config(), unit_forget_bias=self.unit_forget_bias,
                    implementation=self.implementation)


def begin_with_open_gates(bias, units):
    """Sets the part of an LSTM's bias that belongs to the forget gates to 1.

    Source:   Jozefowicz et al. 2015, An Empirical Exploration of Recurrent Network Architectures.
    """
    value = K.get_value(bias)
    value[units:2 * units] = 1
    K.set_value(bias, value)


@register("layer")
class StackedRNNCells(Layer):
    """Cells one on top of the other, as one cell. Its states are those of the cells, in order.

    # Arguments
        cells: list of cells.
        reverse_state_order: whether the states of the last cell come first, as before Keras 2.2.
    """

    def __init__(self, cells, **kwargs):
        self.reverse_state_order = kwargs.pop("reverse_state_order", False)
        super().__init__(**kwargs)
        for cell in cells:
            check_cell(cell)
        self.cells = list(cells)
        for cell in self.cells:
            if isinstance(cell, Layer):
                self._track_layer(cell)

    @property
    def _in_state_order(self):
        return self.cells[::-1] if self.reverse_state_order else self.cells

    @property
    def state_size(self):
        return tuple(size for cell in self._in_state_order for size in sizes_of(cell))

    @property
    def output_size(self):
        return output_size_of(self.cells[-1])

    def reset_dropout_masks(self):
        """The next call draws new masks in all cells."""
        for cell in self.cells:
            reset_dropout_masks(cell)

    def build(self, input_shape):
        shapes = to_list(input_shape)
        input_shape, constants = shapes[0], shapes[1:]
        for cell in self.cells:
            build_cell(cell, input_shape, constants)
            size = output_size_of(cell)
            input_shape = (input_shape[0],) + to_tuple(size)
        self.built = True

    def call(self, inputs, states, constants=None, training=None, **kwargs):
        """One step; `constants`, `training` and keywords go to those cells that take them."""
        given = dict(kwargs, training=training)
        if constants is not None:
            given["constants"] = constants
        waiting, own = list(states), {}
        for cell in self._in_state_order:
            count = len(sizes_of(cell))
            own[id(cell)], waiting = waiting[:count], waiting[count:]
        new = {}
        for cell in self.cells:
            taken = {name: value for name, value in given.items() if accepts(cell.call, name)}
            inputs, new[id(cell)] = cell.call(inputs, own[id(cell)], **taken)
        return inputs, [state for cell in self._in_state_order for state in new[id(cell)]]

    def get_weights(self):
        """The values of the weights, cell by cell."""
        return [value for cell in self._sublayers for value in cell.get_weights()]

    def set_weights(self, weights):
        weights = list(weights)
        for cell in self._sublayers:
            count = cell.array_count()
            cell.set_weights(weights[:count])
            weights = weights[count:]

    def get_config(self):
        config = dict(super().get_config(), cells=[
            {"class_name": type(cell).__name__, "config": cell.get_config()}
            for cell in self.cells])
        if self.reverse_state_order:
            config["reverse_state_order"] = True
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        cells = [layer_from_config(cell, custom_objects) for cell in config.pop("cells")]
        return cls(cells, **config)


def to_tuple(size):
    """A size, or several (of a state that is an image), as a tuple."""
    return tuple(size) if isinstance(size, (tuple, list)) else (size,)


def check_cell(cell):
    """Raises ValueError for what is no cell."""
    for need in ("call", "state_size"):
        if not hasattr(cell, need):
            raise ValueError("[RNN] a cell must have `call` and `state_size`; %r has no %s."
                             % (cell, need))


def build_cell(cell, input_shape, constants):
    """Makes the weights of a cell, for shapes of its input and of constants, if it has any."""
    if isinstance(cell, Layer) and not cell.built:
        takes = constants and accepts(cell.call, "constants")
        cell.build([input_shape] + constants if takes else input_shape)
        cell.built = True


def reset_dropout_masks(cell):
    """Lets a cell that draws masks draw new ones in its next call."""
    if hasattr(cell, "reset_dropout_masks"):
        cell.reset_dropout_masks()
