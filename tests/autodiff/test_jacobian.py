"""The whole Jacobian, by rows or by columns, and what is disconnected."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad, jacobian, verify
from symk.compile import function
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


def test_many_walks_are_a_loop():
    x = placeholder(200)
    found = jacobian(ops.tanh(x * x), x)
    assert len(nodes_of([found])) < 60
    value = RANDOM.normal(size=200)
    np.testing.assert_allclose(evaluate([found], {x: value})[0],
                               np.diag(2 * value * (1 - np.tanh(value ** 2) ** 2)))


def test_no_shape_has_to_be_known():
    x, w = placeholder(None, 2), placeholder(None)
    y = ops.tanh(ops.sum(x, 1) * ops.sum(w))
    value, weights = RANDOM.normal(size=(3, 2)), RANDOM.normal(size=4)
    slope = 1 - np.tanh(value.sum(1) * weights.sum()) ** 2
    by_x, by_w = evaluate(jacobian(y, [x, w]), {x: value, w: weights})
    expected = np.zeros((3, 3, 2))
    expected[range(3), range(3)] = (slope * weights.sum())[:, None]
    np.testing.assert_allclose(by_x, expected)
    np.testing.assert_allclose(by_w, np.repeat((slope * value.sum(1))[:, None], 4, 1))
    f = function([x, w], jacobian(y, [x, w]))
    for size in (1, 5, 0):
        native = f(np.ones((size, 2)), weights)
        assert [array.shape for array in native] == [(size, size, 2), (size, 4)]


def test_one_known_shape_is_enough():
    x, w = placeholder(None, 2), placeholder(2)
    y = ops.tanh(ops.sum(x * w, 1))
    value, weights = RANDOM.normal(size=(5, 2)), RANDOM.normal(size=2)
    found, = evaluate([jacobian(y, w)], {x: value, w: weights})
    np.testing.assert_allclose(found, (1 - np.tanh(value @ weights) ** 2)[:, None] * value)
    by_x, = evaluate([jacobian(ops.sum(y), x)], {x: value, w: weights})
    assert by_x.shape == (5, 2)


def test_the_jacobian_of_a_gradient_is_the_hessian():
    x = placeholder(3)
    loss = ops.prod(x)
    value = np.array([2.0, 3.0, 5.0])
    hessian, = evaluate([jacobian(grad(loss, x), x)], {x: value})
    np.testing.assert_allclose(hessian, [[0, 5, 3], [5, 0, 2], [3, 2, 0]], atol=1e-12)


def test_a_hessian_of_many_variables_can_be_differentiated_again():
    x = placeholder(10)
    hessian = jacobian(grad(ops.sum(ops.tanh(x)) * ops.sum(x * x), x), x)
    value = RANDOM.normal(size=10)
    matrix, = evaluate([hessian], {x: value})
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    verify.check(hessian, {x: value}, directions=1)


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
