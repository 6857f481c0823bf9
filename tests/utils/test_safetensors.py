"""The safetensors format: read by others, and refused where a file is not what it says."""
import io
import json

import numpy as np
import pytest

from symk.utils.safetensors import read, write

ARRAYS = {"a/kernel": np.arange(6, dtype="float32").reshape(2, 3), "b": np.float64(3.5),
          "empty": np.zeros((0, 4), "int32"), "flags": np.array([True, False]),
          "half": np.float16([1, 2]), "wort \u00fc": np.int8([[1], [2]])}


def file(header, data=b"", length=None):
    """A file with this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO((len(text) if length is None else length).to_bytes(8, "little") + text + data)


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_what_was_written_is_read(tmp_path):
    write(tmp_path / "x.safetensors", ARRAYS, {"about": "something"})
    arrays, metadata = read(tmp_path / "x.safetensors")
    assert metadata == {"about": "something"} and list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].shape == np.shape(array)


def test_the_package_safetensors_reads_and_writes_the_same(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    write(tmp_path / "ours.safetensors", ARRAYS, {"about": "something"})
    theirs = package.load_file(tmp_path / "ours.safetensors")
    assert set(theirs) == set(ARRAYS)
    package.save_file({name: np.asarray(array) for name, array in ARRAYS.items()},
                      tmp_path / "theirs.safetensors", {"k": "v"})
    arrays, metadata = read(tmp_path / "theirs.safetensors")
    assert metadata == {"k": "v"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(theirs[name], array)
        np.testing.assert_array_equal(arrays[name], array)


def test_bfloat16_becomes_float32():
    arrays, _ = read(file({"x": entry("BF16", (2,), (0, 4))}, b"\x80\x3f\x00\xc0"))
    assert arrays["x"].dtype == "float32" and arrays["x"].tolist() == [1.0, -2.0]


def test_a_dtype_that_the_format_does_not_have_is_refused(tmp_path):
    with pytest.raises(TypeError, match="the dtype of 'x' must be one of"):
        write(tmp_path / "x", {"x": np.zeros(2, "complex64")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source, message", [
    (io.BytesIO(b""), "header must be in it"), (io.BytesIO(b"1234567"), "header must be in it"),
    (file({}, length=1000), "header must be in it"),
    (file({}, length=2 ** 63), "header must be in it"),
    (file(b"{"), "must be JSON"), (file(b"\xff\xfe"), "must be JSON"),
    (file(b"[" * 100000), "must be JSON"), (file([]), "must be an object"),
    (file(b'{"x": 1, "x": 2}'), "a name comes twice"),
    (file({"x": 3}), "must have dtype, shape and data_offsets"),
    (file({"x": dict(entry(), more=1)}, b"1234"), "must have dtype, shape and data_offsets"),
    (file({"x": entry("F8")}, b"1234"), "the dtype of 'x' must be one of"),
    (file({"x": entry(shape=(-1,))}, b"1234"), "must be sizes"),
    (file({"x": entry(shape=(True,))}, b"1234"), "must be sizes"),
    (file({"x": entry(shape=(1.0,))}, b"1234"), "must be sizes"),
    (file({"x": entry(shape=[1] * 40)}, b"1234"), "must be sizes"),
    (file({"x": entry(offsets=(0, 4, 8))}, b"1234"), "must be sizes"),
    (file({"x": entry(shape=(2,))}, b"1234"), "must be 8 bytes within the file"),
    (file({"x": entry(shape=(2 ** 40, 2 ** 40))}, b"1234"), "within the file"),
    (file({"x": entry(offsets=(0, 8), shape=(2,))}, b"1234"), "within the file"),
    (file({"x": entry(offsets=(4, 0))}, b"1234"), "within the file"),
    (file({"x": entry(), "y": entry()}, b"1234"), "must follow each other"),
    (file({"x": entry(offsets=(4, 8))}, b"12345678"), "must follow each other"),
    (file({"x": entry()}, b"12345678"), "must fill the file"),
    (file({"__metadata__": {"a": 1}}), "metadata must be texts"),
    (file({"__metadata__": "text"}), "metadata must be texts"),
])
def test_a_damaged_file_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        read(source)


def test_no_change_of_a_byte_does_more_than_refuse(tmp_path):
    write(tmp_path / "x", ARRAYS, {"about": "something"})
    content = (tmp_path / "x").read_bytes()
    generator = np.random.RandomState(0)
    refused = 0
    for _ in range(2000):
        changed = bytearray(content)
        for place in generator.randint(0, len(content), generator.randint(1, 4)):
            changed[place] = generator.randint(256)
        changed = changed[:generator.randint(len(content))] if generator.rand() < 0.2 else changed
        try:
            read(io.BytesIO(bytes(changed)))
        except ValueError:
            refused += 1
    assert refused > 1000
