"""Graphs are made fit for the kernels: float16 by casts, missing kernels by expansion."""
import numpy as np
import pytest

from symk import ops
from symk.compile.legalise import legalise
from symk.graph import DeviceError, Placeholder, layer_scope
from symk.graph.check import check
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize.rewrite import use

KERNELS = frozenset(("matmul", "softmax", "transpose", "random_uniform", "sum", "broadcast_to"))


def names(results):
    return [node.op.name for node in nodes_of(results)]


def test_kernels_compute_float16_in_float32():
    x = Placeholder("float16", (3, 3), name="x")
    results = legalise([ops.matmul(ops.transpose(x), x)], KERNELS)
    check(results)
    assert sorted(names(results)) == ["cast", "cast", "cast", "matmul", "transpose"]
    assert results[0].dtype == "float16"
    assert nodes_of(results)[-2].outputs[0].dtype == "float32"


def test_programs_and_moves_take_float16_as_it_is():
    x = Placeholder("float16", (3, 4), name="x")
    y = ops.transpose(ops.exp(x))
    assert legalise([y], KERNELS) == [y]


def test_random_numbers_are_drawn_in_float32():
    draw = ops.random_uniform(ops.random_key(3), (5,), dtype="float16")
    results = legalise([draw], KERNELS)
    check(results)
    assert names(results) == ["random_uniform", "cast"] and results[0].dtype == "float16"


def test_a_missing_kernel_is_expanded():
    z, g = (Placeholder("float64", (3, 4), name=name) for name in "zg")
    before = use("softmax_grad", z, g, axis=1)
    after, = legalise([before], KERNELS)
    assert "softmax_grad" not in names([after])
    feeds = {z: np.random.rand(3, 4), g: np.random.rand(3, 4)}
    np.testing.assert_allclose(*evaluate([before, after], feeds))


def test_a_kernel_that_cannot_be_had_names_op_and_layer():
    x = Placeholder("float32", (3, 4), name="x")
    with layer_scope("conv_1", "Conv2D"):
        y = ops.conv(ops.reshape(x, (1, 3, 4, 1)), ops.full((1, 1, 1, 1), 1, "float32"))
    with pytest.raises(DeviceError, match=r'in layer "conv_1" \(Conv2D\): \[conv\] this build'):
        legalise([y], KERNELS)
