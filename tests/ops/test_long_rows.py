"""Ranges, row numbers and products of sizes around the blocks that kernels work in."""
import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.graph import Placeholder
from symk.graph.errors import OutOfRangeError

RANDOM = np.random.RandomState(0)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "float32",
                                   "float64"])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 7, 16384, 16385, 131072, 131075])
def test_ranges_of_every_length(dtype, count):
    for start, step in ((0, 1), (-5, 3), (100, -7)):
        expected = (start + step * np.arange(count)).astype(dtype)
        np.testing.assert_array_equal(
            function([], ops.arange(start, start + step * count, step, dtype=dtype))(), expected)


def row_numbers(dtype):
    bounds, like = Placeholder(dtype, (None,)), Placeholder("int8", (None,))
    return function([bounds, like], ops.csr_rows(bounds, like.shape[0]))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 8, 9, 4096, 50001])
def test_row_numbers_of_rows_of_all_lengths(dtype, rows):
    lengths = RANDOM.choice([0, 0, 1, 2, 16, 300], rows)
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(dtype)
    found = row_numbers(dtype)(bounds, np.zeros(lengths.sum(), "int8"))
    np.testing.assert_array_equal(found, np.repeat(np.arange(rows), lengths))


@pytest.mark.parametrize("place, value", [(0, 1), (2500, -1), (2501, 3000), (4999, 5001),
                                          (5000, 4999)])
def test_the_first_bound_that_does_not_ascend_is_named(place, value):
    bounds = np.arange(5001)
    bounds[place] = value
    wrong = place if value <= place or place == 0 or value > 5000 else place + 1
    with pytest.raises(OutOfRangeError,
                       match="%d was given at position %d" % (bounds[wrong], wrong)):
        row_numbers("int64")(bounds, np.zeros(5000, "int8"))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 511, 2047, 2048, 2049, 5000])
def test_products_of_every_length(count):
    """They are carried in float64: partial products may leave the range of float32."""
    x = Placeholder("float32", (None, None))
    rows = RANDOM.uniform(0.5, 2, (3, count)).astype("float32")
    rows[1] = np.where(np.arange(count) < count // 2, 1.8, 1 / 1.8)
    with np.errstate(over="ignore"):
        expected = np.prod(rows.astype("float64"), 1).astype("float32")
    np.testing.assert_allclose(function([x], ops.prod(x, 1))(rows), expected, rtol=1e-6)
