"""Walks: order, depth, and rebuilding with replacements."""
import numpy as np
import pytest

from symk import ops
from symk.graph import Placeholder, ShapeError, layer_scope, walk
from symk.graph.reference import evaluate


def test_nodes_come_after_their_inputs():
    x = Placeholder("float32", (3,))
    y = ops.exp(x) * ops.sin(x) + ops.exp(ops.cos(x))
    seen = set()
    for node in walk.nodes_of([y, y]):
        assert all(v.node is None or v.node in seen for v in node.inputs)
        assert node not in seen
        seen.add(node)
    assert len(seen) == 6


def test_a_deep_graph_needs_no_recursion():
    x = y = Placeholder("float32", ())
    for _ in range(20000):
        y = ops.neg(y)
    assert len(walk.nodes_of([y])) == 20000
    assert walk.sources_of([y]) == [x]
    z, = walk.rebuild([y], {x: Placeholder("float32", ())})
    assert len(walk.nodes_of([z])) == 20000


def test_a_walk_stops_where_it_is_told():
    x = Placeholder("float32", ())
    y = ops.exp(x)
    node, = walk.nodes_of([ops.neg(y)], stop=[y])
    assert node.op.name == "neg"


def test_sources_are_in_the_order_of_first_use():
    a, b = Placeholder("float32", ()), Placeholder("float32", ())
    assert walk.sources_of([b - a, a]) == [b, a]
    assert walk.sources_of([a]) == [a]


def test_clients_are_uses_with_positions():
    a = Placeholder("float32", ())
    y = a - a
    assert walk.clients_of([y.node]) == {a: [(y.node, 0), (y.node, 1)]}


def test_dependence_is_followed_through_nodes():
    a, b = Placeholder("float32", ()), Placeholder("float32", ())
    y = ops.exp(a) + 1
    assert walk.depends_on(y, [a]) and not walk.depends_on(y, [b]) and walk.depends_on(y, [y])


def test_rebuild_shares_what_does_not_change():
    a, b, c = (Placeholder("float32", ()) for _ in range(3))
    same = ops.exp(b)
    with layer_scope("dense", "Dense"):
        y = ops.sin(a) * same
    z, = walk.rebuild([y], {a: c})
    assert z is not y and z.node.inputs[1] is same
    assert z.node.inputs[0].node.inputs == (c,)
    assert z.origin is y.origin
    assert walk.rebuild([same], {a: c}) == [same]


def test_rebuild_replaces_an_inner_expression():
    a = Placeholder("float64", ())
    inner = ops.exp(a)
    z, = walk.rebuild([inner * 2], {inner: a})
    assert evaluate([z], {a: np.float64(3)}) == [6.0]


def test_rebuild_checks_the_new_types():
    a = Placeholder("float32", (2, 3))
    y = ops.matmul(a, np.ones((3, 4)))
    with pytest.raises(ShapeError, match="inner sizes must agree"):
        walk.rebuild([y], {a: Placeholder("float32", (2, 5))})
