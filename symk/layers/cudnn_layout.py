"""The layout of weights in cuDNN's layers, from and to that of `GRU(reset_after=True)` and `LSTM`.

The kernel of each gate is stored as its matrix (units, features) would be, row by row, in an array
of shape (features, units); that of the state is transposed. The bias is one vector: a part for the
input, then one for the state.
"""
import numpy as np

__all__ = ["from_cudnn", "is_cudnn", "to_cudnn"]


def is_cudnn(weights):
    """Whether weights of a recurrent layer, with a bias, are in the layout of cuDNN."""
    _, recurrent, bias = weights
    return (recurrent.ndim == 2 and _gates(recurrent) in (3, 4)
            and bias.shape == (2 * recurrent.shape[1],))


def from_cudnn(weights):
    """Weights of `GRU(reset_after=True)` or `LSTM` from those of a layer of cuDNN."""
    kernel, recurrent, bias = weights
    gates = _gates(recurrent)
    kernel = _changed(kernel, gates, lambda part: part.reshape(part.shape[::-1]).T)
    recurrent = _changed(recurrent, gates, np.transpose)
    bias = bias.reshape(2, -1)
    return [kernel, recurrent, bias if gates == 3 else bias.sum(axis=0)]


def to_cudnn(weights):
    """Weights of a layer of cuDNN from those of `GRU(reset_after=True)` or `LSTM`."""
    kernel, recurrent, bias = weights
    gates = _gates(recurrent)
    kernel = _changed(kernel, gates, lambda part: part.T.reshape(part.shape))
    recurrent = _changed(recurrent, gates, np.transpose)
    return [kernel, recurrent, bias.reshape(-1) if gates == 3 else np.tile(bias / 2, 2)]


def _gates(recurrent):
    return recurrent.shape[1] // recurrent.shape[0]


def _changed(kernel, gates, change):
    """A kernel whose parts, one for each gate, are changed."""
    return np.concatenate([change(part) for part in np.split(kernel, gates, axis=1)], axis=1)
