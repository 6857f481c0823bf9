"""The K functions of Keras 1 on those of Keras 2: old names of functions, old arguments as a table.

`accept_keras1_arguments` wraps the functions of the table; nothing else of K knows of Keras 1.
Positional arguments have the meaning of Keras 2 (cross-entropies: target, then output).
"""
import functools
import inspect
import typing

from .. import ops
from ..graph import GraphError, ShapeError
from ..ops.checks import flag
from .common import image_data_format, normalize_data_format
from .convolution import conv2d, conv2d_transpose
from .core import int_shape
from .images import spatial_2d_padding, temporal_padding
from .math import less, less_equal
from .shapes import stack

__all__ = ["lesser", "lesser_equal", "pack", "get_variable_shape", "atrous_conv2d", "deconv2d",
           "asymmetric_temporal_padding", "asymmetric_spatial_2d_padding",
           "legacy_weight_ordering", "set_legacy_weight_ordering"]

_FORMATS = {"tf": "channels_last", "th": "channels_first", "default": None}


# ---- arguments

class _Shape(typing.NamedTuple):
    """An argument that told the shape of another one: it is compared with the tensor's."""

    of: str


_IMAGES = {"border_mode": "padding", "dim_ordering": "data_format"}
_SHAPES = {"image_shape": _Shape("x"), "filter_shape": _Shape("kernel")}

ARGUMENTS = {   # function: {argument of Keras 1: argument of Keras 2}
    "batch_get_value": {"xs": "ops"},
    "conv1d": {"stride": "strides", "border_mode": "padding", **_SHAPES},
    "conv2d": {**_IMAGES, **_SHAPES, "filter_dilation": "dilation_rate"},
    "conv3d": {**_IMAGES, "volume_shape": _Shape("x"), "filter_shape": _Shape("kernel"),
               "filter_dilation": "dilation_rate"},
    "expand_dims": {"dim": "axis"},
    "moving_average_update": {"variable": "x"},
    "one_hot": {"nb_classes": "num_classes"},
    "pattern_broadcast": {"broatcastable": "broadcastable"},
    "pool2d": _IMAGES,
    "pool3d": _IMAGES,
    "random_normal": {"std": "stddev"},
    "random_uniform": {"low": "minval", "high": "maxval"},
    "resize_images": {"X": "x", "dim_ordering": "data_format"},
    "resize_volumes": {"X": "x", "dim_ordering": "data_format"},
    "separable_conv2d": _IMAGES,
    "spatial_2d_padding": {"dim_ordering": "data_format"},
    "spatial_3d_padding": {"dim_ordering": "data_format"},
    "temporal_padding": {},
}

# With dim_ordering="th" these are (out, in, rows, columns); in Keras 2 they end in (in, out).
_KERNELS = {"conv2d": ("kernel",), "conv3d": ("kernel",),
            "separable_conv2d": ("depthwise_kernel", "pointwise_kernel")}
# One number before and after an axis, where Keras 2 wants a pair.
_PADDINGS = {"temporal_padding": lambda width: (width, width),
             "spatial_2d_padding": lambda widths: tuple((width, width) for width in widths),
             "spatial_3d_padding": lambda widths: tuple((width, width) for width in widths)}


def accept_keras1_arguments(functions):
    """Wraps the functions of the table: {name: function} -> {name: function that takes both}."""
    return {name: _accepting(functions[name], renamed) for name, renamed in ARGUMENTS.items()
            if name in functions}


def _accepting(function, renamed):
    """The function, which now takes the arguments of Keras 1 too."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args, **kwargs):
        given = {name: kwargs.pop(name) for name in renamed if name in kwargs}
        values = signature.bind_partial(*args, **kwargs).arguments
        for old, value in given.items():
            _take(function.__name__, values, old, renamed[old], value)
        _convert(function.__name__, values)
        return function(**values)

    old = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
           for name in renamed]
    call.__signature__ = signature.replace(parameters=list(signature.parameters.values()) + old)
    return call


def _take(function, values, old, new, value):
    """Puts an argument of Keras 1 among those of Keras 2."""
    if isinstance(new, _Shape):
        _check_shape(function, old, value, values.get(new.of))
        return
    if new in values:
        raise GraphError("[%s] an argument must be given once; %s and %s, which mean the same, "
                         "were given." % (function, old, new))
    values[new] = value


def _check_shape(function, name, told, tensor):
    if told is None:
        return
    known = int_shape(tensor)
    if len(told) != len(known) or any(a is not None and b is not None and a != b
                                      for a, b in zip(told, known)):
        raise ShapeError("[%s] %s must be the shape of the tensor, %r; %r was given."
                         % (function, name, known, tuple(told)))


def _convert(function, values):
    """Values that had another form in Keras 1."""
    if _is_format(values.get("data_format")):
        values["data_format"] = _FORMATS[values["data_format"]] or image_data_format()
        if values["data_format"] == "channels_first":
            for name in _KERNELS.get(function, ()):
                values[name] = _from_th(values[name])
    padding = values.get("padding")
    if function in _PADDINGS and padding is not None and _is_single(function, padding):
        values["padding"] = _PADDINGS[function](padding)


def _is_format(value):
    """Whether this is Keras 1's word for a data format."""
    return isinstance(value, str) and value in _FORMATS


def _is_single(function, padding):
    """Whether one number is given where Keras 2 wants a pair."""
    if function == "temporal_padding":
        return hasattr(padding, "__index__")
    return isinstance(padding, (tuple, list)) and all(hasattr(width, "__index__")
                                                      for width in padding)


def _from_th(kernel):
    """(out, in, ...) as (..., in, out)."""
    kernel = ops.as_variable(kernel)
    return ops.transpose(kernel, list(range(2, kernel.ndim)) + [1, 0])


# ---- functions

lesser = less
lesser_equal = less_equal
pack = stack
get_variable_shape = int_shape


def atrous_conv2d(x, kernel, rate=1, border_mode="valid", dim_ordering="default",
                  image_shape=None, filter_shape=None):
    """`conv2d` with a dilation of `rate` in both directions."""
    return _conv2d(x, kernel, border_mode=border_mode, dim_ordering=dim_ordering,
                   image_shape=image_shape, filter_shape=filter_shape, filter_dilation=(rate, rate))


def deconv2d(x, kernel, output_shape, strides=(1, 1), border_mode="valid", dim_ordering="default",
             image_shape=None, filter_shape=None):
    """`conv2d_transpose`.

    Shapes:   kernel (rows, columns, in, out); with dim_ordering="th" (out, in, rows, columns).
    """
    _check_shape("deconv2d", "image_shape", image_shape, x)
    _check_shape("deconv2d", "filter_shape", filter_shape, kernel)
    data_format = normalize_data_format(_FORMATS[dim_ordering] if _is_format(dim_ordering)
                                        else dim_ordering)
    kernel = ops.as_variable(kernel)
    kernel = (ops.transpose(kernel, (2, 3, 0, 1)) if data_format == "channels_first"
              else ops.transpose(kernel, (0, 1, 3, 2)))
    return conv2d_transpose(x, kernel, output_shape, strides, border_mode, data_format)


def asymmetric_temporal_padding(x, left_pad=1, right_pad=1):
    """Zeros before and after the steps of (batch, steps, channels)."""
    return temporal_padding(x, (left_pad, right_pad))


def asymmetric_spatial_2d_padding(x, top_pad=1, bottom_pad=1, left_pad=1, right_pad=1,
                                  dim_ordering="default"):
    """Zeros around images."""
    return _spatial_2d_padding(x, ((top_pad, bottom_pad), (left_pad, right_pad)),
                               dim_ordering=dim_ordering)


def legacy_weight_ordering():
    """False: weights are in the order of Keras 2."""
    return False


def set_legacy_weight_ordering(value):
    """Refuses the order of weights that Keras had before 1.0."""
    if flag("set_legacy_weight_ordering", "the value", value):
        raise GraphError("[set_legacy_weight_ordering] weights are always in the order of Keras 2; "
                         "%r was given. Reorder the arrays for set_weights." % (value,))


_conv2d = _accepting(conv2d, ARGUMENTS["conv2d"])
_spatial_2d_padding = _accepting(spatial_2d_padding, ARGUMENTS["spatial_2d_padding"])
