"""The whole Jacobian, by rows or by columns, and what is disconnected."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad, jacobian
from symk.graph import GraphError, Placeholder
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of

RANDOM = np.random.default_rng(8)


def placeholder(*shape, dtype="float64"):
    return Placeholder(dtype, shape)


def test_a_linear_map_has_its_matrix():
    matrix = RANDOM.normal(size=(3, 5))
    x = placeholder(5)
    y = ops.reshape(ops.matmul(ops.constant(matrix), ops.reshape(x, (5, 1))), (3,))
    np.testing.assert_allclose(evaluate([jacobian(y, x)], {x: np.ones(5)})[0], matrix)


@pytest.mark.parametrize("rows, columns", [((2, 3), (7,)), ((7,), (2, 3)), ((), (4,)), ((4,), ())])
def test_the_axes_are_those_of_the_expression_then_those_of_the_variable(rows, columns):
    x = placeholder(*columns)
    weights = RANDOM.normal(size=rows + columns)
    y = ops.sin(ops.sum(ops.constant(weights) * x, tuple(range(len(rows), len(rows + columns))))
                if columns else ops.constant(weights) * x)
    value = RANDOM.normal(size=columns)
    slope = np.cos(np.sum(weights * value, tuple(range(len(rows), len(rows + columns)))))
    expected = slope.reshape(rows + (1,) * len(columns)) * weights
    found = jacobian(y, x)
    assert found.shape == rows + columns
    np.testing.assert_allclose(evaluate([found], {x: value})[0], expected)


def test_the_cheaper_way_is_taken():
    x = placeholder(2)
    wide = ops.exp(ops.tile(ops.reshape(x, (1, 2)), (50, 1)))
    assert len(nodes_of([jacobian(wide, x)])) < 60
    assert len(nodes_of([jacobian(ops.sum(wide), x)])) < 60


def test_one_known_shape_is_enough():
    x, w = placeholder(None, 2), placeholder(2)
    y = ops.tanh(ops.sum(x * w, 1))
    value, weights = RANDOM.normal(size=(5, 2)), RANDOM.normal(size=2)
    found, = evaluate([jacobian(y, w)], {x: value, w: weights})
    np.testing.assert_allclose(found, (1 - np.tanh(value @ weights) ** 2)[:, None] * value)
    by_x, = evaluate([jacobian(ops.sum(y), x)], {x: value, w: weights})
    assert by_x.shape == (5, 2)
    with pytest.raises(GraphError, match="the shape of the expression or of the variable must be"):
        jacobian(y, x)


def test_the_jacobian_of_a_gradient_is_the_hessian():
    x = placeholder(3)
    loss = ops.prod(x)
    value = np.array([2.0, 3.0, 5.0])
    hessian, = evaluate([jacobian(grad(loss, x), x)], {x: value})
    np.testing.assert_allclose(hessian, [[0, 5, 3], [5, 0, 2], [3, 2, 0]], atol=1e-12)


def test_what_is_disconnected_is_the_callers_choice():
    x, y = placeholder(2), placeholder(3)
    zero, = evaluate([jacobian(ops.exp(x), y)], {})
    assert zero.shape == (2, 3) and not zero.any()
    assert jacobian(ops.exp(x), y, disconnected="none") is None
    with pytest.raises(GraphError, match="does not depend on"):
        jacobian(ops.exp(x), y, disconnected="raise")


def test_several_variables_give_a_list():
    x, y = placeholder(2), placeholder(3)
    found = jacobian(ops.concat([ops.exp(x), y], 0), [x, y])
    assert [matrix.shape for matrix in found] == [(5, 2), (5, 3)]


def test_the_jacobian_of_nothing_is_empty():
    x = placeholder(0)
    assert evaluate([jacobian(ops.exp(x), x)], {x: np.zeros(0)})[0].shape == (0, 0)


def test_the_expression_must_be_floating():
    x = placeholder(2)
    with pytest.raises(GraphError, match="the expression must be floating"):
        jacobian(ops.cast(x, "int32"), x)
