"""Sums of several terms, seen as one thing instead of additions of two."""
import collections

from .. import ops
from ..graph import dims
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from .rewrite import remake

__all__ = ["terms_of", "added", "readers_of", "join_slices"]


def readers_of(nodes, results):
    """{variable: how often it is read} by nodes and as a result."""
    readers = collections.Counter(v for node in nodes for v in node.inputs)
    readers.update(results)
    return readers


def terms_of(variable, readers):
    """The terms of a sum, through additions that nothing else reads."""
    terms, stack = [], [variable]
    while stack:
        term = stack.pop()
        if _is_addition(term) and (term is variable or readers[term] == 1):
            stack.extend(term.node.inputs[::-1])
        else:
            terms.append(term)
    return terms


def _is_addition(variable):
    """Whether it is a sum of two terms of its own type."""
    node = variable.node
    return (node is not None and node.op.name == "add"
            and all(v.type == variable.type for v in node.inputs))


def added(terms):
    """The sum of terms, from the first to the last."""
    total = terms[0]
    for term in terms[1:]:
        total = ops.add(total, term)
    return total


def join_slices(results):
    """The results with gradients of slices that make up a whole joined, and how often.

    Where a tensor is cut into pieces, as gates are, each piece gives a gradient in zeros; their sum
    is the gradients one after the other.
    """
    nodes = nodes_of(results)
    if not any(node.op.name == "slice_grad" for node in nodes):
        return results, {}
    readers = readers_of(nodes, results)
    parts = {v for node in nodes if _is_addition(node.outputs[0]) for v in node.inputs
             if readers[v] == 1}
    new, counts = {}, collections.Counter()
    for node in nodes:
        inputs = [new.get(variable, variable) for variable in node.inputs]
        total = node.outputs[0]
        if _is_addition(total) and total not in parts:
            terms = [new.get(term, term) for term in terms_of(total, readers)]
            with acting_for(node.origin):
                joined = _joined(terms)
            if joined is not None:
                counts["sum of slice_grads of all pieces -> concat"] += 1
                joined.name, new[total] = total.name, joined
                continue
        if any(a is not b for a, b in zip(inputs, node.inputs)):
            new.update(zip(node.outputs, remake(node, inputs)))
    return [new.get(variable, variable) for variable in results], counts


def _joined(terms):
    """The sum of terms with the pieces among them in one concat; None if they are not a whole."""
    pieces = [term for term in terms if term.node is not None and term.node.op.name == "slice_grad"]
    for axis in range(terms[0].ndim):
        along = sorted((piece for piece in pieces if _cut_along(piece) == axis),
                       key=lambda piece: piece.node.op.begin[axis])
        ends = [piece.node.op.begin[axis] + piece.node.inputs[0].shape[axis] for piece in along]
        begins = [piece.node.op.begin[axis] for piece in along]
        if len(along) > 1 and begins + [terms[0].shape[axis]] == [0] + ends:
            whole = ops.concat([piece.node.inputs[0] for piece in along], axis)
            return added([whole] + [term for term in terms if term not in along])
    return None


def _cut_along(piece):
    """The only axis along which a slice took a part, of known place; None if it is not so."""
    op, part = piece.node.op, piece.node.inputs[0]
    axes = [axis for axis, sizes in enumerate(zip(part.shape, op.shape)) if sizes[0] != sizes[1]]
    plain = all(step == 1 for step in op.step) and len(axes) == 1
    known = plain and not any(isinstance(size, dims.Dim) for size in (
        op.begin[axes[0]], part.shape[axes[0]], op.shape[axes[0]]))
    return axes[0] if known else None
