"""Ops that put elements of the last axis in order of size: top_k, and the question in_top_k."""
import numpy as np

from ..graph import Op, ShapeError, TensorType, apply, dims, op
from .checks import FLOATS, INTEGERS, NUMBERS, at_least, need_dtype, need_rank, same_size
from .convert import as_variable, fit
from .elementwise import add, mul
from .index import arange, scatter_add
from .samples import sample, values
from .shape import reshape
from .sizes import as_size, size_of

__all__ = ["top_k", "in_top_k"]


@op("top_k", kind="ranking")
class TopK(Op):
    """The k largest elements along the last axis, the largest first, and their positions.

    Of equals the first comes first; NaN is larger than all numbers.
    Shapes: x (..., n) -> values, positions (..., k).  Dtypes: numbers -> same, int64.
    """

    k: object = 1

    accepts = NUMBERS
    domain = (-2.0, 2.0)
    smooth = False

    def infer(self, x):
        need_dtype(self.name, "x", x, self.accepts)
        what = "k must be from 0 to the size of the last axis; x is %r, k is %s" % (x, self.k)
        if not x.ndim:
            raise ShapeError("[top_k] an axis is required; x is %r." % (x,))
        at_least(self.name, self.k, 0, what)
        at_least(self.name, x.shape[-1], self.k, what)
        shape = x.shape[:-1] + (self.k,)
        return x.with_shape(shape), TensorType("int64", shape)

    def reference(self, x):
        number = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
        order = np.lexsort((np.broadcast_to(-np.arange(x.shape[-1]), x.shape), x, number), -1)
        positions = order[..., ::-1][..., :self.k]
        return np.take_along_axis(x, positions, -1), positions

    def grad(self, x, y, positions, g, unused):
        if g is None:
            return None
        n, rows = x.shape[-1], dims.product(x.shape[:-1])
        first = reshape(mul(arange(rows, dtype="int64"), size_of(n)), x.shape[:-1] + (1,))
        flat = (rows * self.k,)
        places = reshape(add(positions, first), flat)
        return reshape(scatter_add(reshape(g, flat), places, 0, rows * n), x.shape)

    samples = [sample((3, 7), k=2), sample((7,), k=7), sample((2, 3, 5), k=1), sample((2, 40), k=9),
               sample(values((2, 9), low=0.0, high=2.0), k=4), sample((3, 4), k=0),
               sample((0, 4), k=2), sample(values((5,), "float32", exact=(1, np.nan, 2, np.nan, 3)),
                                           k=4)]
    bad = [sample((3, 4), k=5, error="k must be from 0 to the size of the last axis"),
           sample((3, 4), k=-1, error="k must be from 0"),
           sample((), k=0, error="an axis is required")]


@op("in_top_k", kind="ranking")
class InTopK(Op):
    """Whether fewer than k predictions of a row are greater than that of its target.

    False where the target is no class, or a prediction of the row is infinite or NaN.
    Shapes: predictions (rows, classes), targets (rows,) -> (rows,).
    Dtypes: floats and integers -> bool.
    """

    k: int = 1

    accepts = FLOATS
    domain = (-2.0, 2.0)
    smooth = False

    def infer(self, predictions, targets):
        need_dtype(self.name, "predictions", predictions, self.accepts)
        need_dtype(self.name, "targets", targets, INTEGERS)
        need_rank(self.name, "predictions", predictions, 2, "(rows, classes)")
        need_rank(self.name, "targets", targets, 1, "(rows,)")
        same_size(self.name, predictions.shape[0], targets.shape[0], "the numbers of rows must "
                  "agree; predictions are %r, targets %r" % (predictions, targets))
        return TensorType("bool", targets.shape)

    def reference(self, predictions, targets):
        right = targets[:, None] == np.arange(predictions.shape[1])
        of_target = np.sum(np.where(right, predictions, 0), 1, keepdims=True)
        sound = right.any(1) & np.isfinite(predictions).all(1)
        return sound & (np.sum(predictions > of_target, 1) < self.k)

    def grad(self, predictions, targets, y, g):
        return None

    samples = [sample((5, 7), values((5,), "int64", 0, 6), k=2),
               sample((5, 3), values((5,), "int32", -1, 3), k=1),
               sample((4, 40), values((4,), "int64", 0, 39), k=11),
               sample(values((3, 2), "float32", exact=((1, 1), (np.nan, 0), (0, np.inf))),
                      values((3,), "int64", exact=(1, 1, 1)), k=1),
               sample((0, 3), values((0,), "int64", 0, 2), k=1),
               sample((3, 0), values((3,), "int64", 0, 2), k=1)]
    bad = [sample((5, 7), values((4,), "int64", 0, 6), k=2, error="numbers of rows must agree"),
           sample((7,), values((1,), "int64", 0, 6), k=2, error="predictions must have 2 axes"),
           sample((5, 7), values((5,), "float32"), k=2, error="targets is (5,) float32")]


def top_k(x, k):
    """The k largest elements along the last axis, the largest first, and their positions."""
    k = as_size(k)
    return apply(TopK(k), as_variable(x))


def in_top_k(predictions, targets, k):
    """Whether fewer than k predictions of a row are greater than that of its target."""
    return apply(InTopK(int(k)), fit(as_variable(predictions), FLOATS), as_variable(targets))
