"""Keras's place for what earlier versions had."""
from . import interfaces, layers

__all__ = ["interfaces", "layers"]
