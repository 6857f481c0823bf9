"""Producers and reductions in one step: what is joined, what stays apart, and the values."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from symk import autodiff, ops
from symk.compile import function
from symk.graph import Placeholder
from symk.graph.check import check
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize.fuse import fuse
from symk.optimize.fuse_reduce import fuse_reductions


def matrix(name="x", shape=(None, 4)):
    return Placeholder("float64", shape, name=name)


def fused(results, *inputs):
    """The ops after both fusions, in order, having checked graph and values."""
    after, _ = fuse_reductions(fuse(results)[0])
    check(after)
    assert [v.type for v in after] == [v.type for v in results]
    random = np.random.RandomState(2)
    feeds = {v: random.uniform(0.5, 2, [size if isinstance(size, int) else 3 for size in v.shape])
             for v in inputs}
    for one, other in zip(evaluate(results, feeds), evaluate(after, feeds)):
        np.testing.assert_allclose(one, other)
    return [node.op for node in nodes_of(after) if node.op.kind != "shape"]


def test_a_producer_and_its_reduction_are_one():
    x = matrix()
    op, = fused([ops.sum(ops.square(x) * 2, 1)], x)
    assert op.ops == ("square", "mul") and op.reductions == ("sum",) and op.axes == (1,)


def test_axes_that_are_kept_come_back():
    x = matrix()
    op, = fused([ops.mean(ops.exp(x), 0, keepdims=True)], x)
    assert op.reductions == ("mean",)


def test_two_reductions_of_one_producer_are_one_step():
    x = matrix()
    y = ops.exp(x)
    op, = fused([ops.sum(y, 1), ops.max(y * x, 1), ops.sum(x, 1)], x)
    assert sorted(op.reductions) == ["max", "sum", "sum"] and op.ops.count("exp") == 1


def test_what_others_read_is_written_on_the_way():
    x = matrix()
    y = ops.exp(x)
    program, softmax = fused([ops.sum(y, 0), ops.softmax(y)], x)
    assert program.reductions == ("", "sum") and softmax.name == "softmax"


def test_reductions_of_the_same_values_without_a_producer():
    x = matrix()
    op, = fused([ops.sum(x, 0), ops.max(x, 0)], x)
    assert op.ops == () and op.reductions == ("sum", "max")
    assert [op.name for op in fused([ops.sum(x, 0)], x)] == ["sum"]


def test_other_axes_are_another_step():
    x = matrix()
    y = ops.exp(x)
    first, second = fused([ops.sum(y, 0), ops.sum(y, 1)], x)
    assert {first.name, second.name} == {"fused_reduce", "sum"}


def test_a_mean_and_the_variance_around_it_are_two_steps():
    """The second reads the first: joined they would be a cycle."""
    x = matrix()
    centred = x - ops.mean(x, 0)
    names = [op.name for op in fused([ops.mean(ops.square(centred), 0)], x)]
    assert names == ["mean", "fused_reduce"]


def test_a_path_through_other_programs_keeps_reductions_apart(monkeypatch):
    from symk.optimize import fuse as fusion
    monkeypatch.setattr(fusion, "MOST_INSTRUCTIONS", 2)
    x = matrix()
    first = ops.exp(x) + 1
    second = ops.tanh(first) * 2
    third = ops.sin(second) + x
    results = [ops.sum(first, 1), ops.sum(third, 1), ops.sum(x, 1)]
    fused(results, x)


def test_float16_is_summed_by_the_kernel_that_widens_it():
    x = Placeholder("float16", (3, 4))
    after, _ = fuse_reductions(fuse([ops.sum(ops.exp(x), 1)])[0])
    assert [node.op.name for node in nodes_of(after)] == ["exp", "sum"]


def test_the_gradient_of_a_bias_is_summed_where_it_is_made():
    x, w, b = matrix(), matrix("w", (4, 5)), matrix("b", (5,))
    loss = ops.sum(ops.square(ops.relu(ops.matmul(x, w) + b)))
    steps = function([x, w, b], autodiff.grad(loss, [w, b])).plan.steps
    kernels = [step.kernel for step in steps]
    assert kernels.count("fused_reduce") == 1 and "sum" not in kernels and "sum_to" not in kernels


@pytest.mark.parametrize("seed", range(20))
def test_random_webs_make_no_cycle(seed):
    random = np.random.RandomState(seed)
    inputs = [matrix("x", (3, 4)), matrix("row", (4,)), matrix("column", (3, 1))]
    pool = list(inputs)
    for _ in range(60):
        a, b = (pool[random.randint(len(pool))] for _ in range(2))
        made = ops.tanh(a + b)
        if random.randint(3) == 0:
            made = ops.sum(made, random.randint(made.ndim), keepdims=True)
        pool.append(made)
    fused(pool[-6:], *inputs)


# --- the kernel ---

SIZES = st.one_of(st.integers(0, 9), st.sampled_from([63, 64, 65, 257, 1025]))


@hypothesis.settings(max_examples=150)
@hypothesis.given(shape=st.lists(SIZES, min_size=1, max_size=4), data=st.data())
def test_the_kernel_agrees_with_its_meaning_on_any_shape(shape, data):
    hypothesis.assume(np.prod([max(size, 1) for size in shape]) < 200000)
    rank = len(shape)
    axes = data.draw(st.lists(st.integers(0, rank - 1), unique=True, min_size=1))
    other = [data.draw(st.sampled_from([1, size])) for size in shape][data.draw(
        st.integers(0, rank)):]
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    x, y = Placeholder(dtype, shape), Placeholder(dtype, other)
    random = np.random.RandomState(0)
    arrays = [random.uniform(0.5, 1.5, v.shape).astype(dtype) for v in (x, y)]
    made = ops.maximum(x * y, 0.7) + x
    results = [ops.sum(made, axes), ops.max(made, axes), made, ops.min(x * 2, axes),
               ops.prod(ops.sqrt(x) * 0 + 1, axes),
               ops.any(ops.greater(made, 1), axes), ops.sum(ops.cast(made, "int32"), axes)]
    native = function([x, y], results)
    assert "sum" not in [step.kernel for step in native.plan.steps]
    expected = function([x, y], results, mode="reference").run(arrays)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for value, wanted in zip(native.run(arrays), expected):
        assert value.dtype == wanted.dtype
        np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape, other, axis", [
    ((3, 0), (3, 1), 1), ((3, 0), (0,), 0), ((2, 3, 0), (3, 1), 2), ((2, 0, 3), (0, 1), 1)])
def test_a_column_beside_no_elements_divides_by_nothing(shape, other, axis):
    x = Placeholder("float32", (None,) * len(shape), name="x")
    column = Placeholder("float32", (None,) * len(other), name="column")
    f = function([x, column], [ops.sum(ops.exp(x) * column + x, axis)])
    result, = f(np.ones(shape, "float32"), np.ones(other, "float32"))
    np.testing.assert_array_equal(result, np.zeros(np.delete(shape, axis)))


def test_long_sums_are_exact_to_a_rounding():
    x = Placeholder("float32", (None,))
    total = function([x], [ops.sum(ops.square(x))])
    values = np.random.RandomState(3).standard_normal(3000000).astype("float32")
    exact = np.sum(values.astype("float64") ** 2)
    assert abs(total.run([values])[0] - exact) / exact < 3e-7


@pytest.mark.parametrize("axes", [None, (0,), (1,), (2,), (0, 1), (1, 2), (0, 2)])
def test_scratch_is_small_whatever_the_shape(axes):
    for shape in ((200, 32, 128), (2, 3, 100000), (100000, 2, 3), (3, 100000, 2)):
        x = Placeholder("float32", shape)
        total = function([x], [ops.mean(ops.square(x), axes)])
        total.run([np.ones(shape, "float32")])
        rows = [row for row in total.program.memory()["map"] if "scratch" in row["name"]]
        assert len(rows) == 1 and rows[0]["bytes"] < 4e6


def test_a_damaged_plan_is_refused():
    from symk.compile import plan as plans
    from symk.compile.native import core
    x = Placeholder("float32", (3, 4))
    whole = function([x], [ops.sum(ops.exp(x), 1)]).plan
    array = np.ones((3, 4), "float32")
    for key, value in (("reductions", ("median",)), ("reductions", ()), ("axes", (7,)),
                       ("outs", (9,)), ("args", (5,))):
        step = whole.steps[0]
        damaged = plans.decode(plans.encode(whole))
        damaged.steps[0] = step._replace(attributes=dict(step.attributes, **{key: value}))
        program = core().Program(plans.encode(damaged), [])
        with pytest.raises(ValueError):
            program.run([array])


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_the_number_of_threads_changes_no_bit(axes):
    from symk.compile.native import core
    x = Placeholder("float32", (700, 900))
    array = np.random.RandomState(4).standard_normal((700, 900)).astype("float32")
    native = function([x], [ops.sum(ops.exp(x), axes), ops.mean(x, axes), ops.exp(x)])
    before = core().threads()
    results = []
    try:
        for threads in (1, 2, 3):
            core().set_threads(threads)
            results.append([value.tobytes() for value in native.run([array])])
    finally:
        core().set_threads(before)
    assert results[0] == results[1] == results[2]
