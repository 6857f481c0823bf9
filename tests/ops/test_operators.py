"""Operators of Variables: with each other, with numbers and with arrays, from both sides."""
import operator

import numpy as np
import pytest

from symk import ops
from symk.graph import GraphError, Placeholder
from symk.graph.reference import evaluate

VALUE = np.array([[1.5, -2.0], [3.0, 0.5]])


@pytest.mark.parametrize("apply", [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.lt, operator.le, operator.gt, operator.ge])
@pytest.mark.parametrize("other", [np.array([[2.0, 0.5], [-1.0, 1.5]]), 2.0, 2, np.float64(2)])
def test_an_operator_means_what_numpy_means(apply, other):
    x = Placeholder("float64", (2, 2))
    for symbolic, plain in ((apply(x, other), apply(VALUE, other)),
                            (apply(other, x), apply(other, VALUE)),
                            (apply(x, ops.constant(np.float64(other))), apply(VALUE, other))):
        result, = evaluate([symbolic], {x: VALUE})
        np.testing.assert_allclose(result, plain)
        assert result.dtype == plain.dtype


def test_matrix_products():
    x = Placeholder("float64", (2, 2))
    for result, expected in zip(evaluate([x @ VALUE.T, VALUE.T @ x], {x: VALUE}),
                                (VALUE @ VALUE.T, VALUE.T @ VALUE)):
        np.testing.assert_allclose(result, expected)


def test_powers_and_signs():
    x = Placeholder("float64", (2, 2))
    results = evaluate([x ** 2, 2 ** x, -x, abs(x)], {x: VALUE})
    for result, expected in zip(results, [VALUE ** 2, 2 ** VALUE, -VALUE, abs(VALUE)]):
        np.testing.assert_allclose(result, expected)


def test_equality_is_identity():
    x, y = Placeholder("float32", ()), Placeholder("float32", ())
    assert x == x and x != y and len({x, y, x}) == 2


@pytest.mark.parametrize("use", [
    np.asarray, lambda x: np.asarray([x, x]), lambda x: np.add([x, x], 1.0),
    lambda x: np.sum([x])])
def test_a_variable_is_no_array(use):
    with pytest.raises(GraphError, match="has no value while the graph is built"):
        use(Placeholder("float32", (1000, 1000)))


def test_an_array_asks_the_variable():
    x = Placeholder("float32", (2,))
    y = np.ones(2) * x
    assert y.shape == (2,) and y.dtype == "float32"
