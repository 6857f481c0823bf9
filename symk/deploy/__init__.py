"""Deployment: `export` writes a compiled function to one file, `load` runs such a file.

`load.py` needs none of symk's Python and does not import it; see there.
"""
from .export import export

__all__ = ["export"]
