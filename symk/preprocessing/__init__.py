"""Data before the model: text, sequences and images as arrays and batches."""
from . import image, sequence, text

__all__ = ["image", "sequence", "text"]
