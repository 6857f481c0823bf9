"""Softmax and the cross-entropies. The kernels of the gradients are ops, with an expansion by
smaller ops that the gradient walk differentiates.
"""
import numpy as np

from ..graph import Op, ShapeError, apply, op
from .checks import FLOATS, INTEGERS, axis_in, need_dtype, need_equal_dtypes, same_size
from .convert import as_variable, fit, meet
from .elementwise import exp, mul, neg, sub
from .index import check_range, one_hot
from .reduce import sum
from .samples import sample, values
from .shape import expand_dims

__all__ = ["softmax", "log_softmax", "softmax_cross_entropy", "sparse_softmax_cross_entropy"]


class _AlongAxis(Op):
    """Floats -> same, along `axis`, which is counted from the front."""

    accepts = FLOATS
    domain = (-3.0, 3.0)
    smooth = True

    def infer(self, *types):
        x = types[0]
        need_dtype(self.name, "x", x, self.accepts)
        need_equal_dtypes(self.name, *types)
        if not 0 <= self.axis < x.ndim:
            raise ShapeError("[%s] axis %d is outside rank %d." % (self.name, self.axis, x.ndim))
        for other in types[1:]:
            _need_equal_shapes(self.name, x, other)
        return x


def _need_equal_shapes(name, a, b):
    what = "the shapes must be equal; they are %r and %r" % (a, b)
    same_size(name, a.ndim, b.ndim, what)
    for first, second in zip(a.shape, b.shape):
        same_size(name, first, second, what)


_ROWS = [((4, 7), 1), ((2, 3, 5), 1), ((4, 7), 0), ((1, 1), 0), ((0, 3), 1), ((3, 67), 1)]
_OUTSIDE = sample((3,), axis=2, error="axis 2 is outside rank 1")


@op("softmax", kind="softmax")
class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along `axis`; the maximum is subtracted first."""

    axis: int = 0

    def reference(self, x):
        e = np.exp(x - np.max(x, self.axis, keepdims=True, initial=-np.inf))
        return e / np.sum(e, self.axis, keepdims=True)

    def grad(self, x, y, g):
        return apply(SoftmaxGrad(self.axis), y, g)

    samples = [sample(shape, axis=axis) for shape, axis in _ROWS]
    bad = [_OUTSIDE]


@op("softmax_grad", kind="softmax")
class SoftmaxGrad(_AlongAxis):
    """(g - sum(g * y)) * y: the gradient of y = softmax(x).  Shapes: y, g -> same."""

    axis: int = 0

    def reference(self, y, g):
        return (g - np.sum(g * y, self.axis, keepdims=True)) * y

    def expand(self, y, g):
        return mul(sub(g, sum(mul(g, y), self.axis, keepdims=True)), y)

    samples = [sample(shape, shape, axis=axis) for shape, axis in _ROWS]
    bad = [sample((3,), (4,), axis=0, error="the shapes must be equal")]


@op("log_softmax", kind="softmax")
class LogSoftmax(_AlongAxis):
    """x - log(sum(exp(x))) along `axis`; the maximum is subtracted first."""

    axis: int = 0

    def reference(self, x):
        shifted = x - np.max(x, self.axis, keepdims=True, initial=-np.inf)
        return shifted - np.log(np.sum(np.exp(shifted), self.axis, keepdims=True))

    def grad(self, x, y, g):
        return apply(LogSoftmaxGrad(self.axis), y, g)

    samples = [sample(shape, axis=axis) for shape, axis in _ROWS]
    bad = [_OUTSIDE]


@op("log_softmax_grad", kind="softmax")
class LogSoftmaxGrad(_AlongAxis):
    """g - exp(y) * sum(g): the gradient of y = log_softmax(x).  Shapes: y, g -> same."""

    axis: int = 0

    def reference(self, y, g):
        return g - np.exp(y) * np.sum(g, self.axis, keepdims=True)

    def expand(self, y, g):
        return sub(g, mul(exp(y), sum(g, self.axis, keepdims=True)))

    samples = [sample(shape, shape, axis=axis) for shape, axis in _ROWS]
    bad = [sample((3,), (4,), axis=0, error="the shapes must be equal")]


@op("softmax_cross_entropy", kind="softmax")
class SoftmaxCrossEntropy(Op):
    """-sum(targets * log_softmax(logits)) over the last axis; 0 * -inf, of a class that is masked
    and no target, counts as 0.

    Shapes: logits, targets (..., n) -> (...).  Dtypes: floats -> same.
    """

    accepts = FLOATS
    domain = (-3.0, 3.0)
    smooth = True

    def infer(self, logits, targets):
        need_dtype(self.name, "logits", logits, self.accepts)
        need_equal_dtypes(self.name, logits, targets)
        if logits.ndim < 1:
            raise ShapeError("[%s] the logits must have an axis of classes; they are %r."
                             % (self.name, logits))
        _need_equal_shapes(self.name, logits, targets)
        return logits.with_shape(logits.shape[:-1])

    def reference(self, logits, targets):
        logarithms = LogSoftmax(logits.ndim - 1).reference(logits)
        masked = (targets == 0) & (logarithms == -np.inf)
        return -np.sum(np.where(masked, 0, targets * logarithms), -1)

    def grad(self, logits, targets, y, g):
        g = expand_dims(g, -1)
        total = sum(targets, -1, keepdims=True)
        d_logits = mul(g, sub(mul(softmax(logits), total), targets))
        return d_logits, neg(mul(g, log_softmax(logits)))

    samples = [sample((4, 5), (4, 5)), sample((2, 3, 7), (2, 3, 7)), sample((6,), (6,)),
               sample((0, 3), (0, 3)), sample((1, 1), (1, 1)), sample((3, 67), (3, 67))]
    bad = [sample((4, 5), (4, 6), error="the shapes must be equal"),
           sample((), (), error="an axis of classes")]


@op("sparse_softmax_cross_entropy", kind="softmax")
class SparseSoftmaxCrossEntropy(Op):
    """-log_softmax(logits)[label] over the last axis.

    Shapes: logits (..., n), labels (...) -> (...).  Dtypes: floats and integers -> floats.
    Raises: OutOfRangeError when called with a label outside of 0..n-1.
    """

    accepts = FLOATS
    domain = (-3.0, 3.0)
    smooth = True

    def infer(self, logits, labels):
        need_dtype(self.name, "logits", logits, self.accepts)
        need_dtype(self.name, "labels", labels, INTEGERS)
        if logits.ndim != labels.ndim + 1:
            raise ShapeError("[%s] the logits must have one axis more than the labels; the logits "
                             "are %r, the labels %r." % (self.name, logits, labels))
        for a, b in zip(logits.shape, labels.shape):
            same_size(self.name, a, b, "the leading sizes must agree; the logits are %r, the "
                      "labels %r" % (logits, labels))
        return logits.with_shape(logits.shape[:-1])

    def reference(self, logits, labels):
        check_range(self.name, labels, logits.shape[-1], lowest=0)
        rows = LogSoftmax(logits.ndim - 1).reference(logits)
        return -np.take_along_axis(rows, labels[..., None].astype("int64"), -1)[..., 0]

    def grad(self, logits, labels, y, g):
        chosen = one_hot(labels, logits.shape[-1], logits.dtype)
        return mul(expand_dims(g, -1), sub(softmax(logits), chosen)), None

    samples = [sample((4, 5), values((4,), "int64", 0, 4)),
               sample((2, 3, 7), values((2, 3), "int32", 0, 6)),
               sample((6,), values((), "int64", 0, 5)), sample((0, 3), values((0,), "int64", 0, 2))]
    bad = [sample((4, 5), values((4, 5), "int64", 0, 2), error="one axis more than the labels"),
           sample((4, 5), values((3,), "int64", 0, 2), error="the leading sizes must agree"),
           sample((4, 5), values((4,), "float32"), error="labels is (4,) float32")]


def softmax(x, axis=-1):
    """exp(x) / sum(exp(x)) along `axis`, without overflow."""
    x = fit(as_variable(x), FLOATS)
    return apply(Softmax(axis_in("softmax", axis, x.ndim)), x)


def log_softmax(x, axis=-1):
    """log(softmax(x)) along `axis`, without overflow."""
    x = fit(as_variable(x), FLOATS)
    return apply(LogSoftmax(axis_in("log_softmax", axis, x.ndim)), x)


def softmax_cross_entropy(logits, targets):
    """-sum(targets * log_softmax(logits)) over the last axis."""
    logits, targets = (fit(v, FLOATS) for v in meet(logits, targets))
    return apply(SoftmaxCrossEntropy(), logits, targets)


def sparse_softmax_cross_entropy(logits, labels):
    """-log_softmax(logits)[label] over the last axis; labels are integers."""
    return apply(SparseSoftmaxCrossEntropy(), fit(as_variable(logits), FLOATS), as_variable(labels))
