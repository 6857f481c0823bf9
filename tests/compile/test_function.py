"""Functions run natively: the same values as the NumPy meaning, the same updates, clear errors."""
import threading

import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.compile import plan as plans
from symk.graph import (GraphError, OutOfRangeError, Placeholder, Shared, ShapeError, layer_scope)

pytest.importorskip("symk._core")


class Network:
    """A small convolutional network, its loss and a step of gradient descent."""

    def __init__(self, dtype="float32"):
        random = np.random.RandomState(11)
        self.x = Placeholder(dtype, (None, 8, 8, 1), name="x")
        self.target = Placeholder(dtype, (self.x.shape[0], 10), name="target")
        shapes = [(3, 3, 1, 4), (4,), (64, 10), (10,)]
        self.weights = [Shared((random.randn(*shape) * 0.2).astype(dtype), name="w%d" % k)
                        for k, shape in enumerate(shapes)]
        w, b, v, c = self.weights
        with layer_scope("conv_1", "Conv2D"):
            h = ops.relu(ops.conv(self.x, w, padding="same") + b)
        h = ops.reshape(ops.max_pool(h, (2, 2)), (-1, 64))
        self.output = ops.softmax(ops.matmul(h, v) + c)
        self.loss = ops.mean(-ops.sum(self.target * ops.log(self.output), 1))
        self.updates = [(weight, weight - 0.5 * g)
                        for weight, g in zip(self.weights, grad(self.loss, self.weights))]

    def train(self, mode, steps=3, batch=16, stages=None):
        """Losses of some steps from the same start, and the weights after them."""
        start = [weight.get_value() for weight in self.weights]
        step = function([self.x, self.target], [self.loss], updates=self.updates, mode=mode,
                        stages=stages)
        losses = [step.run(self.batch(batch, seed))[0] for seed in range(steps)]
        after = [weight.get_value() for weight in self.weights]
        for weight, value in zip(self.weights, start):
            weight.set_value(value)
        return losses + after

    def batch(self, size, seed):
        random = np.random.RandomState(seed)
        return [random.randn(size, 8, 8, 1).astype(self.x.dtype),
                np.eye(10, dtype=self.x.dtype)[random.randint(10, size=size)]]


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-10), ("float32", 1e-5),
                                              ("float16", 5e-2)])
def test_training_is_that_of_the_reference(dtype, tolerance):
    network = Network(dtype)
    wanted = network.train("reference")
    for stages in (None, ()):
        for one, other in zip(network.train("native", stages=stages), wanted):
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def test_one_function_takes_every_batch_size():
    network = Network()
    predict = [function([network.x], network.output, mode=mode) for mode in ("native", "reference")]
    for size in (1, 5, 33, 5, 0):
        x, _ = network.batch(size, size)
        np.testing.assert_allclose(*(f(x) for f in predict), rtol=1e-4, atol=1e-6)


def test_threads_may_share_a_function():
    network = Network()
    predict = function([network.x], network.output, mode="native")
    batches = [network.batch(size, size)[0] for size in range(1, 9)]
    wanted = [predict(x) for x in batches]
    found = [None] * len(batches)

    def work(number):
        for _ in range(20):
            found[number] = predict(batches[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, wanted):
        np.testing.assert_array_equal(one, other)


def test_shared_values_are_seen_by_all_functions_and_by_python():
    state = Shared(np.zeros(3, "float32"), name="state")
    grow = function([], [], updates=[(state, state + 1)], mode="native")
    read = function([], state * 2, mode="native")
    grow.run([])
    assert read().tolist() == [2, 2, 2]
    state.set_value([5, 6, 7])
    grow.run([])
    assert read().tolist() == [12, 14, 16] and state.get_value().tolist() == [6, 7, 8]
    assert function([], state + 0, mode="reference")().tolist() == [6, 7, 8]


def test_results_that_are_no_temporaries_are_copies():
    x = Placeholder("float32", (None,), name="x")
    state = Shared(np.ones(2, "float32"), name="state")
    fixed = ops.constant(np.array([3.0, 4.0], "float32"))
    f = function([x], [x, state, fixed, ops.reshape(x, (-1, 1)), x], updates=[(state, state + 1)],
                 mode="native")
    fed = np.array([8.0, 9.0], "float32")
    for call in (1, 2):
        values = f(fed)
        assert [value.tolist() for value in values] == [
            [8, 9], [call, call], [3, 4], [[8], [9]], [8, 9]]
        for value in values:
            value[...] = 0
    assert fed.tolist() == [8, 9]


def test_random_streams_go_on_and_agree_with_the_reference():
    draws = {}
    for mode in ("native", "reference"):
        key = ops.random_key(5)
        f = function([], ops.random_uniform(key, (6,)), mode=mode)
        draws[mode] = [f() for _ in range(3)]
        assert key.get_value().tolist() == [5, 3]
    np.testing.assert_allclose(draws["native"], draws["reference"], rtol=1e-6)
    assert not np.array_equal(draws["native"][0], draws["native"][1])


def test_a_failing_call_changes_no_variable_and_names_the_layer():
    count = Shared(np.array(0, "int64"), name="count")
    table = ops.constant(np.arange(6, dtype="float32").reshape(3, 2))
    indices = Placeholder("int64", (None,), name="indices")
    with layer_scope("embedding_1", "Embedding"):
        rows = ops.gather(table, indices)
    f = function([indices], rows, updates=[(count, count + 1)], mode="native")
    assert f([2]).tolist() == [[4, 5]]
    with pytest.raises(OutOfRangeError, match=r'layer "embedding_1" \(Embedding\).*: \[gather\]'):
        f([3])
    assert count.get_value() == 1


def test_wrong_arrays_are_refused():
    network = Network()
    predict = function([network.x], network.output, mode="native", name="predict")
    with pytest.raises(ShapeError, match=r"\[input x\]"):
        predict(np.zeros((2, 8, 9, 1), "float32"))
    with pytest.raises(ShapeError, match=r"\[input x\]"):
        predict(np.zeros((8, 8, 1), "float32"))
    with pytest.raises(GraphError, match="1 arrays are required"):
        predict()
    with pytest.raises(TypeError):
        predict(np.full((2, 8, 8, 1), "a"))


def test_batches_that_differ_are_refused():
    network = Network()
    f = function([network.x, network.target], network.loss, mode="native")
    x, target = network.batch(4, 0)
    with pytest.raises(ShapeError, match=r"\[input target\].* to agree with the other inputs"):
        f(x, target[:3])


@pytest.mark.parametrize("mode", ["native", "reference"])
@pytest.mark.parametrize("build, message", [
    (lambda x, y: x + y, r"\[add\] the shapes must broadcast.* \(4,\) float32 and \(3,\) float32"),
    (lambda x, y: ops.reshape(y, (2, -1)), r"\[reshape\] the number of elements must stay"),
    (lambda x, y: x * 2 + y[3], r"\[slice\] index 3 is outside axis 0"),
    (lambda x, y: ops.concat([ops.expand_dims(x), ops.expand_dims(y)], 1),
     r"\[concat\] sizes off axis 1 must agree"),
])
def test_sizes_that_do_not_fit_name_op_layer_and_line(build, message, mode):
    x, y = (Placeholder("float32", (None,), name=name) for name in "xy")
    with layer_scope("join_1", "Join"):
        z = build(x, y)
    f = function([x, y], z, mode=mode)
    where = r'in layer "join_1" \(Join\), .*test_function.py:\d+: '
    with pytest.raises(ShapeError, match=where + message):
        f(np.ones(4), np.ones(3))


def test_a_function_explains_itself():
    network = Network()
    f = function([network.x, network.target], [network.loss], updates=network.updates,
                 mode="native", name="train")
    f.run(network.batch(4, 0))
    stages = f.show("stages")
    assert "fuse" in stages and "log(softmax(x)) -> log_softmax(x)" in stages
    assert "conv(" in f.show("plan") and "activation=relu" in f.show("plan")
    assert f.show("memory").startswith("arena")
    assert "results:" in f.show()
    assert plans.text(plans.decode(f.program.bytes)) == f.show("plan")
    with pytest.raises(GraphError, match="is required; 'picture' was given"):
        f.show("picture")
    with pytest.raises(GraphError, match="only a function of mode"):
        function([network.x], network.output, mode="reference").show("plan")


def test_a_deep_graph_needs_no_recursion():
    x = Placeholder("float32", (None, 4), name="x")
    w = Shared(np.eye(4, dtype="float32"), name="w")
    y = x
    for step in range(3000):
        y = ops.matmul(y, w) if step % 3 == 0 else ops.tanh(y) + 0.001
    f = function([x], [ops.sum(y)] + grad(ops.sum(y), [w]), mode="native")
    assert np.isfinite(f(np.ones((2, 4), "float32"))[0])
