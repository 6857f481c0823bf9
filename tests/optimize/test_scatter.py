"""Rows added where they lie, and inside of programs: what becomes so, and that values stay."""
import numpy as np
import pytest

from symk import backend as K
from symk import ops, optimizers
from symk.compile import function
from symk.compile.legalise import legalise
from symk.compile.native import kernel_names
from symk.graph import Placeholder, apply
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize.fuse import fuse
from symk.optimize.fused import FusedScatter
from symk.optimize.scatter import add_rows_in_place, add_rows_in_program
from symk.optimize.stages import STAGES

X, G = Placeholder("float64", (7, 3)), Placeholder("float64", (4, 3))
ROWS, S = Placeholder("int32", (4,)), Placeholder("float64", ())
FEEDS = {X: np.arange(21.).reshape(7, 3), G: np.arange(12.).reshape(4, 3) - 5,
         ROWS: np.array([2, 6, 2, -7], "int32"), S: np.array(0.3)}


def scattered(g):
    return ops.scatter_add(g, ROWS, 0, 7)


def names(results):
    return [node.op.name for node in nodes_of(results)]


@pytest.mark.parametrize("build", [
    lambda s: X + s, lambda s: s + X, lambda s: X - s, lambda s: X - S * s, lambda s: X + s * 0.5,
    lambda s: X - ops.neg(s * S), lambda s: (X * 2 + s) + scattered(G * G)])
def test_rows_are_added_without_zeros_between(build):
    before = [build(scattered(G))]
    after, counts = add_rows_in_place(before)
    assert sum(counts.values()) == names(before).count("scatter_add")
    assert "scatter_add" not in names(after)
    np.testing.assert_allclose(evaluate(after, FEEDS)[0], evaluate(before, FEEDS)[0], rtol=1e-14)


@pytest.mark.parametrize("build", [
    lambda s: s - X, lambda s: X + s * X, lambda s: X[0] + s, lambda s: X + ops.square(s),
    lambda s: (X + s) * s])
def test_what_is_no_sum_with_rows_stays(build):
    before = [build(scattered(G))]
    after, counts = add_rows_in_place(before)
    assert not counts and names(after) == names(before)


def test_a_step_of_an_embedding_writes_the_rows_alone():
    table, ids = K.variable(np.ones((50, 4))), K.placeholder((6,), dtype="int32")
    gradient, = K.gradients(K.sum(K.square(K.gather(table, ids))), [table])
    step = K.function([ids], [], updates=[(table, table - 0.25 * gradient)])
    step([np.array([3, 3, 7, 0, 49, 3])])
    wanted = np.ones((50, 4))
    for row, times in ((3, 3), (7, 1), (0, 1), (49, 1)):
        wanted[row] -= 0.5 * times
    np.testing.assert_allclose(K.get_value(table), wanted)


def test_a_wrong_index_changes_no_variable():
    """The rows of one table are written where they lie, before all others that are."""
    tables, count = [K.variable(np.ones((50, 4))) for _ in range(2)], K.variable(0.0)
    ids, rows = K.placeholder((3,), dtype="int32"), K.placeholder((3, 4))
    updates = [(table, table - 0.25 * ops.scatter_add(rows, ids * factor, 0, 50))
               for table, factor in zip(tables, (1, 2))]
    step = K.function([ids, rows], [], updates=updates + [(count, count + 1)])
    assert step.show("plan").count("scatter_into(") == 2
    values = np.arange(12.).reshape(3, 4)
    step([np.array([1, 2, 3]), values])
    before = K.batch_get_value([*tables, count])
    assert before[0][1:4].sum() == 12 - 0.25 * values.sum() and before[2] == 1
    for wrong in ([1, 50, 2], [1, 30, 2]):
        with pytest.raises(IndexError):
            step([np.array(wrong), values])
        for value, kept in zip(K.batch_get_value([*tables, count]), before):
            np.testing.assert_array_equal(value, kept)


def test_the_operand_stays_where_others_read_it():
    x = Placeholder("float32", (100, 65))
    g, i = Placeholder("float32", (9, 65)), Placeholder("int64", (9,))
    total = x + ops.scatter_add(g, i, 0, 100)
    arrays = [np.random.RandomState(n).normal(size=v.shape).astype("float32")
              for n, v in enumerate((x, g))] + [np.arange(9) * 11 % 7]
    kept = arrays[0].copy()
    made, same = function([x, g, i], [total, x * 2]).run(arrays)
    np.add.at(kept, arrays[2], arrays[1])
    np.testing.assert_allclose(made, kept, rtol=1e-6)
    np.testing.assert_array_equal(same, arrays[0] * 2)


# --- behind programs ---

def step_of(optimizer, rows, width, stages=None):
    """One step of an optimizer for a table of which seven rows are looked up: (function, table)."""
    table = K.variable(np.random.RandomState(3).normal(size=(rows, width)))
    ids = K.placeholder((7,), dtype="int32")
    loss = K.sum(K.square(K.gather(table, ids)) * K.reshape(K.arange(7, dtype="float32"), (7, 1)))
    made = optimizer()
    updates = [(a, b) for a, b in made.get_updates(loss, [table])]
    return function([ids], [], updates=updates, stages=stages), made.weights + [table]


OPTIMIZERS = [optimizers.RMSprop, optimizers.Adagrad, optimizers.Adadelta, optimizers.Adam,
              optimizers.Adamax, optimizers.Nadam]
UNFUSED = [stage.name for stage in STAGES if stage.name != "fuse"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_step_of_an_optimizer_reads_rows_instead_of_zeros(optimizer):
    step, _ = step_of(optimizer, 50, 4)
    plan = step.show("plan")
    assert "fused_scatter(" in plan and "scatter_add(" not in plan
    written_later = [line for line in plan.splitlines() if line.startswith("update ")]
    assert all("m_schedule" in line for line in written_later)    # a number of Nadam


@pytest.mark.parametrize("rows,width", [(5, 1), (400, 1), (3, 127), (3, 128), (3, 129), (9, 383),
                                        (9, 384), (9, 385), (2, 1000), (3000, 33)])
@pytest.mark.parametrize("optimizer", [optimizers.Adam, optimizers.RMSprop])
def test_the_bits_are_those_of_one_op_after_the_other(optimizer, rows, width):
    sides = [step_of(optimizer, rows, width, stages) for stages in (None, UNFUSED)]
    for seed in range(3):
        ids = np.random.RandomState(seed).randint(-rows, rows, 7)
        for step, _ in sides:
            step(ids)
    for one, other in zip(*(K.batch_get_value(values) for _, values in sides)):
        np.testing.assert_array_equal(one, other)


def test_a_wrong_index_changes_nothing_of_an_optimizer():
    step, values = step_of(optimizers.Adam, 50, 4)
    step(np.arange(7))
    before = K.batch_get_value(values)
    with pytest.raises(IndexError, match="scatter|gather"):
        step(np.array([0, 1, 2, 50, 3, 4, 5]))
    for value, kept in zip(K.batch_get_value(values), before):
        np.testing.assert_array_equal(value, kept)


def test_one_table_of_several_is_taken_the_largest():
    tables = [K.variable(np.ones((rows, 4))) for rows in (20, 50, 30)]
    ids = K.placeholder((7,), dtype="int32")
    loss = sum(K.sum(K.square(K.gather(table, ids))) for table in tables)
    step = K.function([ids], [], updates=optimizers.Adam().get_updates(loss, tables))
    plan = step.show("plan")
    assert plan.count("fused_scatter(") == 1 and plan.count("scatter_add(") == 2
    assert "update" not in plan
    line, = (line for line in plan.splitlines() if "fused_scatter(" in line)
    assert "float32(50, 4)" in line


@pytest.mark.parametrize("build", [
    lambda s: [ops.exp(s) * X, ops.sum(s)], lambda s: [ops.exp(s) * X, s],
    lambda s: [ops.exp(s) * ops.reshape(ops.tile(X, (2, 1)), (2, 7, 3))]],
    ids=["read twice", "a result", "of another shape"])
def test_rows_that_are_needed_in_memory_stay(build):
    results, _ = fuse(build(scattered(G)))
    after, counts = add_rows_in_program(results)
    assert not counts and names(after) == names(results)


def test_a_program_with_rows_means_what_both_mean():
    before, _ = fuse([ops.exp(scattered(G)) * X, X - scattered(G * 2)])
    after, counts = add_rows_in_program(before)
    assert sum(counts.values()) == 1 and "fused_scatter" in names(after)
    for one, other in zip(evaluate(after, FEEDS), evaluate(before, FEEDS)):
        np.testing.assert_array_equal(one, other)


def test_a_device_without_the_kernel_adds_the_rows_first():
    after, _ = add_rows_in_program(fuse([ops.exp(scattered(G)) * X])[0])
    legal = legalise(after, kernel_names() - {"fused_scatter"})
    assert names(legal) == ["scatter_add", "fused"]
    np.testing.assert_array_equal(evaluate(legal, FEEDS)[0], evaluate(after, FEEDS)[0])


def test_an_operand_may_stand_twice():
    op = FusedScatter(ops=("mul", "sub"), dtypes=("float64", "float64"), arity=(2, 2),
                      args=(0, 1, 2, 3), outs=(3, 4), place=1, size=7)
    x = ops.sin(X)
    results = apply(op, x, G, x, ROWS)
    inputs = [X, G, ROWS]
    wanted = evaluate(list(results), FEEDS)
    for one, other in zip(function(inputs, list(results)).run([FEEDS[v] for v in inputs]), wanted):
        np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-14)


def test_rows_that_are_an_operand_as_well_are_not_written_over():
    """The rows have the shape of the sum here: seven of them, added in another order."""
    rows, order = Placeholder("float64", (7, 3)), Placeholder("int32", (7,))
    op = FusedScatter(ops=("sub",), dtypes=("float64",), arity=(2,), args=(0, 1), outs=(2,),
                      place=1, size=7)
    made = ops.sin(rows)
    result = apply(op, made, made, order)[0]
    arrays = [FEEDS[X], np.arange(7)[::-1].astype("int32")]
    found, = function([rows, order], [result]).run(arrays)
    np.testing.assert_allclose(found, np.sin(arrays[0]) - np.sin(arrays[0])[::-1], atol=1e-14)


def test_rows_behind_an_operand_that_stands_twice_are_not_written_over():
    rows, order = Placeholder("float64", (7, 3)), Placeholder("int32", (7,))
    op = FusedScatter(ops=("add", "sub"), dtypes=("float64", "float64"), arity=(2, 2),
                      args=(0, 1, 3, 2), outs=(4,), place=2, size=7)
    other = Placeholder("float64", (7, 3))
    result = apply(op, other, other, ops.sin(rows), order)[0]
    arrays = [FEEDS[X], np.arange(7)[::-1].astype("int32"), FEEDS[X] * 0.1]
    found, = function([rows, order, other], [result]).run(arrays)
    np.testing.assert_allclose(found, arrays[2] * 2 - np.sin(arrays[0])[::-1], atol=1e-14)
