"""Products take in scale, bias, sums, activation and transposes, where nobody else needs what is in
between, and where that saves a pass over memory.
"""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.graph import Placeholder, Shared, apply
from symk.graph.check import check
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize.epilogue import (read_from_result, take_in_epilogues, take_in_padding,
                                    take_in_transposes)

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


def test_relu_takes_its_limit():
    for result in (ops.minimum(ops.relu(ops.matmul(X, W) + B), 6),
                   ops.clip(ops.matmul(X, W) + B, 0, 6)):
        op, = done(take_in_epilogues, [result])
        assert op.activation == "relu" and op.limit == 6 and op.epilogue == ("bias",)


def test_a_limit_of_anything_else_stays():
    product = ops.matmul(X, W)
    for result in (ops.minimum(product, 6), ops.minimum(ops.tanh(product), 0.5),
                   ops.clip(product, -1, 1), ops.minimum(ops.relu(product), -1),
                   ops.minimum(ops.relu(product), ops.constant(np.arange(4.0))),
                   ops.clip(ops.tanh(product), 0, 0.5)):
        after = done(take_in_epilogues, [result])
        assert len(after) == 2 and after[0].limit is None and after[1].name in ("minimum", "clip")
    twice = done(take_in_epilogues, [ops.minimum(ops.minimum(ops.relu(product), 0.5), 0.25)])
    assert [op.name for op in twice] == ["matmul", "minimum"] and twice[0].limit == 0.5


def test_nan_passes_a_limit():
    op, = done(take_in_epilogues, [ops.minimum(ops.relu(ops.matmul(X, W)), 1)])
    x = np.full((2, 3), np.nan)
    result = apply(op, ops.constant(x), ops.constant(np.ones((3, 4))))
    assert all(np.isnan(value).all() for value in evaluate([result], {}))


def test_a_product_takes_the_sum_with_another():
    first, second = ops.matmul(X, W) + B, ops.matmul(X, W * 2.0) * B
    after = done(take_in_epilogues, [ops.relu(first + second)])
    assert [op.name for op in after if op.name != "mul"] == ["matmul", "matmul"]
    assert after[-1].epilogue == ("bias", "addend") and after[-1].activation == "relu"


def padded_convolution(size=8, window=3, stride=2, before=0, after=1, value=0.0, dilation=1):
    """The ops after `take_in_padding`, of a convolution of a padded image."""
    image = ops.reshape(ops.constant(np.arange(1.0, 1 + 2 * size * size)), (1, size, size, 2))
    kernel = ops.constant(np.arange(1.0, 1 + window * window * 6).reshape(window, window, 2, 3))
    padded = ops.pad(image, (0, before, before, 0), (0, after, after, 0), value)
    result = ops.conv(padded, kernel, stride, "valid", dilation)
    return [op for op in done(take_in_padding, [result]) if op.name in ("pad", "conv")]


def test_padding_goes_in_where_same_pads_as_much():
    for geometry in ({}, {"size": 7, "before": 1}, {"stride": 1, "before": 1},
                     {"stride": 1, "before": 2, "after": 2, "dilation": 2}):
        op, = padded_convolution(**geometry)
        assert op.name == "conv" and op.padding == "same"


def test_other_padding_stays():
    for geometry in ({"before": 1, "after": 0}, {"before": 1}, {"value": 1.0},
                     {"stride": 1, "before": 2}, {"stride": 1}):
        pad, conv = padded_convolution(**geometry)
        assert pad.name == "pad" and conv.padding == "valid"


def test_padding_that_others_read_stays():
    image = ops.reshape(ops.constant(np.arange(32.0)), (1, 4, 4, 2))
    padded = ops.pad(image, (0, 1, 1, 0), (0, 1, 1, 0))
    kernel = ops.constant(np.ones((3, 3, 2, 3)))
    for results in ([ops.conv(padded, kernel), padded],
                    [ops.conv(padded, kernel), ops.conv(padded, kernel * 2.0)]):
        assert {op.padding for op in done(take_in_padding, results) if op.name == "conv"} == {
            "valid"}


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
