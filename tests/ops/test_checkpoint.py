"""Recomputing: the same numbers, less memory, and what it refuses."""
import numpy as np
import pytest

from symk import backend as K
from symk import ops
from symk.autodiff import grad, jvp
from symk.compile import function
from symk.graph import GraphError, Placeholder, Shared

BATCH, WIDTH = 256, 64


def deep(block, recompute):
    """A loss of 24 layers, its input and weights; each four are a checkpoint if so wished."""
    random = np.random.RandomState(0)
    x = Placeholder("float32", (None, WIDTH))
    weights = [Shared(random.standard_normal((WIDTH, WIDTH)).astype("float32") * 0.1)
               for _ in range(24)]
    h = x
    for first in range(0, len(weights), 4):
        def four(h, first=first):
            for weight in weights[first:first + 4]:
                h = block(h, weight)
            return h
        h = K.checkpoint(four)(h) if recompute else four(h)
    return x, ops.sum(ops.square(h)), weights


def layer(h, weight):
    return ops.tanh(ops.matmul(h, weight))


def dropped(h, weight):
    return K.dropout(layer(h, weight), 0.3, seed=5)


def run(block, recompute):
    x, loss, weights = deep(block, recompute)
    compiled = function([x], [loss] + grad(loss, weights))
    array = np.random.RandomState(1).standard_normal((BATCH, WIDTH)).astype("float32")
    return compiled.run([array]), compiled.program.memory()["arena_bytes"], compiled


@pytest.mark.parametrize("block", [layer, dropped])
def test_the_same_bits_in_less_memory(block):
    values, plenty, _ = run(block, False)
    again, less, compiled = run(block, True)
    for one, other in zip(values, again):
        assert one.tobytes() == other.tobytes()
    assert less < 0.7 * plenty
    kernels = [step.kernel for step in compiled.plan.steps]
    assert kernels.count("matmul") == 24 + 24 + 2 * 24 - 1


def test_tensors_of_a_graph_can_be_joined_as_well():
    x = K.placeholder((None, 3))
    y = K.exp(K.sin(x))
    z = K.checkpoint(y, x)
    results = [z] + K.gradients(K.sum(z), [x]) + [y] + K.gradients(K.sum(y), [x])
    made, slope, value, expected = K.function([x], results)([np.ones((2, 3))])
    np.testing.assert_array_equal(made, value)
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_several_results_and_what_is_used_from_outside():
    x, y = K.placeholder((None, 3)), K.placeholder((3,))
    outside = K.exp(y)
    one, other = K.checkpoint(lambda x: [K.tanh(x) * outside, K.sum(x)])(x)
    plain = K.tanh(x) * outside, K.sum(x)
    feeds = [np.ones((2, 3)), np.arange(3.0)]
    pairs = zip(K.gradients(K.sum(one) * other, [x, y]),
                K.gradients(K.sum(plain[0]) * plain[1], [x, y]))
    for made, wanted in pairs:
        a, b = K.function([x, y], [made, wanted])(feeds)
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_forward_derivatives_and_second_order():
    x = Placeholder("float64", (3,))
    y, = ops.checkpoint([ops.square(ops.sin(x))], [x])
    plain = ops.square(ops.sin(x))
    for build in (lambda y: jvp(y, x, ops.cos(x)),
                  lambda y: grad(ops.sum(grad(ops.sum(y), x)), x)):
        a, b = function([x], [build(y), build(plain)]).run([np.array([0.1, 0.5, 2.0])])
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_what_cannot_be_recomputed_is_refused():
    x = K.placeholder((3,))
    with pytest.raises(GraphError, match="each output must be computed from the inputs"):
        ops.checkpoint([K.ones((3,))], [x])
    with pytest.raises(GraphError, match="must only compute"):
        K.checkpoint(lambda x: K.print_tensor(x) * 2)(x)
    with pytest.raises(TypeError, match="takes the tensors"):
        K.checkpoint(lambda: x)()
