"""Running sums and products: zeros in gradients, long lines, and what `exclusive` leaves out."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.graph import Placeholder


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("zeros", [[], [2], [0, 3], [4], [1, 2, 3]])
def test_the_gradient_of_a_product_is_right_at_zeros(zeros, reverse):
    x = np.array([1.5, -2.0, 0.5, 3.0, -1.0])
    x[zeros] = 0
    weights = np.array([1.0, 2.0, -1.0, 0.5, 3.0])
    expected = np.zeros(5)
    for i in range(5):
        for j in range(5):
            factors = range(j, 5) if reverse else range(j + 1)
            if i in factors:
                expected[i] += weights[j] * np.prod([x[k] for k in factors if k != i])
    p = Placeholder("float64", (5,))
    gradient, = grad(ops.sum(ops.cumprod(p, reverse=reverse) * weights), [p])
    np.testing.assert_allclose(function([p], gradient, mode="reference")(x), expected)


@pytest.mark.parametrize("name, neutral", [("cumsum", 0), ("cumprod", 1)])
def test_exclusive_leaves_the_element_out(name, neutral):
    p = Placeholder("int32", (None,))
    ahead = getattr(ops, name)(p, exclusive=True)
    behind = getattr(ops, name)(p, exclusive=True, reverse=True)
    run = function([p], [ahead, behind], mode="reference")
    x = np.array([2, 3, 5, 7])
    totals = getattr(np, name)
    np.testing.assert_array_equal(run.run([x])[0], [neutral] + totals(x)[:-1].tolist())
    np.testing.assert_array_equal(run.run([x])[1], totals(x[::-1])[:-1][::-1].tolist() + [neutral])
    assert run(np.zeros(0, "int32"))[0].shape == (0,)


def test_booleans_are_counted():
    assert ops.cumsum(ops.constant([True, False, True])).dtype == "int64"


def test_a_long_sum_keeps_its_digits():
    pytest.importorskip("symk._core")
    p = Placeholder("float32", (None,))
    y = function([p], ops.cumsum(p), mode="native")(np.full(10 ** 6, 0.1, "float32"))
    np.testing.assert_allclose(y[-1], 1e5, rtol=1e-6)
