"""The registry's samples on the device: values, gradients, and the same bits at every run."""
import os
import sys

import numpy as np
import pytest

from symk import autodiff, ops
from symk.compile import function
from symk.graph.reference import evaluate

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "ops"))
import test_every_op as on_host  # noqa: E402

CASES, FLOATING = on_host.CASES, on_host.FLOATING


@pytest.mark.parametrize("name, row", CASES)
def test_the_value_is_the_meaning(on_device, name, row):
    sample = on_host.OPS[name].samples[row]
    for dtype in on_host.dtypes_of(name, sample):
        arrays = on_host.arrays_of(name, sample, dtype)
        inputs, outputs = on_host.build(name, sample, arrays)
        expected = on_host.meaning(name, sample, arrays, outputs)
        run = function(inputs, outputs, stages=()).run   # the op's own kernel
        actual = run(arrays)
        for value, wanted in zip(actual, expected):
            on_host.assert_close(value, wanted, wanted.dtype.name)
        for value, again in zip(actual, run(arrays)):
            np.testing.assert_array_equal(value, again)


@pytest.mark.parametrize("name, row", FLOATING)
def test_the_gradient_is_that_of_numpy(on_device, name, row):
    sample = on_host.OPS[name].samples[row]
    arrays = on_host.arrays_of(name, sample, "float32")
    inputs, outputs = on_host.build(name, sample, arrays)
    generator = np.random.default_rng(7)
    for output in outputs:
        if output.dtype != "float32":
            continue
        weights = ops.constant(generator.standard_normal(output.shape).astype("float32"))
        slopes = [slope for slope in autodiff.grad(output * weights, inputs) if slope is not None]
        if not slopes:
            continue
        expected = evaluate(slopes, dict(zip(inputs, arrays)))
        run = function(inputs, slopes).run
        for actual, wanted in zip(run(arrays), expected):
            assert_near(actual, wanted)


def assert_near(actual, wanted):
    """A gradient is a sum of products: 20 times the rounding of a value."""
    scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=1e-3)
    np.testing.assert_allclose(actual, wanted, rtol=0,
                               atol=20 * on_host.TOLERANCE["float32"] * scale)
