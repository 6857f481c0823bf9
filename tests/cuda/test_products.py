"""Products on tensor cores: operands of all layouts and alignments, batches and groups, numbers
that float32 holds and TF32 does not, and the precisions that a function may ask for."""
import os
import sys

import numpy as np
import pytest

from symk import autodiff, ops
from symk.compile import function
from symk.graph import Placeholder

sys.path.insert(0, os.path.dirname(__file__))
from test_boundaries import compare, compare_beyond_tf32, normal  # noqa: E402


@pytest.mark.parametrize("shape", [(16, 16, 16), (70, 36, 40), (33, 68, 31), (129, 130, 20),
                                   (20, 24, 2000)])
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_products_by_layout_and_alignment(on_device, shape, transposed):
    m, n, k = shape
    a = normal((k, m) if transposed[0] else (m, k))
    b = normal((n, k) if transposed[1] else (k, n))
    compare(lambda a, b, bias: ops.relu(ops.matmul(a, b, *transposed) + bias), a, b, normal(n))


@pytest.mark.parametrize("activation", [ops.relu, ops.tanh, ops.softplus])
def test_activations_of_tiles_and_of_what_finishes_their_sums(on_device, activation):
    """Tiles know relu; the others are done by a kernel behind them. Sums are about 1, where their
    errors are those of the results."""
    compare(lambda a, b, bias, mask: activation(ops.matmul(a, b) + bias) * mask,
            normal((40, 20)) * np.float32(0.2), normal((20, 36)), normal(36), normal((40, 36)))
    compare(lambda x, w, bias: activation(ops.conv(x, w) + bias),
            normal((2, 6, 6, 16)) * np.float32(0.1), normal((3, 3, 16, 20)), normal(20))


@pytest.mark.parametrize("left, right", [((5, 40, 36), (5, 36, 48)), ((3, 33, 35), (3, 35, 37)),
                                         ((2, 3, 40, 20), (3, 20, 40)), ((64, 4, 6), (64, 6, 5)),
                                         ((2, 40, 1040), (2, 1040, 36))])
def test_batches_of_products(on_device, left, right):
    compare(lambda a, b: ops.matmul(a, b), normal(left), normal(right))
    compare(lambda a, b: ops.matmul(a, b), normal(left, "float64"), normal(right, "float64"))


@pytest.mark.parametrize("x, w, attributes", [
    ((2, 9, 7, 20), (3, 3, 20, 24), {"padding": "same"}),
    ((2, 9, 7, 18), (3, 2, 18, 17), {"strides": (2, 1)}),
    ((1, 11, 12, 16), (3, 3, 16, 16), {"dilation": (2, 3)}),
    ((2, 6, 6, 40), (3, 3, 20, 36), {"groups": 2, "padding": "same"}),
    ((1, 5, 6, 4, 16), (2, 3, 2, 16, 20), {"strides": (1, 2, 2)}),
    ((2, 40, 16), (5, 16, 16), {"padding": "causal", "strides": (3,)})])
def test_convolutions_that_fill_tiles(on_device, x, w, attributes):
    def build(x, w):
        y = ops.conv(x, w, **attributes)
        return (y, *autodiff.grad(ops.sum(ops.square(y)), [x, w]))
    compare(build, normal(x), normal(w), error=4)


def test_numbers_that_no_parts_of_tf32_make_up(on_device):
    compare_beyond_tf32(normal((40, 20)), normal((20, 24)))


@pytest.mark.parametrize("products", ["tf32", "bfloat16", "float16"])
@pytest.mark.parametrize("shape", [(70, 65, 36), (19, 80, 33), (5, 7, 9), (140, 17, 48)])
def test_operands_are_rounded_as_is_asked_for(on_device, products, shape):
    m, n, k = shape
    a, b = normal((m, k)), normal((k, n))
    inputs = [Placeholder("float32", array.shape) for array in (a, b)]
    run = function(inputs, ops.matmul(*inputs), products=products)
    assert run.plan.steps[0].attributes["products"] == products
    meant = function(inputs, ops.matmul(*inputs), products=products, mode="reference")(a, b)
    value = run(a, b)
    np.testing.assert_allclose(value, meant, rtol=0, atol=3e-6 * np.abs(meant).max())
    plain = a.astype("float64") @ b
    assert np.abs(value - plain).max() > 1e-4


@pytest.mark.parametrize("products", ["tf32", "bfloat16", "float16"])
def test_convolutions_round_their_operands(on_device, products):
    arrays = [normal((2, 7, 6, 16)), normal((3, 3, 16, 20))]
    x, w = (Placeholder("float32", array.shape) for array in arrays)
    y = ops.conv(x, w, padding="same")
    results = [y, *autodiff.grad(ops.sum(y * 0.5), [x, w])]
    actual = function([x, w], results, products=products).run(arrays)
    meant = function([x, w], results, products=products, mode="reference").run(arrays)
    for value, wanted in zip(actual, meant):
        np.testing.assert_allclose(value, wanted, rtol=0, atol=3e-6 * np.abs(wanted).max())


def test_float16_overflows_and_bfloat16_does_not(on_device):
    a = np.full((16, 16), 1e5, "float32")
    x = Placeholder("float32", a.shape)
    assert np.all(np.isinf(function([x], ops.matmul(x, x), products="float16")(a)))
    np.testing.assert_allclose(function([x], ops.matmul(x, x), products="bfloat16")(a), 16e10,
                               rtol=0.01)
