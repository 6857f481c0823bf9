"""Convolutions by Winograd's algorithm: asked for by name, seen in the Plan, inside their bound,
and the same bits for any number of threads and in an exported file."""
import os
import subprocess
import sys

import numpy as np
import pytest

from symk import autodiff, deploy, ops
from symk.compile import function
from symk.graph import DtypeError, GraphError, Placeholder, apply
from symk.layers import Conv2D, Dense, Flatten
from symk.models import Sequential
from symk.ops.conv import Conv, ConvGradInput, ConvGradKernel

UNIT = 2.0 ** -24    # the rounding of float32
# The largest sum of |A| (|G| 1) (|B| 1) over the products of a result, of the points 0, 5/8, -5/8,
# 3/2, -3/2 and infinity, along both axes; what is rounded besides the sum over channels.
GROWTH, ROUNDINGS = 564, 18


def products_of(plan):
    """How each convolution of a Plan, its bodies among them, multiplies."""
    found = [(step.kernel, step.attributes.get("products")) for step in plan.steps
             if step.kernel.startswith("conv")]
    return found + [pair for part in plan.plans for pair in products_of(part)]


def draw(*shape, seed=0, positive=False):
    generator = np.random.default_rng(seed)
    values = generator.uniform(0, 1, shape) if positive else generator.standard_normal(shape)
    return values.astype("float32")


def convolved(x, w, backward=False, dtype="float32", **asked):
    """The convolution of x with w, or of a gradient x its gradient by the input."""
    a, b = Placeholder(dtype, x.shape), Placeholder(dtype, w.shape)
    if backward:
        op = ConvGradInput(padding="same", shape=x.shape[:-1] + w.shape[2:3])
        y = apply(op, a, b)
    else:
        y = ops.conv(a, b, padding="same")
    return function([a, b], y, **asked)(x.astype(dtype), w.astype(dtype))


def test_only_windows_of_3x3_without_strides_are_marked():
    x = Placeholder("float32", (4, 20, 20, 16))
    marked = {}
    for window, strides, dilation in ((3, 1, 1), (3, 2, 1), (3, 1, 2), (5, 1, 1), (1, 1, 1)):
        w = Placeholder("float32", (window, window, 16, 16))
        y = ops.conv(x, w, strides=strides, dilation=dilation)
        plan = function([x, w], y, products="winograd").plan
        marked[window, strides, dilation] = products_of(plan)
    assert marked.pop((3, 1, 1)) == [("conv", "winograd")]
    assert set(map(tuple, marked.values())) == {(("conv", None),)}


def test_the_gradient_by_the_input_is_marked_and_that_by_the_kernel_not():
    x, w = Placeholder("float32", (2, 12, 12, 16)), Placeholder("float32", (3, 3, 16, 16))
    y = ops.square(ops.conv(x, w, padding="same"))
    run = function([x, w], autodiff.grad(ops.sum(y), [x, w]), products="winograd")
    assert sorted(products_of(run.plan)) == [
        ("conv", "winograd"), ("conv_grad_input", "winograd"), ("conv_grad_kernel", None)]


def test_nothing_is_marked_by_default_nor_in_float64():
    for dtype, asked in (("float32", {}), ("float64", {"products": "winograd"})):
        x, w = Placeholder(dtype, (2, 12, 12, 16)), Placeholder(dtype, (3, 3, 16, 16))
        plan = function([x, w], ops.conv(x, w), **asked).plan
        assert products_of(plan) == [("conv", None)]


@pytest.mark.parametrize("op, dtype, other, error", [
    (Conv(products="winograd"), "float64", (3, 3, 4, 4), DtypeError),
    (ConvGradKernel(products="winograd", shape=(3, 3, 4, 4)), "float32", (1, 6, 6, 4), GraphError)])
def test_what_cannot_be_done_so_is_refused(op, dtype, other, error):
    with pytest.raises(error, match=r"\[%s\] products" % op.name):
        apply(op, Placeholder(dtype, (1, 8, 8, 4)), Placeholder(dtype, other))


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("shape, channels, results", [
    ((3, 8, 8), 16, 16), ((2, 14, 14), 64, 48), ((1, 27, 33), 40, 70), ((2, 12, 20), 256, 32)])
@pytest.mark.parametrize("positive", [False, True])
def test_the_error_stays_inside_its_bound(shape, channels, results, positive, backward):
    x = draw(*shape, channels, positive=positive)
    w = draw(3, 3, channels, results, seed=1)
    if backward:
        w = w.transpose(0, 1, 3, 2).copy()
    exact = convolved(x, w, backward, "float64")
    error = np.abs(convolved(x, w, backward, products="winograd") - exact)
    certain = GROWTH * (channels + ROUNDINGS) * UNIT * channels * np.abs(x).max() * np.abs(w).max()
    assert error.max() <= certain
    typical = 32 * UNIT * np.sqrt(channels) * np.sqrt(np.mean(exact ** 2))
    assert 0 < error.max() <= typical
    direct = np.abs(convolved(x, w, backward) - exact)
    assert np.sqrt(np.mean(error ** 2)) <= 4 * np.sqrt(np.mean(direct ** 2))


def test_the_growth_of_the_error_is_that_of_the_matrices():
    points = (0, 5 / 8, -5 / 8, 3 / 2, -3 / 2)
    rows = [[point ** power for power in range(6)] for point in points] + [[0, 0, 0, 0, 0, 1]]
    values = np.array(rows)
    result, kernel, source = values[:, :4], values[:, :3], np.linalg.inv(values).T
    result[-1], kernel[-1] = [0, 0, 0, 1], [0, 0, 1]
    growth = np.abs(result).T @ (np.abs(kernel).sum(1) * np.abs(source).sum(1))
    assert GROWTH - 1 < growth.max() ** 2 < GROWTH


def network():
    model = Sequential([Conv2D(16, 3, padding="same", activation="relu", input_shape=(16, 16, 3)),
                        Conv2D(24, 3, padding="same", activation="relu"), Conv2D(16, 3),
                        Flatten(), Dense(4)])
    generator = np.random.default_rng(4)
    model.set_weights([generator.standard_normal(w.shape) * 0.1 for w in model.get_weights()])
    return model


def test_a_model_trains_as_by_the_direct_sum():
    x, y = draw(32, 16, 16, 3), draw(32, 4, seed=1)
    losses = {}
    for products in (None, "winograd"):
        model = network()
        model.compile("sgd", "mse", products=products)
        losses[products] = model.fit(x, y, epochs=3, verbose=0, shuffle=False).history["loss"]
    np.testing.assert_allclose(losses["winograd"], losses[None], rtol=1e-4)
    assert losses["winograd"] != losses[None]


def test_an_exported_file_gives_the_same_bits(tmp_path):
    model = network()
    model.compile("sgd", "mse", products="winograd")
    x = draw(4, 16, 16, 3)
    wanted = model.predict(x)
    path = str(tmp_path / "model.symk")
    deploy.export(model.predict_function, path)
    np.testing.assert_array_equal(deploy.load(path)(x), wanted)


DIGEST = """
import hashlib
import numpy as np
import symk
generator = np.random.default_rng(0)
arrays = [generator.standard_normal(shape).astype("float32")
          for shape in ((5, 30, 29, 35), (3, 3, 35, 70))]
x, w = (symk.placeholder(array.shape) for array in arrays)
y = symk.ops.conv(x, w, padding="same")
run = symk.function([x, w], [y, symk.grad(symk.ops.square(y), x)], products="winograd")
print(hashlib.sha256(b"".join(value.tobytes() for value in run(*arrays))).hexdigest())
"""


def test_the_bits_do_not_depend_on_the_number_of_threads():
    digests = {subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True,
                              check=True, env=dict(os.environ, SYMK_NUM_THREADS=threads)).stdout
               for threads in ("1", "2", "5")}
    assert len(digests) == 1 and digests != {""}
