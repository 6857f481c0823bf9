"""Keeps for a gradient what its loop would compute again.

The loop of a gradient computes the steps of the forward loop anew, from the same rows and from the
states before each step. Where a value costs more than a pass over its elements, the forward loop
gives it out row by row instead. Nothing is kept of a loop made with `recompute`.
"""
import collections

from ..graph import Constant, Placeholder
from ..graph.walk import nodes_of
from ..ops.loop import Loop
from .inside import replace_nodes
from .loop_move import is_light

__all__ = ["keep_for_gradients"]

# Elementwise ops that cost less than reading a stored result would.
_CHEAP = ("add", "sub", "mul", "neg", "square", "cast", "where", "relu", "abs", "sign", "maximum",
          "minimum", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal",
          "logical_and", "logical_or", "logical_not", "clip")


def keep_for_gradients(results):
    """The results without the same work in two loops, and how many values are kept for that."""
    wanted, shared = {}, {}       # loop -> its values to give out; loop -> {value: (loop, value)}
    for node in nodes_of(results):
        if node.op.name == "scan" and not node.op.recompute:
            for other in _before(node):
                taken = _taken(node, other, shared.get(node, {}))
                shared.setdefault(node, {}).update((v, (other, w)) for v, w in taken.items())
                wanted.setdefault(other, {}).update(dict.fromkeys(taken.values()))
    rows = {}                     # (loop, value) -> its rows in the new graph

    def replaced(node, inputs):
        if not wanted.get(node) and not shared.get(node):
            return None
        return _replaced(node, Loop.of(node, inputs), wanted.get(node, {}), shared.get(node, {}),
                         rows)

    results = replace_nodes(results, replaced)
    count = sum(map(len, shared.values()))
    return results, +collections.Counter({"computed in two loops -> kept by the first": count})


def _replaced(node, loop, wanted, shared, rows):
    """The outputs of a loop that takes the shared values as rows, and gives the wanted ones out."""
    count = len(loop.outputs)
    loop.outputs += wanted
    inside = {}
    for variable, source in shared.items():
        inside[variable] = Placeholder(variable.dtype, variable.shape, "kept")
        loop.rows[inside[variable]] = rows[source]
    loop.substitute(inside)
    states, outputs = loop.apply()
    rows.update(((node, variable), row) for variable, row in zip(wanted, outputs[count:]))
    return states + outputs[:count]


def _before(node):
    """The loops that a loop reads rows of, with as many steps, earlier ones first."""
    found = {x.node: None for x in Loop.of(node).rows.values()
             if x.node is not None and x.node.op.name == "scan" and not x.node.op.recompute
             and x.node.op.length == node.op.length}
    return sorted(found, key=lambda other: other.number)


def _taken(node, other, known):
    """{value of a loop: the same value of another loop} of what is worth giving out."""
    same = _same_values(Loop.of(node), Loop.of(other), other)
    computed = {v for v in same if v.node is not None}
    taken, seen = {}, set()
    stack = list(node.op.body.outputs)
    while stack:
        variable = stack.pop()
        if variable in seen or variable in known or variable.node is None:
            continue
        seen.add(variable)
        if variable in computed and variable.node.op.name not in _CHEAP and _costs(variable):
            taken[variable] = same[variable]
        else:
            stack.extend(variable.node.inputs)
    return taken


def _costs(variable):
    return not is_light(variable) or variable.node.op.kind == "elementwise"


def _same_values(loop, other, node):
    """{value inside of a loop: the value inside of `other` that it equals at each step}."""
    along = dict(zip(node.outputs[node.op.states:], other.outputs))
    along.update((x, inside) for inside, x in other.rows.items())
    same = {inside: along[x] for inside, x in loop.rows.items() if x in along}
    plain = {x: inside for inside, x in other.invariants.items()}
    same.update((inside, plain[x]) for inside, x in loop.invariants.items() if x in plain)

    def key(node, operands):
        return node.op, tuple(map(_identity, operands))

    known = {key(each, each.inputs): each for each in other.body.nodes}
    for each in loop.body.nodes:
        operands = [v if isinstance(v, Constant) else same.get(v) for v in each.inputs]
        found = None if None in operands else known.get(key(each, operands))
        if found is not None:
            same.update(zip(each.outputs, found.outputs))
    return same


def _identity(variable):
    """What tells two variables apart: equal constants are the same."""
    if isinstance(variable, Constant):
        return variable.type, variable.value.tobytes()
    return variable
