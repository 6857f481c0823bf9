"""Random numbers from a key: a seed and an offset that grows by one with each call of a function.

The stream is counter-based (Philox), so a key gives the same numbers on every device and for every
number of threads. Two draws from one key in one function give the same numbers: use a key each.
"""
import numpy as np

from ..config import settings
from ..graph import GraphError, Op, ShapeError, TensorType, apply, op
from ..graph.dtype import canonical
from ..graph.node import Shared
from .checks import ANY, FLOATS, INTEGERS, need_dtype, number, possible, whole
from .elementwise import add, mul
from .philox import normal, truncated_normal, uniform
from .samples import sample, values
from .sizes import as_sizes

__all__ = ["RandomKey", "random_key", "fold_in", "random_uniform", "random_normal",
           "random_truncated_normal", "random_bernoulli", "random_integers"]

# Knuth 1997, The art of computer programming, volume 2, 3.3.4: the generator MMIX.
_MULTIPLIER, _INCREMENT = 6364136223846793005, 1442695040888963407

_KEY = values((2,), "int64", exact=(1234567890123, 7))


class _Random(Op):
    """key int64 (2): seed and offset -> shape.  Dtypes: -> dtype."""

    accepts = FLOATS

    def infer(self, key):
        if key.shape != (2,) or key.dtype != "int64":
            raise ShapeError("[%s] the key must be (2,) int64, as random_key makes it; it is %r."
                             % (self.name, key))
        result = possible(self.name, TensorType(self.dtype, self.shape))
        need_dtype(self.name, "the result", result, self.accepts)
        return result

    def grad(self, key, y, g):
        return None

    bad = [sample(values((3,), "int64"), shape=(2,), error="the key must be (2,) int64")]


def _rows(dtypes, **attributes):
    return [sample(_KEY, shape=shape, dtype=dtype, **attributes)
            for dtype in dtypes for shape in ((1001,), (3, 5), (), (0, 2))]


@op("random_uniform", kind="random")
class RandomUniform(_Random):
    """low + u * (high - low), u uniform in [0, 1)."""

    shape: tuple = ()
    dtype: str = "float32"
    low: float = 0.0
    high: float = 1.0

    def reference(self, key):
        u = uniform(key, self.shape, self.dtype)
        return u.dtype.type(self.low) + u * u.dtype.type(self.high - self.low)

    samples = _rows(("float32", "float64"), low=-1.5, high=2.0)


@op("random_normal", kind="random")
class RandomNormal(_Random):
    """mean + std * z, z from the normal distribution.  Source: Box & Muller 1958."""

    shape: tuple = ()
    dtype: str = "float32"
    mean: float = 0.0
    std: float = 1.0

    def reference(self, key):
        return self.mean + self.std * normal(key, self.shape, self.dtype)

    samples = _rows(("float32", "float64"), mean=0.5, std=2.0)


@op("random_truncated_normal", kind="random")
class RandomTruncatedNormal(_Random):
    """mean + std * z, z from the normal distribution between -2 and 2."""

    shape: tuple = ()
    dtype: str = "float32"
    mean: float = 0.0
    std: float = 1.0

    def reference(self, key):
        return self.mean + self.std * truncated_normal(key, self.shape, self.dtype)

    samples = _rows(("float32", "float64"), mean=0.5, std=2.0)


@op("random_bernoulli", kind="random")
class RandomBernoulli(_Random):
    """`value` with probability p, else 0.

    Dtypes: -> any; float64 draws with 53 bits, others with 24.
    """

    shape: tuple = ()
    dtype: str = "float32"
    p: float = 0.5
    value: float = 1.0

    accepts = ANY

    def reference(self, key):
        chosen = uniform(key, self.shape, self.dtype).astype("float64") < self.p
        return np.where(chosen, self.value, 0).astype(self.dtype)

    samples = (_rows(("float32", "float64", "bool", "int32"), p=0.3)
               + _rows(("float32", "float64"), p=0.3, value=1 / 0.3))


@op("random_integers", kind="random")
class RandomIntegers(_Random):
    """low + floor(u * (high - low)), u uniform in [0, 1) with 53 bits."""

    shape: tuple = ()
    dtype: str = "int32"
    low: int = 0
    high: int = 2

    accepts = INTEGERS

    def infer(self, key):
        if not self.low < self.high:
            raise ShapeError("[random_integers] high must be above low; low is %d, high is %d."
                             % (self.low, self.high))
        return super().infer(key)

    def reference(self, key):
        u = uniform(key, self.shape, "float64")
        steps = np.floor(u * float(self.high - self.low)).astype("int64")
        return (self.low + steps).astype(self.dtype)

    samples = _rows(("int32", "int64", "uint8"), low=3, high=100)
    bad = [sample(_KEY, shape=(2,), low=3, high=3, error="high must be above low")]


class RandomKey(Shared):
    """The state of a random stream: every function that uses it moves its offset on by one."""

    def __init__(self, seed):
        super().__init__(np.array([seed, 0], dtype="int64"), name="random_key",
                         default_update=lambda key: add(key, np.array([0, 1], dtype="int64")))


def random_key(seed):
    """A RandomKey.  Args:  seed: an integer of 64 bits."""
    return RandomKey(whole("random", "a seed", seed))


def fold_in(key, number):
    """The key of another stream for each number, an int64 scalar: that of one step of a loop.

    The new seed is a * seed + c * (number + 1) in 64 bits, with odd a and c, so that neighbours in
    seed or number, and numbers folded in one after the other, get seeds far apart.
    """
    step = mul(np.array([_INCREMENT, 0], dtype="int64"), add(number, 1))
    return add(mul(key, np.array([_MULTIPLIER, 1], dtype="int64")), step)


def _number(name, value):
    return float(number(name, "a parameter of the distribution", value))


def random_uniform(key, shape, low=0.0, high=1.0, dtype=None):
    """Uniform numbers in [low, high); dtype is by default floatx."""
    low, high = (_number("random_uniform", value) for value in (low, high))
    return apply(RandomUniform(as_sizes(shape), _float(dtype), low, high), key)


def random_normal(key, shape, mean=0.0, std=1.0, dtype=None):
    """Normal numbers with this mean and standard deviation; dtype is by default floatx."""
    mean, std = (_number("random_normal", value) for value in (mean, std))
    return apply(RandomNormal(as_sizes(shape), _float(dtype), mean, std), key)


def random_truncated_normal(key, shape, mean=0.0, std=1.0, dtype=None):
    """Normal numbers, none further from the mean than two `std` (of the untruncated)."""
    mean, std = (_number("random_truncated_normal", value) for value in (mean, std))
    return apply(RandomTruncatedNormal(as_sizes(shape), _float(dtype), mean, std), key)


def random_bernoulli(key, shape, p=0.5, dtype=None, value=1.0):
    """`value` with probability p, else 0; dtype is by default floatx."""
    p = _number("random_bernoulli", p)
    if not 0 <= p <= 1:
        raise GraphError("[random_bernoulli] a probability must be from 0 to 1; %r was given." % p)
    return apply(RandomBernoulli(as_sizes(shape), _float(dtype), p, float(value)), key)


def random_integers(key, shape, low, high, dtype="int32"):
    """Integers from low to before high, equally likely."""
    return apply(RandomIntegers(as_sizes(shape), canonical(dtype), int(low), int(high)), key)


def _float(dtype):
    return settings.floatx if dtype is None else canonical(dtype)
