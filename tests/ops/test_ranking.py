"""top_k over rows that are looked at block by block: sizes around a block, ties and NaN."""
import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.graph import Placeholder


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
@pytest.mark.parametrize("n", [31, 32, 33, 95, 96, 97, 1000, 4095, 4096, 4097, 9000])
def test_the_largest_of_long_rows_are_those_of_a_stable_sort(n, dtype):
    random = np.random.RandomState(n)
    x = random.randint(0, 200, (5, n)).astype(dtype)       # many ties
    if x.dtype.kind == "f":
        x += random.standard_normal((5, n)).astype(dtype) * (random.rand(5, 1) > 0.5)
        x[1, ::7], x[2, n // 2], x[3, 0] = np.nan, np.inf, -np.inf
        keys = np.where(np.isnan(x), np.inf, x)
        order = np.lexsort((np.broadcast_to(np.arange(n), x.shape), -keys, ~np.isnan(x)))
    else:
        order = np.argsort(-x.astype("int64"), axis=1, kind="stable")
    placeholder = Placeholder(dtype, x.shape)
    for k in (1, 5, 31, n):
        k = min(k, n)
        values, positions = function([placeholder], list(ops.top_k(placeholder, k))).run([x])
        np.testing.assert_array_equal(positions, order[:, :k])
        np.testing.assert_array_equal(values, np.take_along_axis(x, order[:, :k], 1))
