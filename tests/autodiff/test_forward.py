"""Forward mode and what is built on it. Each op's rule is tested in tests/ops/test_every_op.py."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad, hessian_vector, jvp, verify
from symk.graph import GraphError, Op, Placeholder, ShapeError, apply, layer_scope, op
from symk.graph import node as nodes
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of

RANDOM = np.random.default_rng(7)


def placeholder(*shape, dtype="float64"):
    return Placeholder(dtype, shape)


def names_in(*results):
    return [node.op.name for node in nodes_of(results)]


def test_the_variable_itself_moves_by_its_tangent():
    x = placeholder(3)
    tangent, = evaluate([jvp(x, x, np.arange(3.0))], {x: np.zeros(3)})
    assert tangent.tolist() == [0, 1, 2]


def test_tangents_of_several_variables_are_summed():
    x, w = placeholder(None, 3), placeholder(3, 2)
    feeds = {x: RANDOM.normal(size=(4, 3)), w: RANDOM.normal(size=(3, 2))}
    dx, dw = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3, 2))
    moved, = evaluate([jvp(x @ w, [x, w], [placeholder_of(x, dx, feeds), dw])], feeds)
    np.testing.assert_allclose(moved, dx @ feeds[w] + feeds[x] @ dw)


def placeholder_of(like, value, feeds):
    """A tangent that is fed, since the size of what it belongs to is unknown."""
    tangent = Placeholder(like.dtype, like.shape)
    feeds[tangent] = value
    return tangent


def test_several_outputs_share_one_walk():
    x = placeholder(3)
    y = ops.exp(x)
    first, second = jvp([y, y * y], x, np.ones(3))
    assert names_in(first, second).count("exp") == 1


def test_forward_is_the_transpose_of_reverse():
    x, row = placeholder(None, 4), placeholder(4)
    y = ops.softmax(ops.tanh(x * row) + ops.concat([x, ops.sin(row * x)], 0)[:x.shape[0]])
    feeds = {x: RANDOM.normal(size=(3, 4)), row: RANDOM.normal(size=4)}
    dx, d_row, u = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=4), RANDOM.normal(size=(3, 4))
    seed = placeholder_of(y, u, feeds)
    gradients = grad(None, [x, row], known={y: seed})
    moved = jvp(y, [x, row], [placeholder_of(x, dx, feeds), d_row])
    moved, by_x, by_row = evaluate([moved] + gradients, feeds)
    assert np.isclose(np.sum(moved * u), np.sum(by_x * dx) + np.sum(by_row * d_row))


def test_a_variable_inside_of_the_graph_moves_of_itself_and_with_others():
    x = placeholder()
    y = x * x
    both = jvp(ops.sin(y), [x, y], [1.0, 10.0])
    assert np.isclose(evaluate([both], {x: np.array(3.0)})[0], np.cos(9.0) * (6.0 + 10.0))


def test_a_linear_op_gets_itself_back():
    x, image = placeholder(2, 6), placeholder(1, 6, 6, 2)
    kernel = ops.constant(RANDOM.normal(size=(3, 3, 2, 4)))
    cases = [(x, lambda v: ops.matmul(v, np.ones((6, 3))), "matmul"),
             (x, lambda v: ops.transpose(v), "transpose"), (x, lambda v: ops.flip(v, 1), "slice"),
             (x, lambda v: ops.gather(v, ops.constant(np.array([1, 0])), 1), "gather"),
             (image, lambda v: ops.conv(v, kernel), "conv"),
             (image, lambda v: ops.average_pool(v), "average_pool")]
    for source, function, name in cases:
        tangent = placeholder(*source.shape)
        used = [node.op for node in nodes_of([jvp(function(source), source, tangent)])]
        assert used == [node.op for node in nodes_of([function(tangent)])], name


def test_a_batch_of_unknown_size_stays_unknown():
    x, w = placeholder(None, 8, 8, 1), placeholder(3, 3, 1, 2)
    y = ops.max_pool(ops.relu(ops.conv(x, w)))
    moved = jvp(y, w, np.ones((3, 3, 1, 2)))
    assert moved.shape == y.shape
    for size in (1, 3):
        value = RANDOM.normal(size=(size, 8, 8, 1))
        verify.check_forward(y, {x: value, w: RANDOM.normal(size=(3, 3, 1, 2))}, [w], step=1e-6)


def test_integers_and_constants_do_not_move():
    x = placeholder(3)
    still = ops.floor(x) + ops.stop_gradient(x) + ops.cast(ops.cast(x, "int32"), "float64")
    assert jvp(still, x, np.ones(3), disconnected="none") is None
    assert evaluate([jvp(still, x, np.ones(3))], {x: np.ones(3)})[0].tolist() == [0, 0, 0]


def test_a_missing_derivative_is_explained_on_request():
    x = Placeholder("float64", (3,), name="x")
    with layer_scope("rounding_1", "Rounding"):
        y = ops.sum(ops.floor(ops.exp(x)))
    with pytest.raises(GraphError, match=r'x -> exp -> floor stops at floor \("rounding_1" '
                                         r'\(Rounding\), .*test_forward.py:\d+\)'):
        jvp(y, x, np.ones(3), disconnected="raise")


def test_a_tangent_must_fit_its_variable():
    x = placeholder(3)
    with pytest.raises(ShapeError, match="must have the shape of its variable"):
        jvp(x * x, x, np.ones(4))
    with pytest.raises(GraphError, match="1 variables and 2 tangents"):
        jvp(x * x, [x], [np.ones(3), np.ones(3)])
    with pytest.raises(GraphError, match="only a floating tensor can move"):
        jvp(x * x, Placeholder("int32", (3,)), np.ones(3, "int32"))
    with pytest.raises(GraphError, match="disconnected must be one of none, zero, raise"):
        jvp(x * x, x, np.ones(3), disconnected="ignore")


@pytest.fixture
def made_op():
    """Registers ops for one test."""
    made = []

    def register(name, cls):
        made.append(name)
        return op(name)(cls)
    yield register
    for name in made:
        nodes._REGISTRY.pop(name)


def test_an_op_without_a_gradient_is_named_with_the_way_to_it(made_op):
    class Silent(Op):
        def infer(self, x):
            return x

    silent = made_op("silent", Silent)
    x = Placeholder("float64", (3,), name="x")
    y = ops.sum(apply(silent(), ops.exp(x)))
    for derive in (lambda: grad(y, x), lambda: jvp(y, x, np.ones(3))):
        with pytest.raises(GraphError, match=r"^\[silent\] .* x -> exp -> silent has none"):
            derive()


def test_a_gradient_rule_that_is_not_linear_is_found(made_op):
    class Crooked(Op):
        def infer(self, x):
            return x

        def grad(self, x, y, g):
            return g * g

    crooked = made_op("crooked", Crooked)
    x = placeholder(3)
    with pytest.raises(GraphError, match="must be linear in the gradient that arrives"):
        jvp(apply(crooked(), x), x, np.ones(3))


def test_an_op_may_state_its_own_rule(made_op):
    class Triple(Op):
        def infer(self, x):
            return x

        def jvp(self, x, y, tangent):
            return tangent * 3.0

    triple = made_op("triple", Triple)
    x = placeholder(3)
    assert names_in(jvp(apply(triple(), x), x, placeholder(3))) == ["mul"]


def test_a_deep_graph_needs_no_recursion():
    x = y = placeholder()
    for _ in range(3000):
        y = ops.sin(y)
    assert np.isfinite(evaluate([jvp(y, x, 1.0)], {x: np.array(1.0)})[0])


def test_a_hessian_times_a_vector():
    x = placeholder(4)
    matrix = RANDOM.normal(size=(4, 4))
    loss = ops.sum(x * ops.reshape(ops.matmul(ops.constant(matrix), ops.reshape(x, (4, 1))), (4,)))
    vector = RANDOM.normal(size=4)
    found, = evaluate([hessian_vector(loss, x, vector)], {x: RANDOM.normal(size=4)})
    np.testing.assert_allclose(found, (matrix + matrix.T) @ vector)


def test_a_hessian_over_several_variables_has_their_mixed_parts():
    x, y = placeholder(), placeholder()
    along_x, along_y = hessian_vector(x * x * y, [x, y], [1.0, 10.0])
    found = evaluate([along_x, along_y], {x: np.array(2.0), y: np.array(3.0)})
    assert np.allclose(found, [2 * 3.0 + 2 * 2.0 * 10.0, 2 * 2.0])


def test_a_linear_loss_has_no_second_derivative():
    x = placeholder(3)
    assert evaluate([hessian_vector(ops.sum(x), x, np.ones(3))], {x: np.ones(3)})[0].tolist() \
        == [0, 0, 0]
    with pytest.raises(GraphError, match="does not depend on"):
        hessian_vector(ops.sum(x), x, np.ones(3), disconnected="raise")
