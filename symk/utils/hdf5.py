"""Reading and writing HDF5 as Keras does, trusting nothing that is read.

Texts are attributes, lists of names are attributes cut into pieces below HDF5's limit, arrays are
datasets. Files are replaced in one step; links, virtual and external datasets are refused.
"""
import contextlib
import io
import os

import numpy as np

from ..files import replacing

__all__ = ["HEADER_LIMIT", "dataset", "name_of", "names", "open_to_read", "open_to_write",
           "read_text", "unused", "write_arrays", "write_names", "write_text"]

# An HDF5 object header holds at most 64 KiB; Keras leaves some of it for other entries.
HEADER_LIMIT = 64512


@contextlib.contextmanager
def open_to_write(target, overwrite):
    """The HDF5 group to write into.

    Args:     target: a path, whose file is replaced when the block ends without an error; a binary
              file object; an h5py.Group, which is written into; or a dict, which is filled.
    """
    import h5py  # only those who use files wait for it
    if isinstance(target, h5py.Group):
        yield target
    elif isinstance(target, dict):
        with _in_memory() as file:
            yield file
            target.clear()
            target.update(_as_dict(file))
    elif hasattr(target, "write"):
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            yield file
        target.write(content.getvalue())
    else:
        with _replaced(_path(target, "save"), overwrite) as file:
            yield file


@contextlib.contextmanager
def _replaced(path, overwrite):
    import h5py
    if not overwrite and os.path.exists(path):
        raise FileExistsError("[save] a new file is required with overwrite=False; %r exists."
                              % path)
    with replacing(path) as temporary:
        with h5py.File(temporary, "w") as file:
            yield file


@contextlib.contextmanager
def open_to_read(source):
    """The HDF5 group to read from; what HDF5 itself finds wrong becomes an OSError.

    Args:     source: a path, a binary file object, an h5py.Group, or a dict of `open_to_write`.
    """
    import h5py  # only those who use files wait for it
    try:
        if isinstance(source, h5py.Group):
            yield source
        elif isinstance(source, dict):
            with _in_memory() as file:
                _from_dict(file, source)
                yield file
        else:
            with h5py.File(_readable(source), "r") as file:
                yield file
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise OSError("[load] a whole HDF5 file is required; %s cannot be read: %s"
                      % (_described(source), str(error).strip("'\""))) from error


def _readable(source):
    """What h5py can open: a path that exists, or a file object."""
    if hasattr(source, "read"):
        return source if hasattr(source, "seek") else io.BytesIO(source.read())
    path = _path(source, "load")
    if not os.path.exists(path):
        raise FileNotFoundError("[load] an existing file is required; there is no %r." % path)
    return path


def _path(target, what):
    try:
        return os.fspath(target)
    except TypeError:
        raise TypeError("[%s] a path, a binary file object, an h5py.Group or a dict is required; "
                        "%r was given." % (what, target)) from None


def name_of(source):
    """A source, for messages."""
    if isinstance(source, (str, bytes, os.PathLike)):
        return repr(os.fspath(source))
    return "the given %s" % type(source).__name__


def _described(source):
    """A source and its size, if it has a path."""
    name = name_of(source)
    if isinstance(source, (str, bytes, os.PathLike)):
        name += " (%d bytes)" % os.path.getsize(source)
    return name


def _in_memory():
    """An HDF5 file that is never on the disk."""
    import h5py
    return h5py.File("in memory", "w", driver="core", backing_store=False)


_ATTRIBUTES = "attributes"      # where a dict keeps those of a group


def _as_dict(group):
    """A group as a dict: groups are dicts, datasets arrays."""
    import h5py
    content = {name: _as_dict(item) if isinstance(item, h5py.Group) else item[()]
               for name, item in group.items()}
    content[_ATTRIBUTES] = dict(group.attrs)
    return content


def _from_dict(group, content):
    """Writes what `_as_dict` gave."""
    for name, value in content.get(_ATTRIBUTES, {}).items():
        group.attrs[name] = value
    for name, value in content.items():
        if name == _ATTRIBUTES:
            continue
        if isinstance(value, dict):
            _from_dict(group.create_group(name), value)
        else:
            group.create_dataset(name, data=value)


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
        name = unused(name, written)
        written.append(name)
        group.create_dataset(name, data=np.asarray(array))
    write_names(group, "weight_names", written)


def unused(name, taken):
    """The name, or name_2, name_3, ... if it is taken."""
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
