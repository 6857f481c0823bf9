"""The random stream in NumPy, bit for bit as the kernels: see docs/kernels.md, "Random streams".

Source: Salmon, Moraes, Dror, Shaw 2011, Parallel random numbers: as easy as 1, 2, 3.
"""
import math
import statistics

import numpy as np

__all__ = ["philox", "uniform", "normal", "truncated_normal"]

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)  # golden ratio, sqrt(3) - 1
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox(seed, blocks):
    """The four 32-bit words of each block, as uint64: shape (number of blocks, 4)."""
    seed = int(seed) & 0xFFFFFFFFFFFFFFFF
    key = [seed & 0xFFFFFFFF, seed >> 32]
    zero = np.zeros_like(blocks)
    words = [blocks & _LOW, blocks >> _HALF, zero, zero]
    for _ in range(_ROUNDS):
        first, second = _MULTIPLIERS[0] * words[0], _MULTIPLIERS[1] * words[2]
        words = [(second >> _HALF) ^ words[1] ^ np.uint64(key[0]), second & _LOW,
                 (first >> _HALF) ^ words[3] ^ np.uint64(key[1]), first & _LOW]
        key = [(k + w) & 0xFFFFFFFF for k, w in zip(key, _WEYL)]
    return np.stack(words, axis=-1)


def _words(key, count):
    """At least `count` words of the stream of a key, in whole blocks."""
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    start = (int(key[1]) << 32) & 0xFFFFFFFFFFFFFFFF
    return philox(key[0], blocks + np.uint64(start)).reshape(-1)


def _uniform(key, count, dtype):
    """At least `count` numbers in [0, 1): of 53 bits in float64, else of 24 bits in float32."""
    if dtype == "float64":
        pairs = _words(key, 2 * count).reshape(-1, 2)
        high, low = pairs[:, 0] >> np.uint64(5), pairs[:, 1] >> np.uint64(6)
        return (high.astype("float64") * 2.0 ** 26 + low.astype("float64")) * 2.0 ** -53
    return (_words(key, count) >> np.uint64(8)).astype("float32") * np.float32(2.0 ** -24)


def _take(numbers, shape):
    return numbers[:math.prod(shape)].reshape(shape)


def uniform(key, shape, dtype):
    """Uniform numbers in [0, 1)."""
    return _take(_uniform(key, math.prod(shape), dtype), shape)


def normal(key, shape, dtype):
    """Numbers of mean 0 and deviation 1: cosine and sine of each pair of uniforms."""
    pairs = _uniform(key, -(-math.prod(shape) // 2) * 2, dtype).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log(1 - pairs[:, 0]))
    angle = pairs[:, 1] * pairs.dtype.type(2 * math.pi)
    return _take(np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1), shape)


def truncated_normal(key, shape, dtype):
    """Numbers of the normal distribution between -2 and 2: its inverse of a uniform."""
    low = statistics.NormalDist().cdf(-2)
    inverse = statistics.NormalDist().inv_cdf
    u = uniform(key, shape, dtype)
    return np.asarray([inverse(low + (1 - 2 * low) * float(v)) for v in u.reshape(-1)],
                      u.dtype).reshape(shape)
