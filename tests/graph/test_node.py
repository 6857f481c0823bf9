"""Variables, ops and nodes: types are inferred while building, and mistakes stop there."""
import numpy as np
import pytest

from symk import graph, ops
from symk.graph import (Constant, GraphError, Op, Placeholder, Shared, ShapeError, TensorType,
                        apply, layer_scope, registered_ops)


def test_a_placeholder_has_its_own_unknown_sizes():
    x, y = Placeholder("float32", (None, 3)), Placeholder("float32", (None, 3))
    assert x.shape[1] == 3 and x.shape[0] != y.shape[0]
    z = Placeholder("float32", (x.shape[0], 5))
    assert z.shape[0] == x.shape[0]


def test_a_default_takes_the_dtype_of_its_placeholder():
    assert Placeholder("uint8", (), default=0).default.dtype == "uint8"


def test_a_constant_cannot_be_changed():
    source = np.ones(3, "float32")
    constant = Constant(source)
    source[0] = 5
    assert constant.value[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        constant.value[0] = 2


def test_a_shared_value_is_copied_in_and_out():
    shared = Shared(np.zeros(3, "float32"))
    shared.get_value()[0] = 7
    assert shared.get_value()[0] == 0
    version = shared.storage.version
    shared.set_value(np.ones(3))
    assert shared.get_value().tolist() == [1, 1, 1] and shared.get_value().dtype == "float32"
    assert shared.storage.version > version


def test_a_shared_value_keeps_its_shape():
    shared = Shared(np.zeros((2, 3), "float32"), name="kernel")
    with pytest.raises(ShapeError, match=r"must stay \(2, 3\) for variable 'kernel'; \(3,\) was"):
        shared.set_value(np.zeros(3))


def test_a_symbolic_tensor_is_no_condition():
    with pytest.raises(GraphError, match="no truth value"):
        bool(Placeholder("float32", ()))


def test_the_length_is_the_first_size_if_it_is_known():
    assert len(Placeholder("float32", (4, None))) == 4
    for shape in ((None,), ()):
        with pytest.raises(GraphError, match="has a length"):
            len(Placeholder("float32", shape))


def test_an_op_is_a_value():
    concat = registered_ops()["concat"]
    assert concat(1) == concat(axis=1) and hash(concat(1)) == hash(concat(axis=1))
    assert concat(1) != concat(0)
    assert concat(1) != registered_ops()["argmax"](1)
    with pytest.raises(AttributeError):
        concat(1).axis = 0


def test_an_op_name_is_taken_once():
    with pytest.raises(GraphError, match="'add' is taken"):
        graph.op("add")(type("Again", (Op,), {}))


def test_an_error_names_the_layer_being_called():
    a, b = Placeholder("float32", (2, 3)), Placeholder("float32", (4, 5))
    with layer_scope("dense_2", "Dense"), pytest.raises(ShapeError) as raised:
        ops.matmul(a, b)
    start = 'in layer "dense_2" (Dense): [matmul] inner sizes must agree'
    assert str(raised.value).startswith(start)
    assert str(raised.value).count("in layer") == 1


def test_a_node_remembers_the_layer_and_the_line():
    with layer_scope("outer", "Model"), layer_scope("inner", "Dense"):
        y = ops.exp(Placeholder("float32", ()))
    assert y.origin.layer == '"inner" (Dense)'
    assert y.origin.file == __file__
    assert ops.exp(y).origin.layer is None


def test_the_type_of_a_tensor_prints_as_in_messages():
    assert repr(TensorType("float32", (32, 10))) == "(32, 10) float32"
    assert repr(TensorType("bool", (3,))) == "(3,) bool"
    assert repr(TensorType("bool", ())) == "() bool"


def test_a_negative_size_is_refused():
    with pytest.raises(ShapeError, match="must not be negative"):
        TensorType("float32", (2, -1))


def test_an_op_with_several_results_gives_a_tuple():
    x = Placeholder("float32", (None, 3))
    gamma, beta = Placeholder("float32", (3,)), Placeholder("float32", (3,))
    outputs = apply(registered_ops()["batch_norm"](1e-3), x, gamma, beta)
    assert [v.index for v in outputs] == [0, 1, 2]
    assert len({v.node for v in outputs}) == 1
