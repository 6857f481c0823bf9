"""Rows added where they lie: which sums become so, and that values stay."""
import numpy as np
import pytest

from symk import backend as K
from symk import ops
from symk.compile import function
from symk.graph import Placeholder
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize.scatter import add_rows_in_place

X, G, ROWS = Placeholder("float64", (7, 3)), Placeholder("float64", (4, 3)), Placeholder("int32", (4,))
S = Placeholder("float64", ())
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
