"""Penalties on weights or activities: a regularizer maps a tensor to a scalar of the loss."""
from . import backend as K
from . import registry, renames
from .registry import register

__all__ = ["Regularizer", "L1L2", "EigenvalueRegularizer", "l1", "l2", "l1_l2", "L1L2Regularizer",
           "WeightRegularizer", "ActivityRegularizer", "activity_l1", "activity_l2", "l1l2",
           "activity_l1l2", "serialize", "deserialize", "get"]


class Regularizer:
    """Base of all regularizers: no penalty."""

    def __call__(self, x):
        return 0.0

    @renames.accepts("set_param")
    def set_param(self, p):
        """Notes a weight, as regularizers of Keras 1 had it; a layer then adds its penalty."""
        self.p = p

    @renames.accepts("set_layer")
    def set_layer(self, layer):
        """Notes a layer, as regularizers of activities in Keras 1 had it."""
        self.layer = layer

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


@register("regularizer")
class EigenvalueRegularizer(Regularizer):
    """k times the greatest eigenvalue of w^T w, by nine steps of the power method.

    Args:     k: how much it counts.
    """

    steps = 9

    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        if K.ndim(x) != 2:
            raise ValueError("[EigenvalueRegularizer] a matrix is required; one of %d axes was "
                             "given." % K.ndim(x))
        square = K.dot(K.transpose(x), x)
        vector = K.ones((K.int_shape(square)[0], 1))
        for _ in range(self.steps):
            vector = K.l2_normalize(K.dot(square, vector), axis=0)
        return self.k * K.sum(K.dot(K.dot(K.transpose(vector), square), vector))

    def get_config(self):
        return {"k": self.k}


# Keras 1's names. The penalty of an activity is computed as that of a weight.
L1L2Regularizer = WeightRegularizer = ActivityRegularizer = L1L2
activity_l1 = l1
activity_l2 = l2
l1l2 = activity_l1l2 = l1_l2

for _name in ("L1L2Regularizer", "WeightRegularizer", "ActivityRegularizer", "activity_l1",
              "activity_l2", "l1l2", "activity_l1l2"):
    register("regularizer", _name)(globals()[_name])


def serialize(regularizer):
    return registry.serialize(regularizer)


def deserialize(config, custom_objects=None):
    return registry.deserialize(config, registry.table("regularizer"), custom_objects,
                                "regularizer")


def get(identifier, kwargs=None):
    """A regularizer from its name, its config or itself (any callable of a tensor).

    Args:     kwargs: the arguments of a name, as Keras 1 had them here.
    """
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": dict(kwargs or {})}
    if identifier is None or callable(identifier):
        return identifier
    return deserialize(identifier)
