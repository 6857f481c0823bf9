"""Sparse matrices: what K can do with them. All else takes dense tensors, see `to_dense`."""
import numpy as np

from .. import ops
from ..graph import Constant, DtypeError, GraphError, Shared, ShapeError, dims
from ..graph.dtype import promote
from ..graph.sparse import Sparse, SparsePlaceholder
from ..ops.slice import cut
from .session import get_uid, scoped

__all__ = ["is_sparse", "to_dense", "ctc_label_dense_to_sparse"]


def is_sparse(tensor):
    """Whether a tensor is a sparse matrix."""
    return getattr(tensor, "is_sparse", False)


def to_dense(tensor):
    """A sparse matrix as a dense tensor; a dense one as it is."""
    if not is_sparse(tensor):
        return tensor
    return ops.csr_to_dense(*tensor.parts, size=tensor.width)


def ctc_label_dense_to_sparse(labels, label_lengths):
    """The labels of each row as a sparse matrix, with 0 behind the length of a row.

    Shapes:   labels (batch, places), label_lengths (batch,) -> (batch, places).
    """
    labels, lengths = ops.as_variable(labels), ops.as_variable(label_lengths)
    if labels.ndim != 2 or lengths.ndim not in (1, 2):
        raise ShapeError("[ctc_label_dense_to_sparse] labels (batch, places) and lengths (batch,) "
                         "are required; they are %r and %r." % (labels.type, lengths.type))
    rows, places = labels.shape
    columns = ops.arange(places, dtype="int64")
    inside = ops.less(columns, ops.reshape(lengths, (rows, 1)))
    data = ops.where(inside, labels, ops.cast(0, labels.dtype))
    bounds = ops.arange(rows + 1, dtype="int64") * ops.size_of(places)
    columns = ops.reshape(ops.broadcast_to(columns, (rows, places)), (rows * places,))
    return Sparse(ops.reshape(data, (rows * places,)), columns, bounds, places)


# ---- parts of functions that take dense tensors too

def sparse_placeholder(shape, dtype, name):
    """A sparse matrix that is fed at each call."""
    if len(shape) != 2:
        raise ShapeError("[placeholder] a sparse tensor must have two axes; the shape %r was given."
                         % (tuple(shape),))
    if isinstance(shape[1], dims.Dim):
        shape = shape[0], None
    return SparsePlaceholder(dtype, shape, name or "sparse_%d" % get_uid("sparse"))


def sparse_variable(value, dtype, name):
    """A matrix of SciPy as a variable: its elements may change, their places stay."""
    rows = value.tocsr()
    if len(rows.shape) != 2:
        raise ShapeError("[variable] a sparse tensor must have two axes; the shape %r was given."
                         % (rows.shape,))
    name = scoped(name) if name else None
    data = Shared(np.asarray(rows.data, dtype), dtype, name=name)
    return Sparse(data, Constant(rows.indices), Constant(rows.indptr), rows.shape[1], name)


def sparse_cast(x, dtype):
    """The matrix with elements of another dtype."""
    return Sparse(ops.cast(x.data, dtype), x.columns, x.bounds, x.width, x.name)


def sparse_operands(x, y):
    """A sparse and a dense tensor in the dtype in which they meet."""
    if is_sparse(x) and is_sparse(y):
        raise GraphError("[dot] one of the tensors must be dense; %r and %r are sparse. Use "
                         "to_dense for one of them." % (x, y))
    x, y = (v if is_sparse(v) else ops.as_variable(v, like=other)
            for v, other in ((x, y), (y, x)))
    dtype = promote(x.dtype, y.dtype)
    return tuple(sparse_cast(v, dtype) if is_sparse(v) else ops.cast(v, dtype) for v in (x, y))


def sparse_product(x, y):
    """The product of two matrices of one dtype, one of which is sparse."""
    if is_sparse(x):
        return ops.csr_matmul(*x.parts, y, size=x.width)
    product = ops.csr_matmul(*y.parts, ops.transpose(x), transpose=True, size=y.width)
    return ops.transpose(product)


def sparse_concatenate(tensors, axis):
    """Sparse matrices below each other (axis 0), or beside each other (axis 1)."""
    if len({tensor.dtype for tensor in tensors}) > 1:
        raise DtypeError("[concatenate] sparse tensors must have one dtype; they are %s. Cast them "
                         "first." % " and ".join(repr(tensor.type) for tensor in tensors))
    other = 1 - axis
    for tensor in tensors[1:]:
        if dims.known_different(tensor.shape[other], tensors[0].shape[other]):
            raise ShapeError("[concatenate] the sizes off axis %d must agree; the tensors are %s."
                             % (axis, " and ".join(repr(tensor.type) for tensor in tensors)))
    return (_below if axis == 0 else _beside)(tensors)


def _below(tensors):
    """The rows of one after those of the other: bounds go on where the last ones ended."""
    bounds, count = [ops.constant(np.zeros(1, "int64"))], 0
    for tensor in tensors:
        behind = cut(ops.cast(tensor.bounds, "int64"), 0, 1, tensor.shape[0])
        bounds.append(behind + ops.size_of(count))
        count = count + tensor.data.shape[0]
    return Sparse(ops.concat([tensor.data for tensor in tensors]),
                  ops.concat([tensor.columns for tensor in tensors]), ops.concat(bounds),
                  tensors[0].width)


def _beside(tensors):
    """Each row of one, then that row of the other: an element moves behind those before it."""
    bounds = [ops.cast(tensor.bounds, "int64") for tensor in tensors]
    width, columns, places = 0, [], []
    for number, tensor in enumerate(tensors):
        columns.append(ops.cast(tensor.columns, "int64") + ops.size_of(width))
        width = width + tensor.width
        rows = ops.csr_rows(tensor.bounds, tensor.data.shape[0])
        place = ops.arange(tensor.data.shape[0], dtype="int64")
        for other, others in enumerate(bounds):
            if other != number:
                place = place + ops.gather(others, rows + 1 if other < number else rows)
        places.append(place)
    places, total = ops.concat(places), sum(tensor.data.shape[0] for tensor in tensors)

    def placed(values):
        return ops.scatter_add(ops.concat(values), places, 0, total)
    return Sparse(placed([tensor.data for tensor in tensors]), placed(columns), sum(bounds), width)
