"""Running sums and products along an axis, and the linear recurrence that their gradients need.

Floats are accumulated in float64 whatever their dtype is, so long sums keep their digits.
"""
import numpy as np

from ..graph import Op, apply, op
from ..graph.dtype import is_bool
from .checks import FLOATS, NUMBERS, axis_in, need_axes, need_dtype, need_equal_dtypes, same_size
from .convert import as_variable, cast
from .elementwise import mul
from .samples import sample
from .shape import pad
from .slice import cut

__all__ = ["cumsum", "cumprod", "linear_recurrence"]


class _Cumulative(Op):
    """What the ops of this file share: `axis`, and `reverse` to come from the end."""

    axis: int = 0
    reverse: bool = False

    accepts = NUMBERS
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, x):
        need_dtype(self.name, "x", x, self.accepts)
        need_axes(self.name, (self.axis,), x.ndim)
        return x

    samples = [sample((3, 4), axis=0), sample((3, 4), axis=1), sample((7,), axis=0, reverse=True),
               sample((2, 3, 5), axis=1), sample((2, 5, 3), axis=1, reverse=True),
               sample((0, 3), axis=0), sample((3, 0), axis=0), sample((3, 67), axis=1),
               sample((5, 131), axis=0), sample((9, 5), axis=1, reverse=True),
               sample((16, 3), axis=1), sample((15, 1), axis=1)]
    bad = [sample((3,), axis=1, error="axis 1 is outside rank 1"),
           sample((), axis=0, error="axis 0 is outside rank 0")]


def _run(function, x, axis, reverse):
    """np.cumsum or np.cumprod, floats in float64, from the end where asked."""
    wide = x.astype("float64") if x.dtype.kind == "f" else x
    wide = np.flip(wide, axis) if reverse else wide
    y = function(wide, axis, dtype=wide.dtype).astype(x.dtype)
    return np.flip(y, axis) if reverse else y


@op("cumsum", kind="cumulative")
class Cumsum(_Cumulative):
    """The sum of an element and all before it along `axis`; with `reverse`, of all after it.

    Shapes: x -> same.  Dtypes: numbers -> same; integers wrap.
    """

    axis: int = 0
    reverse: bool = False

    def reference(self, x):
        return _run(np.cumsum, x, self.axis, self.reverse)

    def grad(self, x, y, g):
        return apply(Cumsum(self.axis, not self.reverse), g)


@op("cumprod", kind="cumulative")
class Cumprod(_Cumulative):
    """The product of an element and all before it along `axis`; with `reverse`, of all after it.

    Shapes: x -> same.  Dtypes: numbers -> same; integers wrap.
    """

    axis: int = 0
    reverse: bool = False

    def reference(self, x):
        return _run(np.cumprod, x, self.axis, self.reverse)

    def grad(self, x, y, g):
        """dx[i] = (x[0] ... x[i-1]) s[i] with s[i] = g[i] + x[i+1] s[i+1]; no division, so zeros
        do no harm."""
        before = _shifted(y, self.axis, self.reverse, 1)
        factors = _shifted(x, self.axis, not self.reverse, 0)
        return mul(before, linear_recurrence(factors, g, self.axis, not self.reverse))


@op("linear_recurrence", kind="cumulative")
class LinearRecurrence(_Cumulative):
    """y[i] = a[i] * y[i-1] + b[i] along `axis`, y[-1] = 0; with `reverse`, y[i+1] for y[i-1].

    Shapes: a, b -> same.  Dtypes: floats -> same.
    """

    axis: int = 0
    reverse: bool = False

    accepts = FLOATS

    def infer(self, a, b):
        need_dtype(self.name, "a", a, self.accepts)
        need_equal_dtypes(self.name, a, b)
        need_axes(self.name, (self.axis,), a.ndim)
        what = "the shapes must be equal; a is %r, b is %r" % (a, b)
        same_size(self.name, a.ndim, b.ndim, what)
        return a.with_shape(same_size(self.name, first, second, what)
                            for first, second in zip(a.shape, b.shape))

    def reference(self, a, b):
        y = np.zeros(a.shape)
        lines = [np.moveaxis(v, self.axis, 0) for v in (a, b, y)]
        total = np.zeros(lines[0].shape[1:])
        for i in range(len(lines[0]))[::-1 if self.reverse else 1]:
            total = lines[2][i] = lines[0][i] * total + lines[1][i]
        return y.astype(a.dtype)

    def grad(self, a, b, y, g):
        factors = _shifted(a, self.axis, not self.reverse, 0)
        db = linear_recurrence(factors, g, self.axis, not self.reverse)
        return mul(db, _shifted(y, self.axis, self.reverse, 0)), db

    samples = [sample((3, 4), (3, 4), axis=0), sample((3, 4), (3, 4), axis=1, reverse=True),
               sample((2, 5, 3), (2, 5, 3), axis=1), sample((0, 2), (0, 2), axis=0),
               sample((1, 1), (1, 1), axis=0), sample((9, 131), (9, 131), axis=0, reverse=True),
               sample((17, 5), (17, 5), axis=1)]
    bad = [sample((3,), (3,), axis=1, error="axis 1 is outside rank 1"),
           sample((3,), (4,), axis=0, error="the shapes must be equal"),
           sample((3,), (1, 3), axis=0, error="the shapes must be equal")]


def _shifted(x, axis, reverse, value):
    """x moved one place along `axis`, to the front with `reverse`; the free place has `value`."""
    widths = [0] * x.ndim
    widths[axis] = 1
    none = [0] * x.ndim
    longer = pad(x, none, widths, value) if reverse else pad(x, widths, none, value)
    return cut(longer, axis, 1 if reverse else 0, x.shape[axis])


def cumsum(x, axis=0, exclusive=False, reverse=False):
    """The sum of an element and all before it along `axis`.

    Args:     exclusive: leave the element itself out. reverse: of all after it.
    """
    return _cumulate(Cumsum, x, axis, exclusive, reverse, 0)


def cumprod(x, axis=0, exclusive=False, reverse=False):
    """The product of an element and all before it along `axis`.

    Args:     exclusive: leave the element itself out. reverse: of all after it.
    """
    return _cumulate(Cumprod, x, axis, exclusive, reverse, 1)


def _cumulate(op, x, axis, exclusive, reverse, neutral):
    x = as_variable(x)
    x = cast(x, "int64") if is_bool(x.dtype) else x
    axis, reverse = axis_in(op.name, axis, x.ndim), bool(reverse)
    y = apply(op(axis, reverse), x)
    return _shifted(y, axis, reverse, neutral) if exclusive else y


def linear_recurrence(a, b, axis=0, reverse=False):
    """y[i] = a[i] * y[i-1] + b[i] along `axis`, y[-1] = 0; with `reverse`, from the end."""
    a, b = as_variable(a), as_variable(b)
    return apply(LinearRecurrence(axis_in("linear_recurrence", axis, a.ndim), bool(reverse)), a, b)
