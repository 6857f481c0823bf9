"""Deployment: `export` writes compiled functions to one file, `load` runs such a file; `standalone`
writes a C++ project around one, `to_onnx` an ONNX file.

`loader.py` needs none of symk's Python and does not import it; see there. So this package imports
nothing until one of its names is asked for.
"""
import importlib

_MODULES = {"export": ".exporter", "load": ".loader", "standalone": ".project",
            "to_onnx": ".onnx", "from_onnx": ".onnx"}   # name -> its module

__all__ = list(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    globals()[name] = getattr(importlib.import_module(_MODULES[name], __name__), name)
    return globals()[name]
