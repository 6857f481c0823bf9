"""Profiles: times by step, bytes and operations by shape, beside the limit of the machine."""
import re
import xml.etree.ElementTree as tree

import numpy as np
import pytest

from symk import ops
from symk.compile import function, profile
from symk.compile.plan import evaluate_sizes
from symk.graph import GraphError, Placeholder, Shared, TensorType, layer_scope, registered_ops

pytest.importorskip("symk._core")


def network(**options):
    """Two matrix products in two layers; the input has 3 columns."""
    x = Placeholder("float32", (None, 3), name="x")
    with layer_scope("wide", "Dense"):
        h = ops.tanh(ops.matmul(x, np.ones((3, 400), "float32")))
    with layer_scope("narrow", "Dense"):
        y = ops.sum(ops.matmul(h, np.ones((400, 2), "float32")), 0)
    return function([x], y, **options)


def test_every_step_is_listed_under_its_layer():
    f = network(profile=True)
    for _ in range(3):
        f(np.ones((50, 3)))
    text = f.show("profile")
    assert text.startswith("3 calls, ")
    assert 'layer "wide" (Dense)' in text and 'layer "narrow" (Dense)' in text
    assert len(re.findall(r"^ +\d+  ", text, re.M)) == len(f.plan.steps)


def test_bytes_and_operations_are_those_of_the_last_call():
    f = network(profile=True, stages=())
    f(np.ones((7, 3)))
    rows = {row.kernel: row for row in profile.rows(f.program) if '"wide"' in row.origin}
    assert rows["matmul"].flops == 2 * 7 * 3 * 400
    assert rows["matmul"].size_bytes == 4 * (7 * 3 + 3 * 400 + 7 * 400)
    assert rows["tanh"].flops == 7 * 400 and rows["tanh"].size_bytes == 4 * 2 * 7 * 400
    f(np.ones((14, 3)))
    assert profile.rows(f.program)[0].flops == 2 * 14 * 3 * 400


def test_times_are_those_of_the_calls_that_were_timed():
    f = network()
    f(np.ones((5, 3)))
    assert "no call has been timed" in f.show("profile")
    f.profile()
    f(np.ones((5, 3)))
    f.profile(False)
    f(np.ones((5, 3)))
    assert f.show("profile").startswith("1 calls, ")
    assert all(row.time_ns > 0 for row in profile.rows(f.program))


def test_a_limit_is_the_larger_of_two_times():
    limits = {"flops_per_s": 1e9, "bytes_per_s": 1e6}
    row = profile.Row(0, "matmul", "", 1.0, size_bytes=5, flops=100)
    assert row.limit_ns(limits) == pytest.approx(5000)
    assert row._replace(flops=10000).limit_ns(limits) == pytest.approx(10000)


def test_the_limits_of_the_machine_are_measured_once():
    f = network()
    limits = f.program.limits()
    assert limits["flops_per_s"] > 1e8 and limits["bytes_per_s"] > 1e8
    assert f.program.limits() is limits


def test_sizes_are_found_as_the_runtime_finds_them():
    x, y = Placeholder("float32", (None, 6), name="x"), Placeholder("float32", (None,), name="y")
    z = ops.concat([ops.reshape(x, (-1,)), y], 0)[::2]
    f = function([x, y], z)
    sizes = evaluate_sizes(f.plan, [(5, 6), (3,)])
    (_, number), = f.plan.outputs
    assert [sizes[size] for size in f.plan.buffers[number].shape] == [17]
    assert f(np.ones((5, 6)), np.ones(3)).shape == (17,)


def test_a_loop_counts_all_its_steps():
    x = Placeholder("float32", (None, 4, 3), name="x")
    w = ops.constant(np.ones((3, 3), "float32"))
    (state,), _ = ops.scan(lambda rows, states: ([rows[0] + ops.matmul(states[0], w)], []), [x],
                           [ops.constant(np.zeros((4, 3), "float32"))])
    f = function([x], state, profile=True, stages=())
    for length in (10, 0, 7):
        f(np.ones((length, 4, 3)))
        loop, = (row for row in profile.rows(f.program) if row.kernel == "scan")
        assert loop.flops == length * (2 * 4 * 3 * 3 + 4 * 3)


def test_convolutions_count_their_products():
    x, w = TensorType("float32", (2, 9, 9, 3)), TensorType("float32", (3, 3, 3, 8))
    y = TensorType("float32", (2, 7, 7, 8))
    products = 2 * (2 * 7 * 7 * 8) * (3 * 3 * 3)
    ops_by_name = registered_ops()
    assert ops_by_name["conv"].flops((x, w), (y,)) == products
    assert ops_by_name["conv_grad_input"].flops((y, w), (x,)) == products
    assert ops_by_name["conv_grad_kernel"].flops((x, y), (w,)) == products
    assert ops_by_name["transpose"].flops((x,), (x,)) == 0


def test_reference_mode_has_no_profile():
    with pytest.raises(GraphError, match="only a function of mode"):
        network(mode="reference").show("profile")
    with pytest.raises(GraphError, match="only a function of mode"):
        network(mode="reference", profile=True)


def test_the_map_of_memory_is_drawn():
    f = network()
    f(np.ones((50, 3)))
    page = tree.fromstring(f.show("memory svg"))
    boxes = page.findall(".//{http://www.w3.org/2000/svg}g")
    assert len(boxes) == len(f.program.memory()["map"])
    titles = [box.find("{http://www.w3.org/2000/svg}title").text for box in boxes]
    assert any("steps" in title and "bytes" in title for title in titles)
    for box in boxes:
        rect = box.find("{http://www.w3.org/2000/svg}rect")
        assert 0 < float(rect.get("height")) and float(rect.get("y")) >= 0


def test_a_branch_counts_its_larger_side():
    x = Placeholder("float32", (40, 50))
    w = Shared(np.ones((50, 60), "float32"))
    f = function([x], [ops.cond(ops.sum(x) > 0, lambda: ops.matmul(x, w),
                                lambda: ops.full((40, 60), 0, "float32"))], profile=True)
    f.run([np.ones((40, 50), "float32")])
    branch, = (row for row in profile.rows(f.program) if row.kernel == "cond")
    assert branch.flops == 2 * 40 * 50 * 60
