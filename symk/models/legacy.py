"""Weights as Keras 1 wrote them: how many arrays each layer has, and in which layout.

`modern_arrays` turns the arrays of a layer in an old file into those of the layer's weights. A
table says for each class what to do; layers that hold layers pass their arrays on. Nothing here
reads a file.
"""
import numpy as np

from ..engine.network import Network
from ..layers import Bidirectional, TimeDistributed

__all__ = ["modern_arrays", "modern_state", "old_arrays", "old_count"]

# Arrays per layer, where gates had arrays of their own.
_GATES = {"GRU": 3, "LSTM": 4, "ConvLSTM2D": 4}

# The places of the gates in the order of Keras 2, among those of Keras 1.
_GATE_ORDER = {"GRU": (0, 1, 2),            # z, r, h
               "LSTM": (0, 2, 1, 3),        # i, c, f, o -> i, f, c, o
               "ConvLSTM2D": (0, 2, 1, 3)}

_CHANNELS_FIRST = "channels_first"


def old_count(layer, joins=False):
    """How many arrays a layer has in a file of Keras 1.

    Args:     joins: whether a layer with implementation=2, which is consume_less="gpu", has one
              array for all gates, as in Keras 1.
    """
    if isinstance(layer, Network):
        return sum(old_count(part, joins) for part in layer.layers)
    if _wrapped(layer):
        return sum(old_count(part, joins) for part in _wrapped(layer))
    name = type(layer).__name__
    return len(layer.weights) if name not in _GATES or joins and _is_joined(layer) \
        else 3 * _GATES[name]


def _is_joined(layer):
    return getattr(layer, "implementation", 1) == 2


def _wrapped(layer):
    """The layers that a wrapper has inside, all with as many arrays."""
    if isinstance(layer, TimeDistributed):
        return [layer.layer]
    return [layer.forward_layer, layer.backward_layer] if isinstance(layer, Bidirectional) else []


def _converted(layer, arrays, of_network, layouts, convert):
    """A layer's arrays by a table of layouts; those of layers inside by `convert`."""
    arrays, inside = list(arrays), _wrapped(layer)
    if isinstance(layer, Network):
        return of_network(layer, arrays)
    if inside:
        share = len(arrays) // len(inside)
        return [array for place, part in enumerate(inside)
                for array in convert(part, arrays[place * share:(place + 1) * share])]
    layout = layouts.get(type(layer).__name__)
    return layout(layer, arrays) if layout is not None and arrays else arrays


def modern_arrays(layer, arrays):
    """The values of `layer.weights` from its arrays in a file of Keras 1, in the file's order."""
    return _converted(layer, arrays, _of_parts, _LAYOUTS, modern_arrays)


def old_arrays(layer, arrays):
    """The arrays that Keras 1 has for a layer from the values of its weights."""
    return _converted(layer, arrays, _to_parts, _OLD_LAYOUTS, old_arrays)


def _of_parts(network, arrays):
    """A network's: the weights that are trained, layer by layer, then the fixed ones."""
    rest = iter(arrays)
    joins = len(arrays) != old_count(network)
    parts = {}
    for part in network.layers:
        trained = old_count(part, joins) - len(part.non_trainable_weights)
        parts[part] = [next(rest) for _ in range(trained)] if part.trainable else []
    for part, taken in parts.items():
        taken += [next(rest) for _ in range(old_count(part, joins) - len(taken))]
    values = {}
    for part, taken in parts.items():
        values.update(zip(part.weights, modern_arrays(part, taken)))
    return [values[weight] for weight in network.weights]


def _to_parts(network, arrays):
    """The reverse of `_of_parts`."""
    values = dict(zip(network.weights, arrays))
    trained, fixed = [], []
    for part in network.layers:
        old = old_arrays(part, [values[weight] for weight in part.weights])
        count = len(old) - len(part.non_trainable_weights) if part.trainable else 0
        trained += old[:count]
        fixed += old[count:]
    return trained + fixed


def _conv1d(layer, arrays):
    kernel = arrays[0]
    if kernel.ndim == 4:
        if kernel.shape[:2] != (layer.kernel_size[0], 1) or kernel.shape[3] != layer.filters:
            kernel = kernel.transpose(2, 3, 1, 0)   # Keras 1.0: (filters, channels, length, 1)
        kernel = kernel[:, 0]
    return [kernel] + arrays[1:]


def _kernel_axes(channels_first, channels_last=None):
    """A conversion of the kernel that puts its axes in another order, by the layer's format."""
    def convert(layer, arrays):
        order = channels_first if layer.data_format == _CHANNELS_FIRST else channels_last
        return [arrays[0] if order is None else arrays[0].transpose(order)] + arrays[1:]
    return convert


def _joined_gates(layer, arrays):
    """Kernel, recurrent kernel and bias from those of the gates: W, U, b, W, U, b, ..."""
    name = type(layer).__name__
    if len(arrays) != 3 * _GATES[name]:
        return arrays
    order = _GATE_ORDER[name]
    joined = [np.concatenate([arrays[3 * gate + role] for gate in order], axis=-1)
              for role in range(3)]
    if name == "ConvLSTM2D" and layer.data_format == _CHANNELS_FIRST:
        per_gate = [[arrays[3 * gate + role].transpose(2, 3, 1, 0) for gate in order]
                    for role in range(2)]
        joined[:2] = [np.concatenate(gates, axis=-1) for gates in per_gate]
    return joined


_LAYOUTS = {
    "Conv1D": _conv1d,
    # channels_first: (filters, channels, rows, columns) -> (rows, columns, channels, filters)
    "Conv2D": _kernel_axes((2, 3, 1, 0)),
    # The transposed one has the axes of its channels the other way round.
    "Conv2DTranspose": _kernel_axes((2, 3, 0, 1), (0, 1, 3, 2)),
    "Conv3D": _kernel_axes((2, 3, 4, 1, 0)),
    "GRU": _joined_gates, "LSTM": _joined_gates, "ConvLSTM2D": _joined_gates}


def _old_conv1d(layer, arrays):
    return [arrays[0][:, None]] + arrays[1:]


def _single_gates(layer, arrays):
    """W, U, b of each gate from kernel, recurrent kernel and bias."""
    name = type(layer).__name__
    if _is_joined(layer) or len(arrays) != 3:
        return arrays
    count = _GATES[name]
    parts = [np.split(array, count, axis=-1) for array in arrays]
    if name == "ConvLSTM2D" and layer.data_format == _CHANNELS_FIRST:
        parts[:2] = [[gate.transpose(3, 2, 0, 1) for gate in role] for role in parts[:2]]
    places = [_GATE_ORDER[name].index(gate) for gate in range(count)]
    return [role[place] for place in places for role in parts]


_OLD_LAYOUTS = {
    "Conv1D": _old_conv1d,
    "Conv2D": _kernel_axes((3, 2, 0, 1)),
    "Conv2DTranspose": _kernel_axes((2, 3, 0, 1), (0, 1, 3, 2)),
    "Conv3D": _kernel_axes((4, 3, 0, 1, 2)),
    "GRU": _single_gates, "LSTM": _single_gates, "ConvLSTM2D": _single_gates}


def modern_state(layers_and_names, arrays):
    """The state of an optimizer from a file of Keras 1, which sorts it by the names of weights.

    Args:     layers_and_names: (layer, names of its arrays in the file), in the model's order.
              arrays: the number of steps, then groups of one array for each trained weight.
    Returns:  the same for the weights of Keras 2; None if the arrays are no such groups.
    """
    trained = {layer: names[:old_count(layer) - len(layer.non_trainable_weights)]
               for layer, names in layers_and_names if layer.trainable_weights}
    order = sorted(name for names in trained.values() for name in names)
    if not order or (len(arrays) - 1) % len(order):
        return None
    state = [arrays[0]]
    for first in range(1, len(arrays), len(order)):
        group = dict(zip(order, arrays[first:first + len(order)]))
        for layer, names in trained.items():
            values = [group[name] for name in names]
            fixed = [np.zeros(weight.shape) for weight in layer.non_trainable_weights]
            state += modern_arrays(layer, values + fixed)[:len(layer.trainable_weights)]
    return state
