"""The check of gradients finds a wrong one, and needs float64."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import verify
from symk.graph import DtypeError, GraphError, Placeholder


def test_a_right_gradient_passes():
    x = Placeholder("float64", (3,))
    assert verify.check(ops.exp(x) * x, {x: np.array([0.1, 0.2, 0.3])}) < 1e-8


def test_a_wrong_gradient_is_found():
    x = Placeholder("float64", (3,))
    wrong = x * ops.stop_gradient(x)  # the slope is 2x, the gradient says x
    with pytest.raises(GraphError, match="must be its slope"):
        verify.check(wrong, {x: np.array([0.5, 1.0, 2.0])})


def test_a_gradient_that_is_missing_is_found():
    x = Placeholder("float64", (3,))
    with pytest.raises(GraphError, match="it is 0, by differences"):
        verify.check(ops.stop_gradient(ops.exp(x)), {x: np.ones(3)})


def test_a_gradient_that_is_not_a_number_is_found():
    x = Placeholder("float64", ())
    with pytest.raises(GraphError, match="must be its slope"):
        verify.check(ops.where(ops.less(x, 1.0), x, ops.sqrt(x - 1.0)), {x: np.array(0.5)})


def test_differences_need_float64():
    x = Placeholder("float32", (3,))
    with pytest.raises(DtypeError, match="differences need float64"):
        verify.check(ops.exp(x), {x: np.ones(3, "float32")})


def test_inputs_may_be_left_alone():
    x, y = Placeholder("float64", ()), Placeholder("float64", ())
    wrong_in_y = x * ops.stop_gradient(y)
    verify.check(wrong_in_y, {x: np.array(2.0), y: np.array(3.0)}, wrt=[x])


def test_a_wrong_forward_derivative_is_found():
    x = Placeholder("float64", (3,))
    value = {x: np.array([0.5, 1.0, 2.0])}
    assert verify.check_forward(ops.exp(x) * x, value) < 1e-8
    with pytest.raises(GraphError, match="the jvp of .* must be its slope"):
        verify.check_forward(x * ops.stop_gradient(x), value)
