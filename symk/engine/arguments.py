"""The arguments of `compile`: one thing, a list or a dict, made into one entry per output."""
import warnings

from .. import losses, registry
from ..graph import Variable
from ..utils.generic_utils import to_list

__all__ = ["loss_object", "loss_weights_of", "metric_lists", "metric_object", "per_output",
           "targets_of"]


def per_output(given, names, what, every=False):
    """One entry per output from a list, a dict, or (for `every` output) a single value."""
    if isinstance(given, dict) and not set(given) >= {"class_name", "config"}:
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError("[compile] the keys of %s must be names of outputs (%s); %s is none."
                             % (what, ", ".join(names), ", ".join(map(repr, unknown))))
        missing = [name for name in names if name not in given]
        if missing and what == "loss":
            warnings.warn("[compile] no loss was given for the output %s, so it is not trained."
                          % ", ".join(missing), stacklevel=6)
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError("[compile] %s for %d outputs (%s) is required; a list of %d was given."
                             % (what, len(names), ", ".join(names), len(given)))
        return list(given)
    return [given] * len(names) if every else [given]


def loss_weights_of(given, names):
    """A number for each output."""
    weights = per_output(given, names, "loss_weights", every=given is None)
    if len(weights) != len(names):
        raise ValueError("[compile] loss_weights must be a list or a dict, with a number for each "
                         "output; %r was given." % (given,))
    return [1.0 if weight is None else float(weight) for weight in weights]


def targets_of(given, names):
    """A tensor or None for each output."""
    targets = per_output(given, names, "target_tensors", every=given is None)
    for target in targets:
        if target is not None and not isinstance(target, Variable):
            raise TypeError("[compile] target_tensors must be symbolic tensors, one for each "
                            "output; %r was given." % (target,))
    if len(targets) != len(names):
        raise ValueError("[compile] target_tensors must be a list or a dict, with a tensor for "
                         "each of the outputs %s; one was given." % ", ".join(names))
    return targets


def loss_object(loss):
    """A losses.Loss from a name, a function, an object or a class; None stays None."""
    if loss is None or isinstance(loss, losses.Loss):
        return loss
    found = losses.get(loss)
    if isinstance(found, type):
        found = found()
    if isinstance(found, losses.Loss):
        return found
    return losses.LossFunctionWrapper(found, name=getattr(found, "__name__", None))


def metric_lists(metrics, names):
    """The metrics of each output, from a list, a list of lists, or a dict.

    Metrics that are given for all of several outputs are copied: each output has its own state.
    """
    if not metrics:
        return [[] for _ in names]
    if not isinstance(metrics, (list, tuple, dict)):
        raise TypeError("[compile] metrics must be a list or a dict; %r was given." % (metrics,))
    if isinstance(metrics, dict) or any(isinstance(one, (list, tuple)) for one in metrics):
        return [to_list(one, allow_tuple=True) if one is not None else []
                for one in per_output(metrics, names, "metrics")]
    if len(names) == 1:
        return [list(metrics)]
    return [[_copy(metric) for metric in metrics] for _ in names]


def _copy(metric):
    if hasattr(metric, "update_state"):
        return type(metric).from_config(metric.get_config())
    return metric


def metric_object(metric, output, loss):
    """A Metric from a name, a function or an object."""
    if isinstance(metric, type):
        metric = metric()
    if hasattr(metric, "update_state"):
        return metric
    name = metric if isinstance(metric, str) else getattr(metric, "__name__",
                                                          getattr(metric, "name", None))
    if metric in ("accuracy", "acc", "crossentropy", "ce"):
        metric = _metric_for(metric, output, loss)
    if isinstance(metric, (str, dict)):
        metric = registry.deserialize(metric, registry.table("metric"), None, "metric")
    if hasattr(metric, "update_state"):
        return metric
    if not callable(metric):
        raise TypeError("[compile] a metric must be a name, a function of (y_true, y_pred) or a "
                        "Metric; %r was given." % (metric,))
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
