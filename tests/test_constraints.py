"""Constraints: what they do to a weight, and configs."""
import numpy as np
import pytest

from symk import backend as K
from symk import constraints

W = np.array([[3.0, 0.1, -1.0], [4.0, 0.0, 0.5]], "float32")


def apply(constraint, w=W):
    return K.eval(constraint(K.variable(w)))


def test_max_norm_scales_long_columns_only():
    result = apply(constraints.MaxNorm(2.0, axis=0))
    np.testing.assert_allclose(result[:, 0], [1.2, 1.6], rtol=1e-5)
    np.testing.assert_allclose(result[:, 1:], W[:, 1:], rtol=1e-5)


def test_non_neg():
    np.testing.assert_array_equal(apply(constraints.NonNeg()), np.maximum(W, 0))


@pytest.mark.parametrize("axis", [0, 1])
def test_unit_norm(axis):
    np.testing.assert_allclose(np.linalg.norm(apply(constraints.UnitNorm(axis)), axis=axis), 1.0,
                               rtol=1e-5)


def test_min_max_norm_moves_by_its_rate():
    norms = np.linalg.norm(apply(constraints.MinMaxNorm(0.5, 2.0, rate=1.0)), axis=0)
    np.testing.assert_allclose(norms, [2.0, 0.5, np.sqrt(1.25)], rtol=1e-5)
    norms = np.linalg.norm(apply(constraints.MinMaxNorm(0.5, 2.0, rate=0.5)), axis=0)
    np.testing.assert_allclose(norms, [3.5, 0.3, np.sqrt(1.25)], rtol=1e-5)


@pytest.mark.parametrize("one", [constraints.MaxNorm(3.0, 1), constraints.NonNeg(),
                                 constraints.UnitNorm(1), constraints.MinMaxNorm(0.1, 0.9, 0.5, 1)])
def test_configs_make_the_same_again(one):
    again = constraints.deserialize(constraints.serialize(one))
    assert type(again) is type(one) and again.get_config() == one.get_config()


def test_names_callables_and_none():
    assert isinstance(constraints.get("maxnorm"), constraints.MaxNorm)
    assert isinstance(constraints.get("non_neg"), constraints.NonNeg)
    assert constraints.get(None) is None
    assert constraints.get(abs) is abs
    with pytest.raises(ValueError, match="known constraint is required"):
        constraints.get("nope")
