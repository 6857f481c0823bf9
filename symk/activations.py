"""Activation functions of layers, by name or as themselves."""
import warnings

from . import backend as K
from . import registry
from .registry import register

__all__ = ["softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid",
           "hard_sigmoid", "exponential", "linear", "serialize", "deserialize", "get"]

# The fixed point of Klambauer et al. 2017, equation 14: mean 0 and variance 1 map to themselves.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@register("activation")
def softmax(x, axis=-1):
    """exp(x) / sum(exp(x)) along an axis.

    Raises:   ValueError if x has one axis only.
    """
    if K.ndim(x) < 2:
        raise ValueError("[softmax] a tensor of two axes or more is required; %r was given."
                         % (x,))
    return K.softmax(x, axis)


@register("activation")
def elu(x, alpha=1.0):
    """x above 0, alpha * (exp(x) - 1) below.

    Source:   Clevert, Unterthiner & Hochreiter 2016.
    """
    return K.elu(x, alpha)


@register("activation")
def selu(x):
    """scale * elu(x, alpha), with the constants that keep mean 0 and variance 1.

    Source:   Klambauer et al. 2017, equation 2.
    """
    return _SELU_SCALE * K.elu(x, _SELU_ALPHA)


@register("activation")
def softplus(x):
    """log(1 + exp(x))."""
    return K.softplus(x)


@register("activation")
def softsign(x):
    """x / (1 + |x|)."""
    return K.softsign(x)


@register("activation")
def relu(x, alpha=0.0, max_value=None, threshold=0.0):
    """x from `threshold` up to `max_value`; below, alpha * (x - threshold)."""
    return K.relu(x, alpha=alpha, max_value=max_value, threshold=threshold)


@register("activation")
def tanh(x):
    return K.tanh(x)


@register("activation")
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return K.sigmoid(x)


@register("activation")
def hard_sigmoid(x):
    """0.2 * x + 0.5, kept between 0 and 1."""
    return K.hard_sigmoid(x)


@register("activation")
def exponential(x):
    """exp(x)."""
    return K.exp(x)


@register("activation")
def linear(x):
    """x itself."""
    return x


def serialize(activation):
    """The name of an activation; of a layer used as one its name among the user's own objects, else
    its class and config.
    """
    own = (name for name, value in registry.custom_objects().items() if value is activation)
    return next(own, None) or registry.serialize(activation)


def deserialize(name, custom_objects=None):
    known = registry.table("activation")
    if isinstance(name, dict):      # a layer used as one
        known = {**registry.table("layer"), **known}
    return registry.deserialize(name, known, custom_objects, "activation")


def get(identifier):
    """An activation from its name, its config or itself (any callable of a tensor); None is linear.
    """
    if identifier is None:
        return linear
    if hasattr(identifier, "get_config"):
        warnings.warn("[activation] a name or a function is better; the layer %r was given, whose "
                      "weights are not part of the model. Add it as a layer."
                      % getattr(identifier, "name", identifier), stacklevel=2)
    return identifier if callable(identifier) else deserialize(identifier)
