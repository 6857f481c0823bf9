"""Mixed precision under tf.keras's names: products of float16 or bfloat16, weights and sums of
float32, and losses scaled so that small gradients are not lost in float16.

A policy says in which numbers products multiply (`docs/precision.md`); unlike in tf.keras, values
between layers stay float32. `compile` follows the policy, and so does every function that is
compiled while it is set.
"""
import functools

import numpy as np

from . import backend as K
from . import ops, optimizers, registry
from .config import settings
from .ops.checks import flag, number, whole
from .optimizers import Optimizer
from .registry import register

__all__ = ["LossScaleOptimizer", "Policy", "follow_policy", "global_policy", "set_global_policy",
           "set_policy"]

_PRODUCTS = {"float32": "float32", "mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class Policy:
    """In which numbers a model computes: "float32", "mixed_float16" or "mixed_bfloat16".

    `compute_dtype` is what products multiply, `variable_dtype` what weights are.
    Raises:   ValueError for another name.
    """

    def __init__(self, name):
        if name not in _PRODUCTS:
            raise ValueError("[mixed_precision] a policy must be one of %s; %r was given. For "
                             "weights and activations of one other dtype call K.set_floatx."
                             % (", ".join(_PRODUCTS), name))
        self.name = name

    @property
    def compute_dtype(self):
        return self.products

    @property
    def variable_dtype(self):
        return "float32"

    @property
    def products(self):
        """The word for `products`, an argument of `compile` and of functions."""
        return _PRODUCTS[self.name]

    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __eq__(self, other):
        return isinstance(other, Policy) and other.name == self.name

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return "<Policy %r>" % self.name


_global = Policy("float32")
_products_before = None    # what the setting was before the first policy


def global_policy():
    """The policy that models are compiled with."""
    return _global


def set_global_policy(policy):
    """Models and functions that are compiled from now on follow this policy.

    "float32" brings back the products that were set before the first other policy.
    Args:     policy: a Policy or its name.
    Raises:   ValueError for another name.
    """
    global _global, _products_before
    _global = policy if isinstance(policy, Policy) else Policy(policy)
    if _global.name != "float32":
        _products_before = _products_before or settings.products
        settings.products = _global.products
    elif _products_before is not None:
        settings.products, _products_before = _products_before, None


set_policy = set_global_policy


def follow_policy(optimizer, products):
    """(optimizer, products) as `compile` takes them under the policy: what is given counts, and
    products of float16 get an optimizer that scales the loss.
    """
    if products is None and _global.name != "float32":
        products = _global.products
    scales = _global.name == "mixed_float16" and products == "float16"
    if scales and not isinstance(optimizer, LossScaleOptimizer):
        optimizer = LossScaleOptimizer(optimizer)
    return optimizer, products


@register("optimizer", "LossScaleOptimizer")
@register("optimizer", "lossscaleoptimizer")
@register("optimizer", "lossscaleoptimizerv3")      # of tf.keras 2.11 and later
class LossScaleOptimizer(Optimizer):
    """Another optimizer, with a loss that is multiplied before gradients are taken, which are then
    divided by as much: so those too small for float16 are kept.

    A dynamic scale is halved, down to 1 at least, whenever a gradient is not finite; that step
    changes no weight and no state. After `dynamic_growth_steps` sound steps it is doubled.

    Args:     inner_optimizer: the optimizer that makes the steps.
              dynamic: whether the scale changes; else all steps are taken with the first.
              initial_scale: 2 ** 15 by default; required where it is not dynamic. A finite
                  float32, 1 at least.
              dynamic_growth_steps: 2000 by default; 1 at least.
    What else is asked of it (`beta_1`, `decay`, ...) is answered by the inner optimizer.
    Raises:   ValueError for other values, and for arguments that do not go together.
    Source:   Micikevicius et al. 2018, section 3.2.
    """

    multiplier = 2.0

    def __init__(self, inner_optimizer, dynamic=True, initial_scale=None,
                 dynamic_growth_steps=None):
        if not isinstance(inner_optimizer, Optimizer) \
                or isinstance(inner_optimizer, LossScaleOptimizer):
            raise ValueError("[LossScaleOptimizer] inner_optimizer must be an optimizer that does "
                             "not scale its loss; it is %r." % (inner_optimizer,))
        name = type(self).__name__
        self.dynamic = flag(name, "dynamic", dynamic)
        if not self.dynamic and (initial_scale is None or dynamic_growth_steps is not None):
            raise ValueError("[LossScaleOptimizer] a fixed scale requires initial_scale and has no "
                             "dynamic_growth_steps; they are %r and %r."
                             % (initial_scale, dynamic_growth_steps))
        self.inner_optimizer = inner_optimizer
        super().__init__()
        self.initial_scale = 2.0 ** 15 if initial_scale is None else float(
            number(name, "initial_scale", initial_scale))
        self.dynamic_growth_steps = None
        if self.dynamic:
            self.dynamic_growth_steps = 2000 if dynamic_growth_steps is None else whole(
                name, "dynamic_growth_steps", dynamic_growth_steps)
        if not 1 <= self.initial_scale <= float(np.finfo("float32").max) \
                or self.dynamic and self.dynamic_growth_steps < 1:
            raise ValueError("[LossScaleOptimizer] initial_scale must be a float32, and "
                             "dynamic_growth_steps an integer, of at least 1; they are %r and %r."
                             % (initial_scale, dynamic_growth_steps))
        with K.name_scope("LossScaleOptimizer"):
            self.loss_scale = K.variable(self.initial_scale, "float32", name="current_loss_scale")
            self.dynamic_counter = K.variable(0, dtype="int64", name="good_steps")
        self._finite = None    # whether all gradients of this step are

    # ---- what belongs to the inner optimizer

    def __getattr__(self, name):
        inner = self.__dict__.get("inner_optimizer")
        if inner is None or name.startswith("__"):
            raise AttributeError("%s has no attribute %r" % (type(self).__name__, name))
        return getattr(inner, name)

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    @property
    def weights(self):
        """The state of the inner optimizer, then the scale and the steps since it changed."""
        return self.inner_optimizer.weights + self._own if self.inner_optimizer.weights else []

    @weights.setter
    def weights(self, weights):
        if weights:    # the base begins with none, while an optimizer may come with a state
            self.inner_optimizer.weights = list(weights)[:-len(self._own)]

    def set_weights(self, weights):
        """As every optimizer; a state that was saved without a scale becomes the inner one's."""
        if len(weights) == len(self.inner_optimizer.weights):
            self.inner_optimizer.set_weights(weights)
        else:
            super().set_weights(weights)

    @property
    def _own(self):
        return [self.loss_scale, self.dynamic_counter]

    # ---- the step

    def get_scaled_loss(self, loss):
        """The loss times the scale."""
        return loss * K.cast(self.loss_scale, K.dtype(loss))

    def get_unscaled_gradients(self, grads):
        """Gradients of a scaled loss divided by the scale; None stays None."""
        return [None if grad is None else grad * K.cast(1.0 / self.loss_scale, K.dtype(grad))
                for grad in grads]

    def _gradients(self, loss, params):
        """The gradients as the inner optimizer gets them, before it clips them."""
        grads = self.get_unscaled_gradients(K.gradients(self.get_scaled_loss(loss), params))
        self._finite = functools.reduce(
            ops.logical_and, [K.all(K.abs(grad) < float("inf")) for grad in grads
                              if grad is not None], K.constant(True, dtype="bool"))
        return grads

    def get_updates(self, loss, params):
        """The step of the inner optimizer, and that of the scale.

        Raises:   ValueError for an inner optimizer that does not ask `get_gradients`.
        """
        inner = self.inner_optimizer
        self._finite = None
        inner.take_gradients = self._gradients
        try:
            updates = list(inner.get_updates(loss, params))
        finally:
            del inner.take_gradients
        if self._finite is None:
            raise ValueError("[LossScaleOptimizer] the inner optimizer must ask get_gradients for "
                             "its gradients; %s does not." % type(inner).__name__)
        if self.dynamic:
            updates = [(variable, K.switch(self._finite, value, variable))
                       for variable, value in updates] + self._scale_updates()
        self.updates = updates
        return updates

    def _scale_updates(self):
        """The scale and the count after this step."""
        sound = self.dynamic_counter + 1
        grows = K.greater_equal(sound, self.dynamic_growth_steps)
        larger = self.loss_scale * self.multiplier
        larger = K.switch(larger < float("inf"), larger, self.loss_scale)
        smaller = K.maximum(self.loss_scale / self.multiplier, 1.0)
        kept = K.switch(grows, larger, self.loss_scale)
        count = K.switch(ops.logical_and(self._finite, ops.logical_not(grows)), sound,
                         K.zeros_like(sound))
        return [(self.loss_scale, K.switch(self._finite, kept, smaller)),
                (self.dynamic_counter, count)]

    # ---- saving

    def get_config(self):
        inner = self.inner_optimizer
        return {"inner_optimizer": {"class_name": type(inner).__name__,
                                    "config": inner.get_config()},
                "dynamic": self.dynamic, "initial_scale": self.initial_scale,
                "dynamic_growth_steps": self.dynamic_growth_steps}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if "inner_optimizer" not in config:
            raise ValueError("[LossScaleOptimizer] a config with inner_optimizer is required, as "
                             "tf.keras writes it from 2.5 on; %s was given."
                             % ", ".join(sorted(map(str, config))))
        inner = optimizers.deserialize(config.pop("inner_optimizer"), registry.custom_objects())
        return cls(inner, **config)
