"""Random tensors, drawn anew at each call of a function, and variables with random values.

A tensor's stream belongs to its seed; without a seed one is drawn from NumPy, so that
`numpy.random.seed` makes a whole run repeatable.
"""
import numpy as np

from .. import ops
from ..graph import GraphError, Variable
from ..ops.checks import number, whole
from ..ops.sizes import known_sizes
from .common import chosen_dtype
from .core import variable

__all__ = ["random_normal", "random_uniform", "random_binomial", "truncated_normal",
           "random_normal_variable", "random_uniform_variable"]


def random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal distribution; mean and deviation may be tensors that fit the shape."""
    dtype = chosen_dtype(dtype)
    if isinstance(mean, Variable) or isinstance(stddev, Variable):
        drawn = ops.random_normal(_key(seed), shape, dtype=dtype)
        return ops.broadcast_to(drawn * stddev + mean, shape)
    return ops.random_normal(_key(seed), shape, mean, stddev, dtype)


def random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Uniform distribution over [minval, maxval)."""
    return ops.random_uniform(_key(seed), shape, minval, maxval, chosen_dtype(dtype))


def random_binomial(shape, p=0.0, dtype=None, seed=None):
    """1 with probability p, else 0."""
    return ops.random_bernoulli(_key(seed), shape, p, chosen_dtype(dtype))


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal distribution, cut off at two deviations from the mean."""
    return ops.random_truncated_normal(_key(seed), shape, mean, stddev, chosen_dtype(dtype))


def _key(seed):
    return ops.random_key(np.random.randint(10 ** 7) if seed is None
                          else whole("random", "a seed", seed))


def random_normal_variable(shape, mean, scale, dtype=None, name=None, seed=None):
    """A variable with values drawn once from a normal distribution."""
    mean, scale = (number("random_normal_variable", "mean and scale", v) for v in (mean, scale))
    drawn = _stream(seed).standard_normal(known_sizes("variable", shape))
    return variable(mean + scale * drawn, dtype, name)


def random_uniform_variable(shape, low, high, dtype=None, name=None, seed=None):
    """A variable with values drawn once from a uniform distribution."""
    low, high = (number("random_uniform_variable", "low and high", v) for v in (low, high))
    return variable(_stream(seed).uniform(low, high, known_sizes("variable", shape)), dtype, name)


def _stream(seed):
    if seed is None:
        return np.random
    if not 0 <= whole("random", "a seed", seed) < 2 ** 32:
        raise GraphError("[random] the seed of a variable must be from 0 to 2**32 - 1; %r was "
                         "given." % (seed,))
    return np.random.RandomState(seed)
