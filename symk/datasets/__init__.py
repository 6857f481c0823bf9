"""Data sets: `digits` is inside the package."""
from . import digits

__all__ = ["digits"]
