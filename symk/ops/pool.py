"""Pooling over one, two or three axes, channels last. Maxima and averages leave the padding of
"same" out."""
import dataclasses

import numpy as np

from ..graph import Op, TensorType, apply, op
from .checks import FLOATS, need_dtype, need_equal_dtypes, same_size
from .convert import as_variable, fit
from .samples import sample, values
from .window import check_geometry, inside, output_size, pad_widths, per_axis, tap

__all__ = ["max_pool", "average_pool"]


@dataclasses.dataclass(frozen=True, repr=False)
class _Pool(Op):
    """What the ops of this file share."""

    window: tuple = (2, 2)
    strides: tuple = (2, 2)
    padding: str = "valid"

    accepts = FLOATS
    domain = (-2.0, 2.0)
    smooth = True

    def _result(self, x):
        """The type of a pool of x."""
        check_geometry(self.name, x, self.padding, ("same", "valid"), window=self.window,
                       strides=self.strides)
        need_dtype(self.name, "x", x, self.accepts)
        sizes = tuple(output_size(self.name, size, window, stride, 1, self.padding)
                      for size, window, stride in zip(x.shape[1:], self.window, self.strides))
        return x.with_shape((x.shape[0],) + sizes + (x.shape[-1],))

    def _need_type(self, operand, given, wanted):
        """Raises ShapeError unless an operand has the shape wanted."""
        need_equal_dtypes(self.name, given, wanted)
        what = "%s must have the shape %r; it is %r" % (operand, wanted, given)
        same_size(self.name, given.ndim, wanted.ndim, what)
        for a, b in zip(given.shape, wanted.shape):
            same_size(self.name, a, b, what)

    def _geometry(self, x_shape):
        """Padding widths for np.pad, the region of x inside, and the number of windows."""
        counts, before, after = zip(*(
            pad_widths(size, window, stride, 1, self.padding)
            for size, window, stride in zip(x_shape[1:], self.window, self.strides)))
        widths = ((0, 0),) + tuple(zip(before, after)) + ((0, 0),)
        return widths, inside(widths, x_shape), counts

    def _taps(self, *arrays, counts):
        """For each position in the window: the views of the padded arrays that it sees."""
        for position in np.ndindex(*self.window):
            yield [tap(array, position, counts, self.strides) for array in arrays]

    def _first_maxima(self, x, y, padded, counts):
        """For each position in the window: where it is the first to attain y, and views of
        `padded` (arrays of x's padded shape)."""
        widths, _, _ = self._geometry(x.shape)
        value = np.pad(x, widths, constant_values=-np.inf)
        real = np.pad(np.ones(x.shape, bool), widths)
        free = np.ones(y.shape, bool)
        for (v, is_real, *views) in self._taps(value, real, *padded, counts=counts):
            first = free & is_real & ((v == y) | (np.isnan(v) & np.isnan(y)))
            free &= ~first
            yield (first, *views)


_ROWS = [  # x, y, attributes
    ((2, 4, 6, 3), (2, 2, 3, 3), dict(window=(2, 2), strides=(2, 2))),
    ((1, 5, 5, 2), (1, 3, 3, 2), dict(window=(2, 2), strides=(2, 2), padding="same")),
    ((1, 5, 6, 1), (1, 3, 2, 1), dict(window=(3, 3), strides=(1, 2))),
    ((2, 5, 5, 2), (2, 5, 5, 2), dict(window=(3, 3), strides=(1, 1), padding="same")),
    ((1, 3, 3, 2), (1, 1, 1, 2), dict(window=(3, 3), strides=(3, 3))),
    ((1, 7, 4, 1), (1, 3, 2, 1), dict(window=(1, 1), strides=(3, 3))),
    ((0, 4, 4, 2), (0, 2, 2, 2), dict(window=(2, 2), strides=(2, 2))),
    ((2, 7, 3), (2, 3, 3), dict(window=(3,), strides=(2,))),
    ((1, 5, 2), (1, 3, 2), dict(window=(3,), strides=(2,), padding="same")),
    ((1, 4, 3, 4, 2), (1, 2, 1, 2, 2), dict(window=(2, 2, 2), strides=(2, 2, 2))),
    ((1, 3, 4, 3, 2), (1, 2, 4, 3, 2),
     dict(window=(3, 2, 2), strides=(2, 1, 1), padding="same")),
]
_TOO_SMALL = sample((1, 2, 4, 1), window=(3, 3), strides=(1, 1), error="at least as large")


@op("max_pool", kind="pool")
class MaxPool(_Pool):
    """The largest element of each window.

    Shapes: x (b, ..., c) -> (b, ..., c), with as many axes between as `window` has numbers.
    """

    smooth = False

    def infer(self, x):
        return self._result(x)

    def reference(self, x):
        self.infer(TensorType(x.dtype, x.shape))
        widths, _, counts = self._geometry(x.shape)
        padded = np.pad(x, widths, constant_values=-np.inf)
        y = np.full((x.shape[0],) + counts + (x.shape[-1],), -np.inf, x.dtype)
        for view, in self._taps(padded, counts=counts):
            y = np.maximum(y, view)
        return y

    def grad(self, x, y, g):
        return apply(MaxPoolGrad(self.window, self.strides, self.padding), x, y, g)

    samples = [sample(x, **a) for x, _, a in _ROWS]
    bad = [_TOO_SMALL, sample((4, 4), error="x must have 4 axes"),
           sample((1, 4, 4, 1), padding="full", error="padding must be")]


def _pooled(shape, attributes):
    """The maxima of the x before it."""
    return values(shape, derive=lambda x: MaxPool(**attributes).reference(x))


@op("max_pool_grad", kind="pool")
class MaxPoolGrad(_Pool):
    """g put where the maximum of its window was taken: the first of equals.

    Shapes: x (b, ..., c), y and g as max_pool(x) -> x's.  Dtypes: floats -> same.
    """

    differences = (2,)  # tests move g alone: in x and y it is constant, but for jumps

    def infer(self, x, y, g):
        wanted = self._result(x)
        self._need_type("y", y, wanted)
        self._need_type("g", g, wanted)
        return x

    def reference(self, x, y, g):
        widths, region, counts = self._geometry(x.shape)
        dx = np.pad(np.zeros_like(x), widths)
        for first, view in self._first_maxima(x, y, [dx], counts):
            view += np.where(first, g, 0)
        return dx[region]

    def grad(self, x, y, g, dx, v):
        pick = MaxPoolPick(self.window, self.strides, self.padding)
        return None, None, apply(pick, x, y, v)

    samples = [sample(x, _pooled(y, a), y, **a) for x, y, a in _ROWS]
    bad = [sample((1, 4, 4, 1), (1, 2, 2, 1), (1, 2, 3, 1), error="g must have the shape")]


@op("max_pool_pick", kind="pool")
class MaxPoolPick(_Pool):
    """v where the maximum of each window was taken: the transpose of max_pool_grad in g.

    Shapes: x and v (b, ..., c), y as max_pool(x) -> y's.  Dtypes: floats -> same.
    """

    differences = (2,)

    def infer(self, x, y, v):
        self._need_type("y", y, self._result(x))
        self._need_type("v", v, x)
        return y

    def reference(self, x, y, v):
        widths, region, counts = self._geometry(x.shape)
        picked = np.zeros_like(y)
        for first, view in self._first_maxima(x, y, [np.pad(v, widths)], counts):
            picked += np.where(first, view, 0)
        return picked

    def grad(self, x, y, v, picked, g):
        back = MaxPoolGrad(self.window, self.strides, self.padding)
        return None, None, apply(back, x, y, g)

    samples = [sample(x, _pooled(y, a), x, **a) for x, y, a in _ROWS]
    bad = [sample((1, 4, 4, 1), (1, 2, 2, 1), (1, 4, 3, 1), error="v must have the shape")]


@op("average_pool", kind="pool")
class AveragePool(_Pool):
    """The mean of each window, of its elements inside of x.  Shapes: as max_pool."""

    def infer(self, x):
        return self._result(x)

    def reference(self, x):
        self.infer(TensorType(x.dtype, x.shape))
        widths, _, counts = self._geometry(x.shape)
        y = np.zeros((x.shape[0],) + counts + (x.shape[-1],), x.dtype)
        for view, in self._taps(np.pad(x, widths), counts=counts):
            y += view
        return y / self._numbers(x)

    def _numbers(self, x):
        """How many elements of x each window has."""
        widths, _, counts = self._geometry(x.shape)
        ones = np.pad(np.ones((1,) + x.shape[1:-1] + (1,), x.dtype), widths)
        return sum(view for view, in self._taps(ones, counts=counts))

    def grad(self, x, y, g):
        return apply(AveragePoolGrad(self.window, self.strides, self.padding, x.shape), g)

    samples = [sample(x, **a) for x, _, a in _ROWS]
    bad = [_TOO_SMALL, sample((4, 4), error="x must have 4 axes")]


@op("average_pool_grad", kind="pool")
class AveragePoolGrad(AveragePool):
    """g spread evenly over the elements of its window: the transpose of average_pool.

    Shapes: g (b, ..., c) -> shape (b, ..., c).  Dtypes: floats -> same.
    """

    shape: tuple = ()

    def infer(self, g):
        x = g.with_shape(self.shape)
        self._need_type("g", g, self._result(x))
        return x

    def reference(self, g):
        x = np.zeros(self.shape, g.dtype)
        widths, region, counts = self._geometry(self.shape)
        dx, share = np.pad(x, widths), g / self._numbers(x)
        for view, in self._taps(dx, counts=counts):
            view += share
        return dx[region]

    def grad(self, g, dx, v):
        return apply(AveragePool(self.window, self.strides, self.padding), v)

    samples = [sample(y, shape=x, **a) for x, y, a in _ROWS]
    bad = [sample((1, 2, 3, 1), shape=(1, 4, 4, 1), error="g must have the shape")]


def max_pool(x, window=2, strides=None, padding="valid"):
    """The largest element of each window; `strides` are by default the window.

    Args:     window, strides: a positive integer, or one for each axis.
    Shapes:   x (batch, ..., channels) -> same, with fewer positions along each axis.
    """
    return _pool(MaxPool, x, window, strides, padding)


def average_pool(x, window=2, strides=None, padding="valid"):
    """The mean of each window, padding left out; `strides` are by default the window."""
    return _pool(AveragePool, x, window, strides, padding)


def _pool(cls, x, window, strides, padding):
    x = fit(as_variable(x), FLOATS)
    window = per_axis(cls.name, "window", window, x.ndim - 2)
    strides = window if strides is None else per_axis(cls.name, "strides", strides, x.ndim - 2)
    return apply(cls(window, strides, padding), x)
