"""Batch normalisation over all axes but the last, with its statistics as results."""
import numpy as np

from ..graph import Op, ShapeError, apply, dims, op
from .checks import FLOATS, need_dtype, need_equal_dtypes, same_size
from .convert import cast, fit, meet
from .elementwise import add, mul, rsqrt, sub
from .reduce import sum
from .samples import sample
from .shape import broadcast_to
from .sizes import size_of

__all__ = ["batch_norm"]


def _check(name, x, *vectors):
    """Checks x (..., c) and vectors (c)."""
    need_dtype(name, "x", x, FLOATS)
    need_equal_dtypes(name, x, *vectors)
    if x.ndim < 2:
        raise ShapeError("[%s] x must have at least 2 axes, the last one channels; it is %r."
                         % (name, x))
    for vector in vectors:
        what = "one element per channel is required; x is %r, a vector is %r" % (x, vector)
        same_size(name, vector.ndim, 1, what)
        same_size(name, vector.shape[0], x.shape[-1], what)


@op("batch_norm", kind="norm")
class BatchNorm(Op):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, over all axes but the last.

    Shapes: x (..., c), gamma (c), beta (c) -> y (..., c), mean (c), variance (c), biased.
    Source: Ioffe & Szegedy 2015, algorithm 1.
    """

    epsilon: float = 1e-3

    accepts = FLOATS
    domain = (0.5, 2.0)
    smooth = True

    def infer(self, x, gamma, beta):
        _check(self.name, x, gamma, beta)
        return x, gamma, gamma

    def reference(self, x, gamma, beta):
        axes, count = tuple(range(x.ndim - 1)), x.dtype.type(np.prod(x.shape[:-1]))
        mean = np.sum(x, axes) / count
        variance = np.sum(np.square(x - mean), axes) / count
        y = gamma * (x - mean) / np.sqrt(variance + self.epsilon) + beta
        return y.astype(x.dtype), mean, variance

    def grad(self, x, gamma, beta, y, mean, variance, g, g_mean, g_variance):
        dx = d_gamma = d_beta = None
        if g is not None:
            dx, d_gamma, d_beta = apply(BatchNormGrad(self.epsilon), x, gamma, mean, variance, g)
        count = _count(x)
        parts = [dx]
        if g_mean is not None:
            parts.append(broadcast_to(g_mean / count, x.shape))
        if g_variance is not None:
            parts.append(mul(sub(x, mean), g_variance * 2 / count))
        parts = [part for part in parts if part is not None]
        for part in parts[1:]:
            parts[0] = add(parts[0], part)
        return (parts[0] if parts else None), d_gamma, d_beta

    samples = [sample((4, 3), (3,), (3,)), sample((2, 3, 4, 5), (5,), (5,), epsilon=1e-2),
               sample((6, 1), (1,), (1,)), sample((3, 2, 17), (17,), (17,))]
    bad = [sample((4, 3), (4,), (3,), error="one element per channel is required"),
           sample((3,), (3,), (3,), error="at least 2 axes"),
           sample((4, 3), (3,), (1, 3), error="one element per channel is required")]


@op("batch_norm_grad", kind="norm")
class BatchNormGrad(Op):
    """The gradient of batch_norm's y, with the statistics given.

    Shapes: x, g (..., c), gamma, mean, variance (c) -> dx (..., c), dgamma (c), dbeta (c).
    """

    epsilon: float = 1e-3

    accepts = FLOATS
    domain = (0.5, 2.0)
    smooth = True

    def infer(self, x, gamma, mean, variance, g):
        _check(self.name, x, gamma, mean, variance)
        _check(self.name, g, gamma)
        what = "g must have the shape of x; x is %r, g is %r" % (x, g)
        same_size(self.name, x.ndim, g.ndim, what)
        for a, b in zip(x.shape, g.shape):
            same_size(self.name, a, b, what)
        return x, gamma, gamma

    def reference(self, x, gamma, mean, variance, g):
        axes = tuple(range(x.ndim - 1))
        count = np.prod(x.shape[:-1])
        inverse = 1 / np.sqrt(variance + self.epsilon)
        normal = (x - mean) * inverse
        d_beta, d_gamma = np.sum(g, axes), np.sum(g * normal, axes)
        dx = gamma * inverse * (g - d_beta / count - normal * d_gamma / count)
        return dx.astype(x.dtype), d_gamma, d_beta

    def expand(self, x, gamma, mean, variance, g):
        axes, count = tuple(range(x.ndim - 1)), _count(x)
        inverse = rsqrt(variance + self.epsilon)
        normal = mul(sub(x, mean), inverse)
        d_beta, d_gamma = sum(g, axes), sum(mul(g, normal), axes)
        dx = gamma * inverse * (g - d_beta / count - normal * (d_gamma / count))
        return dx, d_gamma, d_beta

    samples = [sample((4, 3), (3,), (3,), (3,), (4, 3)),
               sample((2, 3, 4, 5), (5,), (5,), (5,), (2, 3, 4, 5), epsilon=1e-2),
               sample((6, 1), (1,), (1,), (1,), (6, 1))]
    bad = [sample((4, 3), (3,), (3,), (3,), (5, 3), error="g must have the shape of x")]


def _count(x):
    """The number of elements of one channel, as a scalar of x's dtype."""
    return cast(size_of(dims.product(x.shape[:-1])), x.dtype)


def batch_norm(x, gamma, beta, epsilon=1e-3):
    """x normalised over all axes but the last, scaled and shifted.

    Returns:  (y, mean, variance): the statistics of this batch; the variance is biased.
    """
    x, gamma, beta = (fit(v, FLOATS) for v in meet(x, gamma, beta))
    return apply(BatchNorm(float(epsilon)), x, gamma, beta)
