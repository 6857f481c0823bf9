"""Listings and drawings name what is there: types, attributes, layers."""
import numpy as np

from symk import ops
from symk.graph import Placeholder, Shared, layer_scope
from symk.graph.show import show
from symk.optimize.fuse import fuse


def expression():
    x = Placeholder("float32", (None, 4), name="x")
    w = Shared(np.zeros((4, 2), "float32"), name="w")
    with layer_scope("dense_1", "Dense"):
        y = ops.matmul(x, w)
    return ops.softmax(y) * 2.0


def test_show_lists_sources_then_nodes_then_results():
    assert show(expression()).splitlines() == [
        "x: placeholder (x.0, 4) float32",
        "w: shared (4, 2) float32",
        "constant: constant () float32 = 2.0",
        '%0 = matmul(x, w) -> (x.0, 2) float32  # "dense_1" (Dense)',
        "%1 = softmax(%0)[axis=1] -> (x.0, 2) float32",
        "%2 = mul(%1, constant) -> (x.0, 2) float32",
        "results: %2",
    ]


def test_show_can_leave_layers_out():
    assert "dense_1" not in show(expression(), origins=False)


def test_sources_of_one_name_are_told_apart():
    x, other = (Placeholder("float32", (2,), name="x") for _ in range(2))
    assert show(x + other).splitlines()[:2] == ["x: placeholder (2,) float32",
                                                "x#2: placeholder (2,) float32"]


def test_a_node_with_several_results_is_listed_once():
    x = Placeholder("float32", (None, 4), name="x")
    scale = ops.constant(np.ones(4, "float32"))
    text = show(ops.batch_norm(x, scale, scale, 1e-3))
    assert text.count("batch_norm(") == 1 and "%0, %1, %2 = batch_norm(" in text


def test_a_program_is_listed_by_its_formulas():
    x = Placeholder("float32", (None, 4), name="x")
    (fused,), _ = fuse([ops.exp(x) * x + 1.0])
    assert ("fused(x, constant)[t0 = exp(x0); t1 = mul(t0, x0); t2 = add(t1, x1); -> t2]"
            in show(fused))
