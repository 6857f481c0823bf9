"""Reads the files of data sets: arrays, lists and numbers, never code.

Some official files hold pickles. They are read by an unpickler that knows NumPy's arrays and
nothing else, so a file that someone has exchanged cannot run anything.
"""
import pickle
import zipfile

import numpy as np

__all__ = ["read_npz", "read_pickle"]

# Where old and new versions of NumPy keep what a pickled array is rebuilt with.
_HARMLESS = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy.core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numpy._core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
}


class _Unpickler(pickle.Unpickler):
    """Knows arrays, numbers, texts, lists and dicts."""

    def find_class(self, module, name):
        try:
            return _HARMLESS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                "[datasets] only arrays are read from a file; it asks for %s.%s. Download the file "
                "again." % (module, name)) from None


def read_pickle(file):
    """The value in a pickle of arrays; texts of Python 2 become bytes."""
    return _Unpickler(file, encoding="bytes").load()


def read_npz(path):
    """{name: array} of an .npz file; arrays of lists are read too."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                arrays[member[:-len(".npy")]] = _read_npy(file)
    return arrays


def _read_npy(file):
    version = np.lib.format.read_magic(file)
    read_header = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                   else np.lib.format.read_array_header_2_0)
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject:
        return read_pickle(file).reshape(shape)
    values = np.frombuffer(file.read(), dtype, count=int(np.prod(shape, dtype=np.int64)))
    return values.reshape(shape, order="F" if fortran else "C").copy()
