"""Where nodes run: in the scope that they were made in, else with their function; steps are dealt
out."""
import threading

import numpy as np
import pytest

from symk import config, ops
from symk.autodiff import grad
from symk.compile.place import place
from symk.compile.request import prepare
from symk.graph import Placeholder, Shared, nodes_of
from symk.graph.reference import evaluate
from symk.ops.placed import Placed


def on(device, build):
    with config.device(device):
        return build()


def places(results):
    """{name of an op: the devices on which its operands are read}."""
    found = {}
    for node in nodes_of(results):
        if not isinstance(node.op, Placed):
            read = {v.node.op.device for v in node.inputs
                    if v.node is not None and isinstance(v.node.op, Placed)}
            found.setdefault(node.op.name, set()).update(read)
    return found


def test_without_scopes_nothing_is_placed():
    x = Placeholder("float32", (None,))
    request = prepare([x], [ops.tanh(x) * 2.0])
    assert place(request, "cuda:1") == (request, "cuda:1")
    empty = prepare([x], [x])
    assert place(empty, "cpu") == (empty, "cpu")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "/gpu:0"])
def test_one_scope_for_all_is_where_the_function_runs(name):
    x = Placeholder("float32", (None,))
    request = prepare([x], [on(name, lambda: ops.tanh(x) * 2.0)])
    assert place(request, "cpu") == (request, "cuda:0")
    assert place(request, "cuda") == (request, "cuda")      # as the function calls it


def test_values_are_placed_where_they_are_read():
    x = Placeholder("float32", (3,))
    y = on("cuda:0", lambda: ops.tanh(x))
    z = on("cuda:1", lambda: ops.exp(y) + ops.sin(y))
    placed, device = place(prepare([x], [ops.square(z)]), "cpu")
    assert device is None
    assert places(placed.results) == {"tanh": {"cuda:0"}, "exp": {"cuda:1"}, "sin": {"cuda:1"},
                                      "add": set(), "square": {"cpu"}}
    assert sum(isinstance(node.op, Placed) for node in nodes_of(placed.results)) == 3
    value = np.linspace(-1, 1, 3, dtype="float32")
    given, = evaluate(placed.results, {x: value})
    np.testing.assert_allclose(given, np.square(np.exp(np.tanh(value)) + np.sin(np.tanh(value))),
                               rtol=1e-6)


def test_scopes_nest_and_gradients_run_where_their_values_do():
    x = Placeholder("float32", (3,))
    with config.device("cuda:0"):
        y = ops.tanh(x)
        with config.device("cuda:1"):
            z = ops.exp(y)
        total = ops.sum(ops.sin(z))
    g = grad(total, x)
    devices = {node.op.name: node.origin.device for node in nodes_of([total, g])}
    assert devices["exp"] == "cuda:1" and devices["tanh"] == devices["sin"] == "cuda:0"
    assert {node.origin.device for node in nodes_of([g])} == {"cuda:0", "cuda:1"}


def training(count, sizes):
    """`count` replicas of products with weights of these sizes; plain steps of descent."""
    x = Placeholder("float32", (None, 4))
    weights = [Shared(np.ones((4, size), "float32"), name="w%d" % number)
               for number, size in enumerate(sizes)]
    losses = []
    for number in range(count):
        with config.device("cuda:%d" % number):
            losses.append(sum(ops.sum(ops.tanh(ops.matmul(x, weight))) for weight in weights))
    loss = sum(losses[1:], losses[0])
    rate = Shared(np.float32(0.1), name="rate")
    updates = [(weight, weight - rate * g) for weight, g in zip(weights, grad(loss, weights))]
    return prepare([x], [loss], updates + [(rate, rate * 0.5)])


def step_devices(request, default="cpu"):
    """{name of a variable: the device of its step}."""
    placed, _ = place(request, default)
    found = {}
    for shared, value in placed.updates:
        read = {v.node.op.device for v in value.node.inputs
                if v.node is not None and isinstance(v.node.op, Placed)}
        found[shared.name], = read
    return found


def test_the_steps_of_parameters_are_dealt_out_by_bytes():
    assert step_devices(training(2, (8, 1, 2, 4))) == {
        "w0": "cuda:0", "w1": "cuda:1", "w2": "cuda:1", "w3": "cuda:1", "rate": "cpu"}
    assert step_devices(training(3, (5, 5, 5))) == {
        "w0": "cuda:0", "w1": "cuda:1", "w2": "cuda:2", "rate": "cpu"}


def test_a_step_is_done_where_its_parameter_is_read():
    x = Placeholder("float32", (None, 4))
    one, other = (Shared(np.ones((4, 4), "float32"), name=name) for name in "ab")
    y = on("cuda:0", lambda: ops.tanh(ops.matmul(x, one)))
    z = on("cuda:1", lambda: ops.tanh(ops.matmul(y, other)))
    loss = ops.sum(z)
    steps = [(weight, weight - grad(loss, weight)) for weight in (one, other)]
    request = prepare([x], [loss], steps)
    assert step_devices(request) == {"a": "cuda:0", "b": "cuda:1"}


def test_a_scope_is_that_of_its_thread():
    """And it writes no setting: two that overlap leave everything as it was."""
    seen, inside, left = {}, threading.Barrier(2), threading.Event()

    def work(name, waits):
        with config.device(name):
            inside.wait()
            seen[name] = config.current_device(), config.scoped_device(), ops.tanh(
                Placeholder("float32", (2,))).origin.device
            if waits:
                left.wait()
        left.set()

    threads = [threading.Thread(target=work, args=("cuda:%d" % n, n)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"cuda:%d" % n: ("cuda:%d" % n,) * 3 for n in range(2)}
    assert config.settings.device == config.current_device() == "cpu"
    assert config.scoped_device() is None
