"""Event files, read back by a decoder of the formats that shares no code with the writer."""
import binascii
import pathlib
import struct
import zlib

import numpy as np
import pytest

from symk.utils.events import EventWriter, GraphNode


def crc32c(data):
    """CRC-32C bit by bit (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 * (crc & 1))
    return crc ^ 0xFFFFFFFF


def records(path):
    """The data of all TFRecords of a file, their checksums checked."""
    content, place, found = pathlib.Path(path).read_bytes(), 0, []
    while place < len(content):
        length, check = struct.unpack("<QI", content[place:place + 12])
        assert check == masked(content[place:place + 8])
        data = content[place + 12:place + 12 + length]
        assert struct.unpack("<I", content[place + 12 + length:place + 16 + length])[0] \
            == masked(data)
        found.append(data)
        place += 16 + length
    return found


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def fields(data):
    """{field number: list of values} of a message; messages and texts stay bytes."""
    found, place = {}, 0

    def varint():
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
    while place < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        else:
            length = {1: 8, 5: 4}.get(kind) or varint()
            value = data[place:place + length]
            place += length
            if kind == 1:
                value, = struct.unpack("<d", value)
            elif kind == 5:
                value, = struct.unpack("<f", value)
        found.setdefault(key >> 3, []).append(value)
    return found


@pytest.fixture
def writer(tmp_path):
    return EventWriter(str(tmp_path / "logs"))


def events(writer):
    writer.flush()
    return [fields(record) for record in records(writer.path)]


def summary(event):
    """The only value of an event's summary."""
    value, = fields(event[5][0])[1]
    return fields(value)


def test_the_checksum_is_that_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283


def test_a_file_begins_with_its_version(writer):
    first, = events(writer)
    assert first[3] == [b"brain.Event:2"]
    assert first[1][0] > 1.5e9


def test_scalars(writer):
    writer.scalar("loss", 0.5, 3)
    writer.scalar("lr", np.float32(-2), 1 << 40)
    _, loss, rate = events(writer)
    assert loss[2] == [3] and rate[2] == [1 << 40]
    assert summary(loss) == {1: [b"loss"], 2: [0.5]}
    assert summary(rate)[2] == [-2.0]


def test_histograms_count_every_finite_value(writer):
    values = np.array([-1.0, 0.0, 0.0, 2.0, np.nan, np.inf])
    writer.histogram("w", values, 0)
    histogram = fields(summary(events(writer)[1])[5][0])
    assert [histogram[place][0] for place in range(1, 6)] == [-1.0, 2.0, 4.0, 1.0, 5.0]
    limits = np.frombuffer(histogram[6][0], "<f8")
    counts = np.frombuffer(histogram[7][0], "<f8")
    assert limits[-1] == 2.0 and (np.diff(limits) > 0).all()
    assert counts.sum() == 4 and counts[0] == 1 and counts[-1] == 1


def test_a_histogram_of_nothing_finite_is_empty(writer):
    writer.histogram("w", [np.nan], 0)
    assert summary(events(writer)[1])[5] == [b""]


def test_images_are_png_files(writer):
    writer.image("kernel", np.array([[0.0, 1.0, 2.0], [2.0, 4.0, 0.0]]), 1)
    image = fields(summary(events(writer)[1])[4][0])
    assert (image[1], image[2], image[3]) == ([2], [3], [1])
    png = image[4][0]
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, chunks = 8, {}
    while place < len(png):
        length, = struct.unpack(">I", png[place:place + 4])
        kind, content = png[place + 4:place + 8], png[place + 8:place + 8 + length]
        check, = struct.unpack(">I", png[place + 8 + length:place + 12 + length])
        assert check == binascii.crc32(kind + content)
        chunks[kind] = content
        place += 12 + length
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (3, 2)
    assert zlib.decompress(chunks[b"IDAT"]) == bytes([0, 0, 63, 127, 0, 127, 255, 0])


def test_graphs(writer):
    writer.graph([GraphNode("x", "InputLayer", shapes=[(None, 3)]),
                  GraphNode("box/dense", "Dense", ["x"], [(None, 2)])])
    graph = fields(events(writer)[1][4][0])
    source, dense = map(fields, graph[1])
    assert source[1] == [b"x"] and 3 not in source
    assert (dense[1], dense[2], dense[3]) == ([b"box/dense"], [b"Dense"], [b"x"])
    attribute = fields(dense[5][0])
    assert attribute[1] == [b"_output_shapes"]
    shape, = fields(fields(attribute[2][0])[1][0])[7]
    sizes = [fields(size)[1][0] for size in fields(shape)[2]]
    assert sizes == [(1 << 64) - 1, 2]      # -1, unknown, in two's complement
