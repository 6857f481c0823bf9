"""Data sets. `digits` is inside the package; the others are downloaded into Keras's cache."""
from . import (boston_housing, cifar, cifar10, cifar100, digits, fashion_mnist, imdb, mnist,
               reuters)

__all__ = ["boston_housing", "cifar", "cifar10", "cifar100", "digits", "fashion_mnist", "imdb",
           "mnist", "reuters"]
