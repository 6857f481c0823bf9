"""What a Python function, called once to build an inner graph, uses from outside of it."""
from ..graph import Constant, Placeholder

__all__ = ["captured"]

# What only repeats or moves a constant stays with it, so that a scalar stays a scalar inside.
_KEEPS_CONSTANT = ("broadcast_to", "reshape", "cast")


def captured(nodes, results, arguments=()):
    """What nodes and results use from outside: {variable: a placeholder that stands for it}.

    Args:     nodes: those inside. arguments: the inputs that the inner graph has anyway.
    """
    inside = set(arguments).union(*(node.outputs for node in nodes))
    found = {}
    for variable in [v for node in nodes for v in node.inputs] + list(results):
        if variable not in inside and variable not in found and not _is_constant(variable):
            found[variable] = Placeholder(variable.dtype, variable.shape, variable.name)
    return found


def _is_constant(variable):
    while variable.node is not None and variable.node.op.name in _KEEPS_CONSTANT:
        variable = variable.node.inputs[0]
    return isinstance(variable, Constant)
