"""What may be overwritten: results over operands, and updates straight into shared variables.

An update is written by its step into the shared variable if nothing reads the old value after that
step, and if no step that can fail comes after it: a failed call leaves all variables unchanged. So
one step that fails before it writes, or not at all, may be the first that does.
"""
from ..graph.dtype import size_bytes
from ..graph.node import Shared

__all__ = ["in_place_pairs", "choose_direct_updates", "root"]

# What a direct update and all that depends on it must be: quick to run last, and sure not to fail.
_MAY_RUN_LAST = ("elementwise", "fused", "shape")
# Ops whose kernels look at all indices before they write anything.
_CHECK_FIRST = ("scatter_into", "fused_scatter")


def root(variable):
    """The variable whose memory this one is: looks through nodes of kind "shape"."""
    while variable.node is not None and variable.node.op.kind == "shape":
        variable = variable.node.inputs[0]
    return variable


def in_place_pairs(node):
    """The (output, input) positions where the output may take the memory of the input."""
    if node.op.kind not in ("elementwise", "fused", "fused_reduce", "fused_scatter"):
        return tuple(node.op.in_place)
    operands, scattered = list(dict.fromkeys(node.inputs)), ()
    if node.op.kind == "fused_scatter":
        # Rows that are added, and their indices, are read in any order.
        operands = node.inputs
        scattered = {root(operands[node.op.place]), root(operands[-1])}
    return tuple((i, j) for i, output in enumerate(node.outputs)
                 for j, operand in enumerate(operands)
                 if root(operand) not in scattered and _same_layout(output, operand))


def _same_layout(a, b):
    return a.shape == b.shape and size_bytes(a.dtype) == size_bytes(b.dtype)


def choose_direct_updates(order, request):
    """Decides which updates are written straight into their variables.

    Returns:  (order, direct): the nodes with those steps at the end, and {value: Shared}.
    """
    every = _candidates(request)
    sure = _may_run_last(order)
    candidates = {value: shared for value, shared in every.items() if value.node in sure}
    last = _with_dependents(order, {value.node for value in candidates})
    first = _first_to_write(order, every, last, sure)
    if first is not None:
        candidates.update((value, every[value]) for value in first.outputs if value in every)
        last |= _with_dependents(order, {first})
    late = [node for node in order if node in last]
    if first is not None:
        late.remove(first)
        late.insert(0, first)
    order = [node for node in order if node not in last] + late
    return order, _without_late_readers(order, candidates)


def _first_to_write(order, candidates, last, sure):
    """A node whose step can fail, but not once it writes, and needs none of the last; or None."""
    for value in candidates:
        node = value.node
        if node.op.name in _CHECK_FIRST and node not in last:
            if _with_dependents(order, {node}) - {node} <= sure:
                return node
    return None


def _may_run_last(order):
    """The nodes that, with all that depends on them, are of the kinds that may run last."""
    refused = set()
    for node in reversed(order):
        if node in refused or node.op.kind not in _MAY_RUN_LAST:
            refused.add(node)
            refused.update(v.node for v in node.inputs if v.node is not None)
    return set(order) - refused


def _candidates(request):
    """{value: Shared} of the updates whose step could write into the variable."""
    kept = {root(output) for output in request.outputs}
    counts = {}
    for _, value in request.updates:
        counts[root(value)] = counts.get(root(value), 0) + 1
    return {value: shared for shared, value in request.updates
            if value.node is not None and (value.node.op.kind in ("elementwise", "fused")
                                           or value.node.op.name in _CHECK_FIRST)
            and value.shape == shared.shape and counts[value] == 1
            and value not in kept and shared not in kept and shared not in counts}


def _with_dependents(order, nodes):
    """The nodes and all that depend on them."""
    found = set()
    for node in order:
        if node in nodes or any(v.node in found for v in node.inputs if v.node is not None):
            found.add(node)
    return found


def _without_late_readers(order, candidates):
    """The candidates whose variable nobody reads after, or in a way that forbids it."""
    place = {node: number for number, node in enumerate(order)}
    last_read, direct = {}, {}
    wanted = set(candidates.values())
    for node in order:
        for variable in node.inputs:
            source = root(variable)
            if isinstance(source, Shared) and source in wanted and node.op.kind != "shape":
                # A view of another shape, read by the step that writes, counts as a later reader.
                late = 0 if variable is source else 0.5
                last_read[source] = max(last_read.get(source, -1), place[node] + late)
    for value, shared in candidates.items():
        if last_read.get(shared, -1) <= place[value.node]:
            direct[value] = shared
    return direct
