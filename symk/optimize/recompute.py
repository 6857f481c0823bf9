"""Less memory for more time, for a whole graph: it is cut into parts, and of what lies inside of a
part nothing is kept for gradients; it is computed again when they arrive (`ops.checkpoint`).

The nodes, in their order, are cut where little crosses from one part to the next: between the
blocks of a network. With as many parts as a part has nodes, memory grows like the root of the
depth, and time by one more forward pass.
Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.
"""
import math

from ..graph import GraphError, dims
from ..graph.dtype import size_bytes
from ..graph.node import Constant
from ..graph.origin import acting_for
from ..graph.walk import nodes_of, rebuild
from ..ops.checkpoint import checkpoint

__all__ = ["recompute_in_parts"]


def recompute_in_parts(results, parts=None):
    """The same results, of which gradients compute all but the borders of the parts again.

    Args:     parts: how many there are; by default about the root of the number of nodes.
    Raises:   GraphError unless it is an integer from 1 on.
    """
    nodes = nodes_of(results)
    if parts is None:
        parts = max(1, round(math.sqrt(len(nodes) / 2)))
    if isinstance(parts, bool) or not isinstance(parts, int) or parts < 1:
        raise GraphError("[recompute] the number of parts must be an integer from 1 on; %r was "
                         "given." % (parts,))
    new = {}
    start = 0
    for end in sorted({*_borders(nodes, results, parts), *_device_changes(nodes)}):
        _replace(nodes[start:end], nodes[end:], results, new)
        start = end
    return rebuild(results, new)


def _device_changes(nodes):
    """Where parts end as well: a part is computed again on one device."""
    return [place for place in range(1, len(nodes))
            if nodes[place].origin.device != nodes[place - 1].origin.device]


def _replace(part, later, results, new):
    """Puts the results of a part, computed again for gradients, into `new`."""
    made = {variable for node in part for variable in node.outputs}
    inputs = [v for v in dict.fromkeys(v for node in part for v in node.inputs)
              if v not in made and not isinstance(v, Constant)]
    wanted = {*results, *(v for node in later for v in node.inputs)}
    outputs = [v for v in _computed_from(inputs, part) if v in wanted]
    if not outputs or any(node.op.effect for node in part):
        return
    inputs = {v: new.get(v, v) for v in inputs}
    with acting_for(part[-1].origin):
        new.update(zip(outputs, checkpoint(rebuild(outputs, inputs), list(inputs.values()))))


def _computed_from(inputs, part):
    """What the nodes make out of the inputs, in their order; the rest are constants."""
    known, made = set(inputs), []
    for node in part:
        if known.intersection(node.inputs):
            known.update(node.outputs)
            made.extend(node.outputs)
    return made


def _borders(nodes, results, parts):
    """Where parts end: near equal shares of all bytes, each where the fewest bytes cross."""
    crossing, before = _crossing_bytes(nodes, results)
    total, ends = before[-1], []
    for number in range(1, parts):
        low, high = (total * (2 * number + side) / (2 * parts) for side in (-1, 1))
        near = [end for end in range(1, len(nodes)) if low <= before[end] < high]
        if near:
            ends.append(min(near, key=crossing.__getitem__))
    return sorted(set(ends)) + [len(nodes)]


def _crossing_bytes(nodes, results):
    """For each place between nodes: the bytes that are made before and read behind it; and all that
    are made before."""
    last_use = dict.fromkeys(results, len(nodes))
    for place, node in enumerate(nodes):
        for variable in node.inputs:
            last_use[variable] = max(place, last_use.get(variable, 0))
    change = [0] * (len(nodes) + 2)
    before = [0]
    for place, node in enumerate(nodes):
        sizes = [_bytes(variable) for variable in node.outputs]
        before.append(before[-1] + sum(sizes))
        for variable, size in zip(node.outputs, sizes):
            change[place + 1] += size
            change[last_use.get(variable, place) + 1] -= size
    crossing, alive = [], 0
    for step in change:
        alive += step
        crossing.append(alive)
    return crossing, before


def _bytes(variable):
    """The bytes of one sample: unknown sizes count as 1."""
    known = [1 if isinstance(size, dims.Dim) else size for size in variable.shape]
    return math.prod(known) * size_bytes(variable.dtype)
