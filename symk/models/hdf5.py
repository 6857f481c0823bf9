"""Reading and writing HDF5 as Keras does, trusting nothing that is read.

Texts are attributes, lists of names are attributes cut into pieces below HDF5's limit, arrays are
datasets. Files are replaced in one step; links, virtual and external datasets are refused.
"""
import contextlib
import os

import numpy as np

from ..utils.files import replacing

__all__ = ["HEADER_LIMIT", "dataset", "names", "open_to_read", "open_to_write", "read_text",
           "write_arrays", "write_names", "write_text"]

# An HDF5 object header holds at most 64 KiB; Keras leaves some of it for other entries.
HEADER_LIMIT = 64512


@contextlib.contextmanager
def open_to_write(path, overwrite):
    """An HDF5 file that takes the place of `path` when the block ends without an error."""
    import h5py  # only those who use files wait for it
    path = os.fspath(path)
    if not overwrite and os.path.exists(path):
        raise FileExistsError("[save] a new file is required with overwrite=False; %r exists."
                              % path)
    with replacing(path) as temporary:
        with h5py.File(temporary, "w") as file:
            yield file


@contextlib.contextmanager
def open_to_read(path):
    """An HDF5 file; what HDF5 itself finds wrong becomes an OSError that names the file."""
    import h5py  # only those who use files wait for it
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError("[load] an existing file is required; there is no %r." % path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError) as error:
        raise OSError("[load] a whole HDF5 file is required; %r (%d bytes) cannot be read: %s"
                      % (path, os.path.getsize(path), str(error).strip("'\""))) from error


def write_text(group, name, text):
    """A text as Keras's h5py wrote it: of variable length, ASCII."""
    import h5py
    group.attrs.create(name, text, dtype=h5py.string_dtype("ascii" if text.isascii() else "utf-8"))


def read_text(group, name):
    """The text of an attribute, whatever kind of string it is; None if there is none."""
    if name not in group.attrs:
        return None
    value = group.attrs[name]
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise ValueError("[load] attribute %r must be one text; it is an array of shape %s."
                             % (name, value.shape))
        value = value.reshape(-1)[0]
    return _text(value)


def _text(value):
    return bytes(value).decode("utf-8") if isinstance(value, (bytes, np.bytes_)) else str(value)


def write_names(group, name, values):
    """A list of names as one attribute, or as several if it is too long for one."""
    encoded = [value.encode("utf-8") for value in values]
    if not encoded:
        group.attrs[name] = []
        return
    too_long = [value for value in encoded if len(value) > HEADER_LIMIT]
    if too_long:
        raise ValueError("[save] names of at most %d bytes can be saved; one has %d."
                         % (HEADER_LIMIT, len(too_long[0])))
    whole = np.asarray(encoded)
    pieces = [whole]
    while any(piece.nbytes > HEADER_LIMIT for piece in pieces):
        pieces = np.array_split(whole, len(pieces) + 1)
    if len(pieces) == 1:
        group.attrs[name] = whole
        return
    for number, piece in enumerate(pieces):
        group.attrs["%s%d" % (name, number)] = piece


def names(group, name):
    """The list that `write_names` or Keras wrote; None if there is none."""
    if name in group.attrs:
        return [_text(value) for value in np.ravel(group.attrs[name])]
    if name + "0" not in group.attrs:
        return None
    found, number = [], 0
    while "%s%d" % (name, number) in group.attrs:
        found += [_text(value) for value in np.ravel(group.attrs["%s%d" % (name, number)])]
        number += 1
    return found


def write_arrays(group, names_and_arrays):
    """Datasets, and their names in order as the attribute `weight_names`; names become unique."""
    written = []
    for name, array in names_and_arrays:
        name = _unused(name, written)
        written.append(name)
        group.create_dataset(name, data=np.asarray(array))
    write_names(group, "weight_names", written)


def _unused(name, taken):
    number, result = 1, name
    while result in taken:
        number += 1
        result = "%s_%d" % (name, number)
    return result


def dataset(group, path):
    """The dataset at a path inside of a group, reached by no link but the ordinary ones.

    Raises:   ValueError if it is missing, or if its data are anywhere but in this file.
    """
    import h5py
    place = group
    for part in path.split("/"):
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) and part else None
        if not isinstance(link, h5py.HardLink):
            raise ValueError("[load] the file must have the dataset %r in %r; there is %s."
                             % (path, group.name, "none" if link is None else "a link"))
        place = place[part]
    if not isinstance(place, h5py.Dataset) or place.is_virtual or place.external:
        raise ValueError("[load] %r in %r must be a dataset in this file; it is not."
                         % (path, group.name))
    if place.dtype.kind not in "biuf":
        raise ValueError("[load] the dataset %r must hold numbers; its dtype is %s."
                         % (path, place.dtype))
    return place
