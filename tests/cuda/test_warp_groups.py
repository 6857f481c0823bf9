"""Products by the warp groups of compute capability 9.0 (the setting wgmma), on the stand-in for
that hardware: sizes around the tiles, layouts, batches, pieces, epilogues, convolutions and their
gradients by the input, and where they are not taken."""
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


@pytest.mark.slow
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


def forward_and_backward(**attributes):
    """A convolution and both of its gradients, of which that by the kernel is not taken."""
    def build(x, w):
        y = ops.conv(x, w, **attributes)
        return (y, *autodiff.grad(ops.sum(y * 0.5), [x, w]))
    return build


@PRODUCTS
def test_images_are_convolved_by_windows(warp_groups, products):
    check(forward_and_backward(padding="same"), normal((2, 7, 6, 64)), normal((3, 3, 64, 92)),
          products=products, taken=2)


@pytest.mark.parametrize("products", ["tf32", "bfloat16"])
@pytest.mark.parametrize("x, w, attributes", [
    ((2, 8, 9, 93), (3, 2, 93, 91), {}),
    ((9, 4, 3, 64), (4, 2, 64, 64), {"padding": "same"}),
    ((1, 13, 16, 64), (3, 2, 64, 64), {"dilation": (2, 5)}),
    ((3, 13, 12, 64), (3, 3, 64, 64), {"strides": (2, 2), "padding": "same"}),
    ((2, 15, 10, 64), (3, 2, 64, 64), {"strides": (1, 2)}),
    ((4, 16, 9, 64), (5, 1, 64, 64), {"strides": (3, 1), "padding": "same"}),
    ((2, 40, 64), (3, 64, 64), {"padding": "causal"}),
    ((2, 140, 64), (4, 64, 72), {"strides": (2,)})])
def test_windows_of_all_geometries(warp_groups, x, w, attributes, products):
    check(forward_and_backward(**attributes), normal(x), normal(w), products=products, taken=2)


@PRODUCTS
@pytest.mark.parametrize("activation", [ops.relu, ops.tanh])
def test_epilogues_of_windows(warp_groups, activation, products):
    check(lambda x, w, bias, mask: activation(ops.conv(x, w, padding="same") + bias) * mask,
          normal((2, 7, 6, 64)) * np.float32(2 ** -4), normal((2, 2, 64, 66)), normal(66),
          normal((2, 7, 6, 66)), products=products)


@pytest.mark.slow
@pytest.mark.parametrize("products", ["float32", "bfloat16"])
def test_windows_of_many_depths_are_cut_into_pieces(warp_groups, products):
    check(forward_and_backward(padding="same", strides=(2, 1)), normal((1, 16, 8, 128)),
          normal((5, 2, 128, 192)), products=products, taken=2)


@pytest.mark.parametrize("products", ["float32", "float16"])
@pytest.mark.parametrize("kernel", [1, 2])
def test_pixels_that_no_tap_reaches_have_no_gradient(warp_groups, kernel, products):
    def build(x, w, g):
        return autodiff.grad(ops.sum(ops.conv(x, w, strides=(3, 2)) * g), [x])[0]
    arrays = normal((2, 22, 16, 64)), normal((kernel, kernel, 64, 64))
    shape = ops.conv(*(Placeholder("float32", a.shape) for a in arrays), strides=(3, 2)).shape
    check(build, *arrays, normal(tuple(shape)), products=products)


@pytest.mark.parametrize("x, w, attributes", [
    ((2, 9, 8, 64), (2, 2, 32, 128), {"groups": 2}),
    ((2, 9, 8, 64), (2, 2, 64, 63), {}),                            # filters fill no tile
    ((1, 8, 8, 64), (2, 2, 64, 64), {}),                            # 49 windows
    ((2, 9, 8, 27), (2, 2, 27, 64), {}),                            # a box of 32 channels
    ((1, 300, 3, 64), (2, 1, 64, 64), {"dilation": (129, 1)}),      # a corner of the windows
    ((2, 600, 1, 64), (1, 1, 64, 64), {"strides": (9, 1)}),
    ((2, 4, 5, 6, 64), (1, 2, 2, 64, 64), {})])
def test_other_convolutions_are_not(warp_groups, x, w, attributes):
    check(lambda x, w: ops.conv(x, w, **attributes), normal(x), normal(w), taken=0)


@pytest.mark.parametrize("products, channels, taken", [
    ("float32", 28, 1), ("float32", 27, 0), ("tf32", 16, 1), ("tf32", 15, 0), ("bfloat16", 32, 1),
    ("bfloat16", 31, 0), ("float16", 96, 1)])
def test_boxes_of_channels_must_be_filled(warp_groups, products, channels, taken):
    check(lambda x, w: ops.conv(x, w), normal((2, 9, 8, channels)), normal((3, 3, channels, 64)),
          products=products, taken=taken)


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
