"""Keras's place for what earlier versions had."""
from . import layers

__all__ = ["layers"]
