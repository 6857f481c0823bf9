"""Products take in scale, bias, sums, activation and transposes, where nobody else needs what is in
between, and where that saves a pass over memory.
"""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.graph import Placeholder, Shared
from symk.graph.check import check
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize.epilogue import read_from_result, take_in_epilogues, take_in_transposes

X = Placeholder("float64", (None, 3), name="x")
W = Shared(np.arange(12.0).reshape(3, 4), name="w")
B = Shared(np.arange(4.0) - 1, name="b")
FEEDS = {X: np.linspace(-1, 1, 6).reshape(2, 3)}


def done(stage, results):
    """The ops after a stage, having checked graph and values."""
    after, _ = stage(results)
    check(after)
    for one, other in zip(evaluate(results, FEEDS), evaluate(after, FEEDS)):
        np.testing.assert_allclose(one, other)
    return [node.op for node in nodes_of(after)]


def test_bias_and_activation_go_into_a_product():
    for result in (ops.tanh(ops.matmul(X, W) + B), ops.tanh(B + ops.matmul(X, W))):
        op, = done(take_in_epilogues, [result])
        assert op.name == "matmul" and op.activation == "tanh"


def test_an_activation_without_bias_goes_in():
    op, = done(take_in_epilogues, [ops.relu(ops.matmul(X, W))])
    assert op.activation == "relu"


def test_a_convolution_takes_both():
    image = ops.reshape(X, (-1, 1, 3, 1))
    kernel = ops.constant(np.ones((1, 2, 1, 4)))
    ops_after = done(take_in_epilogues, [ops.sigmoid(ops.conv(image, kernel) + B)])
    assert [op.name for op in ops_after] == ["reshape", "conv"]
    assert ops_after[1].activation == "sigmoid"


def test_a_bias_with_axes_in_front_goes_in():
    row = ops.reshape(B, (1, 4))
    assert [op.name for op in done(take_in_epilogues, [ops.matmul(X, W) + row])] == ["matmul"]


def test_fixed_normalisation_goes_in():
    mean, scale, shift = (Shared(np.linspace(low, 2, 4), name="v") for low in (-1, 0.5, -3))
    normalised = (ops.matmul(X, W) + B - mean) * scale + shift
    product, = [op for op in done(take_in_epilogues, [ops.relu(normalised)])
                if op.name == "matmul"]
    assert set(product.epilogue) == {"scale", "bias"} and product.activation == "relu"


def test_a_sum_with_another_tensor_goes_in():
    z = ops.matmul(ops.exp(X), W)
    names = [op.name for op in done(take_in_epilogues, [ops.relu(ops.matmul(X, W) + B + z), z])]
    assert sorted(names) == ["exp", "matmul", "matmul"]


def test_a_factor_after_the_activation_goes_in():
    factor = ops.softmax(ops.matmul(X, W))
    kept = [factor]
    op = done(take_in_epilogues, [ops.tanh(ops.matmul(X, W * 2) + B) * factor] + kept)[-1]
    assert op.epilogue == ("bias", "factor") and op.activation == "tanh"


@pytest.mark.parametrize("build", [
    lambda y, z: ops.tanh(y) + z,           # added after the activation
    lambda y, z: y * z + B,                 # multiplied before the bias
    lambda y, z: (y + z) * B,               # scaled after the sum
    lambda y, z: z - y,
])
def test_what_comes_in_another_order_stays(build):
    z = ops.softmax(ops.matmul(X, W))
    last = done(take_in_epilogues, [build(ops.matmul(X, W * 2), z), z])[-1]
    assert last.kind == "elementwise"


def test_what_a_program_does_anyway_stays():
    """w + rate * gradient: the sum is a part of a program that must read the gradient anyway."""
    y = ops.matmul(X, W)
    names = [op.name for op in done(take_in_epilogues, [y + ops.exp(ops.softmax(y * 0 + 1))])]
    assert "add" in names
    z = ops.softmax(ops.matmul(X, W))
    names = [op.name for op in done(take_in_epilogues, [ops.matmul(X, W * 2) + ops.exp(z), z])]
    assert "add" in names


@pytest.mark.parametrize("build, names", [
    (lambda y: [y + B, y], ["matmul", "add"]),                               # y is a result
    (lambda y: [ops.exp(y + B), y * 2], ["matmul", "add", "exp", "mul"]),    # y has two readers
    (lambda y: [y + y], ["matmul", "add"]),
    (lambda y: [y + ops.sum(y)], ["matmul", "sum", "add"]),
    (lambda y: [ops.cast(y, "float32")], ["matmul", "cast"]),                # no activation
    (lambda y: [ops.isnan(y)], ["matmul", "isnan"]),
])
def test_what_others_need_stays(build, names):
    assert [op.name for op in done(take_in_epilogues, build(ops.matmul(X, W)))] == names


def test_transposes_become_flags():
    op, = done(take_in_transposes, [ops.matmul(X, ops.transpose(ops.constant(np.ones((4, 3)))))])
    assert not op.transpose_a and op.transpose_b
    both, = done(take_in_transposes, [ops.matmul(ops.transpose(W), ops.transpose(X))])
    assert both.transpose_a and both.transpose_b


def test_a_transpose_of_other_axes_stays():
    cube = ops.constant(np.ones((2, 3, 4)))
    turned = ops.transpose(cube, (1, 0, 2))
    names = [op.name for op in done(take_in_transposes, [ops.matmul(turned, ops.transpose(W))])]
    assert names == ["transpose", "matmul"]


def test_the_gradient_of_relu_needs_only_its_result():
    y = ops.matmul(X, W)
    results = [ops.relu(y), ops.where(ops.greater(y, 0), 1, 0)]
    after, counts = read_from_result(results)
    assert counts == {"x > 0 -> relu(x) > 0": 1}
    assert [node.op.name for node in nodes_of(after)] == ["matmul", "relu", "greater", "where"]
    trained = [ops.sum(ops.relu(y + B))] + grad(ops.sum(ops.relu(y + B)), [B])
    assert done(lambda r: take_in_epilogues(read_from_result(r)[0]), trained)
