"""Expressions as users write them, at magnitudes where their words overflow: values and gradients.

The truth is computed by other formulas, in float64. Where an epsilon
or a clip is part of what was written, its numbers are kept to the bit of the formula's meaning.
"""
import numpy as np
import pytest

from symk import backend as K
from symk import losses
from symk.graph.walk import nodes_of
from symk.optimize import optimize, stable

LARGE = np.array([-1e4, -1e3, -100, -30, -1, -1e-4, 0, 1e-4, 1, 30, 100, 1e3, 1e4])
ROWS = np.stack([LARGE, -LARGE, LARGE / 3, LARGE * 0])
DTYPES = {"float32": 3e-6, "float64": 1e-13}


def run(build, array, dtype, gradient=True):
    """The value of build(x) and the gradient of its sum, in one function."""
    x = K.placeholder(shape=array.shape, dtype=dtype)
    y = build(x)
    outputs = [y] + (K.gradients(K.sum(y), [x]) if gradient else [])
    return K.function([x], outputs)([array.astype(dtype)])


def softplus(x):
    return np.logaddexp(x, 0)


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def log_softmax(x):
    return x - logsumexp(x)[:, None]


def logsumexp(x):
    top = x.max(1, keepdims=True)
    return (top + np.log(np.exp(x - top).sum(1, keepdims=True)))[:, 0]


def softmax(x):
    return np.exp(log_softmax(x))


def columns(x):
    return x.shape[1]


# name: (what the user writes, its value, the gradient of the sum of the values)
BY_HAND = {
    "log(softmax(x))": (lambda x: K.log(K.softmax(x)), log_softmax,
                        lambda x: 1 - columns(x) * softmax(x)),
    "log(exp(x) / sum(exp(x)))": (
        lambda x: K.log(K.exp(x) / K.sum(K.exp(x), axis=-1, keepdims=True)), log_softmax,
        lambda x: 1 - columns(x) * softmax(x)),
    "log(softmax(x - max(x)))": (
        lambda x: K.log(K.softmax(x - K.max(x, axis=-1, keepdims=True))), log_softmax,
        lambda x: 1 - columns(x) * softmax(x)),
    "exp(x) / sum(exp(x))": (lambda x: K.exp(x) / K.sum(K.exp(x), axis=-1, keepdims=True),
                             softmax, lambda x: 0 * x),
    "log(sum(exp(x)))": (lambda x: K.log(K.sum(K.exp(x), axis=-1)), logsumexp, softmax),
    "log(mean(exp(x)))": (lambda x: K.log(K.mean(K.exp(x), axis=-1)),
                          lambda x: logsumexp(x) - np.log(columns(x)), softmax),
    "log(1 + exp(x))": (lambda x: K.log(1 + K.exp(x)), softplus, sigmoid),
    "log(exp(-x) + 1)": (lambda x: K.log(K.exp(-x) + 1), lambda x: softplus(-x),
                         lambda x: -sigmoid(-x)),
    "-log(sigmoid(x))": (lambda x: -K.log(K.sigmoid(x)), lambda x: softplus(-x),
                         lambda x: -sigmoid(-x)),
    "-log(1 - sigmoid(x))": (lambda x: -K.log(1 - K.sigmoid(x)), softplus, sigmoid),
    "-log(1 / (1 + exp(-x)))": (lambda x: -K.log(1 / (1 + K.exp(-x))), lambda x: softplus(-x),
                                lambda x: -sigmoid(-x)),
    "1 / (1 + exp(-x))": (lambda x: 1 / (1 + K.exp(-x)), sigmoid,
                          lambda x: sigmoid(x) * sigmoid(-x)),
    "exp(x) / (1 + exp(x))": (lambda x: K.exp(x) / (1 + K.exp(x)), sigmoid,
                              lambda x: sigmoid(x) * sigmoid(-x)),
    "(exp(x) - exp(-x)) / (exp(x) + exp(-x))": (
        lambda x: (K.exp(x) - K.exp(-x)) / (K.exp(x) + K.exp(-x)), np.tanh,
        lambda x: 4 * sigmoid(2 * x) * sigmoid(-2 * x)),
    "2 / (1 + exp(-2 x)) - 1": (lambda x: 2 / (1 + K.exp(-2 * x)) - 1, np.tanh,
                                lambda x: 4 * sigmoid(2 * x) * sigmoid(-2 * x)),
    "log(exp(x))": (lambda x: K.log(K.exp(x)), lambda x: x, np.ones_like),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BY_HAND)
def test_what_is_written_by_hand_is_right_at_every_magnitude(name, dtype):
    build, value, gradient = BY_HAND[name]
    tolerance = DTYPES[dtype]
    rounded = ROWS.astype(dtype).astype("float64")
    y, g = run(build, ROWS, dtype)
    np.testing.assert_allclose(y, value(rounded), rtol=tolerance, atol=tolerance)
    # A gradient of a softmax is a difference of numbers around 1 and a count.
    np.testing.assert_allclose(g, gradient(rounded), rtol=tolerance, atol=20 * tolerance)


TARGETS = np.arange(ROWS.size).reshape(ROWS.shape) % 2 * 1.0   # right and wrong ones


def by_hand(target, p):
    return -target * K.log(p) - (1 - target) * K.log(1 - p)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_cross_entropy_by_hand(dtype):
    target = K.constant(TARGETS, dtype=dtype)
    y, g = run(lambda x: by_hand(target, K.sigmoid(x)), ROWS, dtype)
    tolerance = DTYPES[dtype]
    np.testing.assert_allclose(y, softplus(ROWS) - TARGETS * ROWS, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(g, sigmoid(ROWS) - TARGETS, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_categorical_cross_entropy_by_hand(dtype):
    hot = np.eye(ROWS.shape[1])[[0, 3, 12, 5]]
    target = K.constant(hot, dtype=dtype)
    y, g = run(lambda x: -K.sum(target * K.log(K.softmax(x)), axis=-1), ROWS, dtype)
    tolerance = DTYPES[dtype]
    np.testing.assert_allclose(y, -(hot * log_softmax(ROWS)).sum(1), rtol=tolerance,
                               atol=tolerance)
    np.testing.assert_allclose(g, softmax(ROWS) - hot, rtol=tolerance, atol=tolerance)


# --- what Keras clips stays clipped ---

EPSILON = 1e-7


@pytest.mark.parametrize("dtype", DTYPES)
def test_keras_cross_entropy_of_probabilities_keeps_its_epsilon(dtype):
    target = K.constant(TARGETS, dtype=dtype)
    y, g = run(lambda x: K.binary_crossentropy(target, K.sigmoid(x) * 1), ROWS, dtype)
    one, t = np.dtype(dtype).type, TARGETS.astype(dtype)
    p = np.clip(sigmoid(ROWS).astype(dtype), one(EPSILON), one(1 - EPSILON))
    wanted = -(t * np.log(p + one(EPSILON)) + (1 - t) * np.log(1 - p + one(EPSILON)))
    np.testing.assert_allclose(y, wanted, rtol=3e-6, atol=3e-6)
    assert y.max() < 16.2 and np.isfinite(g).all()   # -log(2e-7) = 15.4, and not 10,000


@pytest.mark.parametrize("dtype", DTYPES)
def test_keras_cross_entropy_of_a_sigmoid_is_exact(dtype):
    target = K.constant(TARGETS, dtype=dtype)
    y, g = run(lambda x: K.binary_crossentropy(target, K.sigmoid(x)), ROWS, dtype)
    tolerance = DTYPES[dtype]
    np.testing.assert_allclose(y, softplus(ROWS) - TARGETS * ROWS, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(g, sigmoid(ROWS) - TARGETS, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("build", [
    lambda t, p: -t * K.log(p + EPSILON) - (1 - t) * K.log(1 - p + EPSILON),
    lambda t, p: by_hand(t, K.clip(p, EPSILON, 1 - EPSILON)),
], ids=["added", "clipped"])
def test_an_epsilon_by_hand_is_part_of_the_value(build):
    target = K.constant(TARGETS, dtype="float64")
    y, g = run(lambda x: build(target, K.sigmoid(x)), ROWS, "float64")
    assert 16 < y.max() < 16.2 and np.isfinite(g).all()


def test_keras_categorical_cross_entropy_keeps_its_clip():
    hot = np.eye(ROWS.shape[1])[[0, 3, 12, 5]]
    y, g = run(lambda x: losses.categorical_crossentropy(K.constant(hot), K.softmax(x) * 1),
               ROWS, "float32")
    assert y.max() < 16.2 and np.isfinite(g).all()


# --- norms and quotients ---

NORMS = {
    "sqrt(sum(square(x)))": lambda x: K.sqrt(K.sum(K.square(x), axis=-1)),
    "sqrt(sum(x * x))": lambda x: K.sqrt(K.sum(x * x, axis=-1)),
    "sqrt(mean(square(x)))": lambda x: K.sqrt(K.mean(K.square(x), axis=-1)),
    "sum(square(x)) ** 0.5": lambda x: K.pow(K.sum(K.square(x), axis=-1), 0.5),
    "sqrt of all": lambda x: K.sqrt(K.sum(K.square(x))),
    "distance": lambda x: K.sqrt(K.sum(K.square(x - K.stop_gradient(x)), axis=-1)),
}


@pytest.mark.parametrize("name", NORMS)
def test_the_gradient_of_a_norm_at_0_is_0(name):
    y, g = run(NORMS[name], np.zeros((2, 3)), "float32")
    assert not np.any(y) and not np.any(g)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_of_a_norm_is_its_direction(dtype):
    y, g = run(NORMS["sqrt(sum(square(x)))"], ROWS[:3], dtype)
    norm = np.sqrt(np.sum(ROWS[:3] ** 2, 1))
    np.testing.assert_allclose(y, norm, rtol=DTYPES[dtype])
    np.testing.assert_allclose(g, ROWS[:3] / norm[:, None], rtol=DTYPES[dtype],
                               atol=DTYPES[dtype])


def test_probabilities_over_their_sum():
    """As Keras writes it; the quotient of a softmax is the softmax, to a rounding."""
    y, g = run(lambda x: K.softmax(x) / K.sum(K.softmax(x), axis=-1, keepdims=True), ROWS,
               "float64")
    np.testing.assert_allclose(y, softmax(ROWS), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(g, 0 * ROWS, atol=1e-12)


def test_logcosh():
    zero = np.zeros_like(ROWS)
    y, g = run(lambda x: losses.logcosh(K.constant(zero), x), ROWS, "float32")
    np.testing.assert_allclose(y, (np.abs(ROWS) + np.log1p(np.exp(-2 * np.abs(ROWS)))
                                   - np.log(2)).mean(1), rtol=3e-6, atol=3e-7)
    assert np.isfinite(g).all()


# --- inside of loops ---

@pytest.mark.parametrize("unroll", [False, True])
def test_the_step_of_a_loop_is_differentiated_in_its_stable_form(unroll):
    def step(x, states):
        h = K.log(1 + K.exp(x)) - K.log(K.sigmoid(states[0]))
        return h, [h]

    x = K.placeholder((1, 3, 4))
    last, outputs, _ = K.rnn(step, x, [K.zeros((1, 4))], unroll=unroll)
    values = np.array([[[-1e4, 1, 100, 1e4]] * 3])
    y, g = K.function([x], [outputs] + K.gradients(K.sum(last), [x]))([values])
    wanted, h = [], np.zeros(4)
    for row in values[0]:
        h = softplus(row) + softplus(-h)
        wanted.append(h)
    slopes, after = [], 1
    for time in (2, 1, 0):
        slopes.insert(0, sigmoid(values[0, time]) * after)
        after = after * -sigmoid(-wanted[time - 1]) if time else after
    np.testing.assert_allclose(y[0], wanted, rtol=3e-6)
    np.testing.assert_allclose(g[0], slopes, rtol=3e-6, atol=1e-30)


def test_what_is_computed_again_is_differentiated_in_its_stable_form():
    x = K.placeholder((4,))
    y = K.checkpoint(lambda x: K.log(1 + K.exp(x)))(x)
    value, g = K.function([x], [y] + K.gradients(K.sum(y), [x]))([np.array([-1e4, 0, 100, 1e4])])
    np.testing.assert_allclose(value, softplus(np.array([-1e4, 0, 100, 1e4])), rtol=3e-6)
    np.testing.assert_allclose(g, sigmoid(np.array([-1e4, 0, 100, 1e4])), rtol=3e-6)


# --- rows that are masked ---

MASKED = np.array([[1, 2, -np.inf], [-np.inf, -np.inf, 0], [3e38, -3e38, 0], [1e38, 1e38, 1e38]])


def test_a_softmax_leaves_out_what_is_masked_with_minus_infinity():
    y, g = run(K.softmax, MASKED, "float32")
    np.testing.assert_allclose(y[0], [sigmoid(-1), sigmoid(1), 0], rtol=1e-6)
    np.testing.assert_array_equal(y[1:3], [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_allclose(y[3], 1 / 3, rtol=1e-6)
    assert np.isfinite(g).all()
    y, g = run(lambda x: K.logsumexp(x, axis=-1), MASKED[:2], "float32")
    np.testing.assert_allclose(y, [softplus(1) + 1, 0], rtol=1e-6)
    np.testing.assert_allclose(g[1], [0, 0, 1])


@pytest.mark.parametrize("build", [
    lambda t, x: K.categorical_crossentropy(t, x, from_logits=True),
    lambda t, x: -K.sum(t * K.log(K.softmax(x)), axis=-1),
], ids=["logits", "written"])
def test_a_class_that_is_masked_and_not_the_target_costs_nothing(build):
    target = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]], "float32")
    y, g = run(lambda x: build(K.constant(target), x), MASKED, "float32")
    np.testing.assert_allclose(y, [softplus(-1), 0, 0, np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(g, run(K.softmax, MASKED, "float32")[0] - target, atol=1e-6)
    y, _ = run(lambda x: build(K.constant(1 - target), x), MASKED, "float32")
    assert np.all(np.isinf(y[:2]))   # a target that is masked


# --- the door ---

def test_variables_inside_the_graph_keep_their_gradients():
    """p stays a variable of its own: what is asked for must not be rewritten away."""
    x = K.placeholder((2, 3))
    p = K.softmax(x)
    loss = K.sum(K.log(p))
    gradient, = K.gradients(loss, [p])
    value, given = K.function([x], [gradient, p])([np.ones((2, 3))])
    np.testing.assert_allclose(value, 1 / given, rtol=1e-6)


def test_gradients_stop_where_they_were_stopped():
    x = K.placeholder((2, 3))
    loss = K.sum(K.log(1 + K.exp(K.stop_gradient(x))) + x)
    value, = K.function([x], K.gradients(loss, [x]))([np.full((2, 3), 1e4)])
    np.testing.assert_array_equal(value, np.ones((2, 3)))


def test_what_is_stable_already_is_not_made_anew():
    x = K.placeholder((2, 3))
    loss = K.sum(K.softplus(x))
    assert stable([loss], [x]) == [loss]


def test_a_norm_runs_as_a_root_of_a_sum():
    x = K.placeholder((2, 3))
    results, _ = optimize(stable([K.sqrt(K.sum(K.square(x), axis=-1))], [x]))
    assert [node.op.name for node in nodes_of(results)] == ["fused_reduce", "sqrt"]
