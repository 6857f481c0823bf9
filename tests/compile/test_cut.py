"""Sections of a function on several devices: in an order that works, with all that each needs."""
import numpy as np

from symk import config, ops
from symk.compile.cut import cut
from symk.compile.place import place
from symk.compile.request import prepare
from symk.graph import Placeholder, Shared, nodes_of
from symk.graph.reference import evaluate
from symk.ops.placed import Placed
from symk.optimize import optimize


def sections_of(inputs, outputs, updates=(), optimized=True):
    request, device = place(prepare(inputs, outputs, updates), "cpu")
    assert device is None
    if optimized:
        request = request.with_results(optimize(request.results)[0])
    return cut(request, "cpu")


def run(sections, outputs, arrays):
    """The meaning of sections, one after the other: (outputs, {variable: new value})."""
    values, new = list(arrays), {}
    for section in sections:
        request = section.request
        assert not any(isinstance(node.op, Placed) for node in nodes_of(request.results))
        feed = {}
        for placeholder, (number, _) in zip(request.inputs, section.sources):
            assert number < len(values), "a section reads what an earlier one makes"
            feed[placeholder] = values[number]
        made = evaluate(request.results, feed)
        count = len(request.outputs)
        values += made[:count]
        for (shared, value), result in zip(request.updates, made[count:]):
            if shared is not value:
                assert shared not in new
                new[shared] = result
    return [values[number] for number in outputs], new


def pipeline():
    """x -> tanh on one device -> exp and sin on the other -> their sum on the first."""
    x = Placeholder("float32", (None, 3))
    with config.device("cuda:0"):
        y = ops.tanh(x)
    with config.device("cuda:1"):
        z = ops.exp(y)
        late = ops.sin(ops.cos(y))
    with config.device("cuda:0"):
        total = ops.square(z) + y
    return x, total, late


def test_a_level_is_a_way_from_device_to_device():
    x, total, late = pipeline()
    sections, outputs = sections_of([x], [total, late])
    assert [section.device for section in sections] == ["cuda:0", "cuda:1", "cuda:1", "cuda:0"]
    value = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
    (given, other), _ = run(sections, outputs, [value])
    y = np.tanh(value)
    np.testing.assert_allclose(given, np.square(np.exp(y)) + y, rtol=1e-6)
    np.testing.assert_allclose(other, np.sin(np.cos(y)), rtol=1e-6)


def test_what_the_host_makes_of_inputs_alone_is_the_first_section():
    """Not what reads a variable, and not what it makes for itself."""
    x, scale = Placeholder("float32", (None, 3)), Shared(np.float32(2), name="scale")
    with config.device("cpu"):
        halves = [x[::2], x[1::2]]
        scaled, own = ops.tanh(x) * scale, ops.exp(x)
    with config.device("cuda:0"):
        y = ops.sin(halves[0])
    with config.device("cuda:1"):
        z = ops.cos(halves[1]) + ops.sum(scaled)
    with config.device("cpu"):
        total = ops.sum(y) + ops.sum(z) + ops.sum(own)
    sections, outputs = sections_of([x], [total], optimized=False)
    names = [(section.device, {node.op.name for node in nodes_of(section.request.results)})
             for section in sections]
    assert names[:3] == [("cpu", {"slice"}), ("cuda:0", {"sin"}), ("cuda:1", {"cos"})]
    assert "tanh" in names[3][1]
    value = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
    (given,), _ = run(sections, outputs, [value])
    wanted = (np.sin(value[::2]).sum() + (np.cos(value[1::2]) + (np.tanh(value) * 2).sum()).sum()
              + np.exp(value).sum())
    np.testing.assert_allclose(given, wanted, rtol=1e-5)


def test_replicas_do_not_wait_for_each_other():
    """Neither where the one that joins them computes its part, nor where the host does one."""
    for names in (("cuda:0", "cuda:1"), ("cuda:0", "cpu")):
        x, w = Placeholder("float32", (None, 3)), Shared(np.ones((3, 3), "float32"), name="w")
        half = x.shape[0] // 2
        with config.device("cpu"):
            parts = [x[:half], x[half:]]
        results = []
        for name, part in zip(names, parts):
            with config.device(name):
                results.append(ops.tanh(ops.matmul(part, w)))
        with config.device("cuda:0"):
            joined = ops.concat(results, 0)
        sections, _ = sections_of([x], [joined], optimized=False)
        first = {}
        for number, section in enumerate(sections):
            if any(node.op.name == "matmul" for node in nodes_of(section.request.results)):
                first.setdefault(section.device, number)
                makers = [source for source, _ in section.sources[1:]]
                assert len(makers) <= 1, "a part of x, and nothing of another replica"
        assert set(first) == set(names)
        assert first["cuda:0"] < first.get("cpu", len(sections))


def test_what_others_wait_for_comes_before_what_may_wait():
    x, total, late = pipeline()
    sections, _ = sections_of([x], [total, late], optimized=False)
    names = [{node.op.name for node in nodes_of(section.request.results)} for section in sections]
    assert names == [{"tanh"}, {"exp"}, {"sin", "cos"}, {"square", "add"}]


def test_inputs_are_there_for_their_sizes_and_read_where_they_are_used():
    x, total, late = pipeline()
    sections, _ = sections_of([x], [total, late])
    assert all(section.request.inputs[0] is x for section in sections)
    assert [section.sources[0] for section in sections] == [(0, True)] + [(0, False)] * 3


def test_variables_change_in_the_last_level_and_all_see_old_values():
    a, b = (Shared(np.full(3, value, "float32"), name=name) for name, value in (("a", 2), ("b", 3)))
    x = Placeholder("float32", (3,))
    with config.device("cuda:0"):
        y = ops.tanh(x) * a
    with config.device("cuda:1"):
        z = y + b
    with config.device("cuda:0"):
        new_a = a + z
    with config.device("cuda:1"):
        new_b = b * a
    sections, outputs = sections_of([x], [z], [(a, new_a), (b, new_b)])
    value = np.ones(3, "float32")
    (given,), new = run(sections, outputs, [value])
    np.testing.assert_allclose(given, np.tanh(value) * 2 + 3, rtol=1e-6)
    np.testing.assert_allclose(new[a], given + 2)
    np.testing.assert_allclose(new[b], np.full(3, 6.0))
    changing = [{shared.name for shared, value in section.request.updates if shared is not value}
                for section in sections]
    assert changing[-2:] == [{"a"}, {"b"}] and not any(changing[:-2])


def test_sections_know_what_others_change():
    """So that nothing made of it is kept for the next call."""
    a = Shared(np.ones(3, "float32"), name="a")
    x = Placeholder("float32", (3,))
    with config.device("cuda:1"):
        y = x * ops.exp(a)
    with config.device("cuda:0"):
        new = a + ops.tanh(y)
    sections, _ = sections_of([x], [y], [(a, new)])
    for section in sections:
        reads = any(a in node.inputs for node in nodes_of(section.request.results))
        assert [shared for shared, _ in section.request.updates] == ([a] if reads else [])
    assert sum(len(section.request.updates) for section in sections) == 2


def test_results_that_no_node_makes_have_a_section():
    a = Shared(np.arange(3, dtype="float32"), name="a")
    x, ones = Placeholder("float32", (3,)), ops.constant(np.ones(3, "float32"))
    with config.device("cuda:0"):
        y = ops.tanh(x)
    sections, outputs = sections_of([x], [x, a, ones, y, y, ops.neg(y)], [(a, ones)])
    given, new = run(sections, outputs, [np.full(3, 0.5, "float32")])
    tanh = np.tanh(0.5)
    for value, wanted in zip(given, (0.5, np.arange(3), 1, tanh, tanh, -tanh)):
        np.testing.assert_allclose(value, np.full(3, wanted, "float32"), rtol=1e-6)
    np.testing.assert_array_equal(new[a], np.ones(3))


def test_a_program_keeps_its_operands_apart():
    """What was read on two devices may be one value again when nothing is left between."""
    x = Placeholder("float32", (4,))
    with config.device("cuda:0"):
        y = ops.identity(x)
    with config.device("cuda:1"):
        z = ops.tanh(y) * x + ops.exp(y - x)
    sections, outputs = sections_of([x], [z])
    value = np.linspace(0, 1, 4, dtype="float32")
    (given,), _ = run(sections, outputs, [value])
    np.testing.assert_allclose(given, np.tanh(value) * value + 1, rtol=1e-6)
    for section in sections:
        for node in nodes_of(section.request.results):
            if node.op.kind == "fused":
                assert len(set(node.inputs)) == len(node.inputs)
