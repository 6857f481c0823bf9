"""Arrays by name in the safetensors format: 8 bytes with the length of a JSON header, the header,
and the data of the arrays, one behind the other.

Nothing of a file is trusted: a header that is too long, names that come twice, shapes that do not
fit their data, and data that overlap, leave gaps or lie outside are refused before they are read.
"""
import io
import json
import math
import os

import numpy as np

from ..files import replacing

__all__ = ["read", "write"]

_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32",
           "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool", "U16": "uint16",
           "U32": "uint32", "U64": "uint64", "BF16": "uint16"}
_NAMES = {dtype: name for name, dtype in _DTYPES.items() if name != "BF16"}
_HEADER_LIMIT = 100_000_000     # bytes; that of the format's own implementation
_METADATA = "__metadata__"


def write(target, arrays, metadata=None):
    """Writes arrays, {name: array}, in their order.

    Args:     target: a path, whose file is replaced when all is written; or a binary file object.
              metadata: a dict of texts.
    Raises:   TypeError for a dtype that the format does not have.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    header, start = {_METADATA: dict(metadata)} if metadata else {}, 0
    for name, array in arrays.items():
        if array.dtype.name not in _NAMES:
            raise TypeError("[save] the dtype of %r must be one of %s; it is %s."
                            % (name, ", ".join(_NAMES), array.dtype))
        header[name] = {"dtype": _NAMES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if hasattr(target, "write"):
        _write(target, text, arrays)
    else:
        with replacing(target) as temporary, open(temporary, "wb") as file:
            _write(file, text, arrays)


def _write(file, header, arrays):
    file.write(len(header).to_bytes(8, "little") + header)
    for array in arrays.values():
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        file.write(np.ascontiguousarray(little).tobytes())


def read(source):
    """The arrays of a file and its texts: ({name: array}, {name: text}).

    bfloat16, which NumPy does not have, becomes float32.

    Args:     source: a path, or a binary file object.
    Raises:   OSError when it cannot be read; ValueError for a file that is damaged or none.
    """
    if hasattr(source, "read"):
        return _read(io.BytesIO(source.read()), "the given file")
    with open(source, "rb") as file:
        return _read(file, repr(os.fspath(source)))


def _read(file, label):
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    header, start = _header(file, size, label)
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _damaged(label, "its metadata must be texts")
    entries = {name: _entry(name, entry, size - start, label) for name, entry in header.items()}
    _check_places(entries, size - start, label)
    return {name: _array(file, start, *entry) for name, entry in entries.items()}, metadata


def _header(file, size, label):
    """The header as a dict, and where the data begin."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(_HEADER_LIMIT, size - 8):
        raise _damaged(label, "its header must be in it; it has %d bytes" % size)
    try:
        header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _damaged(label, "its header must be JSON (%s)" % error) from None
    if not isinstance(header, dict):
        raise _damaged(label, "its header must be an object")
    return header, 8 + length


def _once(pairs):
    """A JSON object whose names are different."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _entry(name, entry, size, label):
    """(dtype, shape, first byte, last byte) of an array, checked."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(label, "%r must have dtype, shape and data_offsets" % name)
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise _damaged(label, "the dtype of %r must be one of %s; it is %r"
                       % (name, ", ".join(_DTYPES), dtype))
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or len(shape) > 32:
        raise _damaged(label, "the shape and the place of %r must be sizes" % name)
    begin, end = offsets
    count = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if not begin <= end <= size or end - begin != count:
        raise _damaged(label, "the data of %r must be %d bytes within the file; they are said to "
                       "be %d to %d of %d" % (name, count, begin, end, size))
    return dtype, tuple(shape), begin, end


def _are_sizes(value):
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)


def _check_places(entries, size, label):
    """The data must fill the file without gaps."""
    place = 0
    for begin, end in sorted(entry[2:] for entry in entries.values()):
        if begin != place:
            raise _damaged(label, "data must follow each other; some begin at %d, not %d"
                           % (begin, place))
        place = end
    if place != size:
        raise _damaged(label, "data must fill the file; they end at %d of %d" % (place, size))


def _array(file, start, dtype, shape, begin, end):
    file.seek(start + begin)
    stored = np.dtype(_DTYPES[dtype]).newbyteorder("<")
    array = np.frombuffer(file.read(end - begin), stored).reshape(shape)
    if dtype == "BF16":     # the upper half of a float32
        return (array.astype("uint32") << 16).view("float32")
    return array.astype(stored.newbyteorder("="), copy=False)


def _damaged(label, what):
    return ValueError("[load] a whole safetensors file is required; of %s, %s." % (label, what))
