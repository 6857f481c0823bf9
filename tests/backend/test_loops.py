"""K.rnn, K.map_fn, K.foldl, K.foldr and the lazy form of K.switch."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph.walk import nodes_of


def run(inputs, outputs, arrays):
    return K.function(inputs, outputs)(arrays)


def count(x, states):
    """A step whose output and state are the sum of all inputs so far."""
    total = states[0] + x
    return total * 10, [total]


X = np.arange(12.0).reshape(2, 3, 2).astype("float32")


def test_the_outputs_are_in_the_order_of_processing():
    x = K.placeholder((None, None, 2))
    for backwards, order in ((False, X), (True, X[:, ::-1])):
        last, outputs, states = K.rnn(count, x, [K.zeros_like(x[:, 0])], go_backwards=backwards)
        got = run([x], [last, outputs] + states, [X])
        wanted = np.cumsum(order, 1)
        np.testing.assert_array_equal(got[0], 10 * wanted[:, -1])
        np.testing.assert_array_equal(got[1], 10 * wanted)
        np.testing.assert_array_equal(got[2], wanted[:, -1])


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("axes", [2, 3])
def test_masked_times_keep_output_and_states(unroll, axes):
    x, mask = K.placeholder((2, 3, 2)), K.placeholder((2, 3, 1)[:axes], dtype="int32")
    last, outputs, (state,) = K.rnn(count, x, [K.zeros((2, 2))], mask=mask, unroll=unroll)
    given = np.array([[0, 1, 0], [1, 0, 1]]).reshape((2, 3, 1)[:axes])
    got = run([x, mask], [last, outputs, state], [X, given])
    np.testing.assert_array_equal(got[1][0], 10 * np.array([[0, 0], X[0, 1], X[0, 1]]))
    np.testing.assert_array_equal(got[1][1], 10 * np.array([X[1, 0], X[1, 0], X[1, 0] + X[1, 2]]))
    np.testing.assert_array_equal(got[0], got[1][:, -1])
    np.testing.assert_array_equal(got[2] * 10, got[0])


@pytest.mark.parametrize("masked", [False, True])
def test_no_times_give_zeros_and_the_initial_states(masked):
    x, mask = K.placeholder((None, None, 2)), K.placeholder((None, None))
    last, outputs, (state,) = K.rnn(count, x, [K.ones((2, 2))], mask=mask if masked else None)
    got = run([x, mask][:1 + masked], [last, outputs, state],
              [X[:, :0], np.zeros((2, 0))][:1 + masked])
    assert got[0].tolist() == [[0, 0], [0, 0]] and got[1].shape == (2, 0, 2)
    assert got[2].tolist() == [[1, 1], [1, 1]]


def test_constants_follow_the_states():
    x, scale = K.placeholder((None, None, 2)), K.placeholder((2,))
    step = lambda row, states: (row * states[1] + states[0], [states[0] + 1])  # noqa: E731
    _, outputs, _ = K.rnn(step, x, [K.zeros((2, 2))], constants=[scale])
    got, = run([x, scale], [outputs], [X, np.array([2.0, 3.0])])
    np.testing.assert_array_equal(got, X * [2, 3] + np.arange(3)[:, None])


def test_a_length_may_be_stated_for_all_or_for_each_sample():
    x, lengths = K.placeholder((None, None, 2)), K.placeholder((None,), dtype="int32")
    _, outputs, _ = K.rnn(count, x, [K.zeros((2, 2))], unroll=True, input_length=3)
    assert K.int_shape(outputs)[1:] == (3, 2)
    last, _, _ = K.rnn(count, x, [K.zeros((2, 2))], input_length=lengths)
    got, = run([x, lengths], [last], [X, np.array([1, 2])])
    np.testing.assert_array_equal(got, 10 * np.array([X[0, 0], X[1, 0] + X[1, 1]]))


def test_the_step_is_called_once_before_the_loop_and_once_for_it():
    made = []

    def step(x, states):
        if not made:
            made.append(K.random_uniform((2, 2)))       # as a dropout mask is made
        return x + made[0], []

    x = K.placeholder((2, None, 2))
    _, outputs, _ = K.rnn(step, x, [])
    got, = run([x], [outputs], [X])
    np.testing.assert_allclose((got - X)[:, 1:], (got - X)[:, :-1], atol=1e-5)


def test_a_loop_of_unknown_length_is_one_node():
    x = K.placeholder((None, None, 2))
    _, outputs, _ = K.rnn(count, x, [K.zeros_like(x[:, 0])])
    names = [node.op.name for node in nodes_of([outputs])]
    assert names.count("scan") == 1


@pytest.mark.parametrize("build, message", [
    (lambda x: K.rnn(count, x[:, 0], []), "at least 3 axes"),
    (lambda x: K.rnn(count, x, [K.zeros((2, 2))], unroll=True), "unrolling needs a number"),
    (lambda x: K.rnn(count, x, [K.zeros((2, 2))], mask=x), "the mask must be"),
    (lambda x: K.rnn(lambda r, s: (r, []), x, [K.zeros((2, 2))]), "one new value for each")])
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build(K.placeholder((None, None, 2)))


def test_map_fn_takes_tensors_and_lists_of_them():
    x, y = K.placeholder((None, 2)), K.placeholder((None,))
    each = K.map_fn(lambda row: K.sum(row), x)
    both = K.map_fn(lambda pair: pair[0] * pair[1], [x, y], dtype="float64", name="both")
    assert both.name == "both" and K.dtype(both) == "float64"
    rows = X[0]
    got = run([x, y], [each, both], [rows, np.array([1.0, 2.0, 3.0])])
    np.testing.assert_array_equal(got[0], rows.sum(1))
    np.testing.assert_array_equal(got[1], rows * [[1], [2], [3]])


def test_folds_go_from_their_side():
    x = K.placeholder((None,))
    results = [fold(lambda acc, v: acc * 2 - v, x, **options) for fold in (K.foldl, K.foldr)
               for options in ({}, {"initializer": K.constant(1.0)})]
    got = run([x], results, [np.array([1.0, 2.0, 4.0])])
    assert [float(v) for v in got] == [-4, -4, 11, -13]
    with pytest.raises(ValueError, match="an initializer is required"):
        K.foldl(lambda acc, pair: acc + pair[0], [x, x])


def test_a_switch_by_a_scalar_computes_one_side():
    x, index = K.placeholder((3,)), K.placeholder((1,), dtype="int64")
    y = K.switch(K.greater(K.sum(x), 0), lambda: K.gather(x, index), lambda: x[:1])
    step = K.function([x, index], [y])
    assert step([-np.ones(3), np.array([5])])[0] == -1       # the other side would fail
    with pytest.raises(IndexError):
        step([np.ones(3), np.array([5])])


def test_recurrences_train():
    x, w = K.placeholder((None, None, 2)), K.variable(np.eye(2) * 0.5)

    def step(row, states):
        new = K.tanh(row + K.dot(states[0], w))
        return new, [new]

    last, _, _ = K.rnn(step, x, [K.zeros_like(x[:, 0])])
    loss = K.mean(K.square(last - 0.3))
    train = K.function([x], [loss], updates=[K.update_sub(w, 0.5 * K.gradients(loss, w)[0])])
    losses = [float(train([X / 12])[0]) for _ in range(50)]
    assert losses[-1] < 0.3 * losses[0]
