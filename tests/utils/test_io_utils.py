"""HDF5 as an array and as a dictionary."""
import h5py
import numpy as np
import pytest

from symk.utils import H5Dict, HDF5Matrix
from symk.utils.io_utils import ask_to_proceed_with_overwrite

DATA = np.arange(24.0).reshape(12, 2)


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "data.h5")
    with h5py.File(path, "w") as file:
        file["x"] = DATA
    yield path
    if path in HDF5Matrix.refs:
        HDF5Matrix.refs.pop(path).close()


# ---- HDF5Matrix

def test_a_range_of_rows(path):
    matrix = HDF5Matrix(path, "x", 2, 10)
    assert (matrix.shape, matrix.ndim, matrix.size, len(matrix)) == ((8, 2), 2, 16, 8)
    assert matrix.dtype == np.float64
    for key in (slice(None), slice(1, 4), slice(0, 7, 2), slice(-3, None), 3, -1, [0, 2, 5],
                np.array([1, 6])):
        np.testing.assert_array_equal(matrix[key], DATA[2:10][key])


def test_rows_are_normalized_when_they_are_read(path):
    matrix = HDF5Matrix(path, "x", normalizer=lambda rows: rows.astype("float32").sum(axis=-1))
    assert matrix.shape == (12,) and matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix[3:5], DATA[3:5].sum(axis=1))


def test_matrices_of_a_file_read_through_one(path):
    one, other = HDF5Matrix(path, "x"), HDF5Matrix(path, "x", 3)
    assert one.data.file == other.data.file


@pytest.mark.parametrize("start, end", [(-1, 3), (5, 3), (0, 13)])
def test_ranges_outside_of_the_data_are_refused(path, start, end):
    with pytest.raises(ValueError, match="start <= end <= 12"):
        HDF5Matrix(path, "x", start, end)


@pytest.mark.parametrize("key", [8, -9, [0, 8], "x", slice(0, 9)])
def test_rows_outside_of_the_range_are_refused(path, key):
    with pytest.raises((IndexError, TypeError)):
        HDF5Matrix(path, "x", 2, 10)[key]


# ---- H5Dict

@pytest.mark.parametrize("kind", ["file", "dict", "group"])
def test_values_come_back(tmp_path, kind):
    place = {"file": str(tmp_path / "d.h5"), "dict": {}, "group": None}[kind]
    if kind == "group":
        place = h5py.File("none", "w", driver="core", backing_store=False)
    with H5Dict(place) as items:
        items["array"] = DATA
        items["text"] = "hällo"
        items["names"] = ["a", "b"]
        items["inner"]["deep"] = DATA[:2]
        items.update({"number": 3})
        np.testing.assert_array_equal(items["array"], DATA)
        np.testing.assert_array_equal(items["inner"]["deep"], DATA[:2])
        assert (items["text"], items["names"], items["number"]) == ("hällo", ["a", "b"], 3)
        assert "inner" in items and "text" in items and "other" not in items
        assert items.get("other", 7) == 7
        assert {"array", "inner"} <= set(items) and len(items) >= 2


def test_long_lists_of_names_come_back():
    names = ["name_%05d" % number * 10 for number in range(2000)]
    with H5Dict(h5py.File("none", "w", driver="core", backing_store=False)) as items:
        items["names"] = names
        assert items["names"] == names and "names" in items


def test_reading_makes_and_changes_nothing(path):
    with H5Dict(path, "r") as items:
        with pytest.raises(KeyError, match="'other' is required"):
            items["other"]
        with pytest.raises(ValueError, match="mode that writes"):
            items["other"] = 3
        np.testing.assert_array_equal(items["x"], DATA)


def test_other_things_are_no_dictionary():
    with pytest.raises(TypeError, match="int was given"):
        H5Dict(3)


@pytest.mark.parametrize("answers, result", [(["y"], True), (["what", "N"], False)])
def test_asking(monkeypatch, answers, result):
    monkeypatch.setattr("builtins.input", lambda question: answers.pop(0))
    assert ask_to_proceed_with_overwrite("file") is result
    assert answers == []
