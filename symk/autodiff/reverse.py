"""Reverse mode: from a loss down to the variables, each op asked once for its gradient.

The walk undoes broadcasting, casts, and sums contributions, so that no op's rule has to. Its result
is an ordinary expression: it can be differentiated again.
"""
from .. import ops
from ..graph import GraphError, ShapeError, Variable, dims
from ..graph.dtype import is_float
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from .paths import explain_missing, path_to

__all__ = ["grad", "pull_back", "pull_through", "need_choice"]

_DISCONNECTED = ("none", "zero", "raise")


def grad(loss, wrt, known=None, disconnected="none"):
    """The derivatives of a loss.

    Args:
        loss: a float Variable; of one that is no scalar, the sum is meant. None: `known` only.
        wrt: a Variable, or several; they may be anywhere in the graph.
        known: {Variable: gradient}: where the walk starts, besides the loss. So a loss whose
            gradient is known, or computed elsewhere, need not be an expression.
        disconnected: what to give where the loss does not depend on a variable, or only through
            what has no derivative: "none" (None), "zero" (zeros), or "raise".
    Returns:  a Variable of the type of each in `wrt`: one, or a list for several.
    Raises:   GraphError when the loss is not floating, an op on the way has no rule, or (on
              request) when a variable has no derivative: it names the op and the path.
    """
    single = isinstance(wrt, Variable)
    wrt = [wrt] if single else list(wrt)
    need_choice("grad", disconnected, wrt)
    gradients = _starts(loss, known)
    found = pull_back(gradients, wrt)
    for position, variable in enumerate(wrt):
        if found[position] is None and disconnected == "zero":
            found[position] = ops.full(variable.shape, 0, variable.dtype)
        elif found[position] is None and disconnected == "raise":
            output = loss if loss is not None else next(iter(known))
            raise GraphError("[grad] a differentiable path from each variable to the loss is "
                             "required; %s. Use disconnected=\"zero\" if that is meant."
                             % explain_missing(output, variable, gradients))
    return found[0] if single else found


def need_choice(name, disconnected, wrt):
    """Checks the arguments that the derivatives share."""
    if disconnected not in _DISCONNECTED:
        raise GraphError("[%s] disconnected must be one of %s; %r was given."
                         % (name, ", ".join(_DISCONNECTED), disconnected))
    for variable in wrt:
        if not isinstance(variable, Variable):
            raise GraphError("[%s] derivatives are taken in symbolic tensors; %r was given."
                             % (name, variable))


def _starts(loss, known):
    """{variable: [gradients]} where the walk begins."""
    starts = {variable: [_known_gradient(variable, gradient)]
              for variable, gradient in (known or {}).items()}
    if loss is not None:
        if not is_float(loss.dtype):
            raise GraphError("[grad] the loss must be floating; it is %r. Cast it." % (loss,))
        starts.setdefault(loss, []).append(ops.full(loss.shape, 1, loss.dtype))
    if not starts:
        raise GraphError("[grad] a loss or known gradients are required; neither was given.")
    return starts


def _known_gradient(variable, gradient):
    """A given gradient, in the type of its variable."""
    gradient = ops.as_variable(gradient, like=variable)
    if gradient.ndim != variable.ndim or any(map(dims.known_different, gradient.shape,
                                                 variable.shape)):
        raise ShapeError("[grad] a known gradient must have the shape of its variable; %r was "
                         "given for %r." % (gradient, variable))
    return ops.cast(gradient, variable.dtype)


def pull_back(gradients, wrt, stop=()):
    """Walks from the variables with `gradients` to those of `wrt`, not looking behind `stop`.

    Args:     gradients: {variable: [parts]}; the walk adds what arrives at each variable.
    Returns:  the gradient of each in `wrt`, or None.
    """
    nodes = nodes_of(list(gradients), stop)
    active = _active(nodes, wrt)
    for node in reversed(nodes):
        if not active.intersection(node.inputs):
            continue
        with acting_for(node.origin):
            arriving = [_total(gradients, output) for output in node.outputs]
            if all(gradient is None for gradient in arriving):
                continue
            pulled = pull_through(node, arriving)
            if pulled is None:
                raise GraphError("[%s] an op on the way to the loss must have a gradient; %s has "
                                 "none (%r). Use stop_gradient if that is meant."
                                 % (node.op.name, path_to(node, wrt), node.origin))
            for variable, gradient in zip(node.inputs, pulled):
                if gradient is not None and variable in active:
                    gradients.setdefault(variable, []).append(gradient)
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


def pull_through(node, arriving):
    """The gradients for the inputs of one node from those that arrive at its outputs.

    Returns:  a gradient of its type, or None, for each input; None if the op has no rule.
    """
    result = node.op.pull_back(pull_back, node, arriving)
    if result is NotImplemented:
        result = _pull_through_expansion(node, arriving)
        if result is None:
            return None
    elif result is None:
        return [None] * len(node.inputs)
    result = result if isinstance(result, (tuple, list)) else (result,)
    return [_fitted(gradient, variable) if gradient is not None and is_float(variable.dtype)
            else None for gradient, variable in zip(result, node.inputs)]


def _pull_through_expansion(node, arriving):
    """The same for an op whose gradient is that of its definition by smaller ops."""
    outputs = node.op.expand(*node.inputs)
    if outputs is None:
        return None
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    starts = {output: [gradient] for output, gradient in zip(outputs, arriving)
              if gradient is not None}
    return pull_back(starts, node.inputs, node.inputs)


def _fitted(gradient, variable):
    """A gradient with its variable's dtype and shape: the one place that undoes broadcasting."""
    gradient = ops.cast(gradient, variable.dtype)
    return ops.sum_to(gradient, variable.shape)
