"""Rows: data that stay where they are until a batch needs them: HDF5, sparse matrices."""
import numpy as np

__all__ = ["Rows", "is_read_by_rows"]


def is_read_by_rows(value):
    """Whether data should not become an array at once: they are in a file, or sparse."""
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "to_numpy"):
        return False
    return hasattr(value, "tocsr") or (hasattr(value, "shape") and hasattr(value, "dtype")
                                       and hasattr(value, "__getitem__"))


class Rows:
    """A range of the rows of a source, read when they are asked for.

    Args:     source: what has `shape`, `dtype` and rows: an h5py.Dataset, an HDF5Matrix, a sparse
              matrix of SciPy.
    """

    def __init__(self, source, start=0, stop=None, new_axis=False, is_sparse=False):
        self.source = source.tocsr() if hasattr(source, "tocsr") else source
        self.start = start
        self.stop = source.shape[0] if stop is None else stop
        self.new_axis = new_axis
        self.is_sparse = is_sparse   # whether parts stay sparse matrices

    @property
    def shape(self):
        return ((self.stop - self.start,) + tuple(self.source.shape[1:])
                + ((1,) if self.new_axis else ()))

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def dtype(self):
        return np.dtype(self.source.dtype)

    def __len__(self):
        return self.stop - self.start

    def range(self, start, stop):
        """A part of these rows, not read yet."""
        return Rows(self.source, self.start + start, self.start + stop, self.new_axis,
                    self.is_sparse)

    def with_last_axis(self):
        """The same rows with a new last axis of size 1."""
        return Rows(self.source, self.start, self.stop, True)

    def kept_sparse(self):
        """The same rows, of which parts are sparse matrices, for an input that is sparse."""
        return Rows(self.source, self.start, self.stop, is_sparse=hasattr(self.source, "tocsr"))

    def __getitem__(self, picked):
        """The rows of a slice, as an array or a sparse matrix."""
        start, stop, _ = picked.indices(len(self))
        return self._array(self.source[self.start + start:self.start + stop])

    def take(self, places, axis=0):
        """The rows of these numbers. They are read in rising order, as files need."""
        if self.is_sparse:
            return self.source[places + self.start]
        order = np.argsort(places)
        rows = self._array(self.source[places[order] + self.start])
        result = np.empty_like(rows)
        result[order] = rows
        return result

    def _array(self, rows):
        if self.is_sparse:
            return rows
        array = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
        return array[..., np.newaxis] if self.new_axis else array
