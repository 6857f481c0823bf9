"""From expressions to a Plan, and from a Plan to a callable."""
from .function import Function, function

__all__ = ["Function", "function"]
