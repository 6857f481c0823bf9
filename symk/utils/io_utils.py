"""Data in HDF5 files: a dataset as an array for training, a file as a dictionary."""
import os

import numpy as np

from . import hdf5

__all__ = ["H5Dict", "HDF5Matrix", "ask_to_proceed_with_overwrite", "h5dict", "load_array",
           "save_array"]


class HDF5Matrix:
    """A range of the rows of a dataset in an HDF5 file, read when they are needed.

    Can be given to `fit`, `evaluate` and `predict` in place of an array.

    # Arguments
        datapath: path of the file.
        dataset: name of the dataset.
        start, end: the range of rows; all of them by default.
        normalizer: function of the rows that were read, giving those to use.
    """

    refs = {}       # open files by their paths: all matrices of a file read through one

    def __init__(self, datapath, dataset, start=0, end=None, normalizer=None):
        self.data = _open_file(os.fspath(datapath), self.refs)[dataset]
        count = self.data.shape[0]
        self.start = start
        self.end = count if end is None else end
        self.normalizer = normalizer
        if not 0 <= self.start <= self.end <= count:
            raise ValueError("[HDF5Matrix] 0 <= start <= end <= %d rows is required; start=%r and "
                             "end=%r were given." % (count, start, end))
        first = self._normalized(self.data[self.start:self.start + 1])
        self._base_shape, self._base_dtype = first.shape[1:], first.dtype

    def _normalized(self, rows):
        return rows if self.normalizer is None else self.normalizer(rows)

    def __len__(self):
        return self.end - self.start

    def __getitem__(self, key):
        """The rows of a slice, of a number or of a list of rising numbers, as an array."""
        if isinstance(key, slice):
            if key.stop is not None and key.stop > len(self):
                raise IndexError("[HDF5Matrix] a slice up to %d is required; %s was given."
                                 % (len(self), key))
            start, stop, step = key.indices(len(self))
            rows = slice(self.start + start, self.start + stop, step)
        elif isinstance(key, (list, np.ndarray)):
            rows = [self._row(number) for number in key]
        else:
            rows = self._row(key)
        return self._normalized(self.data[rows])

    def _row(self, number):
        if not hasattr(number, "__index__") or not -len(self) <= number < len(self):
            raise IndexError("[HDF5Matrix] row numbers below %d are required; %r was given."
                             % (len(self), number))
        return self.start + int(number) % len(self)

    @property
    def shape(self):
        return (len(self),) + tuple(self._base_shape)

    @property
    def dtype(self):
        return self._base_dtype

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return int(np.prod(self.shape, dtype=np.int64))


def _open_file(path, files):
    """An HDF5 file that stays open for reading."""
    import h5py  # only those who use files wait for it
    if path not in files or not files[path]:
        files[path] = h5py.File(path, "r")
    return files[path]


class H5Dict:
    """An HDF5 group as a dictionary: arrays are datasets, texts and lists of names attributes.

    Reading a key that is not there makes a group, unless the mode is "r".

    # Arguments
        path: path of a file, an h5py.Group, or a dict that is used as it is.
        mode: "r" reads, "w" begins a new file, "a" reads and writes.
    """

    def __init__(self, path, mode="a"):
        import h5py  # only those who use files wait for it
        self._is_file = False
        self.read_only = mode == "r"
        if isinstance(path, H5Dict):
            self.data = path.data
        elif isinstance(path, (dict, h5py.Group)):
            self.data = path
        elif self.is_supported_type(path):
            self.data = h5py.File(os.fspath(path), mode)
            self._is_file = True
        else:
            raise TypeError("[H5Dict] a path, an h5py.Group or a dict is required; %s was given."
                            % type(path).__name__)

    @staticmethod
    def is_supported_type(path):
        """Whether there can be an H5Dict of this."""
        import h5py
        return isinstance(path, (str, os.PathLike, dict, h5py.Group))

    def __setitem__(self, attr, value):
        if self.read_only:
            raise ValueError("[H5Dict] a mode that writes is required to set %r; this one was "
                             "opened with mode 'r'." % attr)
        if isinstance(self.data, dict):
            self.data[attr] = value
        elif isinstance(value, (str, bytes)):
            hdf5.write_text(self.data, attr, value if isinstance(value, str) else value.decode())
        elif isinstance(value, list) and all(isinstance(one, (str, bytes)) for one in value):
            hdf5.write_names(self.data, attr, [one if isinstance(one, str) else one.decode()
                                               for one in value])
        else:
            self.data[attr] = value

    def __getitem__(self, attr):
        if isinstance(self.data, dict):
            return self._from_dict(attr)
        if attr in self.data.attrs or attr + "0" in self.data.attrs:
            return self._attribute(attr)
        if attr not in self.data:
            if self.read_only:
                raise KeyError("[H5Dict] the key %r is required; there is none in %r."
                               % (attr, self.data.name))
            return H5Dict(self.data.create_group(attr))
        value = self.data[attr]
        return H5Dict(value, "r" if self.read_only else "a") if hasattr(value, "keys") \
            else value[()]

    def _from_dict(self, attr):
        if attr not in self.data:
            if self.read_only:
                raise KeyError("[H5Dict] the key %r is required; there is none." % (attr,))
            self.data[attr] = {}
        value = self.data[attr]
        return H5Dict(value, "r" if self.read_only else "a") if isinstance(value, dict) else value

    def _attribute(self, attr):
        value = self.data.attrs.get(attr)
        if value is not None and np.ndim(value) == 0:
            return hdf5.read_text(self.data, attr) if isinstance(value, (str, bytes)) else value
        return hdf5.names(self.data, attr)

    def __contains__(self, key):
        if isinstance(self.data, dict):
            return key in self.data
        return key in self.data or key in self.data.attrs or key + "0" in self.data.attrs

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return iter(self.data)

    def iter(self):
        """An iterator of the keys."""
        return iter(self)

    def get(self, key, default=None):
        return self[key] if key in self else default

    def update(self, *args):
        """Sets the items of dicts or of lists of pairs."""
        for items in args:
            for key, value in dict(items).items():
                self[key] = value

    def close(self):
        """Closes the file, if this has opened one."""
        if self._is_file:
            self.data.close()

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        self.close()


h5dict = H5Dict


def ask_to_proceed_with_overwrite(filepath):
    """Asks on the terminal whether a file may be replaced; True for yes."""
    while True:
        answer = input("[WARNING] %s already exists - overwrite? [y/n]" % filepath).strip().lower()
        if answer in ("y", "n"):
            return answer == "y"


def save_array(array, name):
    """Keeps an array in an HDF5 file of its own, as its dataset "data"."""
    with hdf5.open_to_write(name, overwrite=True) as file:
        file.create_dataset("data", data=array)


def load_array(name):
    """The array of a file of `save_array`."""
    with hdf5.open_to_read(name) as file:
        return file["data"][()]
