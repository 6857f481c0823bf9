"""Choices that are decided before anything is compiled, such as those of the learning phase.

They come first for two reasons. A random stream that only the other branch uses must not go on. And
before gradients are taken the branch that is never run has none, while afterwards it would be a
product with zeros, which no rule may drop because 0 * NaN is NaN.
"""
from ..graph.node import Constant
from ..graph.origin import acting_for
from ..graph.reference import evaluate
from ..graph.walk import nodes_of, rebuild, sizes_of
from ..ops.branch import branch
from ..ops.loop import Loop
from .rewrite import remake

__all__ = ["decide", "specialise"]


def specialise(results, givens):
    """The results with variables replaced ({old: new}) and what that decides decided."""
    return decide(rebuild(list(results), givens))


def decide(results):
    """The results without a choice, by `where` or `cond`, whose condition is a scalar that follows
    from constants; so too inside of loops and branches.
    """
    new, fixed = {}, set()
    for node in nodes_of(results):
        known = all(isinstance(v, Constant) or v in fixed for v in node.inputs)
        if known and not node.op.effect and not sizes_of(node):
            fixed.update(node.outputs)
        inputs = [new.get(variable, variable) for variable in node.inputs]
        outputs = None
        if node.op.name in _DECIDE:
            known = {v: _value(v) for v in node.inputs
                     if not v.ndim and (v in fixed or isinstance(v, Constant))}
            with acting_for(node.origin):
                outputs = _DECIDE[node.op.name](node, inputs, known)
        if outputs is None and any(a is not b for a, b in zip(inputs, node.inputs)):
            outputs = remake(node, inputs)
        if outputs is not None:
            new.update(zip(node.outputs, outputs))
    return [new.get(variable, variable) for variable in results]


def _value(variable):
    """A value that follows from constants, as one."""
    return Constant(evaluate([variable], {})[0])


def _where(node, inputs, known):
    """The branch that a `where` takes, unless it has another shape."""
    condition = known.get(node.inputs[0])
    if condition is None:
        return None
    chosen = inputs[1 if condition.value else 2]
    return [chosen] if chosen.type == node.outputs[0].type else None


def _cond(node, inputs, known):
    """The side that a branch takes; else its sides, decided."""
    condition = known.get(node.inputs[0])
    sides = [_inner(side, node.inputs[1:], known) for side in node.op.bodies]
    if condition is not None:
        return sides[0 if condition.value else 1].at(inputs[1:])
    if all(a is b for a, b in zip(sides, node.op.bodies)):
        return None
    return branch(inputs[0], sides, inputs[1:])


def _scan(node, inputs, known):
    """A loop with its body decided, by invariants that are known."""
    body = node.op.body
    invariants = node.op.split(node.inputs)[2]
    operands = [None] * (len(body.inputs) - len(invariants)) + list(invariants)
    decided = _inner(body, operands, known)
    if decided is body:
        return None
    loop = Loop.of(node, inputs)
    count = len(loop.results)
    loop.results, loop.outputs = list(decided.outputs[:count]), list(decided.outputs[count:])
    states, outputs = loop.apply()
    return states + outputs


def _inner(body, operands, known):
    """An inner graph in which what is known of its operands is decided; itself if that is nothing.

    Known numbers that decide nothing stay operands.
    """
    numbers = {inside: known[outside] for inside, outside in zip(body.inputs, operands)
               if outside in known}
    given = rebuild(body.outputs, numbers)
    outputs = decide(given)
    same = all(a is b for a, b in zip(outputs, given))
    return body if same else body.with_outputs(outputs)


_DECIDE = {"where": _where, "cond": _cond, "scan": _scan}
