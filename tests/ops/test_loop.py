"""Loops and branches: values against the same steps written out, derivatives, and what is refused.

Every test runs by the NumPy meanings and, where it is built, by the runtime.
"""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad, hessian_vector, jacobian, jvp, verify
from symk.compile import function
from symk.graph import DtypeError, GraphError, Placeholder, ShapeError, Shared
from symk.graph.walk import nodes_of

try:
    import symk._core as core
except ImportError:
    core = None

MODES = ["reference", pytest.param("native", marks=pytest.mark.skipif(
    core is None, reason="symk._core is not built"))]


def placeholder(*shape, dtype="float64"):
    return Placeholder(dtype, shape)


def draw(*shapes, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape) for shape in shapes]


class Recurrence:
    """h' = tanh(x w + h u), the output 2 h', over (time, batch, 3) with 2 units."""

    shapes = ((5, 4, 3), (4, 2), (3, 2), (2, 2))

    def __init__(self, **options):
        self.x = placeholder(None, None, 3)
        self.h, self.w, self.u = placeholder(self.x.shape[1], 2), placeholder(3, 2), placeholder(
            2, 2)
        self.inputs = [self.x, self.h, self.w, self.u]
        (self.final,), (self.outputs,) = ops.scan(self.step, [self.x], [self.h], **options)

    def step(self, rows, states):
        h = ops.tanh(rows[0] @ self.w + states[0] @ self.u)
        return [h], [h * 2]

    def feeds(self, length=5):
        return dict(zip(self.inputs, draw((length, 4, 3), *self.shapes[1:])))


def by_hand(x, h, w, u, reverse=False):
    """The same recurrence in NumPy."""
    outputs = np.zeros(x.shape[:2] + (2,))
    for t in range(len(x))[::-1 if reverse else 1]:
        h = np.tanh(x[t] @ w + h @ u)
        outputs[t] = 2 * h
    return h, outputs


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_loop_is_its_steps_one_after_the_other(mode, reverse, length):
    loop = Recurrence(reverse=reverse)
    feeds = list(loop.feeds(length).values())
    actual = function(loop.inputs, [loop.final, loop.outputs], mode=mode).run(feeds)
    for value, wanted in zip(actual, by_hand(*feeds, reverse=reverse)):
        np.testing.assert_allclose(value, wanted, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_one_function_serves_all_lengths_also_in_gradients(mode, reverse, recompute):
    loop = Recurrence(reverse=reverse, recompute=recompute)
    results = [loop.outputs] + grad(ops.sum(ops.square(loop.outputs)), loop.inputs)
    run = function(loop.inputs, results, mode=mode).run
    truth = function(loop.inputs, results, mode="reference", stages=()).run
    for length in (3, 1, 0, 7):
        feeds = list(loop.feeds(length).values())
        for value, wanted in zip(run(feeds), truth(feeds)):
            np.testing.assert_allclose(value, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_are_slopes_of_states_and_outputs(reverse):
    loop = Recurrence(reverse=reverse)
    for target in (loop.final, loop.outputs):
        verify.check(target, loop.feeds())
        verify.check_forward(target, loop.feeds())


def test_gradients_of_gradients_are_slopes():
    loop = Recurrence()
    gradients = grad(ops.sum(ops.square(loop.outputs)) + ops.sum(loop.final), loop.inputs)
    for gradient in gradients:
        verify.check(gradient, loop.feeds(), directions=1)
    third = grad(sum(ops.sum(ops.square(g)) for g in gradients), [loop.u])[0]
    verify.check(third, loop.feeds(3), wrt=[loop.u], directions=1)


def test_hessian_vector_products_and_jacobians_go_through_loops():
    loop = Recurrence()
    loss, feeds = ops.sum(ops.square(loop.outputs)), loop.feeds(3)
    vector, = draw((2, 2), seed=3)
    product = hessian_vector(loss, loop.u, ops.constant(vector))
    by_rows = ops.sum(jacobian(grad(loss, loop.u), loop.u) * ops.constant(vector), (2, 3))
    values = function(loop.inputs, [product, by_rows], mode="reference").run(list(feeds.values()))
    np.testing.assert_allclose(values[0], values[1], rtol=1e-11)


def test_an_output_that_does_not_move_has_no_tangent():
    x = placeholder(3, 2)
    w = placeholder(2)
    _, (moves, stays) = ops.scan(lambda rows, _: ([], [rows[0] * w, rows[0] * 2]), [x])
    assert jvp(stays, w, np.ones(2), disconnected="none") is None
    assert jvp(moves, w, np.ones(2)).shape == (3, 2)


def test_a_gradient_stops_at_stop_gradient_and_at_integers():
    x, n = placeholder(4), placeholder(4, dtype="int64")

    def step(rows, states):
        return [states[0] + ops.stop_gradient(rows[0]) * ops.cast(rows[1], "float64")], []

    (total,), _ = ops.scan(step, [x, n], [ops.constant(np.array(0.0))])
    assert grad(total, [x, n]) == [None, None]


# --- what a step may use ---

@pytest.mark.parametrize("mode", MODES)
def test_loops_nest(mode):
    x, w = placeholder(None, None, 2), placeholder(2)

    def outer(rows, states):
        def inner(inner_rows, inner_states):
            value = ops.tanh(inner_rows[0] * w + inner_states[0] * states[0])
            return [value], [value]
        (last,), (each,) = ops.scan(inner, [rows[0]], [states[0]])
        return [last], [ops.sum(each)]

    (final,), (sums,) = ops.scan(outer, [x], [ops.constant(np.ones(2))])
    loss = ops.sum(final) + ops.sum(sums)
    gradients = grad(loss, [x, w])
    second = grad(ops.sum(ops.square(gradients[1])), [w])[0]
    feeds = dict(zip([x, w], draw((3, 4, 2), (2,))))
    verify.check(loss, feeds)
    verify.check(gradients[1], feeds, directions=1)
    results = [loss] + gradients + [second]
    values = function([x, w], results, mode=mode).run(list(feeds.values()))
    truth = function([x, w], results, mode="reference", stages=()).run(list(feeds.values()))
    for value, wanted in zip(values, truth):
        np.testing.assert_allclose(value, wanted, rtol=1e-11, atol=1e-13)


def test_what_does_not_change_is_computed_before_the_loop():
    x, w = placeholder(None, 3), placeholder(3, 3)
    _, (y,) = ops.scan(lambda rows, _: ([], [rows[0] * ops.sum(ops.exp(w))]), [x])
    assert [node.op.name for node in y.node.op.body.nodes] == ["mul"]


def test_the_function_of_a_step_is_called_once():
    calls = []
    Recurrence.step, original = (lambda self, rows, states: (calls.append(1), original(
        self, rows, states))[1]), Recurrence.step
    try:
        Recurrence()
    finally:
        Recurrence.step = original
    assert calls == [1]


@pytest.mark.parametrize("mode", MODES)
def test_sizes_of_the_whole_are_known_inside(mode):
    x, y = placeholder(None, 2), placeholder(None, 3)
    rows, others = ops.size_of(x.shape[0]), y.shape[0]

    def step(row, _):
        return [], [row[0] / ops.cast(rows, "float64") + ops.sum(ops.full((others,), 1, "float64"))]

    _, (z,) = ops.scan(step, [x])
    values = draw((4, 2), (6, 3))
    result, = function([x, y], [z], mode=mode).run(values)
    np.testing.assert_allclose(result, values[0] / 4 + 6)


@pytest.mark.parametrize("mode", MODES)
def test_a_loop_may_have_no_sequences_or_no_states(mode):
    n, x = placeholder(None), placeholder(None, 2)
    (power,), _ = ops.scan(lambda _, states: ([states[0] * 2], []), [],
                           [ops.constant(np.array(1.0))], length=n.shape[0])
    _, (rows,) = ops.scan(lambda row, _: ([], [ops.sum(row[0])]), [x])
    values = function([n, x], [power, rows], mode=mode).run(draw((5,), (3, 2)))
    assert values[0] == 32 and values[1].shape == (3,)


@pytest.mark.parametrize("mode", MODES)
def test_each_step_draws_its_own_random_numbers(mode):
    key = ops.random_key(7)

    def draws(_, states):
        def inner(_, __):
            return [], [ops.random_uniform(key, (3,), dtype="float64")]
        return [], [ops.scan(inner, length=4)[1][0]]

    _, (numbers,) = ops.scan(draws, length=5)
    run = function([], [numbers], mode=mode).run
    first, second = run([])[0], run([])[0]
    assert len(np.unique(np.concatenate([first, second]))) == 2 * 5 * 4 * 3


def test_the_stream_of_steps_is_the_same_in_both_modes():
    if core is None:
        pytest.skip("symk._core is not built")
    values = []
    for mode in ("reference", "native"):
        key = ops.random_key(7)
        _, (y,) = ops.scan(lambda _, __: ([], [ops.random_uniform(key, (3,))]), length=4)
        values.append(function([], [y], mode=mode).run([])[0])
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("mode", MODES)
def test_shared_variables_are_read_and_updated_once(mode):
    w = Shared(np.array(2.0))
    x = placeholder(None)
    (total,), _ = ops.scan(lambda rows, states: ([states[0] + rows[0] * w], []), [x],
                           [ops.constant(np.array(0.0))])
    run = function([x], [total], [(w, w + total)], mode=mode).run
    assert run([np.arange(3.0)])[0] == 6 and w.get_value() == 8


@pytest.mark.parametrize("mode", MODES)
def test_states_of_several_kinds_exchange_their_values(mode):
    count = ops.constant(np.array(0, "int64"))
    a, b = ops.constant(np.array([1.0])), ops.constant(np.array([2.0]))
    (a, b, count), (seen,) = ops.scan(
        lambda _, s: ([s[1], s[0], s[2] + 1], [s[2]]), [], [a, b, count], length=3)
    values = function([], [a, b, count, seen], mode=mode).run([])
    assert [v.tolist() for v in values] == [[2.0], [1.0], 3, [0, 1, 2]]


@pytest.mark.parametrize("mode", MODES)
def test_unrolling_gives_the_same(mode):
    x, w = placeholder(4, 2, 3), placeholder(3, 3)

    def step(rows, states):
        value = ops.tanh(rows[0] @ w + states[0])
        return [value], [value * 3, rows[0]]

    zeros = ops.constant(np.zeros((2, 3)))
    loops = [ops.scan(step, [x], [zeros], reverse=True, unroll=unroll) for unroll in (False, True)]
    names = [node.op.name for node in nodes_of(loops[1][0] + loops[1][1])]
    assert "scan" not in names and names.count("matmul") == 4
    results = [v for states, outputs in loops for v in states + outputs]
    values = function([x, w], results, mode=mode).run(draw((4, 2, 3), (3, 3)))
    for one, other in zip(values[:3], values[3:]):
        np.testing.assert_allclose(one, other, rtol=1e-13)


def test_no_steps_can_be_unrolled():
    states, outputs = ops.scan(lambda r, s: ([s[0] + r[0]], [r[0]]), [placeholder(0, 2)],
                               [ops.constant(np.ones(2))], unroll=True)
    values = function([], [states[0]], mode="reference").run([])
    assert values[0].tolist() == [1, 1] and outputs[0].shape == (0, 2)


# --- what is refused ---

@pytest.mark.parametrize("error, message, build", [
    (ShapeError, "sequences must have one length", lambda x: ops.scan(
        lambda r, s: ([], r), [x, placeholder(5)])),
    (ShapeError, "a sequence needs an axis 0", lambda x: ops.scan(lambda r, s: ([], r), [1.0])),
    (GraphError, "a length is required", lambda x: ops.scan(lambda r, s: ([], []))),
    (ShapeError, "state 0 must keep its type", lambda x: ops.scan(
        lambda r, s: ([r[0]], []), [x], [np.array(0.0)])),
    (DtypeError, "state 0 must keep its type", lambda x: ops.scan(
        lambda r, s: ([s[0] + r[0][0]], []), [x], [1])),
    (GraphError, "one new value for each of the 1 states", lambda x: ops.scan(
        lambda r, s: ([], []), [x], [0.0])),
    (GraphError, "unroll needs a number of steps", lambda x: ops.scan(
        lambda r, s: ([], r), [placeholder(None, 2)], unroll=True))])
def test_a_step_that_does_not_fit_is_refused(error, message, build):
    with pytest.raises(error) as raised:
        build(placeholder(3, 2))
    assert str(raised.value).startswith("[scan] ") and message in str(raised.value)


def test_what_is_made_in_a_step_stays_in_it():
    kept = []
    x = placeholder(None, 2)
    ops.scan(lambda rows, _: ([], [kept.append(rows[0] * 2) or rows[0]]), [x])
    with pytest.raises(GraphError, match="every placeholder that a result uses must be an input"):
        function([x], kept)


@pytest.mark.parametrize("mode", MODES)
def test_lengths_that_differ_are_found_by_the_call(mode):
    x, y = placeholder(None, 2), placeholder(None, 2)
    _, (z,) = ops.scan(lambda rows, _: ([], [rows[0] + rows[1]]), [x, y])
    with pytest.raises(ShapeError, match="scan"):
        function([x, y], [z], mode=mode, stages=()).run(draw((3, 2), (4, 2)))


# --- branches ---

class Counted:
    """A branch whose sides fail, or do not, by an index."""

    def __init__(self):
        self.x, self.index = placeholder(3), placeholder(dtype="int64")
        self.flag = placeholder(dtype="bool")
        picked = lambda: ops.gather(self.x, ops.reshape(self.index, (1,)))  # noqa: E731
        self.y = ops.cond(self.flag, picked, lambda: ops.exp(self.x[:1]))


@pytest.mark.parametrize("mode", MODES)
def test_only_one_side_is_computed(mode):
    branch = Counted()
    run = function([branch.x, branch.index, branch.flag], [branch.y], mode=mode).run
    x = np.arange(3.0)
    assert run([x, 7, False])[0] == 1          # the other side would fail
    assert run([x, 2, True])[0] == 2
    with pytest.raises(IndexError):
        run([x, 7, True])


@pytest.mark.parametrize("flag", [True, False])
def test_derivatives_of_a_branch_are_those_of_its_side(flag):
    x, y, p = placeholder(3), placeholder(3), placeholder(dtype="bool")
    z = ops.cond(p, lambda: ops.sin(x) * y, lambda: ops.square(x))
    feeds = {**dict(zip([x, y], draw((3,), (3,)))), p: np.array(flag)}
    verify.check(z, feeds)
    verify.check_forward(z, feeds)
    verify.check(grad(ops.sum(z), x), feeds, directions=1)


@pytest.mark.parametrize("mode", MODES)
def test_branches_and_loops_nest(mode):
    x = placeholder(None)

    def step(rows, states):
        grown = ops.cond(states[0] > 1, lambda: states[0] - rows[0],
                         lambda: ops.scan(lambda _, s: ([s[0] + rows[0]], []), [], states,
                                          length=2)[0][0])
        return [grown], [grown]

    (_,), (path,) = ops.scan(step, [x], [ops.constant(np.array(0.0))])
    gradient = grad(ops.sum(ops.square(path)), x)
    values = function([x], [path, gradient], mode=mode).run([np.array([0.4, 0.3, 0.2, 0.5])])
    np.testing.assert_allclose(values[0], [0.8, 1.4, 1.2, 0.7])
    verify.check(path, {x: np.array([0.4, 0.3, 0.2, 0.5])}, step=1e-4)


def test_a_branch_gives_lists_and_numbers_take_the_dtype_they_meet():
    x, p = placeholder(2), placeholder(dtype="bool")
    first, second = ops.cond(p, lambda: [x, x * 2], lambda: (np.zeros(2), x))
    assert first.dtype == second.dtype == "float64"
    assert ops.cond(p, lambda: x[0], lambda: 1).dtype == "float64"


@pytest.mark.parametrize("error, message, build", [
    (ShapeError, "the predicate must be a scalar", lambda x: ops.cond(x > 0, lambda: x, lambda: x)),
    (ShapeError, "both sides must give the same type", lambda x: ops.cond(
        x[0], lambda: x, lambda: x[0])),
    (GraphError, "lists of equally many", lambda x: ops.cond(x[0], lambda: [x, x], lambda: [x])),
    (GraphError, "lists of equally many", lambda x: ops.cond(x[0], lambda: x, lambda: [x]))])
def test_sides_that_do_not_fit_are_refused(error, message, build):
    with pytest.raises(error) as raised:
        build(placeholder(3))
    assert str(raised.value).startswith("[cond] ") and message in str(raised.value)
