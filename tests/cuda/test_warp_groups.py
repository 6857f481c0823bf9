"""Products by the warp groups of compute capability 9.0 (the setting wgmma), on the stand-in for
that hardware: sizes around the tiles, layouts, batches, pieces, epilogues, pixelwise convolutions,
and where they are not taken."""
import os
import sys

import numpy as np
import pytest

from symk import autodiff, config, ops
from symk.compile import function
from symk.config import settings
from symk.graph import Placeholder

sys.path.insert(0, os.path.dirname(__file__))
import test_boundaries  # noqa: E402

TAKEN = "by warp groups"
PRODUCTS = pytest.mark.parametrize("products", ["float32", "tf32", "bfloat16", "float16"])
LAYOUTS = pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True),
                                                 (True, True)])


def normal(shape, dtype="float32"):
    """Without numbers halfway between two of TF32: those go to even where an operand is multiplied
    out of its own place, else away from zero."""
    made = test_boundaries.normal(shape, dtype)
    if dtype == "float32":
        bits = made.view("uint32")
        bits[bits & 0x1fff == 0x1000] += 1
    return made


@pytest.fixture
def warp_groups(on_device, monkeypatch):
    monkeypatch.setattr(settings, "wgmma", True)
    x = Placeholder("float32", (64, 64))
    f = function([x], ops.matmul(x, x))
    f(np.zeros((64, 64), "float32"))
    if TAKEN not in f.show("device"):
        pytest.skip("needs compute capability 9.0: " + f.show("device"))


def check(build, *arrays, products="float32", taken=1, error=3e-6):
    """build(*placeholders) by warp groups beside NumPy's; three times, to the same bits.

    `taken`: how many products warp groups must have taken.
    """
    inputs = [Placeholder(array.dtype, array.shape) for array in arrays]
    outputs = build(*inputs)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    f = function(inputs, outputs, products=products)
    actual = f.run(list(arrays))
    shown = f.show("device")
    counts = [int(line.split(" x ")[0]) for line in shown.splitlines() if TAKEN in line]
    assert sum(counts) == taken, shown
    for _ in range(2):      # recorded, replayed
        for value, again in zip(actual, f.run(list(arrays))):
            np.testing.assert_array_equal(value, again)
    meant = function(inputs, outputs, products=products, mode="reference").run(list(arrays))
    for value, wanted in zip(actual, meant):
        np.testing.assert_allclose(value, wanted, rtol=0, atol=error * np.abs(wanted).max())


@PRODUCTS
@LAYOUTS
@pytest.mark.parametrize("shape", [(65, 66, 36), (128, 127, 33), (129, 64, 64), (64, 257, 65)])
def test_products_around_the_tiles(warp_groups, shape, transposed, products):
    m, n, k = shape
    a = normal((k, m) if transposed[0] else (m, k))
    b = normal((n, k) if transposed[1] else (k, n))
    check(lambda a, b: ops.matmul(a, b, *transposed), a, b, products=products)


@PRODUCTS
@pytest.mark.parametrize("activation", [ops.relu, ops.tanh])
@pytest.mark.parametrize("columns", [66, 71])
def test_epilogues_of_tiles_and_of_what_finishes_their_sums(warp_groups, activation, columns,
                                                            products):
    check(lambda a, b, bias, mask: activation(ops.matmul(a, b) + bias) * mask,
          normal((70, 40)) * np.float32(0.2), normal((40, columns)), normal(columns),
          normal((70, columns)), products=products)


@PRODUCTS
@pytest.mark.parametrize("left, right", [((5, 66, 36), (5, 36, 72)), ((3, 65, 35), (3, 35, 67)),
                                         ((2, 3, 64, 40), (3, 40, 64)), ((4, 64, 36), (36, 80)),
                                         ((64, 36), (4, 36, 80)), ((2, 64, 1036), (2, 1036, 65))])
def test_batches_of_products(warp_groups, left, right, products):
    """Of equal and other distances in memory, with shared operands, and cut into pieces."""
    check(ops.matmul, normal(left), normal(right), products=products)


@pytest.mark.parametrize("products", ["tf32", "bfloat16", "float16"])
def test_products_that_fill_the_device_take_wide_tiles(warp_groups, products):
    check(lambda a, b: ops.matmul(a, b, False, True), normal((43, 130, 36)), normal((43, 258, 36)),
          products=products)


@PRODUCTS
def test_training_takes_them_forward_and_backward(warp_groups, products):
    def build(x, w):
        y = ops.relu(ops.matmul(x, w))
        return (y, *autodiff.grad(ops.sum(y * 0.5), [x, w]))
    check(build, normal((96, 64)), normal((64, 80)), products=products, taken=3)


@PRODUCTS
@pytest.mark.parametrize("channels, filters", [(64, 72), (65, 67)])
def test_pixelwise_convolutions_are_products(warp_groups, channels, filters, products):
    def build(x, w, bias, mask):
        y = ops.relu(ops.conv(x, w) + bias) * mask
        return (y, *autodiff.grad(ops.sum(y * 0.5), [x, w]))
    check(build, normal((2, 7, 6, channels)), normal((1, 1, channels, filters)), normal(filters),
          normal((2, 7, 6, filters)), products=products, taken=3)


@pytest.mark.parametrize("w, attributes", [((1, 1, 64, 64), {"strides": (2, 1)}),
                                           ((2, 1, 64, 64), {"padding": "same"}),
                                           ((1, 1, 32, 128), {"groups": 2})])
def test_other_convolutions_are_not(warp_groups, w, attributes):
    check(lambda x, w: ops.conv(x, w, **attributes), normal((2, 9, 8, 64)), normal(w), taken=0)


def test_numbers_that_no_parts_of_tf32_make_up(warp_groups):
    test_boundaries.compare_beyond_tf32(normal((70, 40)), normal((40, 65)))


@pytest.mark.parametrize("shape", [(63, 64, 64), (64, 63, 64), (64, 64, 31)])
def test_small_products_are_left_to_warps(warp_groups, shape):
    m, n, k = shape
    check(ops.matmul, normal((m, k)), normal((k, n)), taken=0)


def test_float64_is_left_to_its_own_kernel(warp_groups):
    check(ops.matmul, normal((64, 64), "float64"), normal((64, 64), "float64"), taken=0,
          error=1e-13)


def test_the_setting_is_off_unless_it_is_asked_for(on_device):
    assert settings.wgmma is False
    check(ops.matmul, normal((64, 64)), normal((64, 64)), taken=0)
    assert config.Settings({"SYMK_WGMMA": "1"}).wgmma is True
    with pytest.raises(ValueError, match=r"\[config\] SYMK_WGMMA must be one of 0, 1; it is 'on'"):
        config.Settings({"SYMK_WGMMA": "on"})


@pytest.mark.parametrize("capability", [80, 89, 100])
def test_other_gpus_go_on_without(outside, monkeypatch, capability):
    monkeypatch.setattr(settings, "wgmma", True)
    outside.capability, outside.devices = capability, capability + 1
    with config.device("cuda-host:%d" % capability):       # which no other test opens
        check(ops.matmul, normal((64, 64)), normal((64, 64)), taken=0)
