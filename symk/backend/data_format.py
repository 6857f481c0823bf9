"""Tensors with the channels first or last: everything is computed with the channels last.

A tensor with the channels first is transposed around it; transpositions that meet are removed by
the optimiser.
"""
from .. import ops
from .common import normalize_data_format

__all__ = ["channels_last", "restored"]


def channels_last(x, data_format):
    """x as (batch, ..., channels), and the format that it had, checked."""
    x, data_format = ops.as_variable(x), normalize_data_format(data_format)
    if data_format == "channels_last":
        return x, data_format
    return ops.transpose(x, [0] + list(range(2, x.ndim)) + [1]), data_format


def restored(y, data_format):
    """The way back from (batch, ..., channels)."""
    if data_format == "channels_last":
        return y
    return ops.transpose(y, [0, y.ndim - 1] + list(range(1, y.ndim - 1)))
