"""Loops and branches in Plans made by hand: values, memory, threads, errors, damage."""
import threading

import numpy as np
import pytest

from symk.compile.plan import PlanRef, SizeRef
from symk.graph.errors import GraphError, OutOfRangeError, ShapeError


def uniform(*shape):
    return np.random.RandomState(len(shape)).uniform(-1, 1, shape).astype("float32")


def running_sum(plans):
    """The body s + x, whose new state is also the output of the step; rows of shape (n,)."""
    body = plans.Builder()
    x, state = body.input("x", (None,)), body.input("s", (None,))
    total = body.apply("add", x, state)
    body.output(total, "s")
    body.output(total, "y")
    return body


def sums(plans, reverse=0):
    """final, all = running sums of the rows of x, from s on."""
    b = plans.Builder()
    x, state = b.input("x", (None, None)), b.input("s", (None,))
    final, rows = b.scan(running_sum(plans), [x], [state], rows=[b.shape(x)], reverse=reverse)
    b.output(final, "final")
    b.output(rows, "all")
    return b


def recurrent(plans, units=24):
    """final, all of h <- tanh(x + h w + b): an output of its own, 2 h, beside the state."""
    body = plans.Builder()
    x, h, w, bias = (body.input("x", (None, units)), body.input("h", (None, units)),
                     body.input("w", (units, units)), body.input("b", (units,)))
    product = body.temporary(h)
    body.step("matmul", (h, w), (product,))
    new = body.apply("tanh", body.apply("add", body.apply("add", x, product), bias))
    body.output(new, "h")
    body.output(body.apply("add", new, new), "y")
    b = plans.Builder()
    xs = b.input("x", (None, None, units))
    operands = b.input("h", (None, units)), b.input("w", (units, units)), b.input("b", (units,))
    final, rows = b.scan(body, [xs], operands[:1], operands[1:], rows=[b.shape(xs)])
    b.output(final, "final")
    b.output(rows, "all")
    return b


def recurrent_values(random, steps, rows, units=24):
    """x, h, w, b; w is small enough that rounding errors do not grow from step to step."""
    shapes = (steps, rows, units), (rows, units), (units, units), (units,)
    x, h, w, bias = (random.uniform(-1, 1, shape).astype("float32") for shape in shapes)
    return x, h, w / np.float32(np.sqrt(units)), bias


def recurrent_reference(x, h, w, bias):
    rows = []
    for row in x:
        h = np.tanh(row + h @ w + bias)
        rows.append(2 * h)
    return h, np.array(rows).reshape(x.shape)


@pytest.mark.parametrize("reverse", [0, 1])
def test_a_state_that_is_an_output_too(plans, reverse):
    program = sums(plans, reverse).program()
    for steps in (5, 1, 0, 2, 5):
        x, state = uniform(steps, 3), uniform(3)
        final, rows = program.run([x, state])
        ordered = x[::-1] if reverse else x
        expected = np.cumsum(np.concatenate([state[None], ordered]), 0, dtype="float32")
        np.testing.assert_array_equal(final, expected[-1])
        np.testing.assert_array_equal(rows, expected[1:][::-1] if reverse else expected[1:])


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 8])
def test_a_state_with_memory_of_its_own(plans, steps):
    values = recurrent_values(np.random.RandomState(0), steps, 3)
    results = recurrent(plans).program().run(values)
    for result, expected in zip(results, recurrent_reference(*values)):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_states_may_change_places(plans):
    body = plans.Builder()
    a, b = body.input("a", ()), body.input("b", ())
    body.output(b, "a")                        # (a, b) <- (b, a + b)
    body.output(body.apply("add", a, b), "b")
    outer = plans.Builder()
    start = outer.input("a", ()), outer.input("b", ())
    n = outer.input("n", (None,))
    for result in outer.scan(body, [], start, length=outer.shape(n)[0]):
        outer.output(result)
    program = outer.program()
    for steps, expected in ((0, (0, 1)), (1, (1, 1)), (9, (34, 55)), (10, (55, 89))):
        assert tuple(program.run([0, 1, np.zeros(steps)])) == expected


def test_a_loop_within_a_loop(plans):
    inner = plans.Builder()                    # of rows x (m, n): their running sums from s on
    x, state = inner.input("x", (None, None)), inner.input("s", (None,))
    final, rows = inner.scan(running_sum(plans), [x], [state], rows=[inner.shape(x)])
    inner.output(final, "s")
    inner.output(rows, "y")
    outer = plans.Builder()
    xs, start = outer.input("x", (None, None, None)), outer.input("s", (None,))
    final, rows = outer.scan(inner, [xs], [start], rows=[outer.shape(xs)])
    outer.output(final)
    outer.output(rows)
    program = outer.program()
    for shape in ((3, 4, 5), (1, 1, 1), (3, 0, 5), (0, 2, 2), (2, 2, 0)):
        x, state = uniform(*shape), uniform(shape[2])
        final, rows = program.run([x, state])
        flat = np.concatenate([state[None], x.reshape(shape[0] * shape[1], shape[2])])
        expected = np.cumsum(flat, 0, dtype="float32")
        np.testing.assert_array_equal(final, expected[-1])
        np.testing.assert_array_equal(rows.reshape(shape[0] * shape[1], shape[2]), expected[1:])


def branch(plans, inside):
    """y = x + 1 if p else x itself; `inside` adds to the `then` side."""
    then, otherwise = plans.Builder(), plans.Builder()
    x = then.input("x", (None,))
    then.output(inside(then, x))
    otherwise.output(otherwise.input("x", (None,)))
    b = plans.Builder()
    predicate, x = b.input("p", (), "bool"), b.input("x", (None,))
    b.output(*b.cond(predicate, then, otherwise, [x], [b.temporary(x)]))
    return b


def test_a_branch_runs_one_side(plans):
    def gather_outside(side, x):
        out = side.temporary(x)
        index = side.buffer("int64", "temporary", side.shape(x))
        side.step("arange", (), (index,), start=5, step=1)
        side.step("gather", (x, index), (out,), axis=0)
        return out
    program = branch(plans, lambda side, x: side.apply("add", x, side.constant(1.0))).program()
    x = uniform(4)
    np.testing.assert_array_equal(program.run([True, x])[0], x + np.float32(1))
    np.testing.assert_array_equal(program.run([False, x])[0], x)
    program = branch(plans, gather_outside).program()
    np.testing.assert_array_equal(program.run([False, x])[0], x)
    with pytest.raises(OutOfRangeError, match="5 was given at position 0"):
        program.run([True, x])


def test_a_branch_within_a_loop(plans):
    body = branch(plans, lambda side, x: side.apply("mul", x, side.constant(2.0)))
    b = plans.Builder()
    predicates, x = b.input("p", (None,), "bool"), b.input("x", (None,))
    final, = b.scan(body, [predicates], [x])
    b.output(final)
    x = uniform(4)
    final, = b.program().run([[True, False, True, True], x])
    np.testing.assert_array_equal(final, 8 * x)


def test_what_the_loop_does_not_change_is_packed_again_when_it_has_changed(plans):
    program = recurrent(plans).program()
    values = list(recurrent_values(np.random.RandomState(0), 6, 40))
    for factor in (1, 0.5, -1):
        values[2] = values[2] * np.float32(factor)
        for result, expected in zip(program.run(values), recurrent_reference(*values)):
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_a_shared_value_is_packed_again_when_it_has_changed(plans):
    b = recurrent(plans)
    number = b.plan.inputs[2][1]
    b.plan.buffers[number] = b.plan.buffers[number]._replace(kind="shared", reference=0)
    b.plan.shared.append(("w", number))
    del b.plan.inputs[2]
    bias = b.plan.inputs[2][1]
    b.plan.buffers[bias] = b.plan.buffers[bias]._replace(reference=2)
    x, h, w, bias = recurrent_values(np.random.RandomState(0), 6, 40)
    tensor = plans.core.Tensor(w)
    program = b.program(tensor)
    for factor in (1, 1, -0.5):
        tensor.write(tensor.read() * np.float32(factor))
        expected = recurrent_reference(x, h, tensor.read(), bias)
        for result, wanted in zip(program.run([x, h, bias]), expected):
            np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def test_every_thread_count_gives_the_same_bits(plans):
    program = recurrent(plans, 160).program()
    values = recurrent_values(np.random.RandomState(0), 5, 200, 160)
    before, results = plans.core.threads(), []
    try:
        for count in (1, 2, 3, 4):
            plans.core.set_threads(count)
            results.append(program.run(values))
    finally:
        plans.core.set_threads(before)
    for result in results[1:]:
        for one, other in zip(results[0], result):
            np.testing.assert_array_equal(one, other)


def test_two_threads_may_run_one_loop(plans):
    program, failures = recurrent(plans).program(), []

    def call(seed):
        random = np.random.RandomState(seed)
        for steps in random.randint(0, 12, 60):
            values = recurrent_values(random, steps, 3)
            results = program.run(values)
            for result, expected in zip(results, recurrent_reference(*values)):
                if not np.allclose(result, expected, rtol=1e-4, atol=1e-5):
                    failures.append((seed, steps))

    threads = [threading.Thread(target=call, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_memory_of_the_body_is_counted(plans):
    program = recurrent(plans).program()
    values = recurrent_values(np.random.RandomState(0), 4, 50)
    program.run(values)
    memory = program.memory()
    row, = [row for row in memory["map"] if row["name"] == "scratch of step 0, scan"]
    assert row["bytes"] >= 2 * 50 * 24 * 4     # the state's second place, and a temporary
    assert memory["arena_bytes"] >= row["bytes"]
    shorter = memory["arena_bytes"]
    program.run((uniform(400, 50, 24),) + values[1:])
    assert program.memory()["arena_bytes"] == shorter   # steps use the same memory


def test_an_error_names_the_step_of_the_loop_and_the_op(plans):
    body = plans.Builder()
    index, table = body.input("i", (1,), "int64"), body.input("t", (5, 2))
    out = body.buffer("float32", "temporary", (1, 2))
    body.step("gather", (table, index), (out,), origin='layer "look" (Lookup)', axis=0)
    body.output(out)
    b = plans.Builder()
    indices, table = b.input("i", (None, 1), "int64"), b.input("t", (5, 2))
    rows, = b.scan(body, [indices], [], [table], rows=[(b.shape(indices)[0], 1, 2)],
                   origin='layer "loop" (RNN)')
    b.output(rows)
    program = b.program()
    values = uniform(5, 2)
    np.testing.assert_array_equal(program.run([[[4], [0]], values])[0][:, 0], values[[4, 0]])
    message = (r'^in layer "loop" \(RNN\): in step 2 of the loop: in layer "look" \(Lookup\): '
               r'\[gather\] an index must be inside its axis of size 5; 7 was given')
    with pytest.raises(OutOfRangeError, match=message):
        program.run([[[4], [0], [7], [9]], values])
    np.testing.assert_array_equal(program.run([[[3]], values])[0][0], values[[3]])


def test_a_check_inside_of_a_body_is_made_when_shapes_are_bound(plans):
    b = sums(plans)
    body = b.plan.plans[0]
    body.checks.append((body.buffers[0].shape[0], body.buffers[1].shape[0],
                        '[add] in layer "loop": x and s must have one size.'))
    program = b.program()
    program.run([uniform(2, 3), uniform(3)])
    with pytest.raises(ShapeError, match='in layer "loop".*The sizes are 3 and 4'):
        program.run([uniform(2, 3), uniform(4)])


def test_the_text_shows_the_bodies(plans):
    text = sums(plans).program().describe()
    assert "scan(x, s; body=plan 0, sequences=1, states=1, outputs=1, reverse=0)" in text
    assert "plan 0:\n    inputs   x: (x.0) float32, s: (s.0) float32\n" in text
    assert "\n    0  b2: (x.0) float32 = elementwise(x, s;" in text


def set_attribute(**values):
    def change(plan):
        step = plan.steps[0]
        plan.steps[0] = step._replace(attributes=dict(step.attributes, **values))
    return change


def set_body(change):
    return lambda plan: change(plan.plans[0])


def set_buffer(number, **fields):
    def change(plan):
        plan.buffers[number] = plan.buffers[number]._replace(**fields)
    return change


@pytest.mark.parametrize("change, message", [
    (set_attribute(body=PlanRef(1)), "number of a sub-plan must be below 1; it is 1"),
    (set_attribute(body=0), r'\[scan\] the attribute "body" must be a Plan'),
    (set_attribute(sequences=3), "the sequences and states must be inputs"),
    (set_attribute(states=2), "the sequences and states must be inputs"),
    (set_attribute(states=0), "the outputs must be the states and the outputs of the steps"),
    (set_attribute(outputs=-1), "the number of outputs must not be negative"),
    (set_attribute(sequences=0, states=2, length=4), "the outputs must be the states"),
    (set_body(lambda body: body.inputs.pop()), "input"),
    (set_body(lambda body: body.outputs.pop()), "the body must have as many outputs"),
    (set_body(lambda body: body.outputs.append(body.outputs[0])), "must have as many outputs"),
    (set_body(set_buffer(1, dtype="float64")), "the body must take .* float32 as input 1"),
    (set_body(set_buffer(2, dtype="int32")), "elementwise"),
    (set_body(set_buffer(0, shape=(0, 0))), r"\[input x\] the shape must be \(None, None\)"),
    (lambda plan: plan.buffers.__setitem__(3, plan.buffers[3]._replace(shape=(2, 1))),
     "one row per step"),
    (lambda plan: plan.shared.append(("w", len(plan.buffers))), "number of a buffer"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_every_wrong_loop_is_refused(plans, change, message):
    b = sums(plans)
    change(b.plan)
    with pytest.raises((GraphError, ShapeError), match=message):
        b.program().run([uniform(2, 3), uniform(3)])


def test_a_body_has_no_shared_values(plans):
    b = plans.Builder()
    body = plans.Builder()
    body.output(body.shared("w", (2,)))
    final = b.buffer("float32", "temporary", (2,))
    b.step("cond", (b.input("p", (), "bool"),), (final,),
           **{"then": b.sub_plan(body), "else": b.sub_plan(body)})
    b.output(final)
    with pytest.raises(GraphError, match="a sub-plan must have no shared values; one has 1"):
        b.program()


def test_plans_go_no_deeper_than_the_format_says(plans):
    def nested(depth):
        b = plans.Builder()
        b.output(b.input("x", (2,)))
        if depth > 0:
            b.sub_plan(nested(depth - 1))
        return b
    nested(16).program()
    with pytest.raises(GraphError, match="must not go deeper than 16"):
        nested(17).program()


def test_sizes_of_a_body_come_from_its_inputs(plans):
    body = plans.Builder()
    x = body.input("x", (None, None))
    rows, columns = body.shape(x)
    out = body.buffer("int64", "temporary", ())
    body.step("size", (), (out,), size=body.size("multiply", rows, columns))
    body.output(out)
    b = plans.Builder()
    xs = b.input("x", (None, None, None))
    counts = b.buffer("int64", "temporary", (b.shape(xs)[0],))
    b.step("scan", (xs,), (counts,), body=b.sub_plan(body), sequences=1, states=0, outputs=1,
           reverse=0)
    b.output(counts)
    assert isinstance(rows, SizeRef)
    np.testing.assert_array_equal(b.program().run([uniform(3, 4, 5)])[0], [20, 20, 20])
