"""Data gradients of strided convolutions: only the taps that reach a pixel are added up."""

import numpy as np
import pytest

from symk import autodiff, ops
from symk.compile import function
from symk.config import device
from symk.graph import Placeholder


def gradient(where, x, w, g, **options):
    given = [Placeholder(array.dtype.name, array.shape) for array in (x, w, g)]
    y = ops.conv(*given[:2], **options)
    with device(where):
        return function(given, [autodiff.grad(ops.sum(y * given[2]), [given[0]])[0]])


def check(on_device, x_shape, w_shape, dtype="float32", **options):
    generator = np.random.default_rng(len(x_shape) + w_shape[0])
    x, w = (generator.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape))
    y_shape = ops.conv(Placeholder(dtype, x_shape), Placeholder(dtype, w_shape), **options).shape
    g = generator.standard_normal(tuple(y_shape)).astype(dtype)
    f, host = (gradient(where, x, w, g, **options) for where in (on_device, "cpu"))
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    value, wanted = f(x, w, g)[0], host(x, w, g)[0]
    np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())
    assert np.array_equal(value == 0, wanted == 0)  # pixels that no tap reaches
    return f


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_sequences(on_device, stride, kernel, padding):
    for size in (kernel, 11, 12, 13):
        check(on_device, (2, size, 5), (kernel, 5, 3), strides=(stride,), padding=padding)


@pytest.mark.parametrize("strides", [(2, 2), (1, 2), (3, 1), (2, 3)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 5), (7, 7)])
def test_images(on_device, strides, kernel):
    for padding in ("valid", "same"):
        check(on_device, (2, 9, 10, 4), kernel + (4, 6), strides=strides, padding=padding)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stride", [2, 3, 4, 6])
@pytest.mark.parametrize("dilation", [2, 3, 4])
def test_dilated(on_device, dtype, stride, dilation):
    """Taps of one part are then further apart than the stride, or some parts have none at all."""
    check(
        on_device, (1, 25, 17, 3), (3, 2, 3, 4), dtype, strides=(stride, 1), dilation=(dilation, 1)
    )
    check(
        on_device,
        (1, 30, 4),
        (4, 4, 2),
        dtype,
        strides=(stride,),
        dilation=(dilation,),
        padding="same",
    )


def test_volumes(on_device):
    check(on_device, (1, 5, 6, 7, 2), (3, 2, 3, 2, 3), strides=(2, 3, 2), padding="same")


@pytest.mark.parametrize("channels, filters, groups", [(6, 6, 6), (8, 4, 2), (32, 32, 2)])
def test_groups(on_device, channels, filters, groups):
    check(
        on_device,
        (2, 11, 12, channels),
        (3, 3, channels // groups, filters),
        strides=(2, 2),
        padding="same",
        groups=groups,
    )


def test_tiles_and_sums_of_pieces(on_device):
    """As much as tensor cores take, and a depth that is cut into pieces."""
    check(on_device, (3, 16, 15, 48), (3, 3, 48, 64), strides=(2, 2), padding="same")
    check(on_device, (1, 8, 8, 40), (3, 3, 40, 320), strides=(2, 2), padding="same")


def test_as_many_launches_as_parts(stand_in, monkeypatch):
    """Four for a 3x3 kernel of stride 2; for a 1x1 kernel one, behind one that clears."""

    def launches(kernel):
        x, w, g = (
            np.ones((1, 8, 8, 16), "float32"),
            np.ones((kernel, kernel, 16, 16), "float32"),
            np.ones((1, 4, 4, 16), "float32"),
        )
        f = gradient("cuda-host", x, w, g, strides=(2, 2), padding="same")
        before = stand_in.launches
        f(x, w, g)
        steps = len([step for step in f.program.plan.steps if step.kernel != "conv_grad_input"])
        return stand_in.launches - before - steps

    assert launches(3) == 4
    assert launches(1) == 2
