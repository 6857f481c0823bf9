"""Layers of earlier versions of Keras, at the path that Keras 2.3 gives them."""
from ..layers import (AtrousConvolution1D, AtrousConvolution2D, ConvRecurrent2D, Highway,
                      MaxoutDense, Merge, Recurrent)

__all__ = ["AtrousConvolution1D", "AtrousConvolution2D", "ConvRecurrent2D", "Highway",
           "MaxoutDense", "Merge", "Recurrent"]
