"""Choices that are decided before anything is compiled, such as those of the learning phase.

They come first for two reasons. A random stream that only the other branch uses must not go on. And
before gradients are taken the branch that is never run has none, while afterwards it would be a
product with zeros, which no rule may drop because 0 * NaN is NaN.
"""
from ..graph.node import Constant
from ..graph.reference import evaluate
from ..graph.walk import nodes_of, rebuild
from .rewrite import remake

__all__ = ["decide", "specialise"]


def specialise(results, givens):
    """The results with variables replaced ({old: new}) and what that decides decided."""
    return decide(rebuild(list(results), givens))


def decide(results):
    """The results without a `where` whose condition is a scalar that follows from constants."""
    new, fixed = {}, set()
    for node in nodes_of(results):
        if all(isinstance(v, Constant) or v in fixed for v in node.inputs):
            fixed.update(node.outputs)
        chosen = _chosen(node, fixed)
        if chosen is not None:
            new[node.outputs[0]] = new.get(chosen, chosen)
        elif any(variable in new for variable in node.inputs):
            new.update(zip(node.outputs, remake(node, [new.get(v, v) for v in node.inputs])))
    return [new.get(variable, variable) for variable in results]


def _chosen(node, fixed):
    """The branch that a `where` takes, or None if that is not known or another shape."""
    if node.op.name != "where" or node.inputs[0].ndim:
        return None
    condition, one, other = node.inputs
    if not isinstance(condition, Constant) and condition not in fixed:
        return None
    branch = one if evaluate([condition], {})[0] else other
    return branch if branch.type == node.outputs[0].type else None
