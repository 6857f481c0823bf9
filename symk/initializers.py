"""Initial values of weights. An initializer is called with a shape and returns a NumPy array.

Values come from NumPy: with `seed=None` from its global stream (`numpy.random.seed` makes a run
repeatable), else from a stream of the initializer's own, in which every call draws new values.
"""
import numpy as np

from . import backend as K
from . import registry
from .graph import Shared
from .registry import register

__all__ = ["Initializer", "Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform",
           "TruncatedNormal", "VarianceScaling", "Orthogonal", "Identity", "lecun_uniform",
           "glorot_normal", "glorot_uniform", "he_normal", "lecun_normal", "he_uniform", "zero",
           "zeros", "one", "ones", "constant", "uniform", "random_uniform", "normal",
           "random_normal", "truncated_normal", "identity", "orthogonal", "serialize",
           "deserialize", "get", "initial_value"]

# The standard deviation of a standard normal distribution cut off at two deviations.
_TRUNCATED_STD = 0.87962566103423978


def _initializer(*names):
    """Decorator: registers an initializer under its own name and its other names."""
    def decorate(thing):
        for name in (thing.__name__,) + names:
            register("initializer", name)(thing)
        return thing
    return decorate


class Initializer:
    """Base of all initializers: `initializer(shape, dtype=None)` returns an array.

    One of your own gives `values(shape)`, or all of `__call__`.
    """

    def __call__(self, shape, dtype=None):
        shape = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
        if any(not hasattr(size, "__index__") for size in shape):
            raise ValueError("[%s] all sizes of the shape must be integers; %r was given."
                             % (type(self).__name__, shape))
        return self.values(shape).astype(dtype or K.floatx())

    def values(self, shape):
        """An array of this shape, in any dtype."""
        raise NotImplementedError

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class _Random(Initializer):
    """An initializer with a seed."""

    def __init__(self, seed=None):
        self.seed = seed
        self._stream = None if seed is None else np.random.RandomState(seed)

    @property
    def stream(self):
        return np.random if self._stream is None else self._stream

    def get_config(self):
        return {"seed": self.seed}


@_initializer("zero", "zeros")
class Zeros(Initializer):
    """All values are 0."""

    def values(self, shape):
        return np.zeros(shape)


@_initializer("one", "ones")
class Ones(Initializer):
    """All values are 1."""

    def values(self, shape):
        return np.ones(shape)


@_initializer("constant")
class Constant(Initializer):
    """All values are `value`: a number, or an array that broadcasts to the shape."""

    def __init__(self, value=0):
        self.value = value

    def values(self, shape):
        return np.full(shape, self.value)

    def get_config(self):
        return {"value": self.value}


@_initializer("normal", "random_normal")
class RandomNormal(_Random):
    """Normal distribution with a mean and a standard deviation."""

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def values(self, shape):
        return self.stream.normal(self.mean, self.stddev, shape)

    def get_config(self):
        return dict(super().get_config(), mean=self.mean, stddev=self.stddev)


@_initializer("uniform", "random_uniform")
class RandomUniform(_Random):
    """Uniform distribution from `minval` to `maxval`."""

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def values(self, shape):
        return self.stream.uniform(self.minval, self.maxval, shape)

    def get_config(self):
        return dict(super().get_config(), minval=self.minval, maxval=self.maxval)


@_initializer("truncated_normal")
class TruncatedNormal(_Random):
    """Normal distribution in which values beyond two deviations are drawn again."""

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def values(self, shape):
        return self.mean + self.stddev * _truncated_normal(self.stream, shape)

    def get_config(self):
        return dict(super().get_config(), mean=self.mean, stddev=self.stddev)


def _truncated_normal(stream, shape):
    """Standard normal values, those beyond two deviations drawn again."""
    values = stream.normal(size=shape)
    outside = np.abs(values) > 2
    while outside.any():
        values[outside] = stream.normal(size=int(outside.sum()))
        outside = np.abs(values) > 2
    return values


@_initializer()
class VarianceScaling(_Random):
    """Values of variance `scale / n`, n being a count of the weight's inputs or outputs.

    Args:     mode: n is "fan_in", "fan_out" or "fan_avg" (their mean).
              distribution: "normal" (cut off at two deviations) or "uniform".
    Source:   Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998.
    """

    def __init__(self, scale=1.0, mode="fan_in", distribution="normal", seed=None):
        super().__init__(seed)
        self.scale = scale
        self.mode = mode.lower()
        self.distribution = distribution.lower()
        if scale <= 0:
            raise ValueError("[VarianceScaling] scale must be positive; %r was given." % (scale,))
        if self.mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError("[VarianceScaling] mode must be 'fan_in', 'fan_out' or 'fan_avg'; "
                             "%r was given." % (mode,))
        if self.distribution not in ("normal", "uniform"):
            raise ValueError("[VarianceScaling] distribution must be 'normal' or 'uniform'; "
                             "%r was given." % (distribution,))

    def values(self, shape):
        fan_in, fan_out = _compute_fans(shape)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        if self.distribution == "normal":
            return np.sqrt(variance) / _TRUNCATED_STD * _truncated_normal(self.stream, shape)
        limit = np.sqrt(3 * variance)
        return self.stream.uniform(-limit, limit, shape)

    def get_config(self):
        return dict(super().get_config(), scale=self.scale, mode=self.mode,
                    distribution=self.distribution)


def _compute_fans(shape, data_format="channels_last"):
    """How many inputs and outputs a weight connects: (fan_in, fan_out).

    Shapes:   (in, out); convolution kernels (..., in, out), or (out, in, ...) with the channels
              first; each position counts once.
    """
    if len(shape) >= 2:
        if data_format == "channels_first" and len(shape) > 2:
            shape = tuple(shape[2:]) + (shape[1], shape[0])
        positions = np.prod(shape[:-2])
        return float(shape[-2] * positions), float(shape[-1] * positions)
    root = float(np.sqrt(np.prod(shape)))  # a vector or a scalar has no direction
    return root, root


@_initializer("orthogonal")
class Orthogonal(_Random):
    """An orthogonal matrix times `gain`; the leading axes of the shape count as one.

    Source:   Saxe, McClelland & Ganguli 2014.
    """

    def __init__(self, gain=1.0, seed=None):
        super().__init__(seed)
        self.gain = gain

    def values(self, shape):
        if len(shape) < 2:
            raise ValueError("[Orthogonal] a shape of two axes or more is required; %s was given."
                             % (tuple(shape),))
        matrix_shape = (int(np.prod(shape[:-1])), shape[-1])
        left, _, right = np.linalg.svd(self.stream.normal(size=matrix_shape), full_matrices=False)
        values = left if left.shape == matrix_shape else right
        return self.gain * values.reshape(shape)

    def get_config(self):
        return dict(super().get_config(), gain=self.gain)


@_initializer("identity")
class Identity(Initializer):
    """The identity matrix times `gain`; only for weights of two axes."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def values(self, shape):
        if len(shape) != 2:
            raise ValueError("[Identity] a shape of two axes is required; %s was given."
                             % (tuple(shape),))
        return self.gain * np.eye(shape[0], shape[1])

    def get_config(self):
        return {"gain": self.gain}


@_initializer("LecunUniform")
def lecun_uniform(seed=None):
    """Uniform with variance 1 / fan_in."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


@_initializer("LecunNormal")
def lecun_normal(seed=None):
    """Normal, cut off at two deviations, with variance 1 / fan_in."""
    return VarianceScaling(1.0, "fan_in", "normal", seed)


@_initializer("GlorotUniform")
def glorot_uniform(seed=None):
    """Uniform with variance 2 / (fan_in + fan_out)."""
    return VarianceScaling(1.0, "fan_avg", "uniform", seed)


@_initializer("GlorotNormal")
def glorot_normal(seed=None):
    """Normal, cut off at two deviations, with variance 2 / (fan_in + fan_out)."""
    return VarianceScaling(1.0, "fan_avg", "normal", seed)


@_initializer("HeUniform")
def he_uniform(seed=None):
    """Uniform with variance 2 / fan_in."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


@_initializer("HeNormal")
def he_normal(seed=None):
    """Normal, cut off at two deviations, with variance 2 / fan_in."""
    return VarianceScaling(2.0, "fan_in", "normal", seed)


zero = zeros = Zeros
one = ones = Ones
constant = Constant
uniform = random_uniform = RandomUniform
normal = random_normal = RandomNormal
truncated_normal = TruncatedNormal
identity = Identity
orthogonal = Orthogonal


def initial_value(initializer, shape, dtype):
    """The first value of a weight, an array or a tensor, by an initializer of any version.

    Those of Keras 1 are called f(shape, name=None), know no dtype and may return a variable.
    """
    if registry.accepts(initializer, "dtype", any_keyword=True):
        value = initializer(shape, dtype=dtype)
    elif registry.accepts(initializer, "name"):
        value = initializer(shape, name=None)
    else:
        value = initializer(shape)
    return K.get_value(value) if isinstance(value, Shared) else value


def serialize(initializer):
    return registry.serialize(initializer)


def deserialize(config, custom_objects=None):
    """An initializer from its config, as Keras or tf.keras writes it."""
    if isinstance(config, dict) and config.get("class_name") in registry.table("initializer"):
        inner = dict(config.get("config", {}))
        inner.pop("dtype", None)  # of tf.keras; the dtype of the weight decides
        config = dict(config, config=inner)
    return registry.deserialize(config, registry.table("initializer"), custom_objects,
                                "initializer")


def get(identifier):
    """An initializer from its name, its config or itself (any callable of a shape)."""
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": {}}
    if identifier is None or callable(identifier):
        return identifier
    return deserialize(identifier)
