"""Reductions: many elements to one along axes. Gradients get y and g with the reduced axes kept."""
import numpy as np

from ..graph import Op, TensorType, apply, dims, op
from ..graph.dtype import floating
from .checks import (
    BOOL,
    FLOATS,
    NUMBERS,
    at_least,
    axes_in,
    axis_in,
    need_axes,
    need_broadcast,
    need_dtype,
)
from .convert import as_variable, cast, fit
from .elementwise import equal, exp, greater, sqrt, square, where
from .kinds import Reduction, reduction
from .samples import sample, values
from .shape import broadcast_to, reshape
from .sizes import as_sizes, size_of

__all__ = ["sum", "mean", "prod", "max", "min", "any", "all", "logsumexp", "l2_norm", "argmax",
           "argmin", "sum_to"]


def _to_number(x):
    """Booleans are counted as int64."""
    return cast(x, "int64")


def _to_float(x):
    return cast(x, floating(x.dtype))


def _count(x, axes):
    """The number of elements that one result takes, as a scalar of x's dtype."""
    return cast(size_of(dims.product(x.shape[axis] for axis in axes)), x.dtype)


def _equal_share(x, y, g, axes):
    """The gradient of an extreme value: shared equally by the elements that attain it."""
    chosen = cast(equal(x, y), x.dtype)
    return g * chosen / sum(chosen, axes, keepdims=True)


def _prod_grad(x, y, g, axes):
    """The product of the other elements, also where some are 0.

    At two or more zeros in one product the second derivative is not that of the product.
    """
    zero = equal(x, 0)
    zeros = sum(zero, axes, keepdims=True)
    others = prod(where(zero, 1, x), axes, keepdims=True)
    from_rest = where(equal(zeros, 0), others, 0) / where(zero, 1, x)
    return g * where(zero, where(equal(zeros, 1), others, 0), from_rest)


def _extreme(function, lowest):
    """np.max or np.min, where no elements give `lowest`: the extreme value of the dtype."""
    def reference(x, axes, keepdims):
        limit = np.iinfo(x.dtype) if x.dtype.kind in "iu" else None
        start = lowest * np.inf if limit is None else limit.min if lowest < 0 else limit.max
        return function(x, axes, keepdims=keepdims, initial=start)
    return reference


def _logsumexp(x, axes, keepdims):
    largest = np.max(x, axes, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(largest), largest, 0).astype(x.dtype)
    total = np.log(np.sum(np.exp(x - shift), axes, keepdims=True)) + shift
    return total if keepdims else np.squeeze(total, axes)


sum = reduction("sum", "The sum; of nothing: 0. Booleans are counted.",
                lambda x, axes, keepdims: np.sum(x, axes, keepdims=keepdims, dtype=x.dtype),
                lambda x, y, g, axes: broadcast_to(g, x.shape),
                accepts=NUMBERS, convert=_to_number)
mean = reduction("mean", "The arithmetic mean; of nothing: NaN.",
                 lambda x, axes, keepdims: np.sum(x, axes, keepdims=keepdims, dtype=x.dtype)
                 / x.dtype.type(np.prod([x.shape[axis] for axis in axes])),
                 lambda x, y, g, axes: broadcast_to(g / _count(x, axes), x.shape),
                 convert=_to_float)
prod = reduction("prod", "The product; of nothing: 1.",
                 lambda x, axes, keepdims: np.prod(x, axes, keepdims=keepdims, dtype=x.dtype),
                 _prod_grad, accepts=NUMBERS, convert=_to_number, domain=(0.5, 1.5))
max = reduction("max", "The largest element; NaN if one is NaN; of nothing: the smallest value.",
                _extreme(np.max, -1), _equal_share, accepts=NUMBERS, smooth=False)
min = reduction("min", "The smallest element; NaN if one is NaN; of nothing: the largest value.",
                _extreme(np.min, 1), _equal_share, accepts=NUMBERS, smooth=False)
any = reduction("any", "Whether one element is true; of nothing: False.",
                lambda x, axes, keepdims: np.any(x, axes, keepdims=keepdims),
                accepts=BOOL, result="bool")
all = reduction("all", "Whether all elements are true; of nothing: True.",
                lambda x, axes, keepdims: np.all(x, axes, keepdims=keepdims),
                accepts=BOOL, result="bool")
logsumexp = reduction("logsumexp", "log(sum(exp(x))), without overflow; of nothing: -inf.",
                      _logsumexp, lambda x, y, g, axes: g * exp(x - y), convert=_to_float)


@op("l2_norm", kind="composition")
class L2Norm(Reduction):
    """sqrt(sum(square(x))), with the gradient 0 where it is 0: the derivative of the root has none.

    The optimiser differentiates such roots in this form, and runs them as roots of sums.
    """

    def reference(self, x):
        return np.sqrt(np.sum(np.square(x), self.axes, keepdims=self.keepdims)).astype(x.dtype)

    def grad(self, x, y, g):
        y, g = (broadcast_to(reshape(v, _kept_shape(x, self.axes)), x.shape) for v in (y, g))
        positive = greater(y, 0)
        return where(positive, g * x / where(positive, y, 1), 0)

    def expand(self, x):
        return sqrt(sum(square(x), self.axes, self.keepdims))

    samples = [sample((3, 4), axes=(1,)), sample((2, 3, 5), axes=(0, 2), keepdims=True),
               sample((4,), axes=(0,)), sample((3, 0), axes=(1,))]
    bad = [sample((3,), axes=(2,), error="axis 2 is outside rank 1")]


def _kept_shape(x, axes):
    """The shape of x with the reduced axes of size 1."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))


class _Position(Op):
    """The position of an extreme value along `axis`; the first of equals; NaN wins."""

    axis: int = 0

    accepts = NUMBERS
    domain = (-2.0, 2.0)

    def infer(self, x):
        need_dtype(self.name, "x", x, self.accepts)
        need_axes(self.name, (self.axis,), x.ndim)
        at_least(self.name, x.shape[self.axis], 1,
                 "axis %d must have at least one element; x is %r" % (self.axis, x))
        return TensorType("int64", x.shape[:self.axis] + x.shape[self.axis + 1:])

    def grad(self, x, y, g):
        return None

    samples = [sample((3, 4), axis=0), sample((3, 4), axis=1), sample((7,), axis=0),
               sample((2, 3, 5), axis=1), sample((0, 3), axis=1), sample((2, 67), axis=1),
               sample(values((9,), low=0.0, high=2.0), axis=0)]
    bad = [sample((3,), axis=1, error="axis 1 is outside rank 1"),
           sample((0, 3), axis=0, error="at least one element")]


@op("argmax", kind="index")
class Argmax(_Position):
    """The position of the largest element along `axis`; the first of equals; NaN wins.

    Shapes: x -> x without the axis.  Dtypes: numbers -> int64.
    """

    axis: int = 0

    def reference(self, x):
        return np.argmax(x, self.axis)


@op("argmin", kind="index")
class Argmin(_Position):
    """The position of the smallest element along `axis`; the first of equals; NaN wins.

    Shapes: x -> x without the axis.  Dtypes: numbers -> int64.
    """

    axis: int = 0

    def reference(self, x):
        return np.argmin(x, self.axis)


@op("sum_to", kind="reduce")
class SumTo(Op):
    """The sum over the axes along which `shape` would have to repeat to become x's shape."""

    shape: tuple = ()

    accepts = NUMBERS
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, x):
        need_dtype(self.name, "x", x, self.accepts)
        need_broadcast(self.name, self.shape, x.shape, "the shape must broadcast to x; x is %r, "
                       "the shape %s was asked for" % (x, self.shape))
        return x.with_shape(self.shape)

    def reference(self, x):
        lead = x.ndim - len(self.shape)
        padded = (1,) * lead + self.shape
        axes = tuple(k for k, (size, have) in enumerate(zip(padded, x.shape)) if size != have)
        return np.sum(x, axes, keepdims=True, dtype=x.dtype).reshape(self.shape)

    def grad(self, x, y, g):
        return broadcast_to(g, x.shape)

    samples = [sample((3, 4), shape=(4,)), sample((3, 4), shape=(3, 1)), sample((2, 3), shape=()),
               sample((3, 4), shape=(3, 4)), sample((2, 5, 3), shape=(1, 1, 3)),
               sample((0, 3), shape=(1, 3)), sample((33, 17), shape=(17,))]
    bad = [sample((3, 4), shape=(3,), error="the shape must broadcast to x"),
           sample((3,), shape=(2, 3), error="the shape must broadcast to x")]


def l2_norm(x, axes=None, keepdims=False):
    """sqrt(sum(square(x))) over axes; its gradient is 0 where it is 0."""
    x = fit(as_variable(x), FLOATS)
    axes = axes_in("l2_norm", axes, x.ndim)
    return apply(L2Norm(axes, bool(keepdims)), x)


def argmax(x, axis=-1):
    """The position of the largest element along `axis`, as int64; the first of equals."""
    x = as_variable(x)
    return apply(Argmax(axis_in("argmax", axis, x.ndim)), x)


def argmin(x, axis=-1):
    """The position of the smallest element along `axis`, as int64; the first of equals."""
    x = as_variable(x)
    return apply(Argmin(axis_in("argmin", axis, x.ndim)), x)


def sum_to(x, shape):
    """x summed over the axes along which `shape` would have to repeat to become x's shape."""
    x, shape = as_variable(x), as_sizes(shape)
    return x if x.shape == shape else apply(SumTo(shape), x)
