"""The gradient walk: what it connects, sums, casts and leaves out. Each op's rule is tested with it
in tests/ops/test_every_op.py.
"""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad, verify
from symk.graph import GraphError, Placeholder, ShapeError, layer_scope
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of


def placeholder(*shape, dtype="float64"):
    return Placeholder(dtype, shape)


def test_the_loss_itself_has_gradient_one():
    x = placeholder(3)
    gradient, = grad(x, [x])
    assert evaluate([gradient], {x: np.zeros(3)})[0].tolist() == [1, 1, 1]


def test_a_loss_that_is_no_scalar_means_its_sum():
    x = placeholder(2, 3)
    value = np.arange(6.0).reshape(2, 3)
    both = evaluate(grad(x * x, [x]) + grad(ops.sum(x * x), [x]), {x: value})
    assert both[0].tolist() == both[1].tolist() == (2 * value).tolist()


def test_contributions_are_summed():
    x = placeholder()
    y = x * x + ops.sin(x) * x - x
    gradient, = grad(y, [x])
    assert np.isclose(evaluate([gradient], {x: np.array(0.7)})[0],
                      1.4 + np.cos(0.7) * 0.7 + np.sin(0.7) - 1)


def test_broadcasting_is_undone():
    x, row = placeholder(None, 4), placeholder(4)
    column, scalar = placeholder(None, 1), placeholder()
    gradients = grad(ops.tanh(x * row + column) * scalar, [x, row, column, scalar])
    assert [g.shape for g in gradients] == [x.shape, row.shape, column.shape, ()]
    generator = np.random.default_rng(0)
    feeds = {x: generator.normal(size=(3, 4)), row: generator.normal(size=4),
             column: generator.normal(size=(3, 1)), scalar: generator.normal(size=())}
    verify.check(ops.tanh(x * row + column) * scalar, feeds)


def test_sizes_that_only_may_be_equal_are_summed_when_called():
    x, y = placeholder(None), placeholder(None)
    for size in (1, 3):
        verify.check(x * y, {x: np.ones(3), y: np.arange(size) + 1.0})


def test_what_is_not_connected_is_none():
    x, y = placeholder(3), placeholder(3)
    assert grad(ops.exp(x), [y]) == [None]
    assert grad(ops.floor(x) + ops.stop_gradient(x), [x]) == [None]
    assert grad(ops.cast(ops.argmax(x), "float64"), [x]) == [None]
    assert grad(ops.cast(x, "int32") * 1.5, [x]) == [None]
    assert grad(ops.where(ops.greater(x, y), 1.0, 2.0), [x, y]) == [None, None]


def test_only_the_smooth_path_counts():
    x = placeholder(3)
    gradient, = grad(ops.stop_gradient(x) * x, [x])
    assert evaluate([gradient], {x: np.arange(3.0)})[0].tolist() == [0, 1, 2]


def test_a_gradient_has_the_dtype_of_its_variable():
    x = placeholder(3, dtype="float32")
    half = placeholder(3, dtype="float16")
    loss = ops.cast(x, "float64") * ops.constant(np.ones(3)) + half
    assert [g.dtype for g in grad(loss, [x, half])] == ["float32", "float16"]


def test_variables_may_be_inside_of_the_graph():
    x = placeholder(3)
    y = ops.exp(x)
    gradients = grad(y * y, [y, x])
    value = np.array([0.0, 0.5, 1.0])
    inner, outer = evaluate(gradients, {x: value})
    np.testing.assert_allclose(inner, 2 * np.exp(value))
    np.testing.assert_allclose(outer, 2 * np.exp(2 * value))


def test_known_gradients_start_the_walk():
    x, g = placeholder(3), placeholder(3)
    gradient, = grad(None, [x], known={ops.square(x): g})
    assert evaluate([gradient], {x: np.arange(3.0), g: np.ones(3)})[0].tolist() == [0, 2, 4]


def test_known_gradients_add_to_the_loss():
    x = placeholder(3)
    y = ops.square(x)
    gradient, = grad(y, [x], known={y: ops.constant(np.ones(3))})
    assert evaluate([gradient], {x: np.arange(3.0)})[0].tolist() == [0, 4, 8]


def test_known_gradients_may_be_arrays_and_must_fit():
    x = placeholder(3)
    y = ops.square(x)
    gradient = grad(None, x, known={y: np.array([1.0, 0.0, 2.0])})
    assert evaluate([gradient], {x: np.arange(3.0)})[0].tolist() == [0, 0, 8]
    with pytest.raises(ShapeError, match="must have the shape of its variable"):
        grad(None, x, known={y: np.ones(2)})
    with pytest.raises(GraphError, match="a loss or known gradients are required"):
        grad(None, x)


def test_a_single_variable_gives_a_single_gradient():
    x = placeholder(3)
    assert grad(ops.exp(x), x).shape == (3,)
    assert isinstance(grad(ops.exp(x), [x]), list)


def test_what_is_disconnected_is_the_callers_choice():
    x, y = placeholder(3), placeholder(2, 2)
    assert grad(ops.exp(x), y) is None
    assert evaluate([grad(ops.exp(x), y, disconnected="zero")], {})[0].tolist() == [[0, 0], [0, 0]]
    with pytest.raises(GraphError, match="does not depend on"):
        grad(ops.exp(x), y, disconnected="raise")
    with pytest.raises(GraphError, match="disconnected must be one of none, zero, raise"):
        grad(ops.exp(x), y, disconnected="warn")


def test_where_a_derivative_stops_is_named_on_request():
    x = Placeholder("float64", (3,), name="x")
    with layer_scope("rounding_1", "Rounding"):
        y = ops.floor(ops.exp(x))
    loss = ops.sum(y * 2.0) + ops.sum(ops.stop_gradient(x))
    with pytest.raises(GraphError, match=r'x -> exp -> floor stops at floor \("rounding_1" '
                                         r'\(Rounding\), .*test_reverse.py:\d+\)'):
        grad(loss, x, disconnected="raise")
    with pytest.raises(GraphError, match="int32> is not floating"):
        grad(ops.sum(x), Placeholder("int32", (3,)), disconnected="raise")


def test_variables_must_be_symbolic():
    with pytest.raises(GraphError, match="derivatives are taken in symbolic tensors; 3 was given"):
        grad(placeholder(3), [3])


def test_the_loss_must_be_floating():
    with pytest.raises(GraphError, match="the loss must be floating"):
        grad(placeholder(3, dtype="int32"), [])


def test_only_work_on_the_way_is_done():
    x, w = placeholder(2, 3), placeholder(3, 4)
    y = ops.matmul(ops.exp(x), w)
    gradient, = grad(y, [w])
    names = [node.op.name for node in nodes_of([gradient])]
    assert names.count("matmul") == 1 and names.count("exp") == 1 and "mul" not in names


def test_a_deep_graph_needs_no_recursion():
    x = y = placeholder()
    for _ in range(5000):
        y = ops.sin(y)
    gradient, = grad(y, [x])
    assert np.isfinite(evaluate([gradient], {x: np.array(1.0)})[0])


def test_the_same_request_gives_the_same_graph():
    def names():
        x, w = placeholder(None, 3), placeholder(3, 4)
        y = ops.softmax(ops.tanh(x @ w) * ops.sum(w, 0))
        return [node.op for node in nodes_of(grad(y * y, [x, w]))]
    first, second = names(), names()
    assert [op.name for op in first] == [op.name for op in second]


def test_the_gradient_belongs_to_the_layer_of_its_op():
    x = placeholder(3)
    with layer_scope("activation_1", "Activation"):
        y = ops.exp(x)
    gradient, = grad(y, [x])
    assert gradient.origin.layer == '"activation_1" (Activation)'


@pytest.mark.parametrize("used", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_gradients_arrive_at_every_output_of_batch_norm(used):
    generator = np.random.default_rng(1)
    x, gamma, beta = placeholder(None, 3), placeholder(3), placeholder(3)
    outputs = ops.batch_norm(x, gamma, beta, epsilon=1e-2)
    y = sum(ops.sum(ops.sin(outputs[k])) for k in used)
    feeds = {x: generator.normal(size=(6, 3)), gamma: generator.normal(size=3),
             beta: generator.normal(size=3)}
    verify.check(y, feeds)
    for gradient in grad(y, [x, gamma]):
        if gradient is not None:
            verify.check(gradient, feeds)


def small_network(x, w, v):
    """Convolution, normalisation, pooling, a product and a loss."""
    h = ops.conv(x, w, padding="same")
    h, _, _ = ops.batch_norm(h, np.ones(2), np.zeros(2), epsilon=1e-2)
    h = ops.average_pool(ops.tanh(h)) + ops.max_pool(ops.sigmoid(h))
    logits = ops.matmul(ops.reshape(h, (-1, 2 * 2 * 2)), v)
    return ops.sparse_softmax_cross_entropy(logits, np.array([1, 0, 2]))


def test_second_derivatives_go_through_a_network():
    generator = np.random.default_rng(2)
    x, w, v = placeholder(None, 4, 4, 1), placeholder(3, 3, 1, 2), placeholder(8, 3)
    feeds = {x: generator.normal(size=(3, 4, 4, 1)), w: generator.normal(size=(3, 3, 1, 2)),
             v: generator.normal(size=(8, 3))}
    gradients = grad(small_network(x, w, v), [x, w, v])
    penalty = sum(ops.sum(ops.square(g)) for g in gradients)
    verify.check(penalty, feeds, step=1e-4)


def test_third_derivatives_exist():
    x = placeholder()
    y = x ** 4
    for _ in range(3):
        y, = grad(y, [x])
    assert np.isclose(evaluate([y], {x: np.array(2.0)})[0], 48)


# Where there is no derivative: TensorFlow's choices.

@pytest.mark.parametrize("function, value, expected", [
    (ops.relu, 0.0, 0), (ops.abs, 0.0, 0), (ops.sign, 0.0, 0), (ops.sign, 2.0, 0),
    (lambda x: ops.clip(x, 0.0, 1.0), 0.0, 1), (lambda x: ops.clip(x, 0.0, 1.0), 1.0, 1),
    (lambda x: ops.clip(x, 0.0, 1.0), 1.5, 0), (lambda x: ops.clip(x, 0.0, 1.0), -0.5, 0),
    (lambda x: ops.maximum(x, 1.0), 1.0, 1), (lambda x: ops.maximum(1.0, x), 1.0, 0),
    (lambda x: ops.minimum(x, 1.0), 1.0, 1), (lambda x: ops.minimum(1.0, x), 1.0, 0),
    (lambda x: ops.pow(x, 0.0), 0.0, 0), (lambda x: ops.pow(x, 2.0), 0.0, 0),
    (lambda x: ops.pow(x, 2.0), -3.0, -6), (lambda x: ops.pow(x, 1.0), 0.0, 1),
    (lambda x: ops.elu(x, 2.0), -1e-30, 2)])
def test_the_derivative_at_a_kink_is_chosen(function, value, expected):
    x = placeholder()
    gradient, = grad(function(x), [x])
    assert evaluate([gradient], {x: np.array(value)})[0] == expected


def test_the_derivative_in_an_exponent_is_zero_for_a_base_not_positive():
    exponent = placeholder()
    for base in (0.0, -2.0):
        gradient, = grad(ops.pow(ops.constant(np.array(base)), exponent), [exponent])
        assert evaluate([gradient], {exponent: np.array(2.0)})[0] == 0


def test_equal_maxima_share_the_gradient():
    x = placeholder(2, 3)
    gradient, = grad(ops.max(x, axes=1), [x])
    value = evaluate([gradient], {x: np.array([[1.0, 3, 3], [2, 1, 0]])})[0]
    assert value.tolist() == [[0, 0.5, 0.5], [1, 0, 0]]


def test_the_product_has_a_gradient_at_zeros():
    x = placeholder(3, 3)
    gradient, = grad(ops.prod(x, axes=1), [x])
    value = evaluate([gradient], {x: np.array([[2.0, 0, 3], [0, 0, 3], [1, 2, 3]])})[0]
    assert value.tolist() == [[0, 6, 0], [0, 0, 0], [6, 3, 2]]
