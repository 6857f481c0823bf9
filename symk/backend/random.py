"""Random tensors, drawn anew at each call of a function, and variables with random values.

A tensor's stream belongs to its seed; without a seed one is drawn from NumPy, so that
`numpy.random.seed` makes a whole run repeatable.
"""
import numpy as np

from .. import ops
from ..config import settings
from .core import variable

__all__ = ["random_normal", "random_uniform", "random_binomial", "truncated_normal",
           "random_normal_variable", "random_uniform_variable"]


def random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal distribution."""
    return ops.random_normal(_key(seed), shape, mean, stddev, dtype or settings.floatx)


def random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Uniform distribution over [minval, maxval)."""
    return ops.random_uniform(_key(seed), shape, minval, maxval, dtype or settings.floatx)


def random_binomial(shape, p=0.0, dtype=None, seed=None):
    """1 with probability p, else 0."""
    return ops.random_bernoulli(_key(seed), shape, p, dtype or settings.floatx)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal distribution, cut off at two deviations from the mean."""
    return ops.random_truncated_normal(_key(seed), shape, mean, stddev, dtype or settings.floatx)


def _key(seed):
    return ops.random_key(np.random.randint(10 ** 7) if seed is None else seed)


def random_normal_variable(shape, mean, scale, dtype=None, name=None, seed=None):
    """A variable with values drawn once from a normal distribution."""
    return variable(_stream(seed).normal(mean, scale, shape), dtype, name)


def random_uniform_variable(shape, low, high, dtype=None, name=None, seed=None):
    """A variable with values drawn once from a uniform distribution."""
    return variable(_stream(seed).uniform(low, high, shape), dtype, name)


def _stream(seed):
    return np.random if seed is None else np.random.RandomState(seed)
