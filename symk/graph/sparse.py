"""Sparse matrices: compounds of three vectors in compressed rows, which ops take as dense operands.

A Sparse is a Variable for who asks for its type; no op takes it as an operand. `parts` are what
expressions are made of, and what functions feed and give out in its place.
"""
from .node import Placeholder, Variable
from .type import TensorType

__all__ = ["Sparse", "SparsePlaceholder", "dense_parts"]


class Sparse(Variable):
    """A sparse matrix of `width` columns.

    Row r has the elements bounds[r] to bounds[r + 1] - 1 of `data`, in these `columns`.
    """

    is_sparse = True

    def __init__(self, data, columns, bounds, width, name=None):
        Variable.__init__(self, TensorType(data.dtype, (bounds.shape[0] - 1, width)), name=name)
        self.data, self.columns, self.bounds = data, columns, bounds

    @property
    def parts(self):
        return self.data, self.columns, self.bounds

    @property
    def width(self):
        return self.shape[1]


class SparsePlaceholder(Sparse, Placeholder):
    """A sparse matrix that is fed at each call; the number of rows may be unknown.

    Args:     shape: (rows or None, columns).
    """

    def __init__(self, dtype, shape, name):
        rows, width = shape
        data = Placeholder(dtype, (None,), name=name + ".data")
        columns = Placeholder("int32", data.shape, name=name + ".indices")
        bounds = Placeholder("int32", (None if rows is None else rows + 1,), name=name + ".indptr")
        Sparse.__init__(self, data, columns, bounds, width, name)
        self.default = None


def dense_parts(variables):
    """The variables, with the parts of sparse ones in their place."""
    return [part for variable in variables
            for part in (variable.parts if getattr(variable, "is_sparse", False) else (variable,))]
