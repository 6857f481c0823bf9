"""From what users give to the arrays that a model's functions are fed with, checked.

The order is that of `Objective.feeds`: inputs, targets, sample weights.
"""
import warnings

import numpy as np

from ..config import settings
from . import data
from .objective import fed

__all__ = ["input_arrays", "training_arrays"]

# What old programs pass as class_weight, and Keras passed over.
_WITHOUT_EFFECT = "auto"


def input_arrays(model, x):
    """The arrays of a model's inputs. The first data make the weights of a model without a shape.

    Raises:   ValueError, naming the input.
    """
    model._ensure_built(x)
    inputs = fed(model.inputs)
    names = [name for name, tensor in zip(model.input_names, model.inputs) if tensor in inputs]
    if not inputs and (x is None or len(x) == 0):
        return []
    arrays = data.fitted(data.arrays_of(x, names, "input"), inputs, names, "input")
    if settings.check_nan:
        for name, array in zip(names, arrays):
            data.check_finite(array, name)
    return arrays


def training_arrays(model, x, y, sample_weight=None, class_weight=None):
    """(arrays to feed, which outputs have weights); inputs, targets and weights are checked."""
    inputs = input_arrays(model, x)
    objective = model._compiled()
    targets = _targets(objective, y)
    weights = _weights(objective, targets, sample_weight, class_weight)
    given = [weight for weight in weights if weight is not None]
    groups = {"inputs": inputs, "targets": [one for one in targets if one is not None],
              "sample weights": given}
    if not data.check_cardinality(groups) and any(groups.values()):
        raise ValueError("[data] at least one sample is required; there is none.")
    present = iter(weights)
    weighted = tuple(endpoint.is_trained and next(present) is not None
                     for endpoint in objective.endpoints)
    return inputs + groups["targets"] + given, weighted


def _targets(objective, y):
    """For each trained output its targets; None where a tensor was given to compile."""
    wanted = objective.fed_endpoints
    names = [endpoint.name for endpoint in wanted]
    if not wanted and (y is None or len(y) == 0):
        return [None] * len(objective.trained)
    arrays = data.arrays_of(y, names, "target")
    outputs = dict(zip(objective.endpoints, objective.outputs))
    for number, (endpoint, array) in enumerate(zip(wanted, arrays)):
        if array.ndim == endpoint.target.ndim - 1:
            arrays[number] = array = data.with_last_axis(array)
        for part in data.parts(array):
            endpoint.check_target(part, outputs[endpoint])
            endpoint.check_values(part)
    placeholders = [endpoint.target for endpoint in wanted]
    made = dict(zip(wanted, data.fitted(arrays, placeholders, names, "target")))
    return [made.get(endpoint) for endpoint in objective.trained]


def _weights(objective, targets, sample_weight, class_weight):
    """For each trained output its sample weights times those of its classes, or None."""
    names = [endpoint.name for endpoint in objective.trained]
    given = data.weights_of(sample_weight, names, "sample_weight")
    of_classes = _by_output(class_weight, names)
    result = []
    for endpoint, target, weight in zip(objective.trained, targets, given):
        if weight is not None:
            weight, = data.fitted([np.asarray(weight)], [endpoint.weight], [endpoint.name],
                                  "sample_weight")
        if of_classes.get(endpoint.name) is not None:
            if target is None:
                raise ValueError("[class_weight] targets must be arrays; those of %r are a tensor "
                                 "that was given to compile." % endpoint.name)
            factor = data.class_weights(target, of_classes[endpoint.name], endpoint.name)
            factor = factor.reshape((-1,) + (1,) * (endpoint.weight.ndim - 1))
            weight = factor if weight is None else weight * factor
        result.append(weight)
    return result


def _by_output(class_weight, names):
    """{output: {class: weight}} from that, a list of such, or {class: weight} for one output."""
    if class_weight is None:
        return {}
    if isinstance(class_weight, (list, tuple)):
        if len(class_weight) != len(names):
            raise ValueError("[class_weight] a dict for each output (%s) is required; a list of "
                             "%d was given." % (", ".join(names), len(class_weight)))
        return dict(zip(names, class_weight))
    if isinstance(class_weight, str) and class_weight == _WITHOUT_EFFECT:
        warnings.warn("[class_weight] a dict from classes to weights is required; %r has no "
                      "effect, as in Keras." % (class_weight,), stacklevel=2)
        return {}
    if not isinstance(class_weight, dict):
        raise ValueError("[class_weight] a dict from classes to weights is required; %r was given."
                         % (class_weight,))
    if class_weight and all(isinstance(value, dict) for value in class_weight.values()):
        unknown = sorted(set(class_weight) - set(names), key=repr)
        if unknown:
            raise ValueError("[class_weight] the keys must be names of outputs (%s); %s is none."
                             % (", ".join(names), ", ".join(map(repr, unknown))))
        return class_weight
    if len(names) != 1:
        raise ValueError("[class_weight] a dict by output (%s) is required for several outputs."
                         % ", ".join(names))
    return {names[0]: class_weight}
