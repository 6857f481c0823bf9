"""Which Keras a script was written for, by what it imports and how it calls.

A script is for Keras 1 if it has something that exists only there, and nothing that exists only in
Keras 2: Keras 2 took many old arguments too. Reads the source, runs nothing.
"""
import ast

from .. import renames
from ..engine import legacy
from . import keras1

__all__ = ["version_of"]

_MODULES = {"initializations": 1, "utils.visualize_util": 1, "initializers": 2,
            "utils.vis_utils": 2}
_NAMES = {"merge": 1, "Merge": 1, "TimeDistributedDense": 1, "SReLU": 1, "ParametricSoftplus": 1,
          "fbeta_score": 1, "matthews_correlation": 1, "activity_l2": 1, "activity_l1": 1,
          "activity_l1l2": 1, "WeightRegularizer": 1, "l1l2": 1, "Add": 2, "Concatenate": 2,
          "concatenate": 2, "Conv2DTranspose": 2, "plot_model": 2, "add": 2, "multiply": 2}
_METHODS = {"fit": "fit", "fit_generator": "fit_generator", "Model": "Model",
            "evaluate_generator": "evaluate_generator", "predict_generator": "predict_generator",
            "to_categorical": "to_categorical"}
_INITIALIZERS = ("uniform", "normal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
                 "lecun_uniform", "orthogonal", "identity", "zero", "one")
_CONVOLUTIONS = ("Convolution2D", "Conv2D", "AtrousConvolution2D", "Deconvolution2D",
                 "SeparableConvolution2D")
_DEFINED = {"get_output_shape_for": 1, "compute_output_shape": 2}


def version_of(source):
    """1 or 2, for the text of a script.

    Raises:   SyntaxError if it is no Python.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found.update(_imported(node))
        elif isinstance(node, ast.Import):
            found.update(_MODULES.get(alias.name.partition(".")[2]) for alias in node.names
                         if alias.name.startswith("keras."))
        elif isinstance(node, ast.Call):
            found.update(_called(node))
        elif isinstance(node, ast.FunctionDef):
            found.add(_DEFINED.get(node.name))
    return 1 if 1 in found and 2 not in found else 2


def _imported(node):
    package, _, inner = (node.module or "").partition(".")
    if package != "keras":
        return
    yield _MODULES.get(inner)
    for alias in node.names:
        yield _MODULES.get("%s.%s" % (inner, alias.name) if inner else alias.name)
        if inner.startswith(("layers", "engine", "regularizers", "metrics", "utils")):
            yield _NAMES.get(alias.name)


def _called(node):
    """The versions that a call has marks of."""
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    words = {keyword.arg for keyword in node.keywords}
    table = _table(name)
    yield from (1 for word in words if word in table)
    new = {getattr(one, "name", one) for one in table.values()} - _of_keras_1(name)
    yield from (2 for word in words if word in new)
    if name in _CONVOLUTIONS and len(node.args) > 1:
        yield from _sizes(node.args)
    elif legacy.has_old_names(legacy.modern_name(name)) and len(node.args) > 1:
        second = node.args[1]
        if isinstance(second, ast.Constant) and second.value in _INITIALIZERS:
            yield 1


def _sizes(args):
    """A kernel is a tuple in Keras 2, and numbers one by one in Keras 1."""
    if isinstance(args[1], (ast.Tuple, ast.List)):
        yield 2
    elif len(args) > 2 and not isinstance(args[2], (ast.Tuple, ast.List)):
        yield 1


def _table(name):
    """{old word: new word} of what is called by this name."""
    if name in _METHODS:
        return renames.ARGUMENTS[_METHODS[name]]
    modern = legacy.modern_name(name)
    return dict(legacy.ARGUMENTS.get(modern, {}),
                **dict.fromkeys(legacy.sizes_of(modern), "kernel_size"))


def _of_keras_1(name):
    """New words that Keras 1 has too, in another place."""
    return set(keras1.POSITIONS.get(legacy.modern_name(name), "").split())
