"""Rows that are added to a tensor are added where it lies, without a tensor of zeros between.

The gradient of an embedding is a few rows in zeros. A step of gradient descent needs the rows only;
other optimizers read the zeros as well, but not from memory.
"""
import collections
import math

from .. import ops
from ..graph.node import apply
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from ..ops.index import ScatterInto
from .fused import FusedScatter
from .rewrite import remake
from .sums import readers_of

__all__ = ["add_rows_in_place", "add_rows_in_program"]

_NAME = "x + scatter_add(g, i) -> scatter_into(x, g, i)"
_IN_PROGRAM = "fused(scatter_add(g, i)) -> fused_scatter(g, i)"


def add_rows_in_place(results):
    """The results with x + s * scatter_add(g, i) as scatter_into(x, s * g, i), and how often."""
    nodes = nodes_of(results)
    if not any(node.op.name == "scatter_add" for node in nodes):
        return results, {}
    readers = readers_of(nodes, results)
    new, counts = {}, collections.Counter()
    for node in nodes:
        inputs = [new.get(variable, variable) for variable in node.inputs]
        made = _added(node, inputs, new, readers)
        if made is not None:
            counts[_NAME] += 1
            new[node.outputs[0]] = made
        elif any(a is not b for a, b in zip(inputs, node.inputs)):
            new.update(zip(node.outputs, remake(node, inputs)))
    return [new.get(variable, variable) for variable in results], counts


def _added(node, inputs, new, readers):
    """What takes the place of a sum or difference, or None."""
    if node.op.name not in ("add", "sub"):
        return None
    for place in ((1,) if node.op.name == "sub" else (1, 0)):
        scatter, factors = _scaled_scatter(node.inputs[place], node.outputs[0].type, readers)
        if scatter is None or inputs[1 - place].type != node.outputs[0].type:
            continue
        with acting_for(node.origin):
            g, indices = (new.get(v, v) for v in scatter.inputs)
            for factor in factors:
                g = ops.neg(g) if factor is None else g * new.get(factor, factor)
            g = ops.neg(g) if node.op.name == "sub" else g
            return apply(ScatterInto(scatter.op.axis), inputs[1 - place], g, indices)
    return None


def _scaled_scatter(variable, type, readers):
    """The scatter_add of which a value is a multiple, and its factors, None being -1; nothing else
    may read what lies between. (None, []) if it is no multiple of one.
    """
    factors = []
    while (variable.node is not None and readers[variable] == 1 and variable.type == type):
        node = variable.node
        if node.op.name == "scatter_add":
            return node, factors
        if node.op.name == "neg":
            factors.append(None)
            variable, = node.inputs
            continue
        scalars = [v for v in node.inputs if v.ndim == 0]
        if node.op.name != "mul" or len(scalars) != 1:
            break
        factors.append(scalars[0])
        variable = next(v for v in node.inputs if v is not scalars[0])
    return None, []


def add_rows_in_program(results):
    """The results with fused(scatter_add(g, i), ...) as fused_scatter(g, ..., i), and how often.

    Once at most, for the largest sum: a step that can fail may write into variables only before all
    others that do (`compile/alias.py`), and would cost copies of its results instead.
    """
    nodes = nodes_of(results)
    if not any(node.op.name == "scatter_add" for node in nodes) or any(
            node.op.name == "scatter_into" for node in nodes):
        return results, {}
    readers = readers_of(nodes, results)
    found = [(node, place) for node in nodes if node.op.kind == "fused"
             for place, variable in enumerate(node.inputs) if _is_made_for(variable, node, readers)]
    if not found:
        return results, {}
    chosen, place = max(found, key=lambda pair: _known_size(pair[0].inputs[pair[1]]))
    new = {}
    for node in nodes:
        if node is chosen:
            new.update(zip(node.outputs, _with_rows(node, place, new)))
        elif any(variable in new for variable in node.inputs):
            new.update(zip(node.outputs, remake(node, [new.get(v, v) for v in node.inputs])))
    return [new.get(variable, variable) for variable in results], {_IN_PROGRAM: 1}


def _is_made_for(variable, node, readers):
    """Whether a value is rows added into zeros that this program alone reads, over its shape."""
    return (variable.node is not None and variable.node.op.name == "scatter_add"
            and readers[variable] == 1 and variable.shape == node.outputs[0].shape
            and all(v.dtype != "float16" for v in node.inputs)
            and "float16" not in node.op.dtypes)


def _known_size(variable):
    """How many elements a value has, of sizes that are known."""
    return math.prod(size for size in variable.shape if isinstance(size, int))


def _with_rows(node, place, new):
    """The results of a program that adds the rows of operand `place` itself."""
    scatter = node.inputs[place].node
    g, indices = (new.get(v, v) for v in scatter.inputs)
    op = FusedScatter(place=place, axis=scatter.op.axis, size=scatter.op.size,
                      **node.op.attributes())
    operands = [g if k == place else new.get(v, v) for k, v in enumerate(node.inputs)]
    made = apply(op, *operands, indices, origin_=node.origin)
    for old, fresh in zip(node.outputs, made):
        fresh.name = old.name
    return made
