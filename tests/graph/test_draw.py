"""Drawings: everything is drawn once, edges join what is drawn, boxes do not lie on each other."""
import re
import xml.etree.ElementTree as tree

import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.graph import Placeholder, Shared, layer_scope
from symk.graph.draw import to_dot, to_svg


def expression(training=False):
    """Two layers on one input; with their gradients if for training."""
    x = Placeholder("float32", (None, 4), name="x")
    weights = [Shared(np.ones(shape, "float32"), name="w%d" % k)
               for k, shape in enumerate([(4, 8), (8, 2)])]
    with layer_scope("dense_1", "Dense"):
        hidden = ops.relu(ops.matmul(x, weights[0]))
    with layer_scope("dense_2", "Dense"):
        output = ops.softmax(ops.matmul(hidden, weights[1]) * 0.5)
    loss = ops.mean(ops.square(output))
    return [loss] + grad(loss, weights) if training else output


def test_dot_frames_the_nodes_of_a_layer():
    text = to_dot(expression(), name='a "model"')
    assert text.startswith('digraph "a \\"model\\"" {') and text.endswith("}")
    frame = re.search(r'subgraph "cluster_\d+" \{\n +label="\\"dense_1\\" \(Dense\)";(.*?)\n  \}',
                      text, re.S).group(1)
    assert "matmul" in frame and "relu" in frame and "softmax" not in frame


def test_every_edge_of_dot_joins_what_is_drawn():
    for drawn in (expression(), expression(training=True)):
        text = to_dot(drawn)
        names = re.findall(r'^ +("[^"]+") \[', text, re.M)
        edges = re.findall(r'("[^"]+") -> ("[^"]+");', text)
        assert len(names) == len(set(names))
        assert {end for edge in edges for end in edge} <= set(names)


def nested():
    """A loop with a branch in its step, and what is computed again for gradients."""
    x, w = Placeholder("float32", (6, 4), name="x"), Shared(np.eye(4, dtype="float32"), name="w")

    def step(rows, states):
        h = ops.tanh(ops.matmul(states[0], w) + rows[0])
        chosen = ops.cond(ops.sum(h) > 0, lambda: ops.exp(h), lambda: ops.neg(h))
        return [chosen], [h]

    (last,), (outputs,) = ops.scan(step, [x], [ops.full((1, 4), 0, "float32")])
    again, = ops.checkpoint([ops.sin(ops.cos(last))], [last])
    return [again, outputs]


def test_dot_has_a_frame_for_each_inner_graph():
    text = to_dot(nested())
    labels = re.findall(r'label="(\w+ of \w+)"', text)
    assert sorted(labels) == ["body of checkpoint", "body of scan", "otherwise of cond",
                              "then of cond"]
    names = re.findall(r'^ +("[^"]+") \[', text, re.M)
    edges = re.findall(r'("[^"]+") -> ("[^"]+")', text)
    assert len(names) == len(set(names)) and text.count("{") == text.count("}")
    assert {end for edge in edges for end in edge} <= set(names)
    assert text.count("style=dashed") == 3 + 1 + 1 + 1   # what inner graphs result in


def test_a_loop_holds_the_drawing_of_its_step():
    root = tree.fromstring(to_svg(nested()))
    space = "{http://www.w3.org/2000/svg}"
    frames = [element for element in root.iter(space + "g") if element.get("transform")
              and element.find(space + "text") is not None]
    names = [frame.find(space + "text").text for frame in frames]
    assert sorted(names) == ["body", "body", "otherwise", "then"]
    holders = [Box(element.find(space + "rect")) for element in root.findall(space + "g")
               if element.find(space + "title") is not None]
    for frame in frames:
        if frame in list(root):   # the others lie in one of these
            x, y = map(float, re.findall(r"[-\d.]+", frame.get("transform")))
            rect = frame.find(space + "rect")
            rect.set("x", str(x))
            rect.set("y", str(y))
            assert sum(holder.holds(Box(rect)) for holder in holders) == 1
    titles = [element.text.split()[0] for element in root.iter(space + "title")]
    assert {"tanh", "exp", "neg", "sin", "cos", "scan", "cond", "checkpoint"} <= set(titles)


class Box:
    """A rectangle of an SVG."""

    def __init__(self, element):
        self.x, self.y, self.width, self.height = (
            float(element.get(key)) for key in ("x", "y", "width", "height"))

    def meets(self, other):
        return (self.x < other.x + other.width and other.x < self.x + self.width
                and self.y < other.y + other.height and other.y < self.y + self.height)

    def holds(self, other):
        return (self.x <= other.x and other.x + other.width <= self.x + self.width
                and self.y <= other.y and other.y + other.height <= self.y + self.height)


def drawing(expressions):
    """({title: box of an item}, {title: box of a frame}, number of edges, size of the page)."""
    name = "{http://www.w3.org/2000/svg}"
    page = tree.fromstring(to_svg(expressions))
    items = {}
    for group in page.findall(name + "g"):
        title = group.find(name + "title").text
        assert title not in items or not title.startswith("%")
        items[len(items), title] = Box(group.find(name + "rect"))
    frames = [Box(rect) for rect in page.findall(name + "rect") if rect.get("fill") == "#eaf1f8"]
    titles = [text.text for text in page.findall(name + "text")]
    size = float(page.get("width")), float(page.get("height"))
    return items, list(zip(titles, frames)), len(page.findall(name + "path")), size


@pytest.mark.parametrize("training", [False, True])
def test_no_box_lies_on_another_and_all_are_on_the_page(training):
    items, frames, edges, (width, height) = drawing(expression(training))
    boxes = list(items.values())
    for number, box in enumerate(boxes):
        assert box.x >= 0 and box.y >= 0
        assert box.x + box.width <= width and box.y + box.height <= height
        assert not any(box.meets(other) for other in boxes[:number])
    for number, (_, frame) in enumerate(frames):
        assert not any(frame.meets(other) for _, other in frames[:number])
        assert all(frame.holds(box) or not frame.meets(box) for box in boxes)
    assert edges == len(re.findall("->", to_dot(expression(training))))


def test_a_layer_has_a_frame_for_each_way_through_it():
    _, frames, _, _ = drawing(expression())
    assert [title for title, _ in frames] == ['"dense_1" (Dense)', '"dense_2" (Dense)']
    _, frames, _, _ = drawing(expression(training=True))
    assert [title for title, _ in frames].count('"dense_1" (Dense)') == 2


def test_numbers_stand_in_the_text_of_their_reader():
    svg = to_svg(expression())
    assert "mul 0.5" in svg and "constant" not in svg


def test_edges_go_down():
    svg = tree.fromstring(to_svg(expression(training=True)))
    for path in svg.findall("{http://www.w3.org/2000/svg}path"):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d"))]
        assert numbers[1] < numbers[-1]


def test_texts_of_users_are_escaped():
    x = Placeholder("float32", (2,), name="<x & y>")
    tree.fromstring(to_svg(ops.exp(x)))


def test_a_result_may_be_a_source_or_a_number():
    x = Placeholder("float32", (2,), name="x")
    for drawn in ([x], [ops.constant(2.0)], [x, x]):
        assert tree.fromstring(to_svg(drawn)) is not None
        assert "result 0" in to_dot(drawn)


def test_a_deep_graph_needs_no_recursion():
    y = Placeholder("float32", (2,), name="x")
    for _ in range(2000):
        y = ops.sin(y)
    assert to_svg(y).count("<g>") == 2002
