"""What the optimiser does to loops: it shows in the bodies, and never in the values."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.graph import Placeholder, rebuild
from symk.graph.check import check
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize import optimize
from symk.optimize.loop_keep import keep_for_gradients
from symk.optimize.loop_move import move_before_loops, move_behind_loops
from symk.optimize.loop_prune import prune_loops


def placeholder(*shape, name=None):
    return Placeholder("float64", shape, name)


def loops(results):
    return [node for node in nodes_of(results) if node.op.name == "scan"]


def inside(node):
    """The names of the ops in the body of a loop."""
    return [each.op.name for each in node.op.body.nodes]


def assert_same(before, after, inputs, lengths=(3, 1, 0)):
    """Equal values for several numbers of steps: unknown sizes are the number of steps."""
    check(after)
    for length in lengths:
        generator = np.random.default_rng(length)
        feeds = {x: generator.normal(size=[length if not isinstance(size, int) else size
                                           for size in x.shape]) for x in inputs}
        for wanted, value in zip(evaluate(before, feeds), evaluate(after, feeds)):
            np.testing.assert_allclose(value, wanted, rtol=1e-10, atol=1e-12)


class Network:
    """h' = tanh(x w + h u + b) over (time, 4, 3), and the gradients of a loss."""

    def __init__(self, **options):
        self.x, self.w = placeholder(None, 4, 3, name="x"), placeholder(3, 2, name="w")
        self.u, self.b = placeholder(2, 2, name="u"), placeholder(2, name="b")
        self.inputs = [self.x, self.w, self.u, self.b]
        (self.h,), (self.y,) = ops.scan(self.step, [self.x], [np.zeros((4, 2))], **options)
        self.gradients = grad(ops.sum(ops.square(self.y)), self.inputs)

    def step(self, rows, states):
        h = ops.tanh(rows[0] @ self.w + states[0] @ self.u + self.b)
        return [h], [h]


def test_a_training_step_has_one_product_in_each_step_of_each_loop():
    network = Network()
    results, _ = optimize(network.gradients)
    forward, backward = loops(results)
    assert inside(forward).count("matmul") == inside(backward).count("matmul") == 1
    assert "tanh" not in str(backward.op.body.nodes)
    assert_same(network.gradients, results, network.inputs)


def test_a_loop_that_was_built_twice_runs_once_and_keeps_for_the_gradient():
    """As where losses and moving averages see one layer through two copies of the graph."""
    network = Network()
    (y,), wanted = (rebuild(results, {network.x: network.x * 2})
                    for results in ([network.y], network.gradients))
    results, _ = optimize([y] + wanted)
    assert len(loops([y] + wanted)) == 3 and len(loops(results)) == 2
    assert_same([y] + wanted, results, network.inputs)


def test_a_gradient_that_recomputes_keeps_the_states_alone():
    network = Network(recompute=True)
    results, _ = optimize(network.gradients)
    forward, backward = loops(results)
    assert forward.op.outputs == 2                 # the output, and the state before each step
    assert inside(backward).count("matmul") == 6   # two again, two of gradients, two of weights
    assert_same(network.gradients, results, network.inputs)


def test_second_derivatives_keep_their_values():
    network = Network()
    second = grad(sum(ops.sum(ops.square(g)) for g in network.gradients), network.inputs)
    results, _ = optimize(second)
    assert_same(second, results, network.inputs)


# --- what nobody reads ---

def test_unread_states_and_outputs_and_their_operands_go():
    x, w = placeholder(None, 2), placeholder(2)
    states, outputs = ops.scan(
        lambda rows, s: ([s[0] + rows[0], s[1] * w, s[0] * s[2]], [s[1], rows[0] * s[0]]), [x],
        [np.zeros(2), np.ones(2), np.ones(2)])
    results, counts = prune_loops([states[0]])
    loop, = loops(results)
    assert (loop.op.states, loop.op.outputs, len(loop.inputs)) == (1, 0, 2)
    assert counts["state that nobody reads -> none"] == 2
    assert_same([states[0]], results, [x, w])


def test_a_state_stays_if_another_that_is_read_needs_it():
    x = placeholder(None, 2)
    states, _ = ops.scan(lambda rows, s: ([s[1], s[0] + rows[0]], []), [x],
                         [np.zeros(2), np.ones(2)])
    results, _ = prune_loops([states[0]])
    assert loops(results)[0].op.states == 2
    assert_same([states[0]], results, [x])


def test_what_is_there_twice_is_there_once():
    x, w = placeholder(None, 2), placeholder(2)
    zeros = ops.constant(np.zeros(2))

    def step(rows, s):
        new = s[0] * w + rows[0] * rows[1]
        return [new, new], [new + s[1]]

    states, outputs = ops.scan(step, [x, x], [zeros, zeros])
    results, _ = optimize(states + outputs)
    loop, = loops(results)
    assert (loop.op.sequences, loop.op.states) == (1, 1)
    assert_same(states + outputs, results, [x, w])


def test_constant_operands_and_states_go_inside_or_away():
    x, w = placeholder(None, 2), placeholder(2)
    states, outputs = ops.scan(lambda rows, s: ([s[0], s[1] + s[0] * w], [s[0], rows[0], w]), [x],
                               [np.full(2, 3.0), np.zeros(2)])
    results, _ = prune_loops(states + outputs)
    loop, = loops(results)
    assert (loop.op.sequences, loop.op.states, loop.op.outputs) == (0, 1, 0)
    assert_same(states + outputs, results, [x, w])


def test_a_last_value_needs_no_state_of_its_own():
    x = placeholder(None, 2)
    states, outputs = ops.scan(lambda rows, s: ([s[0] + rows[0]] * 2, []), [x],
                               [np.zeros(2), np.ones(2)])
    results, _ = prune_loops(states)
    assert loops(results)[0].op.states == 1
    assert_same(states, results, [x])


def test_a_branch_loses_the_outputs_that_nobody_reads_and_their_operands():
    x, y, p = placeholder(2), placeholder(2), Placeholder("bool", ())
    first, _ = ops.cond(p, lambda: [ops.sin(x), y * 2], lambda: [x, ops.exp(y)])
    results, counts = prune_loops([first])
    assert len(results[0].node.outputs) == 1 and y not in results[0].node.inputs
    assert sum(counts.values()) == 1
    for flag in (True, False):
        feeds = {x: np.ones(2), y: np.ones(2), p: np.array(flag)}
        np.testing.assert_array_equal(*evaluate([first, results[0]], feeds))


# --- what is moved ---

def test_products_of_a_whole_sequence_come_before_the_loop():
    x, w = placeholder(None, 4, 3), placeholder(3, 2)
    (h,), _ = ops.scan(lambda rows, s: ([s[0] * 0.5 + ops.exp(rows[0]) @ w], []), [x],
                       [np.zeros((4, 2))])
    results, counts = move_before_loops([h])
    assert inside(loops(results)[0]) == ["mul", "add"] and sum(counts.values()) == 1
    assert_same([h], results, [x, w])


def test_light_work_stays_where_it_joins_the_rest_of_a_step():
    x = placeholder(None, 3)
    (h,), _ = ops.scan(lambda rows, s: ([s[0] * 0.5 + ops.exp(rows[0])], []), [x], [np.zeros(3)])
    assert move_before_loops([h]) == ([h], {})


def test_a_loop_without_states_is_no_loop():
    x, w = placeholder(None, 4, 3), placeholder(3, 3)

    def step(rows, _):
        y = ops.softmax(ops.tanh(rows[0] @ w) + rows[0][:1])
        return [], [ops.sum(y, 0), ops.transpose(y), ops.concat([y, w[:2]], 0),
                    ops.reshape(y, (2, 6)) * 2, ops.max(y), ops.pad(y, (1, 0), (0, 2))]

    _, outputs = ops.scan(step, [x])
    results, _ = optimize(outputs)
    assert not loops(results)
    assert_same(outputs, results, [x, w])


def test_rows_of_different_ranks_meet_as_in_a_step():
    x, y, w = placeholder(None), placeholder(None, 2, 3), placeholder(3)
    _, outputs = ops.scan(lambda r, _: ([], [r[0] * r[1] + w, ops.broadcast_to(r[0], (2, 3)),
                                             ops.matmul(r[1], ops.transpose(r[1])) * r[0]]), [x, y])
    results, _ = optimize(outputs)
    assert not loops(results)
    assert_same(outputs, results, [x, y, w])


def test_what_has_no_rule_stays_in_its_loop():
    x = placeholder(None, 3)
    _, (y,) = ops.scan(lambda r, _: ([], [ops.sum(ops.scatter_add(
        r[0], np.array([0, 2, 2]), 0, 4) * 2)]), [x])
    results, _ = optimize([y])
    assert "scatter_add" in inside(loops(results)[0])
    assert_same([y], results, [x])


def test_sums_over_time_of_products_come_behind_the_loop():
    a, b = placeholder(None, 4, 3), placeholder(None, 4, 2)

    def step(rows, s):
        weight = s[0] + ops.matmul(rows[0], rows[1], transpose_a=True) + ops.broadcast_to(
            ops.sum(rows[1], 0), (3, 2))
        return [weight, s[1] * 0.5 + rows[0]], [s[1]]

    states, outputs = ops.scan(step, [a, b], [np.ones((3, 2)), np.zeros((4, 3))])
    results, _ = move_behind_loops(prune_loops(states + outputs)[0])
    assert "matmul" not in inside(loops(results)[0])
    assert_same(states + outputs, results, [a, b])


def test_a_sum_that_is_read_in_the_loop_stays():
    a = placeholder(None, 4, 3)

    def step(rows, s):
        total = s[0] + ops.matmul(rows[0], rows[0], transpose_a=True)
        return [total], [s[0]]

    states, outputs = ops.scan(step, [a], [np.zeros((3, 3))])
    results, _ = optimize(states + outputs)
    assert inside(loops(results)[0])[-1] in ("add", "matmul", "fused")
    assert_same(states + outputs, results, [a])


def test_a_sum_whose_steps_are_outputs_stays():
    a = placeholder(None, 4, 3)

    def step(rows, s):
        total = s[0] + ops.matmul(rows[0], rows[0], transpose_a=True)
        return [total], [total]

    states, outputs = ops.scan(step, [a], [np.zeros((3, 3))])
    results, _ = optimize(states + outputs)
    assert loops(results)[0].op.states == 1
    assert_same(states + outputs, results, [a])


def test_products_that_only_make_outputs_come_behind_the_loop():
    x, w = placeholder(None, 4, 3), placeholder(3, 3)
    states, outputs = ops.scan(lambda r, s: ([ops.tanh(s[0] + r[0])], [ops.exp(s[0] @ w) * r[0]]),
                               [x], [np.zeros((4, 3))])
    results, _ = move_behind_loops(prune_loops(states + outputs)[0])
    assert inside(loops(results)[0]) == ["add", "tanh"]
    assert_same(states + outputs, results, [x, w])


def test_convolutions_of_all_steps_and_their_gradients_are_one():
    """Of images (time, 2, 5, 4, 3): only those of the state stay in the steps."""
    x, w, u = placeholder(None, 2, 5, 4, 3), placeholder(3, 3, 3, 2), placeholder(3, 3, 2, 2)

    def step(rows, states):
        h = ops.tanh(ops.conv(rows[0], w, padding="same") + ops.conv(states[0], u, padding="same"))
        return [h], [h]

    (last,), _ = ops.scan(step, [x], [np.zeros((2, 5, 4, 2))])
    gradients = grad(ops.sum(ops.square(last)), [x, w, u])
    results, _ = optimize(gradients)
    forward, backward = loops(results)
    assert [name for name in inside(forward) if name.startswith("conv")] == ["conv"]
    assert [name for name in inside(backward) if name.startswith("conv")] == ["conv_grad_input"]
    assert_same(gradients, results, [x, w, u])


def test_a_gradient_takes_what_the_forward_loop_has_computed():
    network = Network()
    before = len(inside(loops(network.gradients)[-1]))
    results, counts = keep_for_gradients(network.gradients)
    assert sum(counts.values()) == 1               # tanh, for 1 - tanh^2
    assert len(inside(loops(results)[-1])) < before
    assert_same(network.gradients, results, network.inputs)


# --- random loops ---

def random_loop(seed):
    """A loop of random steps, with loops and branches inside, and what it uses from outside."""
    random = np.random.RandomState(seed)
    x, y, w = placeholder(None, 2, 3), placeholder(None, 3), placeholder(3, 3)

    def step(rows, states):
        pool = [*rows, *states, w]
        for _ in range(random.randint(3, 12)):
            a, b = (pool[random.randint(len(pool))] for _ in range(2))
            kind = random.randint(8)
            if kind == 0 and a.ndim == 2 and a.shape[1] == 3:
                pool.append(ops.tanh(a @ w))
            elif kind == 1 and a.ndim == 2:
                pool.append(ops.matmul(a, a, transpose_a=True) * 0.1)
            elif kind == 2:
                pool.append(ops.sum(a, -1, keepdims=True) * 0.3)
            elif kind == 3:
                pool.append(ops.sigmoid(a))
            elif kind == 6 and a.shape == (2, 3):
                pool.append(ops.scan(lambda r, s: ([ops.tanh(s[0] * 0.5 + r[0]) - w[0]], [s[0]]),
                                     [a], [w[1]])[1][0])
            elif kind == 7 and a.ndim == 2:
                pool.append(ops.cond(ops.sum(a) > 0, lambda: ops.sin(a), lambda: a * ops.sum(b)))
            elif a.shape == b.shape or a.ndim < 2 or b.ndim < 2:
                pool.append(ops.tanh(a - b) if kind == 4 else a * b * 0.5)
        fits = [v for v in pool if v.shape == (2, 3)] or [states[0]]
        chosen = [fits[random.randint(len(fits))] for _ in states]
        if seed % 3 == 0:
            chosen[1] = states[1] + chosen[1]
        return chosen, pool[-2:]

    states, outputs = ops.scan(step, [x, y], [np.zeros((2, 3)), w[:2]], reverse=bool(seed % 2))
    results = states + outputs
    if seed % 2:
        results += [g for g in grad(sum(ops.sum(ops.square(r)) for r in results), [x, y, w])
                    if g is not None]
    return results, [x, y, w]


@pytest.mark.parametrize("seed", range(60))
def test_random_loops_keep_their_values(seed):
    results, inputs = random_loop(seed)
    optimized, _ = optimize(results)
    assert_same(results, optimized, inputs, (2, 0))
