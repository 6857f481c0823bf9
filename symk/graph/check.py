"""Verifies a graph: what every stage may rely on. Run between stages if `settings.check` is set."""
from .errors import GraphError
from .node import Constant, Node, Placeholder, Shared, Variable
from .walk import nodes_of, sources_of

__all__ = ["check"]


def check(results):
    """Raises GraphError unless the expressions of `results` are sound.

    Sound: no cycles; every node's outputs have the types that its op infers from its inputs, and
    know their node and position; every source is a placeholder, a constant or a shared variable.
    """
    for variable in results:
        if not isinstance(variable, Variable):
            raise GraphError("[check] a result must be a Variable; it is %r." % (variable,))
    _check_acyclic(results)
    for source in sources_of(results):
        if not isinstance(source, (Placeholder, Constant, Shared)):
            raise GraphError("[check] a source must be a placeholder, constant or shared variable; "
                             "it is %r." % (source,))
    for node in nodes_of(results):
        _check_node(node)
        for body in node.op.bodies:
            check(body.outputs)


def _check_acyclic(results):
    """A walk that marks the nodes it is below of: meeting one again is a cycle."""
    below, done = set(), set()
    stack = [(variable.node, False) for variable in results if variable.node is not None]
    while stack:
        node, complete = stack.pop()
        if complete:
            below.discard(node)
            done.add(node)
        elif node not in done:
            if not isinstance(node, Node):
                raise GraphError("[check] a node must be a Node; it is %r." % (node,))
            below.add(node)
            stack.append((node, True))
            for variable in node.inputs:
                if variable.node in below:
                    raise GraphError("[check] a graph must have no cycles; %s depends on itself."
                                     % variable.node.op.name)
                if variable.node is not None:
                    stack.append((variable.node, False))


def _check_node(node):
    for index, variable in enumerate(node.outputs):
        if variable.node is not node or variable.index != index:
            raise GraphError("[check] an output must know its node and position; output %d of %s "
                             "does not." % (index, node.op.name))
    inferred = node.op.infer(*(variable.type for variable in node.inputs))
    inferred = inferred if isinstance(inferred, tuple) else (inferred,)
    given = tuple(variable.type for variable in node.outputs)
    if inferred != given:
        raise GraphError("[check] the types of outputs must be those that the op infers; %s has %s "
                         "and infers %s." % (node.op.name, given, inferred))
