"""Derivatives, graph in and graph out. `verify` checks them by differences."""
from .reverse import grad

__all__ = ["grad"]
