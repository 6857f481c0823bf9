"""Initial values as Keras 1 made them: functions of a shape that return a variable.

`dim_ordering` says what the axes of a convolution kernel are: with "th" (outputs, inputs, ...),
with "tf" (..., inputs, outputs). Keras 2's are in `initializers`.
"""
import numpy as np

from . import backend as K
from . import initializers, registry

__all__ = ["get", "get_fans", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform",
           "identity", "lecun_uniform", "normal", "one", "orthogonal", "uniform", "zero"]

_NAMES = {}


def _named(function):
    _NAMES[function.__name__] = function
    return function


def get_fans(shape, dim_ordering="th"):
    """How many inputs and outputs a weight connects: (fan_in, fan_out)."""
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) not in ((3, 4, 5) if dim_ordering == "tf" else (4, 5)):
        root = np.sqrt(np.prod(shape))
        return root, root
    if dim_ordering not in ("th", "tf"):
        raise ValueError("[get_fans] dim_ordering must be 'th' or 'tf'; %r was given."
                         % (dim_ordering,))
    if dim_ordering == "th":
        positions = np.prod(shape[2:])
        return shape[1] * positions, shape[0] * positions
    positions = np.prod(shape[:-2])
    return shape[-2] * positions, shape[-1] * positions


@_named
def uniform(shape, scale=0.05, name=None, dim_ordering="th"):
    """Uniform from -scale to scale."""
    return K.random_uniform_variable(shape, -scale, scale, name=name)


@_named
def normal(shape, scale=0.05, name=None, dim_ordering="th"):
    """Normal with the standard deviation `scale`."""
    return K.random_normal_variable(shape, 0.0, scale, name=name)


@_named
def lecun_uniform(shape, name=None, dim_ordering="th"):
    """Uniform with variance 1 / fan_in. Source: LeCun 1998."""
    return uniform(shape, np.sqrt(3.0 / get_fans(shape, dim_ordering)[0]), name)


@_named
def glorot_normal(shape, name=None, dim_ordering="th"):
    """Normal with variance 2 / (fan_in + fan_out). Source: Glorot & Bengio 2010."""
    return normal(shape, np.sqrt(2.0 / sum(get_fans(shape, dim_ordering))), name)


@_named
def glorot_uniform(shape, name=None, dim_ordering="th"):
    """Uniform with variance 2 / (fan_in + fan_out)."""
    return uniform(shape, np.sqrt(6.0 / sum(get_fans(shape, dim_ordering))), name)


@_named
def he_normal(shape, name=None, dim_ordering="th"):
    """Normal with variance 2 / fan_in. Source: He et al. 2015."""
    return normal(shape, np.sqrt(2.0 / get_fans(shape, dim_ordering)[0]), name)


@_named
def he_uniform(shape, name=None, dim_ordering="th"):
    """Uniform with variance 2 / fan_in."""
    return uniform(shape, np.sqrt(6.0 / get_fans(shape, dim_ordering)[0]), name)


@_named
def orthogonal(shape, scale=1.1, name=None, dim_ordering="th"):
    """An orthogonal matrix times `scale`; the axes after the first count as one.

    Source:   Saxe, McClelland & Ganguli 2014.
    """
    matrix_shape = (shape[0], int(np.prod(shape[1:])))
    left, _, right = np.linalg.svd(np.random.normal(size=matrix_shape), full_matrices=False)
    values = left if left.shape == matrix_shape else right
    return K.variable(scale * values.reshape(shape), name=name)


@_named
def identity(shape, scale=1, name=None, dim_ordering="th"):
    """The identity matrix times `scale`; for square matrices."""
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError("[identity] the shape of a square matrix is required; %s was given."
                         % (tuple(shape),))
    return K.variable(scale * np.eye(shape[0]), name=name)


@_named
def zero(shape, name=None, dim_ordering="th"):
    """All values are 0."""
    return K.zeros(shape, name=name)


@_named
def one(shape, name=None, dim_ordering="th"):
    """All values are 1."""
    return K.ones(shape, name=name)


# The names that initializers have in the files of Keras 2.
_NAMES.update({"zeros": zero, "ones": one})


def get(identifier, **kwargs):
    """The function of a name, which is called with `kwargs` besides; a function is itself."""
    if not isinstance(identifier, str):
        return initializers.get(identifier)
    function = registry.custom_objects().get(identifier, _NAMES.get(identifier))
    if function is None:
        raise ValueError("[initialization] one of the names %s is required; %r was given."
                         % (", ".join(sorted(_NAMES)), identifier))
    if not kwargs:
        return function
    return lambda shape, **more: function(shape, **dict(kwargs, **more))
