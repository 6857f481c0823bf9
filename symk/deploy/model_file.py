"""The model file as data: functions, each a Plan, over one set of values. Here it is written.

The bytes are those of docs/model_file.md; `csrc/runtime/model.cpp` reads them.
"""
import os
import struct
import tempfile
import typing
import zlib
from collections.abc import Mapping

import numpy as np

from ..compile.plan import ALIGNMENT, DTYPE_NAMES, Plan, Writer, encode
from ..graph.errors import GraphError

__all__ = ["Value", "ModelFunction", "texts_of", "write"]

MAGIC = b"SYMKFILE"
VERSION = 1
HEADER_BYTES = 64


class Value(typing.NamedTuple):
    """A weight or a state, as it is when a process loads the file."""

    name: str
    array: np.ndarray


class ModelFunction(typing.NamedTuple):
    """A function: its Plan, and the number of the value that each shared value of the Plan is."""

    name: str
    plan: Plan
    values: tuple


def texts_of(what, metadata):
    """Metadata as a dict of texts; None is none.

    Raises:   GraphError for what is no dict.
    """
    if metadata is not None and not isinstance(metadata, Mapping):
        raise GraphError("[%s] metadata must be a dict of texts; %r was given." % (what, metadata))
    return {str(key): str(value) for key, value in (metadata or {}).items()}


def write(path, functions, values, metadata):
    """Writes a model file, which is complete or not there.

    Args:     functions: ModelFunctions; the first one is what a file is loaded as.
              values: Values.
              metadata: a dict of texts.
    """
    contents = [_content(value.array) for value in values]
    contents += [encode(function.plan) for function in functions]
    checksums = [zlib.crc32(content) for content in contents[:len(values)]]
    # Places do not change the length of the directory.
    directory = _directory(functions, values, metadata, [(0, 0)] * len(contents), checksums)
    places, end = [], HEADER_BYTES + len(directory)
    for content in contents:
        begin = _aligned(end)
        places.append((begin, len(content)))
        end = begin + len(content)
    directory = _directory(functions, values, metadata, places, checksums)
    _write_whole(path, _parts(directory, places, contents, end))


def _content(array):
    """The bytes of an array, without a copy where it is dense."""
    return memoryview(np.ascontiguousarray(array).reshape(-1).view("uint8"))


def _aligned(position):
    return position + -position % ALIGNMENT


def _directory(functions, values, metadata, places, checksums):
    """Everything but the pieces themselves."""
    writer = Writer()
    writer.list(list(metadata.items()), writer.pair)
    writer.pack("I", len(values))
    for value, place, checksum in zip(values, places, checksums):
        writer.string(value.name)
        writer.pack("B", DTYPE_NAMES.index(value.array.dtype.name))
        writer.numbers("Q", value.array.shape)
        writer.pack("QQI", *place, checksum)
    writer.pack("I", len(functions))
    for function, place in zip(functions, places[len(values):]):
        writer.string(function.name)
        writer.numbers("I", function.values)
        writer.pack("QQ", *place)
    return b"".join(writer.parts)


def _parts(directory, places, contents, end):
    """The bytes of the file, one part after the other."""
    yield struct.pack("<8sIIQQI28x", MAGIC, VERSION, 0, end, HEADER_BYTES + len(directory),
                      zlib.crc32(directory))
    yield directory
    position = HEADER_BYTES + len(directory)
    for (begin, count), content in zip(places, contents):
        yield bytes(begin - position)
        yield content
        position = begin + count


def _write_whole(path, parts):
    """Replaces the content of a file in one step that a crash cannot divide."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _umask():
    """The permissions that new files do not get; mkstemp ignores them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Makes the new name durable, where the file system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
