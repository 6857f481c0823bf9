"""What only a run can refuse is refused by the device as by the CPU: the tests of
`tests/ops/test_late_errors.py` there."""
import dataclasses
import os
import sys

import numpy as np
import pytest

from symk import autodiff, layers, ops
from symk.compile import function, native
from symk.compile.plan import encode
from symk.config import device
from symk.deploy.exporter import exported
from symk.graph import Placeholder
from symk.graph.errors import OutOfRangeError
from symk.models import Sequential

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "ops"))
from test_late_errors import *  # noqa: E402,F401,F403 (its tests are collected here again)


@pytest.fixture(autouse=True)
def everything(on_device):
    """All tests of this file compile for the device."""


TABLE = Placeholder("float32", (6, 4))
REFUSING = {
    "gather": lambda i: ops.gather(TABLE, i),
    "gather of columns": lambda i: ops.gather(TABLE, i, 1),
    "scatter_add": lambda i: ops.scatter_add(TABLE[:3], i, 0, 6),
    "sparse_softmax_cross_entropy": lambda i: ops.sparse_softmax_cross_entropy(TABLE[:3], i),
}


@pytest.mark.parametrize("given", [[0, 9, 11], [-7, 1, 2], [1, 2, 6], [-20, 20, -20]])
@pytest.mark.parametrize("dtype", ["int32", "int64", "int8"])
@pytest.mark.parametrize("name", sorted(REFUSING))
def test_the_words_are_those_of_the_cpu_at_every_call(on_device, name, dtype, given):
    """At the first call, the recorded one and a replay; and a call in between is not disturbed."""
    indices = Placeholder(dtype, (3,))
    built = REFUSING[name](indices)
    x, wrong = np.ones((6, 4), "float32"), np.array(given, dtype)
    with device("cpu"):
        with pytest.raises(OutOfRangeError) as wanted:
            function([TABLE, indices], [built]).run([x, wrong])
    f = function([TABLE, indices], [built])
    for _ in range(4):
        with pytest.raises(OutOfRangeError) as raised:
            f.run([x, wrong])
        assert str(raised.value) == str(wanted.value)
        assert np.isfinite(f.run([x, np.array([0, 2, 1], dtype)])[0]).all()


def with_steps(plan, kernel, change):
    """The bytes of a Plan in which the steps of a kernel are changed."""
    return encode(dataclasses.replace(plan, steps=[
        change(step) if step.kernel == kernel else step for step in plan.steps]))


@pytest.mark.parametrize("kernel", ["conv_grad_input", "conv_grad_kernel"])
def test_gradients_of_a_convolution_take_no_third_operand(on_device, kernel):
    x, w = Placeholder("float32", (1, 4, 4, 2)), Placeholder("float32", (3, 3, 2, 5))
    f = function([x, w], autodiff.grad(ops.sum(ops.square(ops.conv(x, w))), [x, w]))
    damaged = with_steps(f.plan, kernel,
                         lambda step: step._replace(inputs=step.inputs + step.inputs[:1]))
    program = native.core().Program(damaged, [], on_device)
    with pytest.raises(ValueError, match=r"\[%s\] the number of inputs and outputs" % kernel):
        program.run([np.ones(x.shape, "float32"), np.ones(w.shape, "float32")])


def test_what_the_host_does_not_do_either_says_why_the_device_does_not(on_device):
    """Products of TF32, which only a device has, with weights that only the host reads."""
    with device("cpu"):
        model = Sequential([layers.Dense(40, input_shape=(30,))])
        model.predict(np.ones((2, 30)))
        (predict, *_), values = exported(model, weights="float16")[:2]
    rounded = with_steps(predict.plan, "matmul", lambda step: step._replace(
        attributes=dict(step.attributes, products="tf32")))
    tensors = [native.core().Tensor(np.asarray(values[number].array)) for number in predict.values]
    program = native.core().Program(rounded, tensors, on_device)
    with pytest.raises(ValueError, match="must have one dtype.*The host does not do it either"):
        program.run([np.ones((2, 30), "float32")])
