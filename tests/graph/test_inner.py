"""Graphs as values: closed, compared by what they compute, moved to other inputs and sizes."""
import numpy as np
import pytest

from symk import ops
from symk.graph import GraphError, InnerGraph, Placeholder, Shared, dims
from symk.graph.reference import evaluate
from symk.graph.show import show


def example(scale=2.0, shape=(3,)):
    x, y = Placeholder("float64", shape), Placeholder("float64", shape)
    return InnerGraph([x, y], [ops.exp(x) * scale + y, y])


def test_graphs_that_compute_the_same_are_equal():
    assert example() == example() and hash(example()) == hash(example())
    assert example() != example(3.0) and example() != example(shape=(4,))


def test_the_order_of_inputs_and_outputs_tells_graphs_apart():
    graph = example()
    assert graph != InnerGraph(graph.inputs[::-1], graph.outputs)
    assert graph != graph.with_outputs(graph.outputs[::-1])


def test_a_graph_is_closed():
    x, w = Placeholder("float64", (3,)), Shared(np.ones(3))
    with pytest.raises(GraphError, match="an inner graph may use its inputs and constants"):
        InnerGraph([x], [x * w])


def test_a_graph_runs_on_other_inputs():
    a, b = (ops.constant(np.full(3, value)) for value in (0.0, 5.0))
    values = evaluate(example().at([a, b]), {})
    assert values[0].tolist() == [7, 7, 7] and values[1].tolist() == [5, 5, 5]


def test_sizes_are_replaced_in_types_and_attributes():
    n = dims.Size.new("n")
    x = Placeholder("float64", (n, 2))
    graph = InnerGraph([x], [ops.full((n * 3,), 1, "float64"), ops.reshape(x, (-1,))])
    known = graph.with_sizes({dims.as_size(n): 4})
    assert [v.shape for v in known.inputs + known.outputs] == [(4, 2), (12,), (8,)]
    assert graph.with_sizes({}) is graph


def test_listings_show_what_is_inside():
    x, w = Placeholder("float64", (None, 3), name="x"), Placeholder("float64", (3,), name="w")
    _, (y,) = ops.scan(lambda rows, _: ([], [rows[0] * w]), [x])
    assert show(y).splitlines()[3:] == [
        "    body(row, w):",
        "        row: placeholder (3,) float64",
        "        w: placeholder (3,) float64",
        "        %0 = mul(row, w) -> (3,) float64",
        "        results: %0",
        "results: %0"]
