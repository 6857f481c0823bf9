"""Prints expressions: `show` as a numbered listing, `to_dot` as a drawing for Graphviz."""
from .node import Constant, Placeholder, Shared, Variable
from .walk import nodes_of, sources_of

__all__ = ["show", "to_dot"]


def show(expressions, origins=True):
    """The expressions as text: sources first, then one line per node, inputs before readers.

    Args:     expressions: a Variable or several. origins: whether to name layers at the nodes.
    """
    results = _as_list(expressions)
    names = _names(results)
    lines = ["%s: %s %r%s" % (names[source], _kind(source), source.type, _value(source))
             for source in sources_of(results)]
    for node in nodes_of(results):
        left = ", ".join(names[variable] for variable in node.outputs)
        types = ", ".join(repr(variable.type) for variable in node.outputs)
        operands = ", ".join(names[variable] for variable in node.inputs)
        layer = "  # %s" % node.origin.layer if origins and node.origin.layer else ""
        lines.append("%s = %s(%s)%s -> %s%s" % (left, node.op.name, operands,
                                                _attributes(node.op), types, layer))
    lines.append("results: " + ", ".join(names[variable] for variable in results))
    return "\n".join(lines)


def to_dot(expressions, name="graph"):
    """The expressions as Graphviz text; the nodes of a layer are drawn in one frame."""
    results = _as_list(expressions)
    names = _names(results)
    lines = ["digraph %s {" % _quoted(name), "  node [shape=box, fontsize=10];"]
    for source in sources_of(results):
        label = "%s\n%s %r" % (names[source], _kind(source), source.type)
        lines.append("  %s [label=%s, shape=ellipse];" % (_quoted(names[source]), _quoted(label)))
    nodes = nodes_of(results)
    lines += _dot_frames(nodes, names)
    for node in nodes:
        lines += ["  %s -> %s;" % (_quoted(_dot_id(variable, names)),
                                   _quoted(names[node.outputs[0]])) for variable in node.inputs]
    for position, variable in enumerate(results):
        result = "result %d" % position
        lines.append("  %s [shape=plaintext];" % _quoted(result))
        lines.append("  %s -> %s;" % (_quoted(_dot_id(variable, names)), _quoted(result)))
    return "\n".join(lines + ["}"])


def _dot_frames(nodes, names):
    """The nodes of each layer in a cluster, those of none outside."""
    layers = {}
    for node in nodes:
        layers.setdefault(node.origin.layer, []).append(node)
    lines = []
    for number, (layer, inside) in enumerate(layers.items()):
        indent = "  " if layer is None else "    "
        if layer is not None:
            lines += ["  subgraph cluster_%d {" % number, "    label=%s;" % _quoted(layer)]
        for node in inside:
            label = "%s%s\n%s" % (node.op.name, _attributes(node.op),
                                  ", ".join(repr(variable.type) for variable in node.outputs))
            lines.append("%s%s [label=%s];" % (indent, _quoted(names[node.outputs[0]]),
                                               _quoted(label)))
        if layer is not None:
            lines.append("  }")
    return lines


def _dot_id(variable, names):
    """A node is drawn once, under the name of its first output."""
    return names[variable if variable.node is None else variable.node.outputs[0]]


def _quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _as_list(expressions):
    return [expressions] if isinstance(expressions, Variable) else list(expressions)


def _names(results):
    """A unique name for every variable: its own for sources, numbers for results of nodes."""
    names, used = {}, set()
    for source in sources_of(results):
        name = base = source.name or "constant"
        number = 1
        while name in used:
            number += 1
            name = "%s#%d" % (base, number)
        used.add(name)
        names[source] = name
    count = 0
    for node in nodes_of(results):
        for variable in node.outputs:
            names[variable] = "%" + str(count)
            count += 1
    return names


def _kind(source):
    kinds = ((Placeholder, "placeholder"), (Constant, "constant"), (Shared, "shared"))
    return next((word for cls, word in kinds if isinstance(source, cls)), "variable")


def _value(source):
    """The value of a small constant."""
    if isinstance(source, Constant) and source.value.size == 1:
        return " = %s" % source.value.reshape(-1)[0]
    return ""


def _attributes(op):
    inner = op.describe()
    return "[%s]" % inner if inner else ""
