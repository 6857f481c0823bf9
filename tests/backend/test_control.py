"""Choices by the learning phase and by tensors."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import ShapeError


@pytest.fixture(autouse=True)
def free_phase():
    yield
    K.clear_session()


def never():
    raise AssertionError("the branch that is not taken was built")


def test_switch_takes_elements():
    x = K.variable([[1.0, -2.0], [-3.0, 4.0]])
    y = K.switch(K.greater(x, 0.0), x, -10.0 * x)
    np.testing.assert_array_equal(K.eval(y), [[1.0, 20.0], [30.0, 4.0]])


def test_switch_repeats_the_condition_over_trailing_axes():
    condition = K.variable([1, 0], dtype="int32")
    y = K.switch(condition, K.ones((2, 3)), K.zeros((2, 3)))
    np.testing.assert_array_equal(K.eval(y), [[1, 1, 1], [0, 0, 0]])
    with pytest.raises(ShapeError, match="must not have more axes"):
        K.switch(K.ones((2, 2)), K.ones((2,)), K.ones((2,)))


def test_gradient_flows_through_the_taken_branch_only():
    x = K.variable([2.0, -2.0])
    y = K.switch(K.greater(x, 0.0), lambda: K.square(x), lambda: 5.0 * x)
    np.testing.assert_array_equal(K.eval(K.gradients(y, x)[0]), [4.0, 5.0])


def test_fixed_phase_builds_one_branch():
    x = K.variable(3.0)
    assert K.eval(K.in_train_phase(x, never, training=1)) == 3.0
    assert K.eval(K.in_test_phase(x, never, training=False)) == 3.0
    K.set_learning_phase(1)
    assert K.learning_phase() == 1
    assert K.eval(K.in_train_phase(lambda: x * 2.0, never)) == 6.0
    K.set_learning_phase(0)
    assert K.eval(K.in_train_phase(never, lambda: x * 2.0)) == 6.0


def test_a_phase_that_is_none_is_refused():
    with pytest.raises(ValueError, match="training must be 0, 1, a bool, a tensor or None"):
        K.in_train_phase(K.constant(1.0), never, training=2)


def test_clearing_frees_the_phase():
    K.set_learning_phase(1)
    K.clear_session()
    assert K.is_placeholder(K.learning_phase())


def test_phase_may_be_a_tensor():
    flag = K.placeholder((), dtype="bool")
    f = K.function([flag], [K.in_train_phase(K.constant(1.0), K.constant(2.0), training=flag)])
    assert f([True])[0] == 1.0 and f([False])[0] == 2.0
