"""A decided choice leaves no trace of the other branch, also in gradients."""
import numpy as np

from symk import ops
from symk.autodiff import grad
from symk.graph import Placeholder, Shared
from symk.graph.walk import nodes_of
from symk.optimize import decide, specialise


def names(results):
    return [node.op.name for node in nodes_of(results)]


def test_the_other_branch_has_no_gradient():
    phase = Placeholder("uint8", (), name="phase")
    x = Placeholder("float32", (None, 3), name="x")
    w = Shared(np.ones((3, 3), "float32"), name="w")
    loss = ops.sum(ops.where(ops.equal(phase, 1), ops.tanh(x), ops.matmul(x, w)))
    for value, gradient in ((0, True), (1, False)):
        fixed, = specialise([loss], {phase: ops.constant(value, "uint8")})
        assert "where" not in names([fixed])
        assert (grad(fixed, [w])[0] is not None) == gradient


def test_choices_by_data_and_by_unknown_scalars_stay():
    x = Placeholder("float32", (None, 3), name="x")
    flag = Placeholder("bool", (), name="flag")
    results = [ops.where(ops.greater(x, 0), x, -x), ops.where(flag, x, -x)]
    assert decide(results) == results


def test_a_branch_of_another_shape_stays_a_choice():
    x = Placeholder("float32", (None, 3), name="x")
    row = ops.constant(np.ones(3, "float32"))
    result, = decide([ops.where(True, row, x)])
    assert result.shape == x.shape and names([result]) == ["where"]


def test_choices_inside_of_loops_are_decided_and_forget_their_keys():
    phase = Placeholder("uint8", (), name="phase")
    x = Placeholder("float32", (None, 3), name="x")
    key = ops.random_key(1)

    def step(rows, _):
        noise = ops.random_uniform(key, (3,), dtype="float32")
        return [], [ops.where(ops.equal(phase, 1), rows[0] + noise, rows[0])]

    _, (y,) = ops.scan(step, [x])
    for value in (0, 1):
        fixed, = specialise([y], {phase: ops.constant(value, "uint8")})
        inner = [node.op.name for node in fixed.node.op.body.nodes]
        assert "where" not in inner and ("random_uniform" in inner) == bool(value)
        assert (key in fixed.node.inputs) == bool(value)


def test_a_known_branch_is_its_side():
    phase = Placeholder("uint8", (), name="phase")
    x = Placeholder("float32", (None, 3), name="x")
    inner = lambda: ops.cond(ops.equal(phase, 0), lambda: x * 2, lambda: ops.sin(x))  # noqa: E731
    y = ops.cond(phase, inner, lambda: ops.exp(x))
    for value, wanted in ((0, ["exp"]), (1, ["sin"])):
        assert names(specialise([y], {phase: ops.constant(value, "uint8")})) == wanted


def test_sizes_decide_nothing():
    x = Placeholder("float32", (None, 3), name="x")
    results = [ops.where(ops.greater(ops.size_of(x.shape[0]), 2), x, -x)]
    assert decide(results) == results
