"""Whole sequences of SimpleRNN, LSTM and GRU as ONNX's RNN, LSTM and GRU.

ONNX's ops make the products with the inputs themselves, so the product that made the operand of
symk's op is looked for. Where there is none, where times are masked, or where more of the inside is
asked for than ONNX gives, the op is written as the loop that it stands for.
"""
import numpy as np

from ...graph.node import Constant
from .table import rule

__all__ = []

_CURVES = {"linear": "Affine", "relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid",
           "hard_sigmoid": "HardSigmoid"}
_SLOPES = {"linear": (1.0, 0.0), "hard_sigmoid": (0.2, 0.5)}    # alpha and beta of those that ask


@rule("rnn_sequence")
def _rnn(w, node):
    return _sequence(w, node, "RNN", 1, "h", (0,), [node.op.activation])


@rule("lstm_sequence")
def _lstm(w, node):
    op = node.op
    curves = [op.recurrent_activation, op.activation, op.activation]
    return _sequence(w, node, "LSTM", 4, "hc", (0, 3, 1, 2), curves)   # i f c o -> i o f c


@rule("gru_sequence")
def _gru(w, node):
    op = node.op
    return _sequence(w, node, "GRU", 3, "h", (0, 1, 2), [op.recurrent_activation, op.activation],
                     bias=op.reset_after, linear_before_reset=int(op.reset_after))


def _sequence(w, node, kind, gates, states, order, curves, bias=False, **attributes):
    """One node for a sequence; NotImplemented where it has to be a loop."""
    sums, weights, *rest = node.inputs
    initial, rest = rest[:len(states)], rest[len(states):]
    inner_bias = rest.pop(0) if bias else None
    product = _product(sums)
    fixed = [weights] + ([inner_bias] if bias else [])
    if rest or product is None or not all(isinstance(v, Constant) for v in fixed):
        return NotImplemented
    if any(w.is_used(output) for output in node.outputs[1:-len(states)]):
        return NotImplemented
    x, kernel, outer_bias = product
    units = weights.shape[0]

    def by_gate(array):
        parts = np.split(array, gates, axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1)

    zeros = np.zeros(gates * units, weights.dtype)
    biases = [zeros if vector is None else vector.value for vector in (outer_bias, inner_bias)]
    operands = [w.emit("Transpose", w.name(x), perm=(1, 0, 2)),
                w.constant(by_gate(kernel.value).T[None], kernel.name),
                w.constant(by_gate(weights.value).T[None], weights.name),
                w.constant(np.concatenate(list(map(by_gate, biases)))[None], "bias"), ""]
    if not all(map(_is_zero, initial)):
        operands += [w.emit("Unsqueeze", w.name(state), w.integers(0)) for state in initial]
    made = w.emit(kind, *operands, outputs=1 + len(states), hidden_size=units,
                  direction="reverse" if node.op.reverse else "forward",
                  **_activations(curves), **attributes)
    every = w.emit("Transpose", w.emit("Squeeze", made[0], w.integers(1)), perm=(1, 0, 2))
    last = [w.emit("Squeeze", name, w.integers(0)) for name in made[1:]]
    return [every] + [None] * (len(node.outputs) - 1 - len(last)) + last


def _activations(curves):
    slopes = [_SLOPES[curve] for curve in curves if curve in _SLOPES]
    if not slopes:
        return {"activations": [_CURVES[curve] for curve in curves]}
    return {"activations": [_CURVES[curve] for curve in curves],
            "activation_alpha": [alpha for alpha, _ in slopes],
            "activation_beta": [beta for _, beta in slopes]}


def _is_zero(state):
    """Whether a state is known to be 0, with which ONNX begins by itself."""
    while state.node is not None and state.node.op.name == "broadcast_to":
        state = state.node.inputs[0]
    return isinstance(state, Constant) and not state.value.any()


def _product(sums):
    """(x, kernel, bias or None) of the product x . kernel + bias that sums are, or None."""
    bias = None
    node = _behind_reshape(sums)
    if node is not None and node.op.name == "add":
        vectors = [v for v in node.inputs if isinstance(v, Constant) and v.ndim == 1]
        if len(vectors) == 1:
            bias, = vectors
            node = _behind_reshape(*(v for v in node.inputs if v is not bias))
    if node is None or node.op.name != "matmul" or node.op.transpose_a or node.op.activation:
        return None
    x, kernel, *operands = node.inputs
    if node.op.epilogue not in ((), ("bias",)) or operands and bias is not None:
        return None
    bias = operands[0] if operands else bias
    if not isinstance(kernel, Constant) or not (bias is None or isinstance(bias, Constant)):
        return None
    if kernel.ndim != 2 or node.op.transpose_b:
        return None
    if x.ndim == 2 and x.node is not None and x.node.op.name == "reshape":
        x = x.node.inputs[0]
    return (x, kernel, bias) if x.ndim == 3 and x.shape[:2] == sums.shape[:2] else None


def _behind_reshape(variable):
    """The node that made a variable, reshapes that keep the last axis left out."""
    node = variable.node
    while (node is not None and node.op.name == "reshape"
           and node.inputs[0].shape[-1:] == node.outputs[0].shape[-1:]):
        node = node.inputs[0].node
    return node
