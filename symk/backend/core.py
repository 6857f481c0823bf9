"""Tensors and values: variables, constants, placeholders, functions, gradients, updates."""
import math

import numpy as np

from .. import ops
from ..autodiff import grad
from ..compile import function as compile_function
from ..graph import DtypeError, GraphError, Placeholder, ShapeError, Shared, Variable, dims
from ..graph.collection import without_collection
from ..graph.dtype import canonical, is_float, is_integer
from ..ops.checks import callable_in, flag, number, text, whole
from ..ops.sizes import known_sizes
from ..optimize import stable
from .common import chosen_dtype, listed
from .session import scoped
from .sparse import is_sparse, sparse_cast, sparse_placeholder, sparse_variable, to_dense

__all__ = ["variable", "constant", "placeholder", "is_tensor", "is_variable", "is_placeholder",
           "is_keras_tensor", "shape", "int_shape", "ndim", "size",
           "dtype", "count_params", "cast", "eval", "get_value", "set_value", "batch_get_value",
           "batch_set_value", "zeros", "ones", "eye", "zeros_like", "ones_like", "identity",
           "update", "update_add", "update_sub", "moving_average_update", "function", "Function",
           "gradients", "stop_gradient", "checkpoint"]


# ---- making tensors

def variable(value, dtype=None, name=None, constraint=None):
    """A tensor that lives between calls, with an initial value.

    Args:     value: a number, an array, or a tensor that needs no input.
              dtype: floatx by default, whatever the value's dtype is.
              constraint: a function of the variable that optimizers apply after each step.
    A sparse matrix of SciPy becomes a sparse tensor.
    """
    dtype, name = chosen_dtype(dtype), text("variable", "a name", name)
    if hasattr(value, "tocsr"):
        return sparse_variable(value, dtype, name)
    if isinstance(value, Variable):
        value = eval(value)
    made = Shared(_numbers("variable", value, dtype), dtype,
                  name=scoped(name) if name else None)
    made.constraint = constraint
    return made


def _numbers(who, value, dtype):
    """A value as an array, if it is one of numbers that `dtype` can hold.

    Raises:   DtypeError; floats may lose digits, integers must be kept.
    """
    if hasattr(value, "tocoo"):
        raise DtypeError("[%s] a dense value is required; %r was given. Convert it with "
                         ".toarray()." % (who, value))
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.array(None)  # rows of different lengths
    if array.dtype.kind not in "biuf":
        raise DtypeError("[%s] a number or an array of numbers is required; %r was given."
                         % (who, value))
    if is_integer(dtype) and array.dtype != dtype:
        with np.errstate(invalid="ignore"):
            kept = array.astype(dtype)
        if not np.array_equal(kept, array):
            raise DtypeError("[%s] whole numbers that %s holds are required; %r was given."
                             % (who, dtype, value))
    return array


def constant(value, dtype=None, shape=None, name=None):
    """A fixed array; dtype is floatx by default. A `shape` is filled with the value."""
    dtype = chosen_dtype(dtype)
    value = _numbers("constant", value, dtype)
    if shape is not None:
        value = _shaped(value, shape)
    return ops.constant(value, dtype, name=text("constant", "a name", name))


def _shaped(value, shape):
    """An array in a shape that has as many elements; one element fills any."""
    sizes = known_sizes("constant", shape)
    if value.size != 1 and value.size != math.prod(sizes):
        raise ShapeError("[constant] the shape must have as many elements as the value, or the "
                         "value only one; %r and a value of shape %s were given."
                         % (sizes, value.shape))
    return value.reshape(sizes) if value.size != 1 else np.broadcast_to(value.reshape(()), sizes)


def placeholder(shape=None, ndim=None, dtype=None, sparse=False, name=None):
    """A tensor that is fed at each call.

    Args:     shape: None is a size that is known only at the call.
              ndim: the number of axes, all of unknown size, where `shape` is not given.
              sparse: a matrix that is fed as one of SciPy, or as a dense array.
    """
    if shape is None and ndim is None:
        raise ShapeError("[placeholder] the number of axes must be known; neither shape nor ndim "
                         "was given.")
    text("placeholder", "a name", name)
    shape = (None,) * whole("placeholder", "ndim", ndim) if shape is None else shape
    if not isinstance(shape, (tuple, list)):
        raise ShapeError("[placeholder] a shape must be a tuple of sizes; %r was given. One axis "
                         "is (n,)." % (shape,))
    for size in shape:
        if size is not None and not isinstance(size, (int, np.integer, dims.Dim)):
            raise ShapeError("[placeholder] a size must be an integer, or None if it is known "
                             "only at a call; the shape %r was given." % (shape,))
    if flag("placeholder", "sparse", sparse):
        return sparse_placeholder(shape, chosen_dtype(dtype), name)
    return Placeholder(chosen_dtype(dtype), shape, name=name)


def zeros(shape, dtype=None, name=None):
    """A variable of zeros; a plain tensor where the shape is symbolic."""
    return _filled(0, shape, dtype, name)


def ones(shape, dtype=None, name=None):
    """A variable of ones; a plain tensor where the shape is symbolic."""
    return _filled(1, shape, dtype, name)


def _filled(value, shape, dtype, name):
    sizes = ops.as_sizes(shape)
    if any(isinstance(size, dims.Dim) for size in sizes):
        return _named(ops.full(sizes, value, chosen_dtype(dtype)), name)
    sizes = known_sizes("variable", sizes)
    number = np.array(value, chosen_dtype(dtype))
    return variable(np.broadcast_to(number, sizes), dtype, name)


def eye(size, dtype=None, name=None):
    """A variable: the identity matrix of `size` rows, or of (rows, columns)."""
    rows, columns = size if isinstance(size, (tuple, list)) and len(size) == 2 else (size, size)
    rows, columns = (whole("eye", "the size", number) for number in (rows, columns))
    known_sizes("eye", (rows, columns))
    return variable(np.eye(rows, columns), dtype, name)


def zeros_like(x, dtype=None, name=None):
    return _like(x, 0, dtype, name)


def ones_like(x, dtype=None, name=None):
    return _like(x, 1, dtype, name)


def _like(x, value, dtype, name):
    x = ops.as_variable(x)
    return _named(ops.full(x.shape, value, x.dtype if dtype is None else canonical(dtype)), name)


def identity(x, name=None):
    """A tensor with the same value."""
    return _named(ops.identity(ops.as_variable(x)), name)


def _named(tensor, name):
    if name is not None:
        tensor.name = text("name", "a name", name)
    return tensor


# ---- asking tensors

def is_tensor(x):
    """Whether x is symbolic: a placeholder, a variable, a constant or an expression."""
    return isinstance(x, Variable)


def is_variable(x):
    return isinstance(x, Shared)


def is_placeholder(x):
    return isinstance(x, Placeholder)


def is_keras_tensor(x):
    """Whether a tensor came out of a layer or `Input`.

    Raises:   ValueError if x is no tensor at all.
    """
    if not is_tensor(x):
        raise ValueError("[is_keras_tensor] a symbolic tensor is required; an object of type %s "
                         "was given." % type(x).__name__)
    return hasattr(x, "_keras_history")


def shape(x):
    """The shape as a tensor of integers."""
    return ops.stack([ops.size_of(size) for size in x.shape]) if is_sparse(x) else ops.shape_of(x)


def int_shape(x):
    """The shape as a tuple, with None for sizes that are known only at a call."""
    if isinstance(x, Variable):
        return tuple(None if isinstance(size, dims.Dim) else size for size in x.shape)
    return _values("int_shape", x).shape


class _StaticShape(tuple):
    """Sizes as TensorFlow 1 gives them, with what programs ask of it."""

    @property
    def ndims(self):
        return len(self)

    def as_list(self):
        return list(self)


# Layers that were written on TensorFlow 1 ask their inputs so.
Variable.get_shape = lambda self: _StaticShape(int_shape(self))


def ndim(x):
    """The number of axes."""
    return x.ndim if isinstance(x, Variable) else _values("ndim", x).ndim


def size(x, name=None):
    """The number of elements, as an integer tensor."""
    return _named(ops.cast(ops.size_of(ops.as_variable(x).type.size), "int64"), name)


def dtype(x):
    """The name of the dtype."""
    if not isinstance(x, Variable) and not isinstance(x, (np.ndarray, np.generic)):
        raise GraphError("[dtype] a tensor or an array is required; %r was given." % (x,))
    return str(x.dtype)


def count_params(x):
    """The number of elements, as a Python integer.

    Raises:   ShapeError if a size is known only at a call.
    """
    count = dims.product(ops.as_variable(x).shape)
    if isinstance(count, dims.Dim):
        raise ShapeError("[count_params] all sizes must be known; the tensor is %r." % (x,))
    return count


def cast(x, dtype):
    return sparse_cast(x, dtype) if is_sparse(x) else ops.cast(ops.as_variable(x), dtype)


# ---- values

def eval(x):
    """The value of a tensor that needs no input, as a NumPy array."""
    if isinstance(x, Shared):
        return x.get_value()
    if isinstance(x, Variable):
        return compile_function([], [to_dense(x)]).run([])[0]
    return _values("eval", x)


def _values(who, x):
    """What is no tensor as an array.

    Raises:   DtypeError for rows of different lengths.
    """
    try:
        return np.asarray(x)
    except ValueError:
        raise DtypeError("[%s] a tensor or an array is required; %r was given."
                         % (who, x)) from None


def get_value(x):
    """A copy of a variable's value."""
    return eval(x)


def set_value(x, value):
    """Replaces a variable's value; the shape stays."""
    _variable("set_value", x).set_value(_numbers("set_value", value, x.dtype))


def batch_get_value(ops):
    """Copies of the values of several variables."""
    return [get_value(x) for x in listed("batch_get_value", ops)]


def batch_set_value(tuples):
    """Sets the values of several variables, given as (variable, value) pairs."""
    for pair in listed("batch_set_value", tuples):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise GraphError("[batch_set_value] pairs (variable, value) are required; %r was given."
                             % (pair,))
        set_value(*pair)


# ---- updates: pairs (variable, new value) for `function(updates=...)`

def update(x, new_x):
    """Assign `new_x` to x."""
    _variable("update", x)
    new_x = ops.as_variable(new_x, like=x)
    if is_float(new_x.dtype) and not is_float(x.dtype):
        raise DtypeError("[update] variable %r of %s cannot take a value of %s. Cast it first."
                         % (x.name, x.dtype, new_x.dtype))
    if new_x.ndim != x.ndim or any(map(dims.known_different, x.shape, new_x.shape)):
        raise ShapeError("[update] the new value of variable %r must keep its type %r; it is %r."
                         % (x.name, x.type, new_x.type))
    return x, ops.cast(new_x, x.dtype)


def _variable(who, x):
    """x, if it is a variable."""
    if not isinstance(x, Shared):
        raise GraphError("[%s] a variable is required; %r was given." % (who, x))
    return x


def update_add(x, increment):
    """Add `increment` to x."""
    return update(x, _variable("update_add", x) + increment)


def update_sub(x, decrement):
    """Subtract `decrement` from x."""
    return update(x, _variable("update_sub", x) - decrement)


def moving_average_update(x, value, momentum):
    """Assign x * momentum + value * (1 - momentum) to x."""
    if not isinstance(momentum, Variable):
        momentum = number("moving_average_update", "momentum", momentum)
    value = ops.as_variable(value, like=_variable("moving_average_update", x))
    return update(x, x * momentum + value * (1.0 - momentum))


# ---- functions and gradients

class Function:
    """A compiled function: takes one list of arrays, returns a list of arrays."""

    def __init__(self, inputs, outputs, updates=None, name=None, check_nan=None, profile=False,
                 products=None):
        for what, given in (("inputs", inputs), ("outputs", outputs)):
            if not isinstance(given, (list, tuple)):
                raise TypeError("[function] %s must be a list of tensors; %r was given."
                                % (what, given))
        for tensor in inputs:
            if not isinstance(tensor, Placeholder):
                raise TypeError("[function] each input must be a placeholder; %r is among them."
                                % (tensor,))
        self.inputs = list(inputs)
        self.outputs = [output if is_sparse(output) else ops.as_variable(output)
                        for output in outputs]
        self.compiled = compile_function(self.inputs, self.outputs, updates=_pairs(updates),
                                         name=name, check_nan=check_nan, profile=profile,
                                         products=products)

    def __call__(self, inputs):
        if not isinstance(inputs, (list, tuple)):
            raise TypeError("[function] the values must be in a list, one for each input; %r was "
                            "given." % type(inputs).__name__)
        return self.compiled.run(list(inputs))

    def show(self, what="graph"):
        """The function as text: its graph, stages, plan, memory, profile; see `symk.function`."""
        return self.compiled.show(what)


def _pairs(updates):
    """Updates as a list; what is wrong with one of them is said by the compiler."""
    return [] if updates is None else listed("function", updates)


def function(inputs, outputs, updates=None, name=None, check_nan=None, profile=False,
             products=None):
    """A callable from a list of arrays to a list of arrays.

    Args:     inputs: placeholders. The learning phase is 0 if it is not among them.
              outputs: tensors.
              updates: pairs (variable, new value), as `update` gives them; all new values are
              computed from the old values of the variables.
              check_nan: stop at the first NaN or infinity, naming op, layer and line; by default
              what SYMK_CHECK_NAN says. profile: time every step, for `show("profile")`.
              products: "bfloat16", "float16" or "tf32" for products of operands that are rounded
              to it, "winograd" for faster 3x3 convolutions; by default what SYMK_PRODUCTS says.
    """
    return Function(inputs, outputs, updates, name, check_nan, profile, products)


@without_collection
def gradients(loss, variables):
    """The gradients of `loss` (of its sum, where it is no scalar); None where not connected."""
    variables = ([variables] if isinstance(variables, Variable)
                 else listed("gradients", variables))
    for tensor in [loss] + variables:
        if not isinstance(tensor, Variable) or is_sparse(tensor):
            raise GraphError("[gradients] the loss and the variables must be symbolic tensors, and "
                             "dense; %r is among them." % (tensor,))
    return grad(stable([loss], variables)[0], variables)


def checkpoint(what, inputs=None):
    """What is computed again for gradients instead of being kept: less memory for more time.

    Args:     what: a function of tensors that gives a tensor or a list; or such results themselves,
              as far as they are computed from `inputs`.
              inputs: the tensors between which and the results nothing is kept.
    Returns:  for a function, a function of the same tensors; for tensors, the same tensors anew.
    Raises:   GraphError when a result does not depend on the inputs, or something on the way does
              more than compute. The function itself raises TypeError without tensors.
    """
    if inputs is not None:
        single = isinstance(what, Variable)
        made = ops.checkpoint([what] if single else listed("checkpoint", what),
                              [inputs] if isinstance(inputs, Variable)
                              else listed("checkpoint", inputs))
        return made[0] if single else made
    callable_in("checkpoint", "what is recomputed", what)

    def recomputed(*tensors):
        if not tensors:
            raise TypeError("[checkpoint] a recomputed function takes the tensors that it depends "
                            "on; none was given.")
        return checkpoint(what(*tensors), tensors)
    return recomputed


def stop_gradient(variables):
    """A tensor, or each of a list, as a constant for gradients."""
    if isinstance(variables, (list, tuple)):
        return [ops.stop_gradient(ops.as_variable(x)) for x in variables]
    return ops.stop_gradient(ops.as_variable(variables))
