"""SimpleRNN, GRU and LSTM over whole sequences by the kernels of `symk/ops/recurrent.py`.

The products with the inputs are made for all times at once. What a kernel does not know, such as
another activation or dropout of the state, is left to `K.rnn`, which runs the cell step by step.
"""
from .. import activations, ops
from .. import backend as K
from ..graph import dims
from ..ops.recurrent import CURVES
from .recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell

__all__ = ["by_kernel", "curve_of"]

_CURVES = {getattr(activations, name): name for name in CURVES}


def curve_of(activation):
    """The name by which the kernels know an activation, or None."""
    return _CURVES.get(activation)


def by_kernel(cell, inputs, states, mask, go_backwards, training):
    """What `K.rnn` gives for a cell: the last output, all outputs, the last states.

    Returns:  None where no kernel does what the cell does.
    """
    run = _RUNS.get(type(cell))
    if run is None or 0 < cell.recurrent_dropout < 1:
        return None
    curves = [curve_of(getattr(cell, name)) for name in ("activation", "recurrent_activation")
              if hasattr(cell, name)]
    if None in curves:
        return None
    mask = None if mask is None else K.cast(mask, "bool")
    every, *states_after = run(cell, _products(cell, inputs, training), list(states), *curves,
                               mask=mask, reverse=go_backwards)
    last = states_after[0]
    if not _are_zeros(states[0]):
        last, every = _zeros_before_the_first(last, every, mask, go_backwards)
    return last, ops.flip(every, 1) if go_backwards else every, states_after


def _products(cell, inputs, training):
    """inputs . kernel + bias, for all times and gates."""
    if not 0 < cell.dropout < 1:
        product = K.dot(inputs, cell.kernel)
    else:
        ones = ops.full((inputs.shape[0], inputs.shape[2]), 1, K.dtype(inputs))
        dropped = [inputs * K.expand_dims(mask, 1)
                   for mask in cell.dropped_inputs(ones, training)]
        if getattr(cell, "implementation", 2) == 1:
            product = K.concatenate([K.dot(x, kernel) for x, kernel
                                     in zip(dropped, cell.blocks(cell.kernel))])
        else:
            product = K.dot(dropped[0], cell.kernel)
    if not cell.use_bias:
        return product
    return product + (cell.bias[0] if K.ndim(cell.bias) == 2 else cell.bias)


def _run_simple(cell, x, states, activation, **more):
    return ops.rnn_sequence(x, cell.recurrent_kernel, *states, activation=activation, **more)


def _run_lstm(cell, x, states, activation, recurrent_activation, **more):
    return ops.lstm_sequence(x, cell.recurrent_kernel, *states, activation=activation,
                             recurrent_activation=recurrent_activation, **more)


def _run_gru(cell, x, states, activation, recurrent_activation, **more):
    bias = None
    if cell.reset_after:
        zeros = ops.full((3 * cell.units,), 0, K.dtype(cell.recurrent_kernel))
        bias = cell.bias[1] if cell.use_bias else zeros
    return ops.gru_sequence(x, cell.recurrent_kernel, *states, bias=bias, activation=activation,
                            recurrent_activation=recurrent_activation, **more)


_RUNS = {SimpleRNNCell: _run_simple, LSTMCell: _run_lstm, GRUCell: _run_gru}


def _are_zeros(state):
    """Whether a state is known to be 0, as the states are with which a sequence begins."""
    while state.node is not None and state.node.op.name == "broadcast_to":
        state = state.node.inputs[0]
    value = getattr(state, "value", None)
    return value is not None and not value.any()


def _zeros_before_the_first(last, every, mask, go_backwards):
    """The outputs, 0 where no time has been shown yet: there the states are not outputs."""
    if mask is not None:
        seen = ops.cumsum(K.cast(mask, "int32"), axis=1, reverse=go_backwards)
        every = ops.where(K.expand_dims(ops.greater(seen, 0), 2), every, 0.0)
        return ops.where(ops.any(mask, 1, keepdims=True), last, 0.0), every
    if isinstance(every.shape[1], dims.Dim):
        last = ops.where(ops.greater(ops.size_of(every.shape[1]), 0), last, 0.0)
    return last, every
