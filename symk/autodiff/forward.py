"""Forward mode: how results move when variables move along given directions, their tangents.

No op needs a rule of its own for it. The Jacobian of an elementwise op is diagonal, so its gradient
rule, applied to a tangent, is its forward rule. For any other op the reverse rule u -> J^T u is
linear in u, and its derivative in u along t is J t: the transpose of the transpose. A linear op so
gets itself back. An op that is defined by smaller ops alone moves as they do. An op for which all
this is a detour may state `jvp`.
"""
from .. import ops
from ..graph import GraphError, Placeholder, ShapeError, Variable, dims
from ..graph.dtype import is_float
from ..graph.node import Op
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from .paths import explain_missing, path_to
from .reverse import grad, need_choice, pull_back, pull_through

__all__ = ["jvp", "hessian_vector"]


def jvp(outputs, wrt, tangents, disconnected="zero"):
    """The derivatives of `outputs` along a direction: the Jacobian times the tangents.

    Args:
        outputs: a float Variable, or several.
        wrt: the Variables that move: one, or several; they may be anywhere in the graph.
        tangents: how each moves: as many Variables or arrays, of the same shapes.
        disconnected: what to give for an output that does not move: "zero", "none" or "raise".
    Returns:  a Variable of the type of each output: one, or a list for several.
    Raises:   ShapeError when a tangent does not fit; GraphError as `grad`.
    """
    single = isinstance(outputs, Variable)
    outputs = [outputs] if single else list(outputs)
    wrt, tangents = _as_lists(wrt, tangents)
    need_choice("jvp", disconnected, outputs + wrt)
    moving = push_forward(outputs, _starts("jvp", wrt, tangents))
    found = [_completed(output, moving.get(output), wrt, disconnected) for output in outputs]
    return found[0] if single else found


def hessian_vector(loss, wrt, vectors, disconnected="zero"):
    """The second derivatives of a loss times a vector, without the matrix.

    It is the gradient's derivative along the vector: about the work of three gradients.

    Args:     as for `jvp`; `vectors` has an array or Variable of the shape of each in `wrt`.
    Returns:  a Variable of the type of each in `wrt`: one, or a list for several.
    Source:   Pearlmutter 1994, Fast exact multiplication by the Hessian.
    """
    single = isinstance(wrt, Variable)
    wrt, vectors = _as_lists(wrt, vectors)
    gradients = grad(loss, wrt, disconnected="raise" if disconnected == "raise" else "zero")
    found = jvp(gradients, wrt, vectors, disconnected)
    return found[0] if single else found


def _as_lists(wrt, tangents):
    """Both as lists; a single variable has a single tangent."""
    if isinstance(wrt, Variable):
        return [wrt], [tangents]
    return list(wrt), list(tangents)


def _starts(name, wrt, tangents):
    """{variable: tangent} where the walk begins."""
    if len(wrt) != len(tangents):
        raise GraphError("[%s] one tangent is required for each variable; %d variables and %d "
                         "tangents were given." % (name, len(wrt), len(tangents)))
    starts = {}
    for variable, tangent in zip(wrt, tangents):
        tangent = ops.as_variable(tangent, like=variable)
        if not is_float(variable.dtype):
            raise GraphError("[%s] only a floating tensor can move; %r was given."
                             % (name, variable))
        if tangent.ndim != variable.ndim or any(map(dims.known_different, tangent.shape,
                                                    variable.shape)):
            raise ShapeError("[%s] a tangent must have the shape of its variable; %r was given "
                             "for %r." % (name, tangent, variable))
        starts[variable] = ops.cast(tangent, variable.dtype)
    return starts


def _completed(output, tangent, wrt, disconnected):
    """What is given for an output, by the caller's choice where it does not move."""
    if tangent is not None or disconnected == "none":
        return tangent
    if disconnected == "zero":
        return ops.full(output.shape, 0, output.dtype)
    gradients = {output: [ops.full(output.shape, 1, output.dtype)]}
    pull_back(gradients, wrt)
    raise GraphError("[jvp] a differentiable path from the variables to each output is required; "
                     '%s. Use disconnected="zero" if that is meant.'
                     % explain_missing(output, wrt[0], gradients))


def push_forward(outputs, tangents):
    """{variable: tangent} of everything between the variables that move and the outputs."""
    starts = set(tangents)
    for node in nodes_of(outputs):
        arriving = [tangents.get(variable) for variable in node.inputs]
        if all(tangent is None for tangent in arriving):
            continue
        with acting_for(node.origin):
            for output, tangent in zip(node.outputs, _push_through(node, arriving, starts)):
                if tangent is None or not is_float(output.dtype):
                    continue
                tangent = ops.cast(tangent, output.dtype)
                # A variable inside of the graph may move of itself, and because others do.
                known = tangents.get(output)
                tangents[output] = tangent if known is None else ops.add(known, tangent)
    return tangents


def _push_through(node, arriving, starts):
    """The tangents of a node's outputs from those of its inputs; either may be None."""
    own = node.op.push_forward(push_forward, node, arriving)
    if own is not NotImplemented:
        return own if isinstance(own, (tuple, list)) else (own,)
    if node.op.kind == "elementwise":
        pushed = _through_diagonal(node, arriving)
    elif type(node.op).grad is Op.grad:
        pushed = _through_expansion(node, arriving)
    else:
        pushed = _through_transpose(node, arriving)
    if pushed is None:
        raise GraphError("[%s] an op on the way to an output must have a gradient; %s has none "
                         "(%r). Use stop_gradient if that is meant."
                         % (node.op.name, path_to(node, list(starts)), node.origin))
    return pushed


def _through_diagonal(node, arriving):
    """The rule of an elementwise op: J is diagonal, and J t is what its gradient makes of t."""
    output, = node.outputs
    total = None
    for position, tangent in enumerate(arriving):
        if tangent is None:
            continue
        spread = ops.broadcast_to(ops.cast(tangent, output.dtype), output.shape)
        slopes = node.op.grad(*node.inputs, output, spread)
        if slopes is NotImplemented:
            return _through_transpose(node, arriving)
        slopes = slopes if isinstance(slopes, (tuple, list)) else (slopes,) * len(arriving)
        part = slopes[position]
        if part is not None:
            total = part if total is None else ops.add(total, part)
    return (total,)


def _through_expansion(node, arriving):
    """The rule of an op without a gradient of its own: that of its definition by smaller ops."""
    # Own names for the inputs: one may depend on another, whose tangent must not count twice.
    inputs = [ops.identity(variable) for variable in node.inputs]
    outputs = node.op.expand(*inputs)
    if outputs is None:
        return None
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    starts = {variable: tangent for variable, tangent in zip(inputs, arriving)
              if tangent is not None}
    moving = push_forward(outputs, starts)
    return [moving.get(output) for output in outputs]


def _through_transpose(node, arriving):
    """The rule of any op: d/du of <J^T u, t>, which is J t, since J^T u is linear in u."""
    seeds = [Placeholder(output.dtype, output.shape) if is_float(output.dtype) else None
             for output in node.outputs]
    pulled = pull_through(node, seeds)
    if pulled is None:
        return None
    starts = {}
    for gradient, tangent in zip(pulled, arriving):
        if gradient is not None and tangent is not None:
            starts.setdefault(gradient, []).append(tangent)
    behind = node.inputs + node.outputs
    wanted = [seed for seed in seeds if seed is not None]
    found = dict(zip(wanted, pull_back(starts, wanted, behind)))
    _need_linear(node, [t for t in found.values() if t is not None], set(wanted), behind)
    return [None if seed is None else found[seed] for seed in seeds]


def _need_linear(node, tangents, seeds, behind):
    """A derivative of something linear in the seeds has no seeds left."""
    inner = nodes_of(tangents, behind)
    if seeds.intersection(tangents) or any(seeds.intersection(each.inputs) for each in inner):
        raise GraphError("[%s] the gradient rule of an op must be linear in the gradient that "
                         "arrives; that of this op is not." % node.op.name)
