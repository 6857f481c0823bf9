"""Deployment: `export` writes a compiled function to one file, `load` runs such a file.

`load.py` needs none of symk's Python and does not import it; see there. So this package imports
nothing until `export` is asked for.
"""
import importlib

__all__ = ["export"]


def __getattr__(name):
    if name != "export":
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    globals()["export"] = importlib.import_module(".export", __name__).export
    return globals()["export"]
