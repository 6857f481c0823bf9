"""Sparse matrices in compressed rows, as three vectors: row r has the elements bounds[r] to
bounds[r + 1] - 1, each with its value and its column. Elements at one place add up.

What they need beside these ops is made of gather and its like, with `csr_rows`.
"""
import numpy as np

from ..graph import Op, OutOfRangeError, ShapeError, TensorType, apply, op
from .checks import (FLOATS, NUMBERS, at_least, need_dtype, need_equal_dtypes, need_rank,
                     same_size)
from .convert import as_variable, cast, fit
from .elementwise import add, mul
from .index import gather
from .reduce import sum
from .samples import sample, values
from .shape import reshape
from .sizes import as_size, size_of

__all__ = ["csr_matmul", "csr_rows", "csr_to_dense"]

_INDICES = ("int32", "int64")


class _Csr(Op):
    """What the ops of this file share."""

    accepts = FLOATS
    domain = (-2.0, 2.0)
    smooth = True

    def rows_of(self, bounds):
        """The number of rows."""
        need_dtype(self.name, "bounds", bounds, _INDICES)
        need_rank(self.name, "bounds", bounds, 1, "(rows + 1,)")
        at_least(self.name, bounds.shape[0], 1, "there must be a bound more than rows; bounds are "
                 "%r" % (bounds,))
        return bounds.shape[0] - 1

    def check_matrix(self, data, columns, bounds):
        """Checks the types of a matrix; the number of its rows."""
        need_dtype(self.name, "data", data, self.accepts)
        need_rank(self.name, "data", data, 1, "(elements,)")
        need_rank(self.name, "columns", columns, 1, "(elements,)")
        rows = self.rows_of(bounds)
        need_equal_dtypes(self.name, columns, bounds)
        same_size(self.name, data.shape[0], columns.shape[0], "each element must have a value and "
                  "a column; data are %r, columns %r" % (data, columns))
        return rows

    def check_values(self, columns, bounds, count):
        """Refuses what only a call can tell: bounds that do not ascend, columns outside."""
        ends = np.concatenate([[0], bounds, [len(columns)]])
        wrong = (np.diff(ends)[:-1] < 0) | (bounds > len(columns))
        wrong[0] |= bounds[0] != 0
        wrong[-1] |= bounds[-1] != len(columns)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise OutOfRangeError("[%s] the bounds of the rows must ascend from 0 to the number of "
                                  "elements, %d; %d was given at position %d."
                                  % (self.name, len(columns), bounds[at], at))
        outside = (columns < 0) | (columns >= count)
        if outside.any():
            at = int(np.argmax(outside))
            raise OutOfRangeError("[%s] an index must be inside its axis of size %d; %d was given "
                                  "at position %d." % (self.name, count, columns[at], at))


def _row_numbers(bounds):
    return np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))


_MATRIX = (values((5,), low=-2.0, high=2.0), values((5,), "int32", exact=(0, 3, 1, 0, 3)),
           values((4,), "int32", exact=(0, 2, 2, 5)))
_LONG = (values((3,)), values((3,), "int64", exact=(1, 1, 0)),
         values((3,), "int64", exact=(0, 2, 3)))
_EMPTY = (values((0,)), values((0,), "int32", exact=()), values((1,), "int32", exact=(0,)))
_BAD = [((values((4,)),) + _MATRIX[1:], "each element must have a value and a column"),
        ((_MATRIX[0], values((5,), "int64", 0, 1), _MATRIX[2]), "the dtypes must be equal"),
        (_MATRIX[:2] + (values((4,), "float32"),), "bounds is (4,) float32"),
        (_MATRIX[:2] + (values((0,), "int32", exact=()),), "there must be a bound more than rows")]


@op("csr_matmul", kind="csr")
class CsrMatmul(_Csr):
    """A sparse matrix of `size` columns, or with `transpose` its transpose, times a dense one.

    Shapes: data, columns (elements,), bounds (rows + 1,), dense (size, n) -> (rows, n); with
            transpose: dense (rows, n) -> (size, n).
    Dtypes: floats, int32 or int64 -> floats.
    Raises: OutOfRangeError when called with a column outside, or bounds that do not ascend.
    """

    transpose: bool = False
    size: object = 0

    def infer(self, data, columns, bounds, dense):
        rows = self.check_matrix(data, columns, bounds)
        need_rank(self.name, "dense", dense, 2, "(columns, n)")
        need_equal_dtypes(self.name, data, dense)
        if not self.transpose:
            same_size(self.name, self.size, dense.shape[0], "the columns must be as many as rows "
                      "of the dense matrix, which is %r" % (dense,))
            return dense.with_shape((rows, dense.shape[1]))
        same_size(self.name, rows, dense.shape[0], "the rows must agree; bounds are %r, dense is %r"
                  % (bounds, dense))
        return dense.with_shape((self.size, dense.shape[1]))

    def reference(self, data, columns, bounds, dense):
        if not self.transpose and self.size != len(dense):
            raise ShapeError("[%s] the columns must be as many as rows of the dense matrix: %d != "
                             "%d." % (self.name, self.size, len(dense)))
        self.check_values(columns, bounds, self.size)
        rows, columns = _row_numbers(bounds), columns.astype("int64")
        taken, places = (rows, columns) if self.transpose else (columns, rows)
        count = self.size if self.transpose else len(bounds) - 1
        y = np.zeros((count, dense.shape[1]), dense.dtype)
        np.add.at(y, places, data[:, None] * dense[taken])
        return y

    def grad(self, data, columns, bounds, dense, y, g):
        other = apply(CsrMatmul(not self.transpose, self.size), data, columns, bounds, g)
        rows = csr_rows(bounds, data.shape[0])
        taken, places = (rows, columns) if self.transpose else (columns, rows)
        return sum(mul(gather(dense, taken), gather(g, places)), 1), None, None, other

    samples = [sample(*_MATRIX, (4, 3), size=4), sample(*_MATRIX, (3, 2), transpose=True, size=4),
               sample(*_EMPTY, (3, 2), size=3), sample(*_EMPTY, (0, 2), transpose=True, size=3),
               sample(*_LONG, (2, 37), size=2), sample(*_LONG, (2, 2), transpose=True, size=5),
               sample(*_MATRIX, (4, 0), size=4), sample(*_MATRIX, (4, 83), size=4),
               sample(*_LONG, (2, 64), size=2)]
    bad = [sample(*matrix, (4, 3), size=4, error=error) for matrix, error in _BAD] + [
        sample(*_MATRIX, (4,), size=4, error="dense must have 2 axes"),
        sample(*_MATRIX, (4, 2), size=5, error="the columns must be as many"),
        sample(*_MATRIX, (4, 2), transpose=True, size=4, error="the rows must agree")]


@op("csr_to_dense", kind="csr")
class CsrToDense(_Csr):
    """A sparse matrix with `size` columns as a dense one.

    Shapes: data, columns (elements,), bounds (rows + 1,) -> (rows, size).
    Dtypes: numbers, int32 or int64 -> numbers.
    Raises: OutOfRangeError when called with a column outside, or bounds that do not ascend.
    """

    size: object = 0

    accepts = NUMBERS

    def infer(self, data, columns, bounds):
        return data.with_shape((self.check_matrix(data, columns, bounds), self.size))

    def reference(self, data, columns, bounds):
        self.check_values(columns, bounds, self.size)
        y = np.zeros((len(bounds) - 1, self.size), data.dtype)
        np.add.at(y, (_row_numbers(bounds), columns.astype("int64")), data)
        return y

    def grad(self, data, columns, bounds, y, g):
        first = mul(csr_rows(bounds, data.shape[0]), size_of(self.size))
        return gather(reshape(g, (-1,)), add(first, cast(columns, "int64"))), None, None

    samples = [sample(*_MATRIX, size=4), sample(*_LONG, size=3), sample(*_EMPTY, size=3)]
    bad = [sample(*matrix, size=4, error=error) for matrix, error in _BAD]


@op("csr_rows", kind="csr")
class CsrRows(_Csr):
    """The row of each of `count` elements.

    Shapes: bounds (rows + 1,) -> (count,).  Dtypes: int32 or int64 -> int64.
    Raises: OutOfRangeError when called with bounds that do not ascend from 0 to `count`.
    """

    count: object = 0

    accepts = _INDICES

    def infer(self, bounds):
        self.rows_of(bounds)
        return TensorType("int64", (self.count,))

    def reference(self, bounds):
        self.check_values(np.zeros(self.count, "int64"), bounds, 1)
        return _row_numbers(bounds)

    def grad(self, bounds, y, g):
        return None

    samples = [sample(values((4,), "int32", exact=(0, 2, 2, 5)), count=5),
               sample(values((2,), "int64", exact=(0, 3)), count=3),
               sample(values((1,), "int64", exact=(0,)))]
    bad = [sample(values((3,), "float32"), count=3, error="bounds is (3,) float32"),
           sample(values((), "int32"), count=3, error="bounds must have 1 axes")]


def _indices(columns, bounds):
    """Columns and bounds in one dtype that the kernels take."""
    columns, bounds = as_variable(columns), as_variable(bounds)
    if columns.dtype == bounds.dtype == "int32":
        return columns, bounds
    return cast(columns, "int64"), cast(bounds, "int64")


def csr_matmul(data, columns, bounds, dense, size, transpose=False):
    """A sparse matrix of `size` columns, or with `transpose` its transpose, times a dense one."""
    size = as_size(size)
    return apply(CsrMatmul(bool(transpose), size), fit(as_variable(data), FLOATS),
                 *_indices(columns, bounds), fit(as_variable(dense), FLOATS))


def csr_to_dense(data, columns, bounds, size):
    """A sparse matrix with `size` columns as a dense one."""
    size = as_size(size)
    return apply(CsrToDense(size), as_variable(data), *_indices(columns, bounds))


def csr_rows(bounds, count):
    """The row of each of `count` elements."""
    count = as_size(count)
    bounds = as_variable(bounds)
    return apply(CsrRows(count), bounds if bounds.dtype == "int32" else cast(bounds, "int64"))
