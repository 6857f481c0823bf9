"""Packages that symk works without: imported when a function needs one, with a clear message."""
import importlib

__all__ = ["extra"]

# module -> the name that pip knows it by
_DISTRIBUTIONS = {"PIL": "Pillow", "sklearn": "scikit-learn"}


def extra(module, what):
    """An optional package, imported now.

    Args:
        module: the module's name, for instance "scipy.ndimage".
        what: the function that needs it, for the message.
    Raises:   ImportError that says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.split(".")[0]
        raise ImportError("[%s] the package %s is required; it cannot be imported (%s). Run "
                          "`pip install %s`." % (what, top, error,
                                                 _DISTRIBUTIONS.get(top, top))) from None
