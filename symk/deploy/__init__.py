"""Deployment: `export` writes compiled functions to one file, `load` runs such a file.

`loader.py` needs none of symk's Python and does not import it; see there. So this package imports
nothing until something is asked for.
"""
import importlib

_FROM = {"export": "exporter", "export_standalone": "standalone", "load": "loader"}

__all__ = list(_FROM)


def __getattr__(name):
    if name not in _FROM:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    value = getattr(importlib.import_module("." + _FROM[name], __name__), name)
    globals()[name] = value
    return value
