"""Writes compiled functions as one model file: their Plans, and the values that they share.

The steps stay as they are, so the file computes what the functions compute, bit by bit. Steps whose
results are the same at each call are run here, by the kernels that would run them there.
"""
import os

import numpy as np

from ..compile import Function
from ..compile.callback import called_ops
from ..graph.errors import GraphError
from ..ops.checks import flag
from . import fold, model_file
from .stored import store

__all__ = ["export", "exported"]


def export(what, path, metadata=None, train=False, weights="float32"):
    """Writes a model, a function, or several of them, for `symk.deploy.load` or the C library.

    The file is complete or not there: it is written under another name and then renamed.

    Args:
        what: a model, whose prediction is meant; what `symk.function` or `K.function` made in mode
            "native"; or a dict {name: model or function}, of which the first one is what a file is
            loaded as. Functions with shared variables in common have them in common in the file.
        path: the file; one that exists is replaced. By custom it ends with ".symk".
        metadata: a dict of texts that the file carries along.
        train: whether the training step of the model, of a dict that of its first one, is there
            too, as "train". Its states (weights, optimizer, metrics) then change where the file is
            run.
        weights: "float32", or how those of products and embeddings are stored: "float16" or "int8"
            (`docs/precision.md`). Weights that a function changes stay float32.
    Raises:   GraphError when a function cannot run without Python; OSError.
    """
    functions, values, texts = exported(what, metadata, train, weights)
    model_file.write(os.fspath(path), functions, values, texts)


def exported(what, metadata=None, train=False, weights="float32"):
    """The functions, values and metadata of the file that `export` writes."""
    named = _named(what, flag("export", "train", train))
    plans = [(name, _program(function, name).plan, function.program.shared, names)
             for name, function, names in named]
    values = _Values(plans)
    functions = [model_file.ModelFunction(name, _described(plan, names), values.numbers(shared))
                 for name, plan, shared, names in plans]
    functions, kept = store(*fold.fold(functions, values.values), weights)
    return functions, kept, _metadata(what, metadata)


# --- what is given ---

def _named(what, train):
    """(name, Function, names of inputs and outputs or None) of each function."""
    given = what if isinstance(what, dict) else {"predict": what}
    if not given or not all(isinstance(name, str) and name for name in given):
        raise GraphError("[export] a dict must have names of functions as its keys; %r were given."
                         % list(given))
    named = [(name, *_function(one)) for name, one in given.items()]
    if train and "train" in given:
        raise GraphError('[export] train=True adds the function "train"; the dict has one of this '
                         "name.")
    if train:
        named.append(("train", *_training(_first(what))))
    return named


def _first(what):
    """The model that stands for all that is given."""
    return next(iter(what.values())) if isinstance(what, dict) else what


def _function(what):
    """The Function that is meant, and the names of a model's inputs and outputs."""
    if not hasattr(what, "predict_function"):
        return getattr(what, "compiled", what), None   # K.function keeps its Function there
    if what.inputs is None:
        raise GraphError("[export] a model with known inputs is required; %r has seen no data yet. "
                         "Call its predict once." % what.name)
    return what.predict_function, (None, what.output_names)


def _training(model):
    if not hasattr(model, "train_function"):
        raise GraphError("[export] train=True needs a model; %r was given." % type(model).__name__)
    return model.train_function, (None, model.metrics_names)


def _program(function, name):
    """The native program of a function that can run anywhere."""
    if not isinstance(function, Function):
        raise GraphError("[export] a compiled function or a model is required for %r; %r was "
                         "given. Give what K.function made." % (name, type(function).__name__))
    if function.mode != "native":
        raise GraphError('[export] a function in mode "native" is required for %r; its mode is %r. '
                         'Compile it with mode="native".' % (name, function.mode))
    if function.plan is None:
        raise GraphError("[export] a function on one device is required for %r; it runs on %s. "
                         "Give the model that multi_gpu_model was made of, or compile it outside "
                         "of device scopes." % (name, function.program.device))
    called = called_ops(function.program.plan)
    if called:
        raise GraphError("[export] every op must have a kernel; %s of function %r run in Python. "
                         "Load kernels of these names by symk.load_kernels, and compile it again."
                         % (", ".join(called), name))
    return function.program


# --- what is written ---

def _described(plan, names):
    """The Plan with the names of a model's outputs, and without the paths of this machine."""
    outputs = plan.outputs
    if names is not None and len(names[1]) == len(outputs):
        outputs = [(name, buffer) for name, (_, buffer) in zip(_unique(names[1]), outputs)]
    return _without_paths(plan, outputs)


def _without_paths(plan, outputs):
    steps = [step._replace(origin=_short(step.origin)) for step in plan.steps]
    return fold.changed(plan, steps=steps, outputs=outputs,
                        plans=[_without_paths(part, part.outputs) for part in plan.plans])


def _short(origin):
    """An origin whose file has no folder: 'layer "dense_1" (Dense), train.py:7'."""
    what, comma, place = origin.rpartition(", ")
    return what + comma + os.path.basename(place)


def _unique(names):
    """The names, with a number behind one that is there already."""
    used, unique = set(), []
    for name in names:
        candidate, number = name, 1
        while candidate in used:
            candidate, number = "%s_%d" % (name, number), number + 1
        used.add(candidate)
        unique.append(candidate)
    return unique


class _Values:
    """The shared variables of all functions, each once."""

    def __init__(self, plans):
        self._numbers, names = {}, []
        variables = []
        for _, plan, shared, _ in plans:
            for variable, (name, _) in zip(shared, plan.shared):
                if variable not in self._numbers:
                    self._numbers[variable] = len(variables)
                    variables.append(variable)
                    names.append(name)
        self.values = [model_file.Value(name, np.asarray(variable.get_value()))
                       for name, variable in zip(_unique(names), variables)]

    def numbers(self, shared):
        return tuple(self._numbers[variable] for variable in shared)


def _metadata(what, metadata):
    """What a file says of itself, besides what its maker says."""
    texts = {}
    name = getattr(_first(what), "name", None)
    if isinstance(name, str):
        texts["name"] = name
    texts.update(model_file.texts_of("export", metadata))
    return texts
