"""Sparse matrices: compounds of three vectors in compressed rows, which ops take as dense operands.

A Sparse is a Variable for who asks for its type; no op takes it as an operand. `parts` are what
expressions are made of, and what functions give out in its place; `feeds` are what they are fed.
"""
from .node import Placeholder, Variable
from .type import TensorType

__all__ = ["Sparse", "SparsePlaceholder", "dense_feeds", "dense_parts"]


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
    def feeds(self):
        return self.parts

    @property
    def width(self):
        return self.shape[1]


class SparsePlaceholder(Sparse, Placeholder):
    """A sparse matrix that is fed at each call; a size may be unknown.

    The number of columns does not follow from the parts of a matrix. Where it is unknown, an array
    without elements that has as many rows is fed too.

    Args:     shape: (rows or None, columns or None).
    """

    def __init__(self, dtype, shape, name):
        rows, width = shape
        data = Placeholder(dtype, (None,), name=name + ".data")
        columns = Placeholder("int32", data.shape, name=name + ".indices")
        bounds = Placeholder("int32", (None if rows is None else rows + 1,), name=name + ".indptr")
        self.sizes = ()
        if width is None:
            self.sizes = (Placeholder("bool", (None, 0), name=name + ".shape"),)
            width = self.sizes[0].shape[0]
        Sparse.__init__(self, data, columns, bounds, width, name)
        self.default = None

    @property
    def feeds(self):
        return self.parts + self.sizes


def dense_feeds(variables):
    """The variables, with what is fed for sparse ones in their place."""
    return [part for variable in variables
            for part in (variable.feeds if getattr(variable, "is_sparse", False) else (variable,))]


def dense_parts(variables):
    """The variables, with the parts of sparse ones in their place."""
    return [part for variable in variables
            for part in (variable.parts if getattr(variable, "is_sparse", False) else (variable,))]
