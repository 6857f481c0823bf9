"""What a model is trained for: for each output its targets, loss and metrics, as expressions.

`compile` makes an `Objective`; it turns the model's graph into the functions that are run.
"""
import warnings

import numpy as np

from .. import backend as K
from .. import losses, registry
from ..backend.session import LEARNING_PHASE
from ..compile import function
from ..graph import Constant, Placeholder, dims, rebuild
from ..optimize import specialise
from ..utils.generic_utils import to_list
from . import data
from .layer import mask_of

__all__ = ["Endpoint", "Objective"]

# Losses that compare y_true and y_pred element by element, so that both have one shape.
_ELEMENTWISE = {getattr(losses, name) for name in (
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error", "squared_hinge", "hinge", "categorical_hinge", "logcosh",
    "huber_loss", "categorical_crossentropy", "binary_crossentropy",
    "kullback_leibler_divergence", "poisson", "cosine_proximity")}


class Endpoint:
    """One output of a model: how it is compared with its targets.

    `loss` is a `losses.Loss` or None; `metrics` and `weighted_metrics` are Metrics.
    """

    def __init__(self, name, output, loss, loss_weight, weight_mode):
        self.name = name
        self.loss = loss
        self.loss_weight = loss_weight
        self.metrics = []
        self.weighted_metrics = []
        self.mean = None
        if weight_mode not in (None, "temporal"):
            raise ValueError("[sample_weight_mode] None or 'temporal' is required; %r was given."
                             % (weight_mode,))
        self.target = _target_for(loss, output, name)
        self.weight = Placeholder(output.dtype, output.shape[:2 if weight_mode else 1],
                                  name="%s_sample_weights" % name)

    @property
    def is_trained(self):
        return self.loss is not None

    @property
    def takes_labels(self):
        return getattr(self.loss, "fn", None) is losses.sparse_categorical_crossentropy

    def check_target(self, array, output):
        """Says the probable cause when targets do not fit the loss."""
        if self.takes_labels:
            classes = output.shape[-1]
            if array.shape[-1] == classes != 1 and array.ndim == output.ndim:
                raise ValueError("[target %s] integer labels are required by "
                                 "sparse_categorical_crossentropy; the shape %s was given. The "
                                 "targets look one-hot: use categorical_crossentropy."
                                 % (self.name, array.shape))
            data.check_labels(array, classes, self.name)
        elif getattr(self.loss, "fn", None) is losses.categorical_crossentropy:
            if array.shape[-1] == 1 != output.shape[-1]:
                raise ValueError("[target %s] one-hot rows are required by "
                                 "categorical_crossentropy; the shape %s was given. The targets "
                                 "look like labels: use sparse_categorical_crossentropy, or "
                                 "utils.to_categorical." % (self.name, array.shape))

    def check_values(self, array):
        """NaN among the targets of a loss that would only pass it on is an error."""
        if array.dtype.kind == "f" and getattr(self.loss, "fn", None) in _ELEMENTWISE \
                and np.isnan(array).any():
            sample = np.argwhere(np.isnan(array))[0]
            raise ValueError("[target %s] numbers are required; NaN at %s was given."
                             % (self.name, tuple(int(place) for place in sample)))


def _target_for(loss, output, name):
    """The placeholder of the targets: shaped like the output as far as the loss says so."""
    name = "%s_target" % name
    compared = getattr(loss, "fn", None)
    if compared is losses.sparse_categorical_crossentropy:
        return Placeholder("int64", output.shape[:-1] + (1,), name=name)
    if compared in _ELEMENTWISE:
        return Placeholder(output.dtype, output.shape, name=name)
    return Placeholder(output.dtype, output.shape[:1] + (None,) * (output.ndim - 1), name=name)


class Objective:
    """The losses and metrics of a model, and the functions made of them.

    Args:     model: a network; optimizer: an Optimizer; the others are arguments of `compile`.
    """

    def __init__(self, model, optimizer, loss=None, metrics=None, loss_weights=None,
                 sample_weight_mode=None, weighted_metrics=None):
        self.model = model
        self.optimizer = optimizer
        self._batch = _share_batch(model)
        self.inputs = [self._batch.get(tensor, tensor) for tensor in model.inputs]
        self.outputs = self._rebuilt(model.outputs)
        self.masks = [None if mask is None else self._rebuilt([mask])[0]
                      for mask in map(mask_of, model.outputs)]
        self.endpoints = _endpoints(model, self.outputs, loss, loss_weights, sample_weight_mode)
        _add_metrics(self.endpoints, self.outputs, metrics, "metrics")
        _add_metrics(self.endpoints, self.outputs, weighted_metrics, "weighted_metrics")
        self.trained = [endpoint for endpoint in self.endpoints if endpoint.is_trained]
        self._name_metrics()
        self.losses = self._rebuilt(model.losses)
        if not self.trained and not self.losses:
            raise ValueError("[compile] a loss is required; none was given, and no layer adds one.")
        self.parameters = list(model.trainable_weights)

    def _rebuilt(self, tensors):
        return rebuild(list(tensors), self._batch) if self._batch else list(tensors)

    def _name_metrics(self):
        """Names as Keras gives them: with the output's name in front if there are several."""
        several = len(self.endpoints) > 1
        taken = [endpoint.name + "_loss" for endpoint in self.trained] if several else []
        for endpoint in self.endpoints:
            if several and endpoint.is_trained:
                endpoint.mean = registry.lookup("metric", "Mean")(name=endpoint.name + "_loss")
            for metric in endpoint.metrics + endpoint.weighted_metrics:
                base = "%s_%s" % (endpoint.name, metric.name) if several else metric.name
                metric.name = _unused(base, taken)
                taken.append(metric.name)

    @property
    def metrics(self):
        """The metrics given to compile, in the order in which their values are reported."""
        return [metric for endpoint in self.endpoints
                for metric in endpoint.metrics + endpoint.weighted_metrics]

    @property
    def means(self):
        """The means of the losses of the outputs, if there are several."""
        return [endpoint.mean for endpoint in self.trained if endpoint.mean is not None]

    @property
    def names(self):
        """The names of what training reports, the total loss first."""
        return ["loss"] + [metric.name for metric in self.means + self.metrics]

    # ---- expressions

    def _weight(self, endpoint, mask, weighted):
        """The weight of each sample of an output: its mask times what the user gives, or None."""
        weight = endpoint.weight if weighted else None
        if mask is None:
            return weight
        mask = K.cast(mask, endpoint.weight.dtype)
        if weight is None:
            return mask
        mask, _, weight = losses.squeeze_or_expand_dimensions(mask, None, weight)
        return mask * weight

    def _expressions(self, weighted):
        """(total loss, updates of the metrics) for outputs with or without sample weights."""
        total, updates = None, []
        for endpoint, output, mask, has_weight in zip(self.endpoints, self.outputs, self.masks,
                                                      weighted):
            if not endpoint.is_trained:
                continue
            weight = self._weight(endpoint, mask, has_weight)
            value = endpoint.loss(endpoint.target, output, sample_weight=weight)
            if endpoint.mean is not None:
                updates += endpoint.mean.update_state(value)
            unweighted = self._weight(endpoint, mask, False)
            for metric in endpoint.metrics:
                updates += metric.update_state(endpoint.target, output, sample_weight=unweighted)
            for metric in endpoint.weighted_metrics:
                updates += metric.update_state(endpoint.target, output, sample_weight=weight)
            value = value if endpoint.loss_weight == 1 else endpoint.loss_weight * value
            total = value if total is None else total + value
        for value in self.losses:
            total = value if total is None else total + value
        return K.mean(total), updates

    def feeds(self, weighted):
        """The placeholders of a training or test function, in their order."""
        return (self.inputs + [endpoint.target for endpoint in self.trained]
                + [endpoint.weight for endpoint, has_weight in zip(self.endpoints, weighted)
                   if endpoint.is_trained and has_weight])

    def train_function(self, weighted):
        """One step: data -> loss and metrics; changes weights, states and metrics."""
        total, updates = self._expressions(weighted)
        # Before gradients are taken, so that branches of the test phase have none.
        total, = specialise([total], _phase(1))
        steps = self._optimizer_updates(total)
        own = self._layer_updates(self.model.updates)
        return self._function("train", weighted, total, own + steps + updates, phase=1)

    def _layer_updates(self, given):
        """What the layers update by themselves, such as moving means and states."""
        values = self._rebuilt([value for _, value in given])
        return [(variable, value) for (variable, _), value in zip(given, values)]

    def test_function(self, weighted):
        """Data -> loss and metrics; changes states and metrics."""
        total, updates = self._expressions(weighted)
        own = self._layer_updates(self.model.state_updates)
        return self._function("test", weighted, total, own + updates, phase=0)

    def _function(self, kind, weighted, total, updates, phase):
        updates = _in_sequence(updates)
        return function(self.feeds(weighted), [total] + self._results(updates),
                        updates=updates, givens=_phase(phase),
                        name="%s of %s" % (kind, self.model.name))

    def _results(self, updates):
        """What the metrics are after their updates."""
        results = []
        for metric in self.means + self.metrics:
            results += rebuild([K.cast(metric.result(), K.floatx())], updates)
        return results

    def _optimizer_updates(self, total):
        """The optimizer's step. A second function for other weights uses the same state."""
        state = list(self.optimizer.weights)
        updates = self.optimizer.get_updates(total, self.parameters)
        if len(state) <= 1:
            return updates
        again = dict(zip(self.optimizer.weights, state))
        self.optimizer.weights = state
        values = rebuild([value for _, value in updates], again)
        return [(again.get(variable, variable), value)
                for (variable, _), value in zip(updates, values)]


def predict_function(model):
    """Inputs -> outputs, in the test phase; changes states."""
    batch = _share_batch(model)
    states = _in_sequence(model.state_updates)
    values = rebuild(list(model.outputs) + list(states.values()), batch)
    outputs, states = values[:len(model.outputs)], dict(zip(states, values[len(model.outputs):]))
    return function([batch.get(tensor, tensor) for tensor in model.inputs], outputs,
                    updates=states, givens=_phase(0), name="predict of %s" % model.name)


def _phase(value):
    return {LEARNING_PHASE: Constant(value, dtype=LEARNING_PHASE.dtype)}


def _share_batch(model):
    """{input: the same with a batch size that all inputs share}; nothing for a single input.

    Inputs of a model get equally many samples. Knowing so, the graph needs no broadcasting.
    """
    free = [tensor for tensor in model.inputs
            if tensor.ndim and isinstance(tensor.shape[0], dims.Dim)]
    if len(free) < 2:
        return {}
    batch = dims.Size.new("batch")
    return {tensor: Placeholder(tensor.dtype, (batch,) + tensor.shape[1:], name=tensor.name)
            for tensor in free}


def _in_sequence(updates):
    """One update for each variable: a second one begins where the first one ended."""
    latest = {}
    for variable, value in updates:
        if variable in latest:
            value = rebuild([value], {variable: latest[variable]})[0]
        latest[variable] = value
    return latest


def _unused(name, taken):
    """The name, or name_1, name_2, ..."""
    number, result = 0, name
    while result in taken:
        number += 1
        result = "%s_%d" % (name, number)
    return result


# ---- arguments of compile

def _endpoints(model, outputs, loss, loss_weights, sample_weight_mode):
    names = model.output_names
    given = [_loss_object(one) for one in _per_output(loss, names, "loss", every=True)]
    weights = _loss_weights(loss_weights, names)
    modes = _per_output(sample_weight_mode, names, "sample_weight_mode", every=True)
    return [Endpoint(*facts) for facts in zip(names, outputs, given, weights, modes)]


def _per_output(given, names, what, every=False):
    """One entry per output from a list, a dict, or (for `every` output) a single value."""
    if isinstance(given, dict) and not set(given) >= {"class_name", "config"}:
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError("[compile] the keys of %s must be names of outputs (%s); %s is none."
                             % (what, ", ".join(names), ", ".join(map(repr, unknown))))
        missing = [name for name in names if name not in given]
        if missing and what == "loss":
            warnings.warn("[compile] no loss was given for the output %s, so it is not trained."
                          % ", ".join(missing), stacklevel=5)
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError("[compile] %s for %d outputs (%s) is required; a list of %d was given."
                             % (what, len(names), ", ".join(names), len(given)))
        return list(given)
    return [given] * len(names) if every else [given]


def _loss_weights(given, names):
    weights = _per_output(given, names, "loss_weights", every=given is None)
    if len(weights) != len(names):
        raise ValueError("[compile] loss_weights must be a list or a dict, with a number for each "
                         "output; %r was given." % (given,))
    return [1.0 if weight is None else float(weight) for weight in weights]


def _loss_object(loss):
    """A losses.Loss from a name, a function, an object or a class; None stays None."""
    if loss is None or isinstance(loss, losses.Loss):
        return loss
    found = losses.get(loss)
    if isinstance(found, type):
        found = found()
    if isinstance(found, losses.Loss):
        return found
    return losses.LossFunctionWrapper(found, name=getattr(found, "__name__", None))


def _add_metrics(endpoints, outputs, metrics, kind):
    for endpoint, output, given in zip(endpoints, outputs, _metric_lists(metrics, endpoints)):
        for metric in given:
            getattr(endpoint, kind).append(_metric_object(metric, output, endpoint.loss))


def _metric_lists(metrics, endpoints):
    """The metrics of each output, from a list, a list of lists, or a dict."""
    names = [endpoint.name for endpoint in endpoints]
    if not metrics:
        return [[] for _ in names]
    if isinstance(metrics, dict):
        return [to_list(one) if one is not None else []
                for one in _per_output(metrics, names, "metrics")]
    if not isinstance(metrics, (list, tuple)):
        raise TypeError("[compile] metrics must be a list or a dict; %r was given." % (metrics,))
    if any(isinstance(one, (list, tuple)) for one in metrics):
        return [to_list(one) if one is not None else []
                for one in _per_output(metrics, names, "metrics")]
    return [list(metrics) for _ in names]


def _metric_object(metric, output, loss):
    """A Metric from a name, a function or an object."""
    if hasattr(metric, "update_state"):
        return metric
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
    if metric in ("accuracy", "acc", "crossentropy", "ce"):
        metric = _metric_for(metric, output, loss)
    if isinstance(metric, (str, dict)):
        metric = registry.deserialize(metric, registry.table("metric"), None, "metric")
    if hasattr(metric, "update_state"):
        return metric
    return registry.lookup("metric", "MeanMetricWrapper")(metric, name=name)


def _metric_for(word, output, loss):
    """The function that "accuracy" or "crossentropy" means for an output and its loss."""
    what = "accuracy" if word in ("accuracy", "acc") else "crossentropy"
    compared = getattr(loss, "fn", None)
    if compared is losses.binary_crossentropy or output.shape[-1] == 1:
        kind = "binary"
    elif compared is losses.sparse_categorical_crossentropy:
        kind = "sparse_categorical"
    else:
        kind = "categorical"
    return "%s_%s" % (kind, what)
