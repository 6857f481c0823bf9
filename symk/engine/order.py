"""The order of a model's layers: from its outputs back to its inputs, then by depth.

The order is Keras's own, since files, summaries and `get_weights` depend on it. All walks are
loops, so a model may be thousands of layers deep.
"""
import collections

from .edges import history_of

__all__ = ["Topology", "map_graph"]

Topology = collections.namedtuple("Topology", "nodes nodes_by_depth layers layers_by_depth")


def node_of(tensor):
    """The node that made a tensor."""
    history = history_of(tensor)
    return history.layer._inbound_nodes[history.node_index]


def map_graph(inputs, outputs):
    """The nodes and layers between inputs and outputs.

    Returns:  Topology: the set of nodes; {depth: nodes}, {depth: layers}, where outputs have the
              depth 0; and all layers in their order.
    Raises:   ValueError for a cycle, a missing input, or two layers of one name.
    """
    finished, first_seen = _walk_back(inputs, outputs)
    node_depths, layer_depths = _depths(finished)
    for tensor in inputs:
        node = node_of(tensor)
        node_depths.setdefault(node, 0)
        layer_depths.setdefault(node.outbound_layer, 0)
        first_seen.setdefault(node.outbound_layer, -1)
    layers_by_depth = _group(layer_depths)
    for layers in layers_by_depth.values():
        layers.sort(key=first_seen.get)
    layers = [layer for depth in sorted(layers_by_depth, reverse=True)
              for layer in layers_by_depth[depth]]
    _check_names(layers)
    return Topology(set(node_depths), _group(node_depths), layers, layers_by_depth)


def _walk_back(inputs, outputs):
    """Nodes, each after those it needs; and {layer: rank of its first visit}."""
    given = set(inputs)
    finished, in_progress, first_seen = {}, set(), {}
    for output in outputs:
        stack = [(node_of(output), False)]
        while stack:
            node, left = stack.pop()
            if left:
                in_progress.discard(node)
                finished[node] = True
                continue
            if node in finished:
                continue
            if node in in_progress:
                raise ValueError('[Model] a graph without cycles is required; layer "%s" depends '
                                 "on its own output." % node.outbound_layer.name)
            in_progress.add(node)
            first_seen.setdefault(node.outbound_layer, len(first_seen))
            stack.append((node, True))
            stack += [(before, False) for before in reversed(_needed(node, given))]
    return list(finished), first_seen


def _needed(node, given):
    """The nodes that a node needs to be computed first."""
    needed = []
    for tensor in node.input_tensors:
        if tensor in given and node_of(tensor).inbound_layers == []:
            made = node_of(tensor)
            if made is not node:
                needed.append(made)
            continue
        history = history_of(tensor)
        if history is None or node_of(tensor) is node:
            raise ValueError('[Model] every output must depend on the inputs given alone; tensor '
                             '%r at layer "%s" does not come from them. Add its Input to the '
                             "inputs of the model." % (tensor, node.outbound_layer.name))
        needed.append(node_of(tensor))
    return needed


def _depths(finished):
    """{node: depth} and {layer: depth}, the longest way to an output."""
    node_depths, layer_depths = {}, {}
    for node in reversed(finished):
        layer = node.outbound_layer
        depth = max(node_depths.get(node, 0), layer_depths.get(layer, 0))
        node_depths[node] = layer_depths[layer] = depth
        for before in node.inbound_nodes():
            node_depths[before] = max(depth + 1, node_depths.get(before, 0))
    return node_depths, layer_depths


def _group(depths):
    """{depth: [things]} from {thing: depth}."""
    groups = {}
    for thing, depth in depths.items():
        groups.setdefault(depth, []).append(thing)
    return groups


def _check_names(layers):
    names = [layer.name for layer in layers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError("[Model] each layer must have a name of its own; given more than once: "
                         "%s. Pass name=... to these layers." % ", ".join(map(repr, twice)))
