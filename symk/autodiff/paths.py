"""Says why there is no derivative: which op on the way from a variable has none.

Looks at a reverse walk after it has been made; computes nothing.
"""
from ..graph.dtype import is_float
from ..graph.walk import depends_on

__all__ = ["explain_missing", "path_to"]

_MOST_NAMES = 9   # of a path in a message; the middle of a longer one is left out


def explain_missing(output, variable, gradients):
    """Why the derivative of `output` in `variable` is missing, as the middle part of a message.

    Args:     gradients: {variable: what has arrived there}, as the reverse walk has left it.
    """
    if not is_float(variable.dtype):
        return "%r is not floating" % (variable,)
    if not depends_on(output, [variable]):
        return "%r does not depend on %r" % (output, variable)
    active = _between(output, variable)
    node = output.node
    while True:
        inputs = [v for v in node.inputs if v in active]
        passed = [v for v in inputs if v in gradients and v is not variable]
        if not passed:
            break
        node = passed[0].node
    return "%s stops at %s" % (path_to(node, [variable]), _described(node))


def path_to(node, variables):
    """A way from one of `variables` to a node: "x -> exp -> floor"."""
    active = set()
    for variable in variables:
        active |= _between(node.outputs[0], variable)
    names = [node.op.name]
    while True:
        start = next((v for v in node.inputs if v in variables), None)
        if start is not None:
            return " -> ".join([start.name or repr(start)] + _shortened(names[::-1]))
        node = next(v.node for v in node.inputs if v in active)
        names.append(node.op.name)


def _between(output, variable):
    """The variables on the ways from `variable` to `output`, both included."""
    found = {variable}
    stack = [(output.node, False)] if output.node is not None else []
    seen = set()
    while stack:
        node, complete = stack.pop()
        if complete:
            if found.intersection(node.inputs):
                found.update(node.outputs)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((v.node, False) for v in node.inputs if v.node is not None)
    return found


def _described(node):
    """An op with who made it."""
    return "%s (%r)" % (node.op.name, node.origin)


def _shortened(names):
    if len(names) <= _MOST_NAMES:
        return names
    half = _MOST_NAMES // 2
    return names[:half] + ["..."] + names[-half:]
