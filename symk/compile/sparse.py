"""Sparse matrices at the border of a function: one matrix outside, its arrays inside."""
import numpy as np

from ..graph import GraphError, ShapeError, dims

__all__ = ["join_outputs", "split_inputs"]


def split_inputs(inputs):
    """What puts arrays in the place of each sparse matrix among the values of a call, or None
    if no input is sparse."""
    if not any(getattr(variable, "is_sparse", False) for variable in inputs):
        return None

    def split(values):
        if len(values) != len(inputs):
            raise GraphError("[function] the inputs are %s: %d values are required; %d were given."
                             % (", ".join(p.name for p in inputs), len(inputs), len(values)))
        return [part for variable, value in zip(inputs, values)
                for part in (_rows_of(variable, value) if variable.is_sparse else (value,))]
    return split


def _rows_of(placeholder, value):
    """Values, columns and bounds of the rows of a matrix, sparse or dense; where the number of its
    columns is unknown, also an array that tells it."""
    value = value.tocsr() if hasattr(value, "tocsr") else np.asarray(value)
    if len(value.shape) != 2 or any(not isinstance(size, dims.Dim) and size != given
                                    for size, given in zip(placeholder.shape, value.shape)):
        raise ShapeError("[input %s] the shape must be %r; a matrix of shape %s was given."
                         % (placeholder.name, placeholder.type, value.shape))
    sizes = tuple(np.empty((value.shape[1], 0), "bool") for _ in placeholder.sizes)
    if not isinstance(value, np.ndarray):
        return (value.data, value.indices, value.indptr) + sizes
    rows, columns = np.nonzero(value)
    bounds = np.searchsorted(rows, np.arange(value.shape[0] + 1))
    return (value[rows, columns], columns, bounds) + sizes


def join_outputs(outputs):
    """What makes one matrix of SciPy of the three arrays of each sparse output, or None if no
    output is sparse.

    Raises:   GraphError when SciPy is missing.
    """
    if not any(getattr(variable, "is_sparse", False) for variable in outputs):
        return None
    try:
        from scipy.sparse import csr_matrix
    except ImportError:
        raise GraphError("[function] sparse outputs need SciPy; it is not installed. Install it, "
                         "or give out K.to_dense of the matrix.") from None

    def join(values):
        values, joined = iter(values), []
        for variable in outputs:
            if not variable.is_sparse:
                joined.append(next(values))
                continue
            data, columns, bounds = next(values), next(values), next(values)
            width = variable.width
            joined.append(csr_matrix((data, columns, bounds), (len(bounds) - 1, width)))
        return joined
    return join
