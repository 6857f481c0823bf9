"""Event files of TensorBoard: scalars, histograms, images and a graph, written without TensorFlow.

A file is a row of TFRecords; each holds an Event in the wire format of protocol buffers. The
numbers of fields are those of tensorflow/core/util/event.proto, summary.proto and graph.proto.
"""
import os
import socket
import struct
import time
import zlib

import numpy as np

__all__ = ["EventWriter", "GraphNode"]

_CRC_POLYNOMIAL = 0x82F63B78        # CRC-32C (Castagnoli), reflected
_MASK_DELTA = 0xA282EAD8            # of TFRecord's masked checksums

_HISTOGRAM_BINS = 30                # as many as TensorBoard draws


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_CRC_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_CRC_TABLE = _crc_table()


def _masked_crc(data):
    """The checksum of TFRecords."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _record(data):
    """A TFRecord: length, its checksum, data, their checksum."""
    length = struct.pack("<Q", len(data))
    return (length + struct.pack("<I", _masked_crc(length)) + data
            + struct.pack("<I", _masked_crc(data)))


# ---- the wire format: key (field number and kind), then the value

def _varint(number):
    number &= (1 << 64) - 1     # negative numbers as two's complement
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _integer(field, value):
    return _varint(field << 3) + _varint(int(value))


def _double(field, value):
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _float(field, value):
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _bytes(field, value):
    """A field of bytes, of text or of an encoded message."""
    value = value.encode("utf-8") if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _doubles(field, values):
    return _bytes(field, np.asarray(values, dtype="<f8").tobytes())


# ---- messages

def _summary_value(tag, content):
    """Summary with one Value."""
    return _bytes(1, _bytes(1, tag) + content)


def _histogram(values):
    """HistogramProto of the finite values; empty if there are none."""
    values = np.asarray(values, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return b""
    counts, edges = np.histogram(values, bins=_HISTOGRAM_BINS)
    return (_double(1, values.min()) + _double(2, values.max()) + _double(3, values.size)
            + _double(4, values.sum()) + _double(5, np.square(values).sum())
            + _doubles(6, edges[1:]) + _doubles(7, counts))


def _png(image):
    """A PNG file of an array (height, width) of bytes, in shades of grey."""
    height, width = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)

    def chunk(kind, content):
        return (struct.pack(">I", len(content)) + kind + content
                + struct.pack(">I", zlib.crc32(kind + content)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def _image(values):
    """Summary.Image: the values from the least, black, to the greatest, white."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float64))
    low, high = values.min(), values.max()
    shades = (255 * (values - low) / (high - low or 1.0)).astype(np.uint8)
    return (_integer(1, shades.shape[0]) + _integer(2, shades.shape[1]) + _integer(3, 1)
            + _bytes(4, _png(shades)))


class GraphNode:
    """A node of a graph that TensorBoard draws.

    Args:     name: unique; "a/b" is drawn inside of a box "a".
              op: what it does. inputs: names of other nodes.
              shapes: of its outputs, with None for unknown sizes.
    """

    def __init__(self, name, op, inputs=(), shapes=()):
        self.name = name
        self.op = op
        self.inputs = list(inputs)
        self.shapes = list(shapes)

    def encoded(self):
        """NodeDef."""
        content = _bytes(1, self.name) + _bytes(2, self.op)
        for name in self.inputs:
            content += _bytes(3, name)
        shapes = b"".join(_bytes(7, _shape(shape)) for shape in self.shapes)
        return content + _bytes(5, _bytes(1, "_output_shapes") + _bytes(2, _bytes(1, shapes)))


def _shape(shape):
    """TensorShapeProto."""
    return b"".join(_bytes(2, _integer(1, -1 if size is None else size)) for size in shape)


class EventWriter:
    """Writes one event file into a folder, which is made if it is missing.

    The file is open while something is written into it only, so an interrupted program leaves it
    whole.

    Args:     suffix: end of the file's name.
    """

    def __init__(self, folder, suffix=""):
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, "events.out.tfevents.%010d.%s.%d%s" % (
            time.time(), socket.gethostname(), os.getpid(), suffix))
        self._waiting = []
        self._add(_bytes(3, "brain.Event:2"))

    def _add(self, content, step=0):
        self._waiting.append(_record(_double(1, time.time()) + _integer(2, step) + content))

    def scalar(self, tag, value, step):
        """A number."""
        self._add(_bytes(5, _summary_value(tag, _float(2, float(value)))), step)

    def histogram(self, tag, values, step):
        """How values are distributed; those that are not finite are left out."""
        self._add(_bytes(5, _summary_value(tag, _bytes(5, _histogram(values)))), step)

    def image(self, tag, values, step):
        """An array of two axes as shades of grey."""
        self._add(_bytes(5, _summary_value(tag, _bytes(4, _image(values)))), step)

    def graph(self, nodes):
        """The graph of a model, a list of GraphNodes."""
        content = b"".join(_bytes(1, node.encoded()) for node in nodes)
        self._add(_bytes(4, content + _bytes(4, _integer(1, 22))))      # 22: a version of the form

    def flush(self):
        """Writes what waits."""
        with open(self.path, "ab") as file:
            file.write(b"".join(self._waiting))
        self._waiting = []
