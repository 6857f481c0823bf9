"""symk: the Keras API on a symbolic graph compiler of its own.

Importing symk is cheap; `symk.layers`, `symk.models` and the other parts are imported when they
are first used.
"""
import importlib

from . import paths

__version__ = "0.1.0"

_PARTS = ("activations", "applications", "autodiff", "backend", "callbacks", "compat", "compile",
          "config", "constraints", "datasets", "deploy", "engine", "expressions", "graph",
          "initializers", "layers", "legacy", "losses", "metrics", "mixed_precision", "models",
          "ops", "optimize", "optimizers", "preprocessing", "registry", "regularizers", "utils",
          "wrappers")
_FROM = {"Input": "layers", "Model": "models", "Sequential": "models",
         "placeholder": "expressions", "shared": "expressions", "function": "expressions",
         "clone": "expressions", "draw": "expressions", "load_kernels": "expressions",
         "get_include": "expressions", "grad": "expressions", "jvp": "expressions",
         "hessian_vector": "expressions", "jacobian": "expressions", "CustomOp": "ops.custom",
         "custom_op": "ops.custom", "device": "config"}

__all__ = ["__version__"] + list(_PARTS) + list(_FROM)


paths.install(__name__)


def __getattr__(name):
    if name in _PARTS or name in paths.ALIASES:
        return importlib.import_module("." + name, __name__)
    if name in _FROM:
        return getattr(importlib.import_module("." + _FROM[name], __name__), name)
    raise AttributeError("module 'symk' has no attribute %r" % name)


def __dir__():
    return sorted(list(globals()) + list(_PARTS) + list(_FROM))
