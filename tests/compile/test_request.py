"""What a function may be asked for, what it completes by itself, and the messages for the rest."""
import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.graph import (DtypeError, GraphError, Placeholder, Shared, ShapeError, layer_scope)


def vector(name="x", dtype="float32"):
    return Placeholder(dtype, (None,), name=name)


def reference(inputs, outputs, **others):
    return function(inputs, outputs, mode="reference", **others)


def test_a_missing_placeholder_names_the_result_and_the_layer():
    x, y = vector("x"), vector("y")
    with layer_scope("add_1", "Add"):
        z = x + y
    with pytest.raises(GraphError, match=r'output 1 .* needs <y .*in layer "add_1" \(Add\)'):
        reference([x], [x, z])
    state = Shared(np.zeros(3, "float32"), name="state")
    with pytest.raises(GraphError, match="the update of <state"):
        reference([x], x, updates=[(state, ops.reshape(y, (3,)))])


@pytest.mark.parametrize("request_, message", [
    (lambda x: ([x, x], x, {}), "must be listed once"),
    (lambda x: ([x + 1], x, {}), "inputs must be placeholders; input 0 is"),
    (lambda x: ([x], [x, 3], {}), "output 1 is 3"),
    (lambda x: ([x], x, dict(givens={x: ops.constant([1.0], "float32")})),
     "is an input and replaced by givens"),
    (lambda x: ([], x, dict(givens={x: np.zeros((2, 2), "float32")})), "must have the shape"),
    (lambda x: ([x], x, dict(updates=[(x, x)])), "only a shared variable can be updated"),
    (lambda x: ([x], x, dict(updates=[(x,)])), "must be a pair"),
    (lambda x: ([x], x, dict(mode="fast")), "mode must be one of"),
    (lambda x: ([x], x, dict(stages=["no stage"])), "stages must be among"),
])
def test_a_wrong_request_is_refused(request_, message):
    inputs, outputs, others = request_(vector())
    with pytest.raises(GraphError if "shape" not in message else ShapeError, match=message):
        function(inputs, outputs, **dict(dict(mode="reference"), **others))


def test_updates_must_fit_their_variable():
    state = Shared(np.zeros(3, "float32"), name="state")
    with pytest.raises(ShapeError, match="must keep the shape"):
        reference([], [], updates={state: ops.constant(np.zeros(4, "float32"))})
    with pytest.raises(DtypeError, match="must keep the dtype"):
        reference([], [], updates={state: ops.constant(np.zeros(3, "float64"))})
    with pytest.raises(GraphError, match="has two updates"):
        reference([], [], updates=[(state, state + 1), (state, state + 2)])


def test_a_size_that_no_input_has_is_refused():
    x, y = vector("x"), vector("y")
    size = ops.reshape(ops.size_of(y.shape[0]), (1,))
    with pytest.raises(GraphError, match="y.0 .*belongs to no input"):
        reference([x], ops.broadcast_to(ops.reshape(x[:1], (1,)), y.shape) + 0)
    assert reference([x, y], size)(np.zeros(2), np.zeros(5)) == [5]


def test_all_updates_read_old_values():
    a, b = (Shared(np.array(value, "float32"), name="v%d" % value) for value in (1, 2))
    swap = reference([], [a + 0, b + 0], updates=[(a, b), (b, a)])
    assert swap.run([]) == [1, 2]
    assert swap.run([]) == [2, 1]


def test_a_default_update_is_done_unless_one_is_given():
    key = ops.random_key(7)
    draw = ops.random_uniform(key, (4,))
    first, second = (reference([], draw)() for _ in range(2))
    assert key.get_value().tolist() == [7, 2] and not np.array_equal(first, second)
    reference([], draw, updates=[(key, key)])()
    assert key.get_value().tolist() == [7, 2]


def test_a_stream_that_only_the_other_branch_uses_stays():
    phase = Placeholder("uint8", (), name="phase", default=0)
    key = ops.random_key(7)
    x = vector()
    y = ops.where(ops.equal(phase, 1), x * ops.random_uniform(key, x.shape), x)
    assert reference([x], y)([1, 2]).tolist() == [1, 2] and key.get_value()[1] == 0
    train = reference([x], y, givens={phase: np.array(1, "uint8")})
    assert train([1, 2]).tolist() != [1, 2] and key.get_value()[1] == 1


def test_a_placeholder_takes_its_default():
    x = vector()
    scale = Placeholder("float32", (), name="scale", default=3)
    assert reference([x], x * scale)([1, 2]).tolist() == [3, 6]
    assert reference([x, scale], x * scale)([1, 2], 5).tolist() == [5, 10]


def test_givens_replace_before_anything_else():
    x = vector()
    y = ops.exp(x)
    compiled = reference([], y * 2, givens={y: np.array([3.0], "float32")})
    assert compiled().tolist() == [6.0]


def test_outputs_come_as_they_were_asked_for():
    x = vector()
    assert isinstance(reference([x], x + 1)([1.0]), np.ndarray)
    assert isinstance(reference([x], [x + 1])([1.0]), list)
    assert isinstance(reference([x], x + 1).run([[1.0]]), list)


@pytest.mark.parametrize("value, error, message", [
    ([1.5], DtypeError, "holds values that are none"),
    (["a"], DtypeError, "an array of int32 is required; one of dtype <U1"),
    ([[1]], ShapeError, "the shape must be"),
])
def test_a_fed_array_is_checked(value, error, message):
    n = vector("n", "int32")
    with pytest.raises(error, match=message):
        reference([n], n + 1)(value)


def test_the_number_of_arrays_is_checked():
    x = vector()
    with pytest.raises(GraphError, match="1 arrays are required; 2 were given"):
        reference([x], x)([1.0], [2.0])
