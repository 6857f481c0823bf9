"""Stages see one graph; here they are run on the bodies of loops and branches too."""
import collections

from ..graph.node import apply
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from .rewrite import remake

__all__ = ["has_bodies", "inside", "replace_nodes"]


def has_bodies(results):
    """Whether there is a loop or a branch."""
    return any(node.op.bodies for node in nodes_of(results))


def inside(stage):
    """The stage, run on a graph and then on the inner graphs of what is left, however deep."""
    def run(results):
        results, counts = stage(results)
        counts = collections.Counter(counts)

        def with_new_bodies(node, inputs):
            if not node.op.bodies:
                return None
            bodies = []
            for body in node.op.bodies:
                outputs, fired = run(list(body.outputs))
                counts.update(fired)
                same = all(a is b for a, b in zip(outputs, body.outputs))
                bodies.append(body if same else body.with_outputs(outputs))
            if all(a is b for a, b in zip(bodies, node.op.bodies)):
                return None
            return apply(node.op.with_bodies(bodies), *inputs)

        return replace_nodes(results, with_new_bodies), counts
    return run


def replace_nodes(results, replace):
    """The results with nodes replaced; the others are made anew where their inputs changed.

    Args:     replace(node, inputs) -> new outputs, as many as the node's, or None to keep the op.
    """
    new = {}
    for node in nodes_of(results):
        inputs = [new.get(variable, variable) for variable in node.inputs]
        with acting_for(node.origin):
            outputs = replace(node, inputs)
        if outputs is None:
            if all(a is b for a, b in zip(inputs, node.inputs)):
                continue
            outputs = remake(node, inputs)
        for old, fresh in zip(node.outputs, outputs):
            fresh.name = fresh.name or old.name
            new[old] = fresh
    return [new.get(variable, variable) for variable in results]
