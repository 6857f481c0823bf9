"""The check of a graph finds what stages must never make."""
import pytest

from symk import ops
from symk.graph import GraphError, Placeholder, TensorType, Variable
from symk.graph.check import check


def expression():
    x = Placeholder("float32", (None, 4), name="x")
    return ops.exp(x) + ops.softmax(x)


def test_a_sound_graph_passes():
    check([expression()])


def test_a_wrong_type_is_found():
    y = expression()
    y.type = TensorType("float64", y.shape)
    with pytest.raises(GraphError, match="the types of outputs must be those"):
        check([y])


def test_a_cycle_is_found():
    y = expression()
    inner = y.node.inputs[0].node
    inner.inputs = (y,)
    with pytest.raises(GraphError, match="must have no cycles"):
        check([y])


def test_an_output_of_another_node_is_found():
    y, z = expression(), expression()
    y.node.outputs = z.node.outputs
    with pytest.raises(GraphError, match="must know its node"):
        check([y])


def test_a_source_of_no_kind_is_found():
    loose = Variable(TensorType("float32", ()))
    with pytest.raises(GraphError, match="a source must be a placeholder"):
        check([ops.exp(loose)])


def test_a_result_that_is_no_variable_is_found():
    with pytest.raises(GraphError, match="a result must be a Variable"):
        check([3.0])
