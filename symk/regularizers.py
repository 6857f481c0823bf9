"""Penalties on weights or activities: a regularizer maps a tensor to a scalar of the loss."""
from . import backend as K
from . import registry
from .registry import register

__all__ = ["Regularizer", "L1L2", "l1", "l2", "l1_l2", "serialize", "deserialize", "get"]


class Regularizer:
    """Base of all regularizers: no penalty."""

    def __call__(self, x):
        return 0.0

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@register("regularizer")
class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x^2)."""

    def __init__(self, l1=0.0, l2=0.0):
        self.l1 = K.cast_to_floatx(l1)
        self.l2 = K.cast_to_floatx(l2)

    def __call__(self, x):
        penalty = 0.0
        if self.l1:
            penalty = penalty + float(self.l1) * K.sum(K.abs(x))
        if self.l2:
            penalty = penalty + float(self.l2) * K.sum(K.square(x))
        return penalty

    def get_config(self):
        return {"l1": float(self.l1), "l2": float(self.l2)}


@register("regularizer")
def l1(l=0.01):  # noqa: E741 (Keras's name)
    return L1L2(l1=l)


@register("regularizer")
def l2(l=0.01):  # noqa: E741 (Keras's name)
    return L1L2(l2=l)


@register("regularizer")
def l1_l2(l1=0.01, l2=0.01):
    return L1L2(l1=l1, l2=l2)


def serialize(regularizer):
    return registry.serialize(regularizer)


def deserialize(config, custom_objects=None):
    return registry.deserialize(config, registry.table("regularizer"), custom_objects,
                                "regularizer")


def get(identifier):
    """A regularizer from its name, its config or itself (any callable of a tensor)."""
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": {}}
    if identifier is None or callable(identifier):
        return identifier
    return deserialize(identifier)
