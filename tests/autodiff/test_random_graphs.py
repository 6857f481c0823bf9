"""Whatever is composed: derivatives are slopes, in both directions, and so are theirs."""
import numpy as np
from hypothesis import given, settings, strategies

from symk import ops
from symk.autodiff import grad, verify
from symk.graph import Placeholder

# Smooth functions that keep values moderate; shapes stay (n, 3), (1, 3) or (n, 1).
UNARY = (ops.tanh, ops.sigmoid, ops.softplus, ops.sin, lambda x: ops.exp(ops.tanh(x)),
         lambda x: ops.log1p(ops.square(x)), ops.neg, ops.atan, ops.erf,
         lambda x: ops.softmax(x, -1), lambda x: ops.log_softmax(x, 0),
         lambda x: ops.mean(x, 0, keepdims=True), lambda x: ops.sum(x, 1, keepdims=True),
         lambda x: ops.logsumexp(x, (0, 1), keepdims=True), lambda x: ops.flip(x, 0),
         lambda x: ops.transpose(ops.transpose(x)),
         lambda x: ops.reshape(ops.reshape(x, (-1,)), x.shape),
         lambda x: ops.matmul(ops.matmul(x, x, transpose_b=True), ops.tanh(x)),
         lambda x: ops.concat([x, ops.sin(x)], 0)[:x.shape[0]])
BINARY = (ops.add, ops.sub, ops.mul, lambda a, b: a / (ops.square(b) + 1.0),
          lambda a, b: ops.pow(ops.sigmoid(a) + 0.5, ops.tanh(b)),
          lambda a, b: ops.atan2(a, ops.exp(b)))

STEP = strategies.tuples(strategies.integers(0, len(UNARY) + len(BINARY) - 1),
                         strategies.integers(0, 9), strategies.integers(0, 9))


def compose(steps, values):
    """Applies each step to values made before; the numbers choose which."""
    values = list(values)
    for function, first, second in steps:
        a, b = values[-1 - first % len(values)], values[-1 - second % len(values)]
        made = UNARY[function](a) if function < len(UNARY) else BINARY[function - len(UNARY)](a, b)
        values.append(made)
    return values[-1]


@settings(max_examples=60)
@given(strategies.lists(STEP, min_size=1, max_size=8), strategies.integers(1, 4))
def test_the_gradient_of_a_random_graph_is_its_slope(steps, size):
    inputs = [Placeholder("float64", shape) for shape in ((None, 3), (1, 3), (None, 1))]
    loss = compose(steps, inputs)
    generator = np.random.default_rng(size)
    arrays = [generator.uniform(-1, 1, shape) for shape in ((size, 3), (1, 3), (size, 1))]
    feeds = dict(zip(inputs, arrays))
    verify.check(loss, feeds, directions=1)
    verify.check_forward(loss, feeds, directions=1)
    for gradient in grad(loss, inputs):
        if gradient is not None:
            verify.check(gradient, feeds, directions=1, tolerance=1e-5)
            verify.check_forward(gradient, feeds, directions=1, tolerance=1e-5)
