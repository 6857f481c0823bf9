"""Prints expressions as a numbered listing. `draw.py` draws them."""
from .node import Constant, Placeholder, Shared, Variable
from .walk import nodes_of, sources_of

__all__ = ["show", "unique_names", "kind_of", "bodies_of"]


def show(expressions, origins=True):
    """The expressions as text: sources first, then one line per node, inputs before readers.

    Args:     expressions: a Variable or several. origins: whether to name layers at the nodes.
    """
    results = _as_list(expressions)
    names = unique_names(results)
    lines = ["%s: %s %r%s" % (names[source], kind_of(source), source.type, _value(source))
             for source in sources_of(results)]
    for node in nodes_of(results):
        left = ", ".join(names[variable] for variable in node.outputs)
        types = ", ".join(repr(variable.type) for variable in node.outputs)
        operands = ", ".join(names[variable] for variable in node.inputs)
        layer = "  # %s" % node.origin.layer if origins and node.origin.layer else ""
        lines.append("%s = %s(%s)%s -> %s%s" % (left, node.op.name, operands,
                                                _attributes(node.op), types, layer))
        lines += _bodies(node.op, origins)
    lines.append("results: " + ", ".join(names[variable] for variable in results))
    return "\n".join(lines)


def bodies_of(op):
    """[(attribute, inner graph)] of an op; none for most."""
    if not op.bodies:
        return []
    return [item for item in op.attributes().items() if item[1] in op.bodies]


def _bodies(op, origins):
    """The inner graphs of an op, indented below it; their inputs are in the order of operands."""
    lines = []
    for key, body in bodies_of(op):
        names = unique_names(body.outputs)
        inputs = ", ".join(names.get(variable, variable.name) for variable in body.inputs)
        lines.append("    %s(%s):" % (key, inputs))
        lines += ["        " + line for line in show(body.outputs, origins).splitlines()]
    return lines


def _as_list(expressions):
    return [expressions] if isinstance(expressions, Variable) else list(expressions)


def unique_names(results):
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


def kind_of(source):
    """The word for a variable without a node."""
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
