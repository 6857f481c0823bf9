"""`import keras`, answered by symk.

    import symk.compat
    symk.compat.install()
    import keras                    # symk, under the name and the version of Keras 2.3.1

`symk run script.py` does the same for a script that stays as it is.
"""
from .answer import install, uninstall
from .run import run

__all__ = ["install", "run", "uninstall"]
