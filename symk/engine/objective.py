"""What a model is trained for: for each output its targets, loss and metrics, as expressions.

`compile` makes an `Objective`; it turns the model's graph into the functions that are run.
"""
import inspect

import numpy as np

from .. import backend as K
from .. import losses, registry
from ..backend.session import LEARNING_PHASE
from ..compile import function
from ..graph import Constant, Placeholder, dims, rebuild
from ..graph.collection import without_collection
from ..optimize import specialise
from ..optimize.recompute import recompute_in_parts
from . import data
from .arguments import (loss_object, loss_weights_of, metric_lists, metric_object, per_output,
                        targets_of)
from .layer import Contribution, mask_of

__all__ = ["Endpoint", "Objective", "fed", "phase_givens", "predict_function"]

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

    def __init__(self, name, output, loss, loss_weight, weight_mode, target=None):
        self.name = name
        self.loss = loss
        self.loss_weight = loss_weight
        self.metrics = []
        self.weighted_metrics = []
        self.mean = None
        if weight_mode not in (None, "temporal"):
            raise ValueError("[sample_weight_mode] None or 'temporal' is required; %r was given."
                             % (weight_mode,))
        self._has_own_target = target is None
        self.target = _target_for(loss, output, name) if target is None else target
        self.weight = Placeholder(output.dtype, output.shape[:2 if weight_mode else 1],
                                  name="%s_sample_weights" % name)

    def placeholders_for(self, output):
        """{placeholder: another one for its data, whose sizes are those of this output}."""
        sizes = output.shape[:self.weight.ndim]
        others = {self.weight: Placeholder(output.dtype, sizes, name=self.weight.name)}
        if self._has_own_target:
            others[self.target] = _target_for(self.loss, output, self.name)
        return others

    @property
    def is_trained(self):
        return self.loss is not None

    @property
    def is_fed(self):
        """Whether the targets are data of the user; else a tensor that was given to compile."""
        return self.is_trained and isinstance(self.target, Placeholder)

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

    Losses and metrics are expressions over the model's own tensors, so those of users may have
    others of its tensors in them. What is run is made of them with one batch size for all inputs.

    Args:     model: a network; optimizer: an Optimizer; the others are arguments of `compile`,
              which are kept in `given` as they are, for saving.
    """

    def __init__(self, model, optimizer, loss=None, metrics=None, loss_weights=None,
                 sample_weight_mode=None, weighted_metrics=None, target_tensors=None,
                 recompute=False, products=None):
        self.model = model
        self.optimizer = optimizer
        self.given = {"loss": loss, "metrics": metrics, "weighted_metrics": weighted_metrics,
                      "loss_weights": loss_weights, "sample_weight_mode": sample_weight_mode}
        self._recompute = recompute
        self.products = products
        self.outputs = list(model.outputs)
        self.masks = [mask_of(output) for output in self.outputs]
        self.endpoints = _endpoints(model.output_names, self.outputs, loss, loss_weights,
                                    sample_weight_mode, target_tensors)
        self.trained = [endpoint for endpoint in self.endpoints if endpoint.is_trained]
        self._add_metrics(metrics, "metrics")
        self._add_metrics(weighted_metrics, "weighted_metrics")
        self.added = _added_metrics(model)
        self.losses = list(model.losses)
        if not self.trained and not self.losses:
            raise ValueError("[compile] a loss is required; none was given, and no layer adds one.")
        self.parameters = list(model.trainable_weights)
        self.names = self._metric_names()
        self._stepped = None    # what the optimizer's first step updates, in order
        self._shared = _share_batch(model)
        if self._shared:
            for endpoint, output in zip(self.endpoints, rebuild(self.outputs, self._shared)):
                self._shared.update(endpoint.placeholders_for(output))

    def _add_metrics(self, metrics, kind):
        lists = metric_lists(metrics, self.model.output_names)
        for endpoint, output, given in zip(self.endpoints, self.outputs, lists):
            if given and endpoint.is_trained:
                getattr(endpoint, kind).extend(
                    metric_object(part, output, endpoint.loss)
                    for metric in given for part in _parts(metric, endpoint.target, output))

    def _metric_names(self):
        """What training reports, the total loss first: as in Keras, with the output's name in
        front if there are several."""
        several = len(self.endpoints) > 1
        names = ["loss"]
        for endpoint in self.trained if several else ():
            names.append(endpoint.name + "_loss")
            endpoint.mean = registry.lookup("metric", "Mean")(name=names[-1])
        for endpoint in self.trained:
            for metric in endpoint.metrics + endpoint.weighted_metrics:
                name = "%s_%s" % (endpoint.name, metric.name) if several else metric.name
                names.append(_unused(name, names))
        for metric in self.added:
            names.append(_unused(metric.name, names))
        return names

    @property
    def metrics(self):
        """The metrics given to compile and added by layers, in the order of their names."""
        return [metric for endpoint in self.trained
                for metric in endpoint.metrics + endpoint.weighted_metrics] + list(self.added)

    @property
    def means(self):
        """The means of the losses of the outputs, if there are several."""
        return [endpoint.mean for endpoint in self.trained if endpoint.mean is not None]

    @property
    def fed_endpoints(self):
        """The outputs whose targets are data of the user."""
        return [endpoint for endpoint in self.trained if endpoint.is_fed]

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

    def _losses(self, weighted):
        """[(endpoint, output, loss)] for outputs with or without sample weights."""
        return [(endpoint, output, endpoint.loss(endpoint.target, output,
                                                 sample_weight=self._weight(endpoint, mask, has)))
                for endpoint, output, mask, has in zip(self.endpoints, self.outputs, self.masks,
                                                       weighted) if endpoint.is_trained]

    def _total(self, values):
        """The sum of the losses of the outputs and of the layers, as a scalar."""
        terms = [value if endpoint.loss_weight == 1 else endpoint.loss_weight * value
                 for endpoint, _, value in values] + self.losses
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return K.mean(total)

    def _metric_updates(self, values, weighted):
        updates = [pair for pairs in self.added.values() for pair in pairs]
        weights = {endpoint: (self._weight(endpoint, mask, False),
                              self._weight(endpoint, mask, has))
                   for endpoint, mask, has in zip(self.endpoints, self.masks, weighted)}
        for endpoint, output, value in values:
            if endpoint.mean is not None:
                updates += endpoint.mean.update_state(value)
            for metrics, weight in zip((endpoint.metrics, endpoint.weighted_metrics),
                                       weights[endpoint]):
                for metric in metrics:
                    updates += metric.update_state(endpoint.target, output, sample_weight=weight)
        return updates

    def _expressions(self, weighted, own):
        """(total loss, updates of layers, updates of metrics), of what `feeds` says.

        Args:     weighted: which outputs have sample weights; own: the updates of layers.
        """
        values = self._losses(weighted)
        updates = list(own) + self._metric_updates(values, weighted)
        total, *news = rebuild([self._total(values)] + [new for _, new in updates], self._shared)
        updates = [(variable, new) for (variable, _), new in zip(updates, news)]
        return total, updates[:len(own)], updates[len(own):]

    def total_loss(self):
        """The loss as an expression of the model's inputs, the targets and the sample weights."""
        return self._total(self._losses([endpoint.is_trained for endpoint in self.endpoints]))

    def feeds(self, weighted):
        """The placeholders of a training or test function, in their order."""
        own = (fed(self.model.inputs)
               + [endpoint.target for endpoint in self.fed_endpoints]
               + [endpoint.weight for endpoint, has_weight in zip(self.endpoints, weighted)
                  if endpoint.is_trained and has_weight])
        return [self._shared.get(tensor, tensor) for tensor in own]

    @without_collection
    def train_function(self, weighted):
        """One step: data -> loss and metrics; changes weights, states and metrics."""
        total, own, updates = self._expressions(weighted, self.model.updates)
        # Before gradients are taken, so that branches of the test phase have none.
        total, = specialise([total], phase_givens(1))
        steps = self._optimizer_updates(self._with_parts(total))
        return self._function("train", weighted, total, own + steps + updates, phase=1)

    def _with_parts(self, total):
        """The loss whose gradients compute again what compile was asked to."""
        if self._recompute is False or self._recompute is None:
            return total
        parts = None if self._recompute is True else self._recompute
        return recompute_in_parts([total], parts)[0]

    def test_function(self, weighted):
        """Data -> loss and metrics; changes states and metrics."""
        total, own, updates = self._expressions(weighted, self.model.state_updates)
        return self._function("test", weighted, total, own + updates, phase=0)

    def _function(self, kind, weighted, total, updates, phase):
        updates = _in_sequence(updates)
        return function(self.feeds(weighted), [total] + self._results(updates),
                        updates=updates, givens=phase_givens(phase),
                        name="%s of %s" % (kind, self.model.name), products=self.products)

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
        if self._stepped is None:
            self._stepped = [variable for variable, _ in updates]
            return updates
        again = {new: old for (new, _), old in zip(updates, self._stepped) if new is not old}
        self.optimizer.weights = state
        values = rebuild([value for _, value in updates], again)
        return list(zip(self._stepped, values))


def predict_function(model, products=None):
    """Inputs -> outputs, in the test phase; changes states."""
    batch = _share_batch(model)
    states = _in_sequence(model.state_updates)
    values = rebuild(list(model.outputs) + list(states.values()), batch)
    outputs, states = values[:len(model.outputs)], dict(zip(states, values[len(model.outputs):]))
    return function([batch.get(tensor, tensor) for tensor in fed(model.inputs)], outputs,
                    updates=states, givens=phase_givens(0), name="predict of %s" % model.name,
                    products=products)


def fed(inputs):
    """The inputs of a model that are data of the user; others are tensors with a value."""
    return [tensor for tensor in inputs if isinstance(tensor, Placeholder)]


def phase_givens(value):
    """The learning phase as what a function is given: 1 for training, 0 for test."""
    return {LEARNING_PHASE: Constant(value, dtype=LEARNING_PHASE.dtype)}


def _share_batch(model):
    """{input: the same with a batch size that all inputs share}; nothing for a single input.

    Inputs of a model get equally many samples. Knowing so, the graph needs no broadcasting.
    """
    free = [tensor for tensor in fed(model.inputs)
            if tensor.ndim and isinstance(tensor.shape[0], dims.Dim) and not tensor.is_sparse]
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


def _parts(metric, target, output):
    """The metrics that one is: one for each key, if a user's function gives a dict."""
    if not inspect.isfunction(metric) or (metric.__module__ or "").startswith("symk."):
        return [metric]
    values = metric(target, output)
    return [_part(metric, key) for key in values] if isinstance(values, dict) else [metric]


def _part(metric, key):
    """A function that gives one of the values of a metric."""
    def part(y_true, y_pred):
        return metric(y_true, y_pred)[key]
    part.__name__ = key
    return part


def _unused(name, taken):
    """The name, or name_1, name_2, ..."""
    number, result = 0, name
    while result in taken:
        number += 1
        result = "%s_%d" % (name, number)
    return result


def _endpoints(names, outputs, loss, loss_weights, sample_weight_mode, target_tensors):
    given = [loss_object(one) for one in per_output(loss, names, "loss", every=True)]
    weights = loss_weights_of(loss_weights, names)
    modes = per_output(sample_weight_mode, names, "sample_weight_mode", every=True)
    targets = targets_of(target_tensors, names)
    return [Endpoint(*facts) for facts in zip(names, outputs, given, weights, modes, targets)]


def _added_metrics(model):
    """{metric: its updates in this model} of the metrics that layers and the model added."""
    added = {}
    for metric in model.metric_objects():
        pairs = [pair for tensors, updates in metric.calls
                 if all(model.belongs(Contribution(tensor, None)) for tensor in tensors)
                 for pair in updates]
        if pairs and metric not in added:
            added[metric] = pairs
    return added
