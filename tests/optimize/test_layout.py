"""Transposes move to the borders of a graph and cancel; values stay."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.graph import Placeholder
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize import optimize

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
SHAPE = (2, 3, 4, 5)


def transposes(results):
    """How many there are of whole images; vectors of the channels are not worth counting."""
    return sum(node.op.name == "transpose" and sum(size != 1 for size in node.outputs[0].shape) > 2
               for node in nodes_of(results))


def convolved(x, kernel):
    """A convolution of images with the channels first."""
    return ops.transpose(ops.conv(ops.transpose(x, LAST), kernel, padding="same"), FIRST)


def kernel(random, channels):
    return ops.constant(random.normal(size=(3, 3, channels, channels)) / 9)


def test_a_model_is_turned_at_its_borders_only():
    random, x = np.random.RandomState(1), Placeholder("float64", (None,) + SHAPE[1:])
    bias = ops.constant(random.normal(size=(3, 1, 1)))
    hidden = ops.relu(convolved(x, kernel(random, 3)) + bias)
    hidden = ops.concat([hidden, convolved(hidden, kernel(random, 3))], 1)
    y = convolved(ops.pad(hidden, (0, 0, 1, 1), (0, 0, 1, 0)), kernel(random, 6))
    loss = ops.mean(ops.square(ops.mean(y, (2, 3))))
    results = [loss] + grad(loss, [x])
    after, _ = optimize(results, ["layout"])
    assert transposes(results) > 8 and transposes(after) == 2
    feeds = {x: random.normal(size=SHAPE)}
    for actual, expected in zip(evaluate(after, feeds), evaluate(results, feeds)):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


def step(random, pool):
    """A value made of earlier ones, all with the channels first and of one shape."""
    x, y = (pool[random.randint(len(pool))] for _ in range(2))
    makers = [lambda: convolved(x, kernel(random, 3)), lambda: ops.tanh(x), lambda: x * y,
              lambda: ops.softmax(x, random.randint(4)), lambda: x - ops.mean(x, (2, 3), True),
              lambda: ops.concat([x, y], 1)[:, 2:5], lambda: ops.where(ops.greater(x, 0), x, y),
              lambda: x + ops.sum(y, (0, 2, 3), True), lambda: x * ops.constant(np.arange(5.0)),
              lambda: ops.transpose(ops.transpose(x, LAST) * 2.0, FIRST),
              lambda: ops.pad(x, (0, 0, 1, 0), (0, 0, 0, 2))[:, :, 1:5, :5]]
    return makers[random.randint(len(makers))]()


@pytest.mark.parametrize("part", range(4))
def test_random_graphs_keep_their_values(part):
    before, left = 0, 0
    for seed in range(part * 25, part * 25 + 25):
        random = np.random.RandomState(seed)
        x = Placeholder("float64", (None if seed % 2 else SHAPE[0],) + SHAPE[1:])
        pool = [x]
        for _ in range(12):
            pool.append(step(random, pool))
        loss = ops.mean(ops.tanh(pool[-1]))
        results = [pool[-1], loss] + grad(loss, [x])
        after, _ = optimize(results, ["layout"])
        assert [v.type for v in after] == [v.type for v in results]
        before, left = before + transposes(results), left + transposes(after)
        feeds = {x: random.normal(size=SHAPE)}
        for actual, expected in zip(evaluate(after, feeds), evaluate(results, feeds)):
            np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-10,
                                       err_msg="seed %d" % seed)
    assert left < before
