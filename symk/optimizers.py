"""Optimizers: from a loss and its parameters to updates, all expressions of one graph.

`get_updates(loss, params)` returns pairs (variable, new value) for `K.function(updates=...)`. State
lives in variables: the count of steps, the rates (so that they can be changed between steps) and
what an optimizer keeps for each parameter.
"""
import functools
import inspect

import numpy as np

from . import backend as K
from . import registry, renames
from .registry import register

__all__ = ["Optimizer", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam", "sgd",
           "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam", "clip_norm", "serialize",
           "deserialize", "get", "optimizer_from_config",
           "TFOptimizer"]


def _optimizer(cls):
    """Class decorator: registers an optimizer under its name and that in lower case."""
    for name in (cls.__name__, cls.__name__.lower()):
        register("optimizer", name)(cls)
    return cls


def clip_norm(g, c, n):
    """g scaled by c / n where the norm n is greater than c."""
    return g if c <= 0 else K.switch(K.greater_equal(n, c), g * (c / n), g)


class Optimizer:
    """Base of all optimizers. One of your own overrides `get_updates`.

    Args:     clipnorm: scales all gradients together so that their norm is at most this.
              clipvalue: cuts each element of the gradients to [-clipvalue, clipvalue].
    """

    def __init__(self, clipnorm=None, clipvalue=None, **kwargs):
        if kwargs:
            raise TypeError("[%s] the arguments must be known ones; %s was given."
                            % (type(self).__name__, ", ".join(map(repr, sorted(kwargs)))))
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.updates = []
        self.weights = []

    @property
    def lr(self):
        """The older name of `learning_rate`."""
        return self.learning_rate

    @lr.setter
    def lr(self, value):
        self.learning_rate = value

    take_gradients = staticmethod(K.gradients)    # who scales the loss puts another in its place

    def get_gradients(self, loss, params):
        """The gradients of the loss, clipped.

        Raises:   ValueError when the loss does not depend on a parameter.
        """
        grads = self.take_gradients(loss, params)
        missing = [param.name for param, grad in zip(params, grads) if grad is None]
        if missing:
            raise ValueError("[optimizer] the loss must depend on every parameter; it has no "
                             "gradient for %s." % ", ".join(missing))
        if self.clipnorm:
            norm = K.sqrt(sum(K.sum(K.square(grad)) for grad in grads))
            grads = [clip_norm(grad, self.clipnorm, norm) for grad in grads]
        if self.clipvalue:
            grads = [K.clip(grad, -self.clipvalue, self.clipvalue) for grad in grads]
        return grads

    def __init_subclass__(cls, **kwargs):
        """An optimizer written for Keras 1 gets what it asks for: (params, constraints, loss)."""
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get("get_updates")
        if own is not None and list(inspect.signature(own).parameters)[1:4] == [
                "params", "constraints", "loss"]:
            cls.get_updates = _in_the_order_of_keras_1(own)

    @renames.in_either_order
    def get_updates(self, loss, params):
        """The step: pairs (variable, new value) for the state and the parameters."""
        raise NotImplementedError

    def __getstate__(self):
        """What pickles and copies keep: the state, and not the step that was made of it."""
        return dict(self.__dict__, updates=[])

    def get_weights(self):
        """The values of the state, in the order of `weights`."""
        return K.batch_get_value(self.weights)

    def set_weights(self, weights):
        """Sets the state from what `get_weights` gave.

        Raises:   ValueError for a wrong number of arrays or a wrong shape.
        """
        if len(weights) != len(self.weights):
            raise ValueError("[%s] set_weights requires %d arrays; %d were given. State exists "
                             "after get_updates." % (type(self).__name__, len(self.weights),
                                                     len(weights)))
        for variable, value in zip(self.weights, weights):
            if np.shape(value) != K.int_shape(variable):
                raise ValueError("[%s] the shape of %s must be %s; an array of shape %s was given."
                                 % (type(self).__name__, variable.name, K.int_shape(variable),
                                    np.shape(value)))
        K.batch_set_value(zip(self.weights, weights))

    def get_config(self):
        return {name: getattr(self, name) for name in ("clipnorm", "clipvalue")
                if getattr(self, name) is not None}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _in_the_order_of_keras_1(get_updates):
    """The method of an optimizer of Keras 1, to be called as those of Keras 2."""
    @functools.wraps(get_updates)
    def call(self, *args, **kwargs):
        if len(args) + len(kwargs) == 3:
            return get_updates(self, *args, **kwargs)
        given = dict(zip(("loss", "params"), args), **kwargs)
        constraints = {param: param.constraint for param in given["params"]
                       if getattr(param, "constraint", None) is not None}
        return get_updates(self, given["params"], constraints, given["loss"])
    return call


class _ByParameter(Optimizer):
    """An optimizer whose step is one rule, applied to each parameter by itself.

    Args:     learning_rate: the rate; `lr` is an older name of it.
              decay: the rate is divided by 1 + decay * steps.
    """

    decays = True
    # Place and value of the array which state saved before Keras 2.3 lacks.
    missing_before_2_3 = None

    def __init__(self, learning_rate, **kwargs):
        learning_rate = kwargs.pop("lr", learning_rate)
        self.initial_decay = kwargs.pop("decay", 0.0) if self.decays else 0.0
        super().__init__(**kwargs)
        with K.name_scope(type(self).__name__):
            self.iterations = K.variable(0, dtype="int64", name="iterations")
            self.learning_rate = K.variable(learning_rate, name="learning_rate")
            self.decay = K.variable(self.initial_decay, name="decay")

    def make_state(self, params):
        """Lists of variables, each with one for every parameter."""
        raise NotImplementedError

    def make_step(self):
        """A function (parameter, gradient, *state) -> (new parameter, tuple of new state)."""
        raise NotImplementedError

    @renames.in_either_order
    def get_updates(self, loss, params):
        params = list(params)
        grads = self.get_gradients(loss, params)
        self.updates = [K.update_add(self.iterations, 1)]
        with K.name_scope(type(self).__name__):
            state = self.make_state(params)
        self.weights = [self.iterations] + [variable for group in state for variable in group]
        step = self.make_step()
        for index, (param, grad) in enumerate(zip(params, grads)):
            new, news = step(param, grad, *(group[index] for group in state))
            if getattr(param, "constraint", None) is not None:
                new = param.constraint(new)
            self.updates += [K.update(group[index], value) for group, value in zip(state, news)]
            self.updates.append(K.update(param, new))
        return self.updates

    def decayed_rate(self):
        """The learning rate of this step."""
        if not self.initial_decay:
            return self.learning_rate
        steps = K.cast(self.iterations, K.dtype(self.decay))
        return self.learning_rate * (1.0 / (1.0 + self.decay * steps))

    def step_number(self):
        """1 at the first step, as floatx."""
        return K.cast(self.iterations, K.floatx()) + 1.0

    def set_weights(self, weights):
        weights = list(weights)
        if self.missing_before_2_3 is not None and len(weights) == len(self.weights) - 1:
            weights.insert(*self.missing_before_2_3)
        super().set_weights(weights)

    def get_config(self):
        config = dict(super().get_config(),
                      learning_rate=float(K.get_value(self.learning_rate)))
        if self.decays:
            config["decay"] = float(K.get_value(self.decay))
        return config


def _zeros_for(params, name):
    """A variable of zeros for each parameter."""
    return [K.zeros(K.int_shape(param), K.dtype(param), "%s_%d" % (name, index))
            for index, param in enumerate(params)]


@_optimizer
class SGD(_ByParameter):
    """Gradient descent with momentum.

    Args:     momentum: the part of the last step that is kept.
              nesterov: whether the gradient counts as taken after the momentum's step.
    Source:   Sutskever et al. 2013, equations 1 to 4.
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = K.variable(momentum, name="SGD/momentum")
        self.nesterov = nesterov

    def make_state(self, params):
        return [_zeros_for(params, "moment")]

    def make_step(self):
        rate = self.decayed_rate()

        def step(param, grad, moment):
            velocity = self.momentum * moment - rate * grad
            if self.nesterov:
                return param + self.momentum * velocity - rate * grad, (velocity,)
            return param + velocity, (velocity,)
        return step

    def get_config(self):
        return dict(super().get_config(), momentum=float(K.get_value(self.momentum)),
                    nesterov=self.nesterov)


@_optimizer
class RMSprop(_ByParameter):
    """Steps divided by a running root mean square of the gradients.

    Args:     rho: how much of the running mean is kept.
    Source:   Tieleman & Hinton 2012, lecture 6.5.
    """

    missing_before_2_3 = (0, np.array(0))

    def __init__(self, learning_rate=0.001, rho=0.9, epsilon=None, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.rho = K.variable(rho, name="RMSprop/rho")
        self.epsilon = K.epsilon() if epsilon is None else epsilon

    def make_state(self, params):
        return [_zeros_for(params, "accumulator")]

    def make_step(self):
        rate, part = self.decayed_rate(), 1.0 - self.rho

        def step(param, grad, squares):
            squares = self.rho * squares + part * K.square(grad)
            return param - rate * grad / (K.sqrt(squares) + self.epsilon), (squares,)
        return step

    def get_config(self):
        return dict(super().get_config(), rho=float(K.get_value(self.rho)), epsilon=self.epsilon)


@_optimizer
class Adagrad(_ByParameter):
    """Steps divided by the root of the sum of all squared gradients.

    Source:   Duchi, Hazan & Singer 2011.
    """

    missing_before_2_3 = (0, np.array(0))

    def __init__(self, learning_rate=0.01, epsilon=None, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.epsilon = K.epsilon() if epsilon is None else epsilon

    def make_state(self, params):
        return [_zeros_for(params, "accumulator")]

    def make_step(self):
        rate = self.decayed_rate()

        def step(param, grad, squares):
            squares = squares + K.square(grad)
            return param - rate * grad / (K.sqrt(squares) + self.epsilon), (squares,)
        return step

    def get_config(self):
        return dict(super().get_config(), epsilon=self.epsilon)


@_optimizer
class Adadelta(_ByParameter):
    """Steps in the ratio of running root mean squares of steps and gradients.

    Args:     rho: how much of the running means is kept.
    Source:   Zeiler 2012, algorithm 1.
    """

    missing_before_2_3 = (0, np.array(0))

    def __init__(self, learning_rate=1.0, rho=0.95, epsilon=None, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.epsilon = K.epsilon() if epsilon is None else epsilon

    def make_state(self, params):
        return [_zeros_for(params, "accumulator"), _zeros_for(params, "delta_accumulator")]

    def make_step(self):
        rate = self.decayed_rate()

        def step(param, grad, squares, deltas):
            squares = self.rho * squares + (1.0 - self.rho) * K.square(grad)
            delta = grad * K.sqrt(deltas + self.epsilon) / K.sqrt(squares + self.epsilon)
            deltas = self.rho * deltas + (1.0 - self.rho) * K.square(delta)
            return param - rate * delta, (squares, deltas)
        return step

    def get_config(self):
        return dict(super().get_config(), rho=self.rho, epsilon=self.epsilon)


@_optimizer
class Adam(_ByParameter):
    """Steps by running means of the gradients and of their squares, corrected for their start.

    Args:     beta_1, beta_2: how much of the two means is kept.
              amsgrad: whether to divide by the greatest mean of squares so far.
    Source:   Kingma & Ba 2015, section 2.1; Reddi, Kale & Kumar 2018.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, amsgrad=False, epsilon=None,
                 **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = K.variable(beta_1, name="Adam/beta_1")
        self.beta_2 = K.variable(beta_2, name="Adam/beta_2")
        self.epsilon = K.epsilon() if epsilon is None else epsilon
        self.amsgrad = amsgrad

    def make_state(self, params):
        if self.amsgrad:
            greatest = _zeros_for(params, "vhat")
        else:  # saved files have a place for them, of one element
            greatest = [K.zeros((1,), name="vhat_%d" % index) for index in range(len(params))]
        return [_zeros_for(params, "m"), _zeros_for(params, "v"), greatest]

    def make_step(self):
        t = self.step_number()
        rate = self.decayed_rate() * (K.sqrt(1.0 - K.pow(self.beta_2, t))
                                      / (1.0 - K.pow(self.beta_1, t)))
        part_1, part_2 = 1.0 - self.beta_1, 1.0 - self.beta_2

        def step(param, grad, mean, squares, greatest):
            mean = self.beta_1 * mean + part_1 * grad
            squares = self.beta_2 * squares + part_2 * K.square(grad)
            if not self.amsgrad:
                return param - rate * mean / (K.sqrt(squares) + self.epsilon), (mean, squares)
            greatest = K.maximum(greatest, squares)
            new = param - rate * mean / (K.sqrt(greatest) + self.epsilon)
            return new, (mean, squares, greatest)
        return step

    def set_weights(self, weights):
        weights = list(weights)
        parameters = (len(self.weights) - 1) // 3
        if not self.amsgrad and len(weights) == 1 + 2 * parameters:
            weights += [np.zeros(1)] * parameters   # neither old Keras nor tf.keras saves them
        super().set_weights(weights)

    def get_config(self):
        return dict(super().get_config(), beta_1=float(K.get_value(self.beta_1)),
                    beta_2=float(K.get_value(self.beta_2)), epsilon=self.epsilon,
                    amsgrad=self.amsgrad)


@_optimizer
class Adamax(_ByParameter):
    """Adam with the greatest gradient, fading, in place of the mean of squares.

    Source:   Kingma & Ba 2015, section 7.1.
    """

    def __init__(self, learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=None, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = K.variable(beta_1, name="Adamax/beta_1")
        self.beta_2 = K.variable(beta_2, name="Adamax/beta_2")
        self.epsilon = K.epsilon() if epsilon is None else epsilon

    def make_state(self, params):
        return [_zeros_for(params, "m"), _zeros_for(params, "u")]

    def make_step(self):
        rate = self.decayed_rate() / (1.0 - K.pow(self.beta_1, self.step_number()))
        part = 1.0 - self.beta_1

        def step(param, grad, mean, greatest):
            mean = self.beta_1 * mean + part * grad
            greatest = K.maximum(self.beta_2 * greatest, K.abs(grad))
            return param - rate * mean / (greatest + self.epsilon), (mean, greatest)
        return step

    def get_config(self):
        return dict(super().get_config(), beta_1=float(K.get_value(self.beta_1)),
                    beta_2=float(K.get_value(self.beta_2)), epsilon=self.epsilon)


@_optimizer
class Nadam(_ByParameter):
    """Adam with Nesterov's momentum.

    Args:     schedule_decay: how fast the momentum grows to beta_1.
    Source:   Dozat 2015; Sutskever et al. 2013.
    """

    decays = False  # the momentum has a schedule; the rate has none
    missing_before_2_3 = (1, np.array(1.0))

    def __init__(self, learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=None,
                 schedule_decay=0.004, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.m_schedule = K.variable(1.0, name="Nadam/m_schedule")
        self.beta_1 = K.variable(beta_1, name="Nadam/beta_1")
        self.beta_2 = K.variable(beta_2, name="Nadam/beta_2")
        self.epsilon = K.epsilon() if epsilon is None else epsilon
        self.schedule_decay = schedule_decay

    @renames.in_either_order
    def get_updates(self, loss, params):
        super().get_updates(loss, params)
        self.weights.insert(1, self.m_schedule)
        self.updates.append(K.update(self.m_schedule, self.m_schedule * self.momentum_at(0)))
        return self.updates

    def momentum_at(self, later):
        """The momentum of this step, or of one that comes later."""
        power = (self.step_number() + later) * self.schedule_decay
        return self.beta_1 * (1.0 - 0.5 * K.pow(K.constant(0.96), power))

    def make_state(self, params):
        return [_zeros_for(params, "m"), _zeros_for(params, "v")]

    def make_step(self):
        now, following = self.momentum_at(0), self.momentum_at(1)
        product = self.m_schedule * now
        second_correction = 1.0 - K.pow(self.beta_2, self.step_number())
        rate = self.decayed_rate()
        part_1, part_2 = 1.0 - self.beta_1, 1.0 - self.beta_2

        def step(param, grad, mean, squares):
            mean = self.beta_1 * mean + part_1 * grad
            squares = self.beta_2 * squares + part_2 * K.square(grad)
            ahead = ((1.0 - now) * grad / (1.0 - product)
                     + following * mean / (1.0 - product * following))
            root = K.sqrt(squares / second_correction) + self.epsilon
            return param - rate * ahead / root, (mean, squares)
        return step

    def get_config(self):
        return dict(super().get_config(), beta_1=float(K.get_value(self.beta_1)),
                    beta_2=float(K.get_value(self.beta_2)), epsilon=self.epsilon,
                    schedule_decay=self.schedule_decay)


class TFOptimizer(Optimizer):
    """Refuses: in Keras it wraps an optimizer of TensorFlow, and symk runs none of its code."""

    def __init__(self, optimizer):
        raise TypeError("[TFOptimizer] an optimizer of symk is required; %r was given. Take SGD, "
                        "RMSprop, Adagrad, Adadelta, Adam, Adamax or Nadam, or derive one from "
                        "Optimizer." % (optimizer,))


sgd = SGD
rmsprop = RMSprop
adagrad = Adagrad
adadelta = Adadelta
adam = Adam
adamax = Adamax
nadam = Nadam


# What tf.keras writes besides, with the values for which its rule is the one here; None: any value.
_KEYS_OF_TF_KERAS = {
    "name": None, "jit_compile": None, "is_legacy_optimizer": None, "ema_momentum": None,
    "ema_overwrite_frequency": None, "use_ema": (False,), "weight_decay": (None, 0.0),
    "centered": (False,), "initial_accumulator_value": (0.0,),
    "clipnorm": (None,),  # there each gradient is scaled by itself; its global_clipnorm is ours
}


def _from_tf_keras(name, config):
    """A config of tf.keras without the keys that are its own.

    Raises:   ValueError for a value that no optimizer here has.
    """
    config = dict(config)
    neutral = dict(_KEYS_OF_TF_KERAS, **({"momentum": (0.0,)} if name == "rmsprop" else {}))
    for key in set(neutral) & set(config):
        value = config.pop(key)
        if neutral[key] is not None and value not in neutral[key]:
            raise ValueError("[optimizer] %s of tf.keras can be read with %s=%r only; %r was given."
                             % (name, key, neutral[key][0], value))
    if "global_clipnorm" in config:
        config["clipnorm"] = config.pop("global_clipnorm")
    if name == "nadam" and "decay" in config:
        config["schedule_decay"] = config.pop("decay")
    return config


def serialize(optimizer):
    return registry.serialize(optimizer)


def deserialize(config, custom_objects=None):
    """An optimizer from its name or config, as Keras or tf.keras writes it; any case will do."""
    known = registry.table("optimizer")
    if isinstance(config, dict) and isinstance(config.get("class_name"), str):
        name = config["class_name"].split(">")[-1].lower()  # tf.keras writes "Custom>Adam"
        own = dict(registry.custom_objects(), **custom_objects or {})
        if name in known and config["class_name"] not in own:
            inner = config.get("config", {})
            config = {"class_name": name,
                      "config": _from_tf_keras(name, inner) if "name" in inner else inner}
    return registry.deserialize(config, known, custom_objects, "optimizer")


def optimizer_from_config(config, custom_objects=None):
    """Keras 1's name of `deserialize`."""
    return deserialize(config, custom_objects)


def get(identifier, kwargs=None):
    """An optimizer from its name, its config or itself.

    Args:     kwargs: the arguments of a name, as Keras 1 had them here.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": dict(kwargs or {})}
    if not isinstance(identifier, dict):
        raise ValueError("[optimizer] a name, a config or an optimizer is required; %r was given."
                         % (identifier,))
    return deserialize(identifier)
