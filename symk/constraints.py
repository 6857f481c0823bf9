"""Constraints: functions of a weight that an optimizer applies after each of its steps."""
from . import backend as K
from . import registry, renames
from .registry import register

__all__ = ["Constraint", "MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm", "max_norm", "non_neg",
           "unit_norm", "min_max_norm", "maxnorm", "nonneg", "unitnorm", "serialize",
           "deserialize", "get"]


def _constraint(*names):
    """Class decorator: registers a constraint under its class name and its short names."""
    def decorate(cls):
        for name in (cls.__name__,) + names:
            register("constraint", name)(cls)
        return cls
    return decorate


class Constraint:
    """Base of all constraints: leaves the weight as it is."""

    def __call__(self, w):
        return w

    def get_config(self):
        return {}


def _norms(w, axis):
    """The Euclidean norms of w along `axis`, which is kept with size 1."""
    return K.sqrt(K.sum(K.square(w), axis=axis, keepdims=True))


@_constraint("max_norm", "maxnorm")
class MaxNorm(Constraint):
    """Scales down what has a norm along `axis` greater than `max_value`.

    Source:   Srivastava et al. 2014, section 5.1.
    """

    @renames.accepts("MaxNorm")
    def __init__(self, max_value=2, axis=0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w):
        norms = _norms(w, self.axis)
        return w * (K.clip(norms, 0, self.max_value) / (K.epsilon() + norms))

    def get_config(self):
        return {"max_value": self.max_value, "axis": self.axis}


@_constraint("non_neg", "nonneg")
class NonNeg(Constraint):
    """Sets negative weights to 0."""

    def __call__(self, w):
        return w * K.cast(K.greater_equal(w, 0.0), K.dtype(w))


@_constraint("unit_norm", "unitnorm")
class UnitNorm(Constraint):
    """Scales to norm 1 along `axis`."""

    def __init__(self, axis=0):
        self.axis = axis

    def __call__(self, w):
        return w / (K.epsilon() + _norms(w, self.axis))

    def get_config(self):
        return {"axis": self.axis}


@_constraint("min_max_norm")
class MinMaxNorm(Constraint):
    """Scales norms along `axis` towards the range from `min_value` to `max_value`.

    Args:     rate: 1 puts a norm into the range at once, less moves it by that part of the way.
    """

    @renames.accepts("MinMaxNorm")
    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w):
        norms = _norms(w, self.axis)
        wanted = (self.rate * K.clip(norms, self.min_value, self.max_value)
                  + (1 - self.rate) * norms)
        return w * (wanted / (K.epsilon() + norms))

    def get_config(self):
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate,
                "axis": self.axis}


max_norm = maxnorm = MaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm
min_max_norm = MinMaxNorm


def serialize(constraint):
    return registry.serialize(constraint)


def deserialize(config, custom_objects=None):
    return registry.deserialize(config, registry.table("constraint"), custom_objects, "constraint")


def get(identifier, kwargs=None):
    """A constraint from its name, its config or itself (any callable of a weight).

    Args:     kwargs: the arguments of a name, as Keras 1 had them here.
    """
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": dict(kwargs or {})}
    if identifier is None or callable(identifier):
        return identifier
    return deserialize(identifier)
