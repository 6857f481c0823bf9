"""Draws expressions: `to_dot` for Graphviz, `to_svg` by a layout of our own; layers are frames.

The layout has two levels. Nodes of one layer that follow each other are a *group*; a layer that is
met twice (forward, and for its gradient) has two. Groups are put in rows by their longest way from
a source, the nodes inside a group likewise; each row is sorted by where its inputs are (the
barycentre heuristic). Source: Sugiyama, Tagawa & Toda 1981. A loop, a branch and what is computed
again hold a drawing of each of their inner graphs.
"""
from html import escape

from .node import Constant, Variable
from .show import bodies_of, kind_of, unique_names
from .walk import nodes_of, sources_of

__all__ = ["to_dot", "to_svg"]

# Pixels: a letter of the font, a line, the air around a text, and between boxes and rows.
_LETTER, _LINE, _AIR, _GAP, _ROW_GAP = 6.3, 14, 8, 16, 34
_TITLE = 18      # of a frame
_LONGEST = 46    # letters of a line; the rest is in the tooltip


# --- what is drawn ---

class _Item:
    """A node, a source or a result: its text, what it is made from, and where it is put."""

    def __init__(self, key, lines, shape, layer=None, origin=""):
        self.key, self.lines, self.shape, self.layer = key, lines, shape, layer
        self.tooltip = "\n".join(list(lines) + ([origin] if origin else []))
        self.inputs, self.bodies = [], []
        self.x = self.y = 0.0
        self.width = _LETTER * max(len(_cut(line)) for line in lines) + 2 * _AIR
        self.height = _LINE * len(lines) + _AIR

    def hold(self, bodies):
        """Makes room for the drawings of inner graphs, one below the other."""
        self.bodies = bodies
        self.width = max([self.width] + [body.width + 2 * _AIR for body in bodies])
        self.height += sum(body.height + _TITLE + _AIR for body in bodies)


class _Body:
    """An inner graph: what it is to its op, its items, and the size of its drawing."""

    def __init__(self, name, graph):
        self.name, self.items = name, _items(list(graph.outputs))
        self.groups, self.width, self.height = _lay_out(self.items)


def _items(results):
    """All items, each after its inputs. A constant of one element is part of its reader's text."""
    names = unique_names(results)
    made, order = {}, []

    def add(thing, item, variables):
        item.inputs = list(dict.fromkeys(made[_thing(v)] for v in variables if _thing(v) in made))
        made[thing] = item
        order.append(item)

    for source in sources_of(results):
        if not _is_number(source) or source in results:
            add(source, _Item(names[source], ["%s %s" % (kind_of(source), names[source]),
                                              repr(source.type)], "source"), ())
    for node in nodes_of(results):
        numbers = ["%.6g" % v.value.reshape(-1)[0] for v in node.inputs if _is_number(v)]
        lines = [" ".join([node.op.name] + numbers), ", ".join(repr(v.type) for v in node.outputs)]
        attributes = node.op.describe()
        lines[1:1] = [attributes] if attributes else []
        item = _Item(names[node.outputs[0]], lines, "node", node.origin.layer, repr(node.origin))
        item.hold([_Body(*named) for named in bodies_of(node.op)])
        add(node, item, node.inputs)
    for position, variable in enumerate(results):
        add(("result", position), _Item("result %d" % position, ["result %d" % position], "result"),
            [variable])
    return order


def _thing(variable):
    """What draws a variable: its node, or itself."""
    return variable if variable.node is None else variable.node


def _is_number(variable):
    return isinstance(variable, Constant) and variable.value.size == 1


def _cut(line):
    return line if len(line) <= _LONGEST else line[:_LONGEST - 3] + "..."


def _as_list(expressions):
    return [expressions] if isinstance(expressions, Variable) else list(expressions)


# --- Graphviz ---

def to_dot(expressions, name="graph"):
    """The expressions as Graphviz text; the nodes of a layer are drawn in one frame."""
    lines = ["digraph %s {" % _quoted(name), "  node [fontsize=10];"]
    lines += _dot_lines(_items(_as_list(expressions)), "")
    return "\n".join(lines + ["}"])


_DOT_SHAPES = {"source": "ellipse", "node": "box", "result": "plaintext"}


def _dot_lines(items, place):
    """The statements of one graph; `place` says where it is and makes its keys unique."""
    lines, layers = [], {}
    for item in items:
        layers.setdefault(item.layer, []).append(item)
    for number, (layer, inside) in enumerate(layers.items()):
        made = [line for item in inside for line in _dot_item(item, place)]
        lines += made if layer is None else _cluster("%s%d" % (place, number), layer, made)
    lines += ["  %s -> %s;" % (_quoted(place + source.key), _quoted(place + item.key))
              for item in items for source in item.inputs]
    return lines


def _dot_item(item, place):
    """A box, and the inner graphs that it runs, which give it what they result in."""
    key = _quoted(place + item.key)
    lines = ["  %s [label=%s, shape=%s];" % (key, _quoted("\n".join(map(_cut, item.lines))),
                                             _DOT_SHAPES[item.shape])]
    for body in item.bodies:
        inner = "%s%s %s/" % (place, item.key, body.name)
        lines += _cluster(inner, "%s of %s" % (body.name, item.lines[0]),
                          _dot_lines(body.items, inner))
        lines += ["  %s -> %s [style=dashed];" % (_quoted(inner + part.key), key)
                  for part in body.items if part.shape == "result"]
    return lines


def _cluster(key, label, lines):
    """Graphviz draws a frame around a subgraph whose name begins like this."""
    return (["  subgraph %s {" % _quoted("cluster_" + key), "    label=%s;" % _quoted(label)]
            + ["  " + line for line in lines] + ["  }"])


def _quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


# --- layout ---

class _Group:
    """Items that are drawn together: in a frame, if they belong to a layer."""

    def __init__(self, layer):
        self.layer, self.items = layer, []
        self.x = self.y = self.width = self.height = 0.0

    def arrange(self):
        """Puts the items into rows, relative to the group, and finds its size."""
        top = _TITLE + _AIR if self.layer else 0.0
        side = _AIR if self.layer else 0.0
        members = set(self.items)
        inside = {item: [i for i in item.inputs if i in members] for item in self.items}
        rows = _rows(self.items, _ranks(self.items, inside.__getitem__))
        widths = [sum(i.width for i in row) + _GAP * (len(row) - 1) for row in rows]
        titled = _LETTER * len(self.layer or "")
        self.width = max(widths + [titled]) + 2 * side
        for row, width in zip(rows, widths):
            x = (self.width - width) / 2
            # Items of the first row read only what lies outside, all others something inside.
            for item in sorted(row, key=lambda item: _middle(inside[item] or item.inputs)):
                item.x, item.y = x, top
                x += item.width + _GAP
            top += max(item.height for item in row) + _GAP
        self.height = top - _GAP + side

    def move(self, x, y):
        self.x, self.y = x, y
        for item in self.items:
            item.x += x
            item.y += y


def _groups(items):
    """The groups, each after those that it reads.

    A level grows over every edge between different layers, so the items of one layer and level
    have no way between them that leaves the layer: groups cannot go round in a circle.
    """
    levels, groups = {}, {}
    for item in items:
        levels[item] = max([levels[i] + (i.layer is None or i.layer != item.layer)
                            for i in item.inputs] or [0])
        key = item if item.layer is None else (item.layer, levels[item])
        groups.setdefault(key, _Group(item.layer)).items.append(item)
    return sorted(groups.values(), key=lambda group: min(levels[item] for item in group.items))


def _ranks(things, inputs_of):
    """{thing: its longest way from one without inputs}; things come after their inputs."""
    ranks = {}
    for thing in things:
        ranks[thing] = max([ranks[i] + 1 for i in inputs_of(thing)] or [0])
    return ranks


def _rows(things, ranks):
    rows = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for thing in things:
        rows[ranks[thing]].append(thing)
    return rows


def _lay_out(items):
    """Places everything; returns (groups, width, height)."""
    groups = _groups(items)
    group_of = {item: group for group in groups for item in group.items}
    inputs = {group: list(dict.fromkeys(group_of[i] for item in group.items for i in item.inputs
                                        if group_of[i] is not group)) for group in groups}
    ranks = _ranks(groups, inputs.__getitem__)
    _lower_sources(groups, inputs, ranks)
    y, width = _GAP, 0.0
    for row in _rows(groups, ranks):
        for group in row:
            group.arrange()
        row.sort(key=lambda group: _middle(inputs[group]))
        x = _GAP
        for group in row:
            group.move(max(x, _middle(inputs[group]) - group.width / 2), y)
            x = group.x + group.width + _GAP
        y += max([group.height for group in row] or [0]) + _ROW_GAP
        width = max(width, x)
    return groups, width, y


def _middle(boxes):
    """The middle of groups or items that have been placed."""
    return sum(box.x + box.width / 2 for box in boxes) / max(len(boxes), 1)


def _lower_sources(groups, inputs, ranks):
    """Puts what reads nothing just above its first reader."""
    first = {}
    for group in groups:
        for source in inputs[group]:
            first[source] = min(first.get(source, ranks[group]), ranks[group])
    for group in groups:
        if not inputs[group] and group in first:
            ranks[group] = first[group] - 1


# --- SVG ---

_COLOURS = {"source": "#fdf3d8", "node": "#ffffff", "result": "#e3f2e1"}


def to_svg(expressions):
    """The expressions as an SVG drawing, from the inputs at the top to the results."""
    items = _items(_as_list(expressions))
    groups, width, height = _lay_out(items)
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-family='
             '"monospace" font-size="10.5">' % (width, height),
             '<defs><marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" '
             'markerHeight="6" orient="auto"><path d="M0,0 L6,3 L0,6 z" fill="#777"/></marker>'
             "</defs>", '<rect width="100%" height="100%" fill="white"/>']
    return "\n".join(parts + _parts(items, groups) + ["</svg>"])


def _parts(items, groups):
    """What is drawn of one graph, in its own coordinates."""
    return ([_frame(group) for group in groups if group.layer]
            + [_edge(source, item) for item in items for source in item.inputs]
            + [_box(item) for item in items])


def _frame(group):
    return ('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" fill="#eaf1f8" stroke='
            '"#9db7d0"/><text x="%.1f" y="%.1f" fill="#34557a">%s</text>'
            % (group.x, group.y, group.width, group.height, group.x + _AIR, group.y + 13,
               escape(group.layer, quote=False)))


def _edge(source, item):
    """A curve from the bottom of one box to the top of another."""
    x1, y1 = source.x + source.width / 2, source.y + source.height
    x2, y2 = item.x + item.width / 2, item.y
    bend = max((y2 - y1) / 2, 10)
    return ('<path d="M%.1f,%.1f C%.1f,%.1f %.1f,%.1f %.1f,%.1f" fill="none" stroke="#777" '
            'stroke-opacity="0.7" marker-end="url(#tip)"/>'
            % (x1, y1, x1, y1 + bend, x2, y2 - bend, x2, y2))


def _box(item):
    corner = item.height / 2 if item.shape == "source" else 3
    texts = "".join('<text x="%.1f" y="%.1f">%s</text>'
                    % (item.x + _AIR, item.y + _LINE * (k + 1), escape(_cut(line), quote=False))
                    for k, line in enumerate(item.lines))
    return ('<g><title>%s</title><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f" '
            'fill="%s" stroke="#555"/>%s</g>%s'
            % (escape(item.tooltip, quote=False), item.x, item.y, item.width, item.height, corner,
               _COLOURS[item.shape], texts, _bodies(item)))


def _bodies(item):
    """The drawings of the inner graphs of an item, below its text."""
    drawn, y = [], item.y + _LINE * len(item.lines) + _AIR
    for body in item.bodies:
        drawn.append('<g transform="translate(%.1f,%.1f)"><rect width="%.1f" height="%.1f" rx="4" '
                     'fill="#f6f4fb" stroke="#b6a9d6" stroke-dasharray="4 2"/><text x="%.1f" '
                     'y="13" fill="#5b4a8a">%s</text><g transform="translate(0,%d)">%s</g></g>'
                     % (item.x + _AIR, y, item.width - 2 * _AIR, body.height + _TITLE, _AIR,
                        escape(body.name, quote=False), _TITLE,
                        "".join(_parts(body.items, body.groups))))
        y += body.height + _TITLE + _AIR
    return "".join(drawn)
