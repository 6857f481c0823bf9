"""Values become Variables here, and operands of several dtypes meet. The rule is graph.dtype's."""
import numpy as np

from ..config import settings
from ..graph import DtypeError, GraphError, Op, Variable, apply, dims, op
from ..graph import dtype as dtypes
from ..graph.node import Constant
from .checks import ANY, BOOL, FLOATS, INTEGERS
from .samples import sample, values
from .sizes import size_of

__all__ = ["Cast", "cast", "constant", "as_variable", "meet", "fit"]


@op("cast", kind="elementwise")
class Cast(Op):
    """x with another dtype: anything but 0 is True; a float that becomes an integer is cut towards
    zero and to the integer's range, NaN is 0; an integer that becomes a narrower one wraps.

    Shapes: x -> same.  Dtypes: any -> dtype.
    """

    dtype: str = "float32"

    in_place = ((0, 0),)
    accepts = ANY
    domain = (0.0, 100.0)   # values that every dtype holds
    smooth = True

    def infer(self, x):
        return x.with_dtype(self.dtype)

    def reference(self, x):
        if x.dtype.kind == "f" and dtypes.is_integer(self.dtype):
            return _cut(x, self.dtype)
        return x.astype(self.dtype)

    def grad(self, x, y, g):
        both = x.dtype in FLOATS and self.dtype in FLOATS
        return cast(g, x.dtype) if both else None

    samples = [sample((3, 4), dtype=dtype) for dtype in ANY] + [sample((0, 2), dtype="float32")] + [
        sample(values((9,), source, exact=(np.nan, np.inf, -np.inf, 1e30, -1e30, 300.7, -300.7, 3e9,
                                           -1.5)), dtype=dtype)
        for source in ("float32", "float64") for dtype in INTEGERS + BOOL] + [
        sample(values((4,), "int64", exact=(300, -300, 2 ** 40 + 7, -1)), dtype=dtype)
        for dtype in INTEGERS + BOOL]
    bad = [sample((3,), dtype="complex64", error="a dtype must be one of")]


def _cut(x, dtype):
    """Floats as integers: cut towards zero and to the range of the dtype; NaN is 0."""
    limit = np.iinfo(dtype)
    low, high = float(limit.min), float(limit.max)
    inside = (x > low) & (x < high)
    whole = np.where(inside, x, 0).astype(dtype)
    return np.where(x >= high, limit.max, np.where(x <= low, limit.min, whole)).astype(dtype)


def cast(x, dtype):
    """x with another dtype; x itself if it has it already."""
    x, dtype = as_variable(x), dtypes.canonical(dtype)
    return x if x.dtype == dtype else apply(Cast(dtype), x)


def constant(value, dtype=None, name=None):
    """A fixed array as a Variable.

    Args:     dtype: by default an array keeps its own; Python floats take `floatx`, Python
              integers int32, or int64 where they need it.
    """
    array = _array(value)
    if dtype is None:
        dtype = array.dtype
        if not isinstance(value, (np.ndarray, np.generic)):
            dtype = settings.floatx if array.dtype.kind == "f" else _integer_dtype(array)
    return Constant(_checked(array, dtypes.canonical(dtype)), dtype, name)


def as_variable(value, like=None):
    """A Variable for any value: a Variable itself, a Dim, a number, an array, or a list of them,
    which are stacked as Theano and TensorFlow do.

    Args:     like: a Variable whose dtype numbers and arrays adapt to, within their kind.
    """
    if isinstance(value, Variable):
        if value.is_sparse:
            raise GraphError("[sparse] a dense tensor is required; %r is sparse. Use K.to_dense; "
                             "K.dot and K.concatenate take sparse ones." % (value,))
        return value
    if isinstance(value, dims.Dim):
        return size_of(value)
    if _holds_variables(value):
        return Variable.stacked(value)
    if like is None:
        return constant(value)
    array = _array(value)
    return constant(array, dtypes.adapt(array, like.dtype))


def meet(*values):
    """The values as a list of Variables of one dtype, the one in which they meet."""
    if not values:
        return []
    values = [as_variable(v) if isinstance(v, dims.Dim) or _holds_variables(v) else v
              for v in values]
    tensors = [v for v in values if isinstance(v, Variable)]
    if not tensors:
        tensors = values = [as_variable(v) for v in values]
    dtype = dtypes.promote(*(v.dtype for v in tensors))
    others = [v if isinstance(v, Variable) else _array(v) for v in values]
    result = dtypes.promote(dtype, *(dtypes.adapt(v, dtype) for v in others
                                     if not isinstance(v, Variable)))
    return [cast(v, result) if isinstance(v, Variable) else constant(v, result) for v in others]


def fit(x, accepted):
    """x in a dtype that an op accepts: floats for exp and its like, bool for logic."""
    if x.dtype in accepted:
        return x
    if accepted == FLOATS:
        return cast(x, dtypes.floating(x.dtype))
    return cast(x, "bool") if accepted == ("bool",) else x


def _holds_variables(value):
    """Whether it is a list with something symbolic in it, at any depth."""
    return isinstance(value, (list, tuple)) and any(
        isinstance(part, (Variable, dims.Dim)) or _holds_variables(part) for part in value)


def _array(value):
    try:
        array = np.asarray(value)
    except GraphError:           # of a Variable among the numbers
        raise
    except ValueError:
        array = np.array(None)   # rows of different lengths
    if array.dtype.kind not in "biuf":
        raise DtypeError("[constant] a number or an array of numbers is required; %r was given."
                         % (value,))
    return array


def _integer_dtype(array):
    """int32 for Python integers if they fit; bool stays."""
    if array.dtype.kind != "i" or not array.size:
        return array.dtype if array.dtype.kind == "b" else "int32"
    limit = np.iinfo("int32")
    return "int32" if limit.min <= array.min() and array.max() <= limit.max else "int64"


def _checked(array, dtype):
    """The array, if integers keep their value in `dtype`."""
    if array.dtype.kind in "iu" and dtypes.is_integer(dtype) and array.size:
        limit = np.iinfo(dtype)
        if array.min() < limit.min or array.max() > limit.max:
            raise DtypeError("[constant] %s holds %d..%d; %s was given. Cast the tensor that it "
                             "meets first." % (dtype, limit.min, limit.max, array))
    return array
