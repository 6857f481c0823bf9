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
