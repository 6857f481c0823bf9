"""Reverse mode: from a loss down to the variables, each op asked once for its gradient.

The walk undoes broadcasting, casts, and sums contributions, so that no op's rule has to. Its result
is an ordinary expression: it can be differentiated again.
"""
from .. import ops
from ..graph import GraphError
from ..graph.dtype import is_float
from ..graph.origin import acting_for
from ..graph.walk import nodes_of

__all__ = ["grad"]


def grad(loss, wrt, known=None):
    """The derivatives of a loss.

    Args:
        loss: a float Variable; of one that is no scalar, the sum is meant. None: `known` only.
        wrt: Variables, which may be anywhere in the graph.
        known: {Variable: gradient} where the walk starts, besides the loss.
    Returns:  a list with a Variable of the type of each in `wrt`, or None where the loss does not
              depend on it, or only through what has no gradient.
    Raises:   GraphError when the loss is not floating.
    """
    return _gradients(_starts(loss, known), list(wrt), ())


def _starts(loss, known):
    """{variable: [gradients]} where the walk begins."""
    starts = {variable: [gradient] for variable, gradient in (known or {}).items()}
    if loss is not None:
        if not is_float(loss.dtype):
            raise GraphError("[grad] the loss must be floating; it is %r. Cast it." % (loss,))
        starts.setdefault(loss, []).append(ops.full(loss.shape, 1, loss.dtype))
    return starts


def _gradients(gradients, wrt, stop):
    """Walks from the variables with `gradients` to those of `wrt`, not looking behind `stop`."""
    nodes = nodes_of(list(gradients), stop)
    active = _active(nodes, wrt)
    for node in reversed(nodes):
        if not active.intersection(node.inputs):
            continue
        arriving = [_total(gradients, output) for output in node.outputs]
        if all(gradient is None for gradient in arriving):
            continue
        with acting_for(node.origin):
            for variable, gradient in zip(node.inputs, _through(node, arriving)):
                if gradient is not None and variable in active and is_float(variable.dtype):
                    gradients.setdefault(variable, []).append(_fitted(gradient, variable))
    return [_total(gradients, variable) for variable in wrt]


def _active(nodes, wrt):
    """The variables among those of `nodes` that depend on `wrt`."""
    active = set(wrt)
    for node in nodes:
        if active.intersection(node.inputs):
            active.update(node.outputs)
    return active


def _total(gradients, variable):
    """The sum of what has arrived at a variable, or None."""
    parts = gradients.get(variable)
    if parts is None:
        return None
    while len(parts) > 1:
        parts[:2] = [ops.add(parts[0], parts[1])]
    return parts[0]


def _through(node, arriving):
    """The gradients for the inputs of a node from those that arrive at its outputs."""
    result = node.op.grad(*node.inputs, *node.outputs, *arriving)
    if result is NotImplemented:
        return _through_expansion(node, arriving)
    if result is None:
        return [None] * len(node.inputs)
    return result if isinstance(result, tuple) else (result,)


def _through_expansion(node, arriving):
    """The same for an op whose gradient is that of its definition by smaller ops."""
    outputs = node.op.expand(*node.inputs)
    if outputs is None:
        raise GraphError("[%s] has no gradient; the loss depends on it. Use stop_gradient if that "
                         "is meant." % node.op.name)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    starts = {output: [gradient] for output, gradient in zip(outputs, arriving)
              if gradient is not None}
    return _gradients(starts, node.inputs, node.inputs)


def _fitted(gradient, variable):
    """A gradient with its variable's dtype and shape: the one place that undoes broadcasting."""
    gradient = ops.cast(gradient, variable.dtype)
    return ops.sum_to(gradient, variable.shape)
