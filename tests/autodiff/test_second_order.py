"""Second derivatives through the ops of networks, by differences of the gradient, to 1e-6."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad, hessian_vector, verify
from symk.compile import function
from symk.graph import Placeholder
from symk.graph.reference import evaluate

IMAGE, LOGITS = (2, 5, 6, 2), (4, 5)
KERNEL = np.random.default_rng(3).normal(size=(3, 2, 2, 3))
TARGETS = np.random.default_rng(4).dirichlet(np.ones(5), size=4)
LABELS = np.array([0, 4, 2, 2])

CASES = {
    "conv": (IMAGE, lambda x: ops.tanh(ops.conv(ops.sin(x), KERNEL, padding="same"))),
    "strided conv": (IMAGE, lambda x: ops.square(ops.conv(x, KERNEL, strides=2, dilation=1))),
    "kernel of a conv": ((3, 2, 2, 3), lambda w: ops.tanh(ops.conv(
        np.random.default_rng(5).normal(size=IMAGE), w, dilation=2))),
    "max pool": (IMAGE, lambda x: ops.square(ops.max_pool(ops.sin(x), 2))),
    "average pool": (IMAGE, lambda x: ops.exp(ops.average_pool(x, 3, 1, "same"))),
    "softmax": (LOGITS, lambda x: ops.square(ops.softmax(x))),
    "log softmax": (LOGITS, lambda x: ops.square(ops.log_softmax(x))),
    "logsumexp": (LOGITS, lambda x: ops.logsumexp(x, 1)),
    "softmax cross-entropy": (LOGITS, lambda x: ops.softmax_cross_entropy(x, TARGETS)),
    "sparse cross-entropy": (LOGITS, lambda x: ops.sparse_softmax_cross_entropy(x, LABELS)),
    "sigmoid cross-entropy": (LOGITS, lambda x: ops.sigmoid_cross_entropy(x, TARGETS)),
    "categorical cross-entropy": (LOGITS, lambda x: -ops.sum(
        ops.constant(TARGETS) * ops.log(ops.clip(ops.softmax(x), 1e-7, 1 - 1e-7)), 1)),
    "batch norm": (IMAGE, lambda x: ops.sin(ops.batch_norm(x, np.ones(2), np.zeros(2))[0])),
    "statistics": (IMAGE, lambda x: ops.exp(ops.batch_norm(x, np.ones(2), np.zeros(2))[2])),
    "norm": (LOGITS, lambda x: ops.sqrt(ops.sum(ops.square(x), 1))),
}


@pytest.mark.parametrize("name", CASES)
def test_the_second_derivative_is_the_slope_of_the_first(name):
    shape, build = CASES[name]
    generator = np.random.default_rng(11)
    x = Placeholder("float64", shape)
    y = build(x)
    loss = ops.sum(y * ops.constant(generator.normal(size=y.shape)))
    feeds = {x: generator.normal(size=shape)}
    gradient = grad(loss, x)
    verify.check(gradient, feeds, step=1e-4)
    verify.check_forward(gradient, feeds, step=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_a_compiled_hessian_product_is_that_of_the_reference(name):
    pytest.importorskip("symk._core")
    shape, build = CASES[name]
    generator = np.random.default_rng(13)
    x = Placeholder("float64", shape)
    product = hessian_vector(ops.sum(ops.sin(build(x))), x, generator.normal(size=shape))
    value = generator.normal(size=shape)
    wanted, = evaluate([product], {x: value})
    np.testing.assert_allclose(function([x], product)(value), wanted,
                               rtol=1e-8, atol=1e-9 * np.abs(wanted).max())


@pytest.mark.parametrize("name", CASES)
def test_a_hessian_is_symmetric(name):
    shape, build = CASES[name]
    generator = np.random.default_rng(12)
    x = Placeholder("float64", shape)
    loss = ops.sum(build(x))
    u, v = generator.normal(size=shape), generator.normal(size=shape)
    along_u, along_v = evaluate([hessian_vector(loss, x, u), hessian_vector(loss, x, v)],
                                {x: generator.normal(size=shape)})
    assert np.isclose(np.sum(along_u * v), np.sum(along_v * u), rtol=1e-10)
