"""Arguments of convolutions and pooling windows."""
import numpy as np

from ..backend.common import normalize_data_format

__all__ = ["conv_input_length", "conv_output_length", "convert_kernel", "deconv_length",
           "normalize_data_format", "normalize_padding", "normalize_padding_sizes",
           "normalize_tuple"]


def normalize_tuple(value, n, name, minimum=1):
    """A tuple of n integers from an integer or from n of them.

    Raises:   ValueError, naming the argument, for anything else or below `minimum`.
    """
    values = (value,) * n if _is_integer(value) else value
    try:
        values = tuple(values)
    except TypeError:
        values = ()
    if len(values) != n or not all(_is_integer(one) and one >= minimum for one in values):
        raise ValueError("[%s] an integer or %d integers, each at least %d, are required; %r was "
                         "given." % (name, n, minimum, value))
    return tuple(int(one) for one in values)


def normalize_padding_sizes(padding, n, name):
    """((before, after), ...) for n axes, from an integer, n integers or n pairs."""
    if _is_integer(padding):
        padding = (padding,) * n
    try:
        sides = [(side, side) if _is_integer(side) else tuple(side) for side in padding]
    except TypeError:
        sides = []
    if len(sides) != n or not all(len(side) == 2 for side in sides):
        raise ValueError("[%s] an integer, %d integers or %d pairs (before, after) are required; "
                         "%r was given." % (name, n, n, padding))
    return tuple(normalize_tuple(side, 2, name, minimum=0) for side in sides)


# The sides by their names, as Keras 1 has them, for sequences, images and volumes.
_SIDES = {1: (("left_pad", "right_pad"),),
          2: (("top_pad", "bottom_pad"), ("left_pad", "right_pad")),
          3: (("dim1_pad_left", "dim1_pad_right"), ("dim2_pad_left", "dim2_pad_right"),
              ("dim3_pad_left", "dim3_pad_right"))}


def sides_of(padding, n):
    """A dict of sides, as Keras 1 takes it, as n pairs; anything else as it is."""
    if not isinstance(padding, dict):
        return padding
    names = [name for pair in _SIDES[n] for name in pair]
    unknown = sorted(set(padding) - set(names))
    if unknown:
        raise ValueError("[padding] the sides are %s; %s was given."
                         % (", ".join(names), ", ".join(map(repr, unknown))))
    return tuple(tuple(padding.get(name, 0) for name in pair) for pair in _SIDES[n])


def normalize_padding(value):
    """The name of a padding in lower case: "valid", "same" or "causal"."""
    padding = str(value).lower()
    if padding not in ("valid", "same", "causal"):
        raise ValueError("[padding] 'valid', 'same' or 'causal' is required; %r was given."
                         % (value,))
    return padding


def convert_kernel(kernel):
    """A convolution kernel between Keras on Theano and on TensorFlow: all its axes but the last
    two reversed."""
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ValueError("[convert_kernel] a kernel of 3 to 5 axes is required; one of shape %s "
                         "was given." % (kernel.shape,))
    return np.copy(kernel[(slice(None, None, -1),) * (kernel.ndim - 2)])


# ---- sizes; None is unknown

def _reach(window, dilation):
    """The distance from the first to behind the last point of a window."""
    return (window - 1) * dilation + 1


def conv_output_length(input_length, filter_size, padding, stride, dilation=1):
    """The number of outputs of a convolution along an axis."""
    reach = _reach(filter_size, dilation)
    missing = {"same": 0, "causal": 0, "valid": 1 - reach, "full": reach - 1}[padding]
    return None if input_length is None else (input_length + missing + stride - 1) // stride


def conv_input_length(output_length, filter_size, padding, stride):
    """The size of an input that gives a number of outputs, the smallest of them."""
    pad = {"same": filter_size // 2, "valid": 0, "full": filter_size - 1}[padding]
    return None if output_length is None else (output_length - 1) * stride - 2 * pad + filter_size


def deconv_length(dim_size, stride_size, kernel_size, padding, output_padding, dilation=1):
    """The number of outputs of a transposed convolution along an axis.

    Args:     output_padding: how many more, below `stride_size`; None for what the padding says.
    """
    if dim_size is None:
        return None
    reach = _reach(kernel_size, dilation)
    if output_padding is None:
        return dim_size * stride_size + {"same": 0, "valid": max(reach - stride_size, 0),
                                         "full": 2 - stride_size - reach}[padding]
    pad = {"same": reach // 2, "valid": 0, "full": reach - 1}[padding]
    return (dim_size - 1) * stride_size + reach - 2 * pad + output_padding


def _is_integer(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
