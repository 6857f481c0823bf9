"""Arithmetic: elementwise functions, comparisons, reductions and products."""
import builtins

from .. import ops
from ..config import settings
from ..graph import GraphError, ShapeError, dims
from ..graph.dtype import is_float
from ..ops.convert import meet
from .common import listed
from .sparse import is_sparse, sparse_operands, sparse_product

__all__ = ["abs", "square", "sqrt", "exp", "log", "round", "sign", "pow", "clip", "sin", "cos",
           "maximum", "minimum", "equal", "not_equal", "greater", "greater_equal", "less",
           "less_equal", "max", "min", "sum", "prod", "mean", "var", "std", "any", "all",
           "argmax", "argmin", "logsumexp", "cumsum", "cumprod", "l2_normalize", "dot", "batch_dot"]


# ---- elementwise

def abs(x):
    return ops.abs(x)


def square(x):
    return ops.square(x)


def sqrt(x):
    """The square root; 0 for negative numbers, as Keras defines it."""
    x = _floating(x)
    return ops.sqrt(ops.maximum(x, 0.0))


def exp(x):
    return ops.exp(x)


def log(x):
    return ops.log(x)


def round(x):
    """The nearest integer; halves go to the even one."""
    return ops.round(x)


def sign(x):
    return ops.sign(x)


def pow(x, a):
    return ops.pow(x, a)


def clip(x, min_value, max_value):
    """x where it is between the bounds, else the nearer bound. None is no bound."""
    x = ops.as_variable(x)
    if min_value is not None and max_value is not None:
        if isinstance(min_value, (int, float)) and isinstance(max_value, (int, float)):
            max_value = builtins.max(min_value, max_value)
        return ops.clip(x, min_value, max_value)
    if min_value is not None:
        return ops.maximum(x, min_value)
    return x if max_value is None else ops.minimum(x, max_value)


def sin(x):
    return ops.sin(x)


def cos(x):
    return ops.cos(x)


def maximum(x, y):
    return ops.maximum(x, y)


def minimum(x, y):
    return ops.minimum(x, y)


def equal(x, y):
    """Whether elements are equal, as a bool tensor."""
    return ops.equal(x, y)


def not_equal(x, y):
    return ops.not_equal(x, y)


def greater(x, y):
    return ops.greater(x, y)


def greater_equal(x, y):
    return ops.greater_equal(x, y)


def less(x, y):
    return ops.less(x, y)


def less_equal(x, y):
    return ops.less_equal(x, y)


# ---- reductions: `axis` is an integer, several, or None for all

def max(x, axis=None, keepdims=False):
    return ops.max(x, axis, keepdims)


def min(x, axis=None, keepdims=False):
    return ops.min(x, axis, keepdims)


def sum(x, axis=None, keepdims=False):
    return ops.sum(x, axis, keepdims)


def prod(x, axis=None, keepdims=False):
    return ops.prod(x, axis, keepdims)


def mean(x, axis=None, keepdims=False):
    """The mean; integers and bools are cast to floatx first."""
    return ops.mean(_floating(x), axis, keepdims)


def var(x, axis=None, keepdims=False):
    """The mean squared distance from the mean."""
    x = _floating(x)
    return ops.mean(ops.square(x - ops.mean(x, axis, True)), axis, keepdims)


def std(x, axis=None, keepdims=False):
    """The square root of the variance."""
    return ops.sqrt(var(x, axis, keepdims))


def any(x, axis=None, keepdims=False):
    """Whether some element is not 0, as a bool tensor."""
    return ops.any(ops.cast(x, "bool"), axis, keepdims)


def all(x, axis=None, keepdims=False):
    """Whether all elements are not 0, as a bool tensor."""
    return ops.all(ops.cast(x, "bool"), axis, keepdims)


def argmax(x, axis=-1):
    """The position of the maximum, the first of equals, as int64."""
    return ops.argmax(x, axis)


def argmin(x, axis=-1):
    """The position of the minimum, the first of equals, as int64."""
    return ops.argmin(x, axis)


def logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))), without overflow."""
    return ops.logsumexp(_floating(x), axis, keepdims)


def cumsum(x, axis=0):
    """The sum of each element and all before it along an axis."""
    return ops.cumsum(x, axis)


def cumprod(x, axis=0):
    """The product of each element and all before it along an axis."""
    return ops.cumprod(x, axis)


def l2_normalize(x, axis=None):
    """x / sqrt(max(sum(x^2), 1e-12)), the sum along `axis`."""
    x = _floating(x)
    squares = ops.sum(ops.square(x), axis, True)
    return x * ops.rsqrt(ops.maximum(squares, 1e-12))


def _floating(x):
    x = ops.as_variable(x)
    return x if is_float(x.dtype) else ops.cast(x, settings.floatx)


# ---- products

def dot(x, y):
    """The sum over the last axis of x and the last but one of y.

    One of two matrices may be sparse.
    Shapes:   x (..., k), y (..., k, n) -> x's other axes, then y's; y (k,) -> x's other axes.
    """
    x, y = sparse_operands(x, y) if is_sparse(x) or is_sparse(y) else meet(x, y)
    if not x.ndim or not y.ndim:
        raise ShapeError("[dot] both tensors must have an axis; they are %r and %r."
                         % (x.type, y.type))
    if y.ndim == 1:
        return ops.squeeze(dot(x, ops.expand_dims(y, 1)), -1)
    inner = y.ndim - 2
    if dims.known_different(x.shape[-1], y.shape[inner]):
        raise ShapeError("[dot] the last size of the first must be the last but one of the "
                         "second; they are %r and %r." % (x.type, y.type))
    if is_sparse(x) or is_sparse(y):
        return sparse_product(x, y)
    if x.ndim > 1 and y.ndim == 2:
        return ops.matmul(x, y)
    order = (inner,) + tuple(axis for axis in range(y.ndim) if axis != inner)
    columns = ops.reshape(ops.transpose(y, order) if y.ndim > 2 else y, (y.shape[inner], -1))
    rows = ops.reshape(x, (-1, x.shape[-1]))
    return ops.reshape(ops.matmul(rows, columns), x.shape[:-1] + y.shape[:inner] + y.shape[-1:])


def batch_dot(x, y, axes=None):
    """The sum over one axis of x and one of y, for each sample apart.

    Args:     axes: the axis of x and the axis of y, or one for both; none of them may be the
              batch. By default the last of x and the last but one of y.
    Shapes:   (batch, x's other axes, y's other axes); (batch, 1) if nothing else is left.
    """
    x, y = meet(x, y)
    axis_x, axis_y = _batch_dot_axes(x, y, axes)
    if dims.known_different(x.shape[axis_x], y.shape[axis_y]):
        raise ShapeError("[batch_dot] the sizes of the summed axes must agree; axis %d of %r has "
                         "%s, axis %d of %r has %s." % (axis_x, x.type, x.shape[axis_x], axis_y,
                                                        y.type, y.shape[axis_y]))
    rest_x = [axis for axis in range(1, x.ndim) if axis != axis_x]
    rest_y = [axis for axis in range(1, y.ndim) if axis != axis_y]
    rows = ops.reshape(ops.transpose(x, [0] + rest_x + [axis_x]),
                       (x.shape[0], dims.product(x.shape[axis] for axis in rest_x),
                        x.shape[axis_x]))
    columns = ops.reshape(ops.transpose(y, [0, axis_y] + rest_y),
                          (y.shape[0], y.shape[axis_y],
                           dims.product(y.shape[axis] for axis in rest_y)))
    products = ops.matmul(rows, columns)
    left = [x.shape[axis] for axis in rest_x] + [y.shape[axis] for axis in rest_y]
    return ops.reshape(products, products.shape[:1] + tuple(left or [1]))


def _batch_dot_axes(x, y, axes):
    """The two axes, counted from the front."""
    if x.ndim < 2 or y.ndim < 2:
        raise ShapeError("[batch_dot] both tensors must have a batch and another axis; they are "
                         "%r and %r." % (x.type, y.type))
    if axes is None:
        axes = (x.ndim - 1, builtins.max(y.ndim - 2, 1))
    elif isinstance(axes, int):
        axes = (axes, axes)
    else:
        axes = listed("batch_dot", axes)
    if len(axes) != 2 or not builtins.all(isinstance(axis, int) for axis in axes):
        raise GraphError("[batch_dot] axes must be one integer or two; %r was given." % (axes,))
    result = []
    for axis, tensor in zip(axes, (x, y)):
        if not -tensor.ndim <= axis < tensor.ndim or axis % tensor.ndim == 0:
            raise ShapeError("[batch_dot] an axis other than the batch must be named; axis %d of "
                             "%r was given." % (axis, tensor.type))
        result.append(axis % tensor.ndim)
    return result
