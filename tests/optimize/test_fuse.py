"""What fusion joins, and what it must leave apart."""
import numpy as np
import pytest

from symk import ops
from symk.graph import Placeholder
from symk.graph.check import check
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize import fuse as fusion
from symk.optimize.fuse import fuse


def matrix(name="x", shape=(None, 4)):
    return Placeholder("float64", shape, name=name)


def fused(results, *inputs):
    """The ops after fusion, in order, having checked graph and values."""
    after, _ = fuse(results)
    check(after)
    random = np.random.RandomState(2)
    feeds = {v: random.uniform(0.5, 2, [size if isinstance(size, int) else 3 for size in v.shape])
             for v in inputs}
    for one, other in zip(evaluate(results, feeds), evaluate(after, feeds)):
        np.testing.assert_allclose(one, other)
    return [node.op for node in nodes_of(after)]


def test_a_chain_becomes_one_program():
    x = matrix()
    op, = fused([ops.exp(-x) * 2 + x], x)
    assert op.ops == ("neg", "exp", "mul", "add") and len(op.outs) == 1


def test_a_value_used_twice_is_computed_once():
    x = matrix()
    y = ops.exp(x)
    op, = fused([y * y + y], x)
    assert op.ops.count("exp") == 1


def test_values_needed_outside_are_results_of_the_program():
    x = matrix()
    y = ops.exp(x)
    program, total = fused([ops.sum(y), y + 1], x)
    assert program.name == "fused" and total.name == "sum" and len(program.outs) == 2


def test_a_lone_node_stays_as_it_is():
    x = matrix()
    assert [op.name for op in fused([ops.sum(ops.exp(x))], x)] == ["exp", "sum"]


def test_rows_and_scalars_are_not_computed_once_per_element():
    x, row = matrix(), matrix("row", (4,))
    names = [op.name for op in fused([x * ops.exp(row + 1) + 2], x, row)]
    assert names == ["fused", "fused"]


def test_a_path_through_another_kernel_keeps_its_ends_apart():
    x = matrix()
    y = ops.exp(x)
    z = y + ops.softmax(y)
    assert [op.name for op in fused([z], x)] == ["exp", "softmax", "add"]


def test_a_path_through_another_shape_keeps_its_ends_apart():
    x, row = matrix("x", (1, 4)), matrix("row", (3, 4))
    y = ops.exp(x)
    wide = y + row
    back = ops.tanh(y) * ops.sum(wide, 0, keepdims=True)
    fused([back, wide], x, row)


def test_a_node_moves_to_the_one_program_that_reads_it():
    """The test of relu's gradient needs no memory of its own between forward and backward."""
    x = matrix()
    mask = ops.greater(x, 1)
    late = ops.where(mask, ops.softmax(x), 0)
    names = [op.name for op in fused([late], x)]
    assert names == ["softmax", "fused"]


def test_long_chains_are_cut(monkeypatch):
    monkeypatch.setattr(fusion, "MOST_INSTRUCTIONS", 5)
    x = matrix()
    y = x
    for _ in range(12):
        y = ops.tanh(y)
    assert [len(op.ops) for op in fused([y], x)] == [5, 5, 2]


def test_programs_have_few_operands(monkeypatch):
    monkeypatch.setattr(fusion, "MOST_OPERANDS", 3)
    inputs = [matrix("x%d" % k, (3, 4)) for k in range(8)]
    y = inputs[0]
    for x in inputs[1:]:
        y = ops.tanh(y + x)
    programs = fused([y], *inputs)
    assert len(programs) > 2
    assert all(max(op.args) - len(op.ops) < 3 + len(op.ops) for op in programs)


@pytest.mark.parametrize("seed", range(20))
def test_random_webs_of_shapes_make_no_cycle(seed):
    random = np.random.RandomState(seed)
    inputs = [matrix("x", (3, 4)), matrix("row", (4,)), matrix("column", (3, 1))]
    pool = list(inputs)
    for _ in range(40):
        a, b = (pool[random.randint(len(pool))] for _ in range(2))
        made = ops.tanh(a + b)
        if random.randint(5) == 0:
            made = ops.sum(made, made.ndim - 1, keepdims=True)
        pool.append(made)
    fused(pool[-4:], *inputs)
