"""Settings that Keras reads and changes through K: epsilon, floatx, image data format."""
import numpy as np

from ..config import settings
from ..graph import DtypeError, GraphError
from ..graph.dtype import FLOATS, canonical
from ..ops.checks import number, one_of

__all__ = ["backend", "epsilon", "set_epsilon", "floatx", "set_floatx", "cast_to_floatx",
           "image_data_format", "set_image_data_format", "normalize_data_format",
           "normalize_padding", "symbolic", "eager"]


def backend():
    """"tensorflow": the backend of Keras whose conventions symk follows.

    Scripts branch on this name for the order of axes, for names of weights and for whether
    convolution kernels are flipped; in all of these symk is like Keras on TensorFlow.
    """
    return "tensorflow"


def epsilon():
    """The fuzz factor that keeps logarithms and divisions finite.

    Until it is set: 1e-7, and 1e-4 where floatx is float16, which has no room for less.
    """
    return settings.epsilon


def set_epsilon(e):
    settings.epsilon = float(number("set_epsilon", "epsilon", e))


def floatx():
    """The dtype of new floating tensors: "float16", "float32" or "float64"."""
    return settings.floatx


def set_floatx(floatx):
    settings.floatx = one_of("set_floatx", "floatx", str(floatx), FLOATS)


def chosen_dtype(dtype):
    """The dtype that an argument means: None is floatx."""
    return settings.floatx if dtype is None else canonical(dtype)


def cast_to_floatx(x):
    """A number or an array as a NumPy array of dtype floatx."""
    try:
        array = np.asarray(x)
    except ValueError:
        array = np.array(None)   # rows of different lengths
    if array.dtype.kind not in "biuf":
        raise DtypeError("[cast_to_floatx] a number or an array of numbers is required; %r was "
                         "given." % (x,))
    return array.astype(settings.floatx)


def image_data_format():
    """"channels_last" or "channels_first"."""
    return settings.image_data_format


def set_image_data_format(data_format):
    settings.image_data_format = _checked_data_format(data_format, "set_image_data_format")


# The next two are Keras 1's: Keras 2.3 keeps them in this module, and K has them no more, by which
# scripts tell the versions apart.

def image_dim_ordering():
    """"tf" for channels_last, "th" for channels_first."""
    return "tf" if image_data_format() == "channels_last" else "th"


def set_image_dim_ordering(dim_ordering):
    """Sets the data format: "tf" is channels_last, "th" channels_first."""
    if dim_ordering not in ("tf", "th"):
        raise ValueError("[set_image_dim_ordering] 'tf' or 'th' is required; %r was given."
                         % (dim_ordering,))
    set_image_data_format("channels_last" if dim_ordering == "tf" else "channels_first")


def listed(who, value):
    """A list of what is in an argument.

    Raises:   GraphError if it is no sequence.
    """
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return list(value)
    raise GraphError("[%s] a list is required; %r was given." % (who, value))


def normalize_data_format(value):
    """The data format that an argument means: None is the setting."""
    if value is None:
        return settings.image_data_format
    return _checked_data_format(str(value).lower(), "normalize_data_format")


def _checked_data_format(value, who):
    if not isinstance(value, str) or value not in ("channels_last", "channels_first"):
        raise ValueError("[%s] the data format must be 'channels_last' or 'channels_first'; %r was "
                         "given." % (who, value))
    return value


def normalize_padding(value, allowed=("same", "valid")):
    """The padding that an argument means, in lower case."""
    padding = str(value).lower()
    if padding not in allowed:
        raise ValueError("[padding] one of %s is required; %r was given."
                         % (", ".join(map(repr, allowed)), value))
    return padding


def symbolic(func):
    """The function itself: K always builds expressions."""
    return func


def eager(func):
    """The function itself: K always builds expressions; `K.eval` computes one."""
    return func
