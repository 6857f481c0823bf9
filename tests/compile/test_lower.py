"""From graphs to Plans: order, aliases, what is overwritten, and sizes that only a call knows."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.compile.lower import lower
from symk.compile.order import estimate_bytes, order_nodes
from symk.compile.request import prepare
from symk.graph import GraphError, Placeholder, Shared, layer_scope


def lowered(inputs, outputs, updates=()):
    return lower(prepare(inputs, outputs, updates))[0]


def kernels(plan):
    return [step.kernel for step in plan.steps]


def state(*shape, name="w"):
    return Shared(np.ones(shape, "float32"), name=name)


def test_reshapes_cost_no_step():
    x = Placeholder("float32", (None, 2, 3), name="x")
    plan = lowered([x], [ops.exp(ops.reshape(x, (-1, 6)))])
    assert kernels(plan) == ["elementwise"]
    assert [buffer.kind for buffer in plan.buffers] == ["input", "alias", "temporary"]


def test_loops_that_are_too_deep_are_refused():
    def nested(depth, value):
        if not depth:
            return ops.sin(value)
        return ops.scan(lambda _, s: ([nested(depth - 1, s[0])], []), [], [value], length=1)[0][0]

    x = Placeholder("float32", (2,), name="x")
    assert lowered([x], [nested(16, x)]).plans
    with pytest.raises(GraphError, match="16 deep"):
        lowered([x], [nested(17, x)])


def test_equal_constants_are_stored_once():
    x = Placeholder("float32", (None,), name="x")
    plan = lowered([x], [x * 2.0, x + 2.0])
    assert len(plan.constants) == 1


def test_an_update_is_written_in_place_if_nobody_reads_the_old_value_later():
    w = state(3)
    plan = lowered([], [], [(w, w - 0.1)])
    assert plan.updates == [] and plan.steps[-1].outputs == (plan.shared[0][1],)


@pytest.mark.parametrize("outputs, new, direct", [
    (lambda w, value: [w + 1], lambda w: w + 1, True),                # the other reader runs before
    (lambda w, value: [w], lambda w: w + 1, False),                   # the old value is a result
    (lambda w, value: [], lambda w: ops.matmul(w, w), False),  # elements are read out of order
    (lambda w, value: [], lambda w: w + ops.reshape(ops.reshape(w, 9), (3, 3)), False),  # a view
    (lambda w, value: [ops.exp(value) * w], lambda w: w + 1, False),   # read after it is made
])
def test_an_update_waits_if_somebody_may_read_the_old_value(outputs, new, direct):
    w = state(3, 3)
    value = new(w)
    plan = lowered([], outputs(w, value), [(w, value)])
    written = {buffer for step in plan.steps for buffer in step.outputs}
    assert (dict(plan.shared)["w"] in written) == direct
    assert (plan.updates == []) == direct


def test_steps_that_write_variables_come_after_all_that_can_fail():
    w = state(4)
    indices = Placeholder("int64", (None,), name="i")
    plan = lowered([indices], [ops.gather(ops.constant(np.ones(3, "float32")), indices)],
                   [(w, w + 1)])
    assert kernels(plan) == ["gather", "elementwise"] and plan.updates == []


def test_an_update_waits_if_a_step_that_can_fail_needs_it():
    w = state(4)
    indices = Placeholder("int64", (None,), name="i")
    new = w + 1
    plan = lowered([indices], [ops.gather(new, indices)], [(w, new)])
    assert len(plan.updates) == 1


def test_variables_that_exchange_their_values_are_copied():
    a, b = state(2, name="a"), state(2, name="b")
    plan = lowered([], [], [(a, b), (b, a)])
    assert plan.steps == [] and len(plan.updates) == 2


def test_outputs_keep_their_names_and_are_told_apart():
    x = Placeholder("float32", (None,), name="x")
    named = ops.identity(x + 1, name="scores")
    plan = lowered([x], [named, x * 2, x, named])
    assert [name for name, _ in plan.outputs] == ["scores", "output_1", "x", "scores_3"]


def test_operands_of_one_step_are_listed_once():
    x = Placeholder("float32", (None,), name="x")
    step, = lowered([x], [x * x]).steps
    assert len(step.inputs) == 1 and step.attributes["args"] == (0, 0)


def test_sizes_that_must_agree_become_checks():
    x = Placeholder("float32", (None, None), name="x")
    y = Placeholder("float32", (None, 3), name="y")
    with layer_scope("dot_1", "Dot"):
        z = ops.matmul(x, y)
    messages = [message for _, _, message in lowered([x, y], [z]).checks]
    assert any(message.startswith('in layer "dot_1" (Dot): [matmul] inner sizes must agree')
               for message in messages)
    assert any(message.startswith("[input y] axis 1 must fit") for message in messages)


def test_a_size_shared_by_two_inputs_is_checked():
    x = Placeholder("float32", (None,), name="x")
    y = Placeholder("float32", (x.shape[0],), name="y")
    plan = lowered([x, y], [x + y])
    (a, b, message), = plan.checks
    assert {plan.sizes[a], plan.sizes[b]} == {("input", 0, 0), ("input", 1, 0)}
    assert message.startswith("[input y] axis 0")


def peak_bytes(order, results):
    """The most bytes alive at once, when temporaries are freed after their last use."""
    last = {v: place for place, node in enumerate(order) for v in node.inputs}
    last.update((v, len(order)) for v in results)
    alive = peak = 0
    for place, node in enumerate(order):
        alive += sum(map(estimate_bytes, node.outputs))
        peak = max(peak, alive)
        freed = {v for v in list(node.inputs) + list(node.outputs) if v.node is not None}
        alive -= sum(estimate_bytes(v) for v in freed if last.get(v, place) == place)
    return peak


def test_the_order_bounds_the_memory_of_a_training_step():
    """Gradients of weights run as soon as they can, so that activations are forgotten."""
    x = Placeholder("float32", (None, 8, 8, 16), name="x")
    weights = [state(3, 3, 16, 16, name="w%d" % k) for k in range(12)]
    y = x
    for w in weights:
        y = ops.tanh(ops.conv(y, w, padding="same"))
    results = [ops.sum(y)] + grad(ops.sum(y), weights)
    order = order_nodes(results)
    assert dict.fromkeys(order).keys() == set(order)
    layer = estimate_bytes(y)
    fixed = sum(estimate_bytes(w) for w in weights)
    assert peak_bytes(order, results) < (len(weights) + 6) * layer + fixed


def test_every_node_runs_after_what_it_reads():
    x = Placeholder("float32", (None, 4), name="x")
    w = state(4, 4)
    y = ops.softmax(ops.matmul(ops.tanh(ops.matmul(x, w)), w))
    order = order_nodes([y] + grad(ops.sum(ops.square(y)), [w]))
    place = {node: number for number, node in enumerate(order)}
    assert all(place[v.node] < place[node] for node in order for v in node.inputs
               if v.node is not None)
