"""Where each node of a function runs: on the device of the scope it was made in.

The rest runs where the function is compiled to run, but for the last part of training: the
gradients of a parameter are summed, and its step is done, on one of the devices that compute with
the parameter. Parameters are dealt out so that each device has about as many bytes; its new value
goes to the others when they next want it. So an all-reduce is a matter of places.
"""
from .. import config
from ..graph.dtype import size_bytes
from ..graph.node import Constant, Shared
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from ..ops.placed import placed
from ..optimize.rewrite import remake

__all__ = ["place"]

_MANY = object()      # serves more than the step of one parameter


def place(request, device):
    """Says in the graph where each value is read, if that is on several devices.

    Args:     device: where nodes run that were made outside of all scopes.
    Returns:  (request, device): a graph as it was and the one device that it runs on; or one with
              `placed` between each value and those who read it on a device of their own, and None.
    """
    nodes = nodes_of(request.results)
    marked = {node: config.numbered_device(node.origin.device) for node in nodes
              if node.origin.device is not None}
    default = config.numbered_device(device)
    devices = set(marked.values())
    if len(marked) < len(nodes) or not nodes:
        devices.add(default)
    if len(devices) == 1:
        return request, device if default in devices else devices.pop()
    where = _with_steps(request, nodes, marked, default)
    return request.with_results(_placed_results(request.results, nodes, where)), None


def _placed_results(results, nodes, where):
    """The results over nodes that read all values on their own device."""
    new, at = {}, {}

    def read(variable, device):
        if isinstance(variable, Constant):
            return variable
        if variable.node is not None and where[variable.node] == device:
            return new[variable]
        if (variable, device) not in at:
            at[variable, device] = placed(new.get(variable, variable), device)
        return at[variable, device]

    for node in nodes:
        with acting_for(node.origin):
            inputs = [read(variable, where[node]) for variable in node.inputs]
        new.update(zip(node.outputs, remake(node, inputs)))
    return [new.get(variable, variable) for variable in results]


# --- the steps of parameters ---

def _with_steps(request, nodes, marked, default):
    """{node: device} for all nodes; those that only serve the step of a parameter are with it."""
    owners = _owners(request, nodes, marked)
    serves = _served(request, nodes, marked, owners)
    return {node: marked.get(node) or owners.get(serves.get(node), default) for node in nodes}


def _owners(request, nodes, marked):
    """{parameter: device}: of updated variables that placed nodes read."""
    readers = {shared: [] for shared, _ in request.updates}
    for node in nodes:
        for variable in node.inputs if node in marked else ():
            if variable in readers and marked[node] not in readers[variable]:
                readers[variable].append(marked[node])
    owners, loads = {}, {}
    for shared, devices in readers.items():
        if devices:
            owner = min(devices, key=lambda device: loads.get(device, 0))
            owners[shared] = owner
            loads[owner] = loads.get(owner, 0) + _bytes(shared)
    return owners


def _bytes(shared):
    count = 1
    for size in shared.shape:
        count *= size
    return count * size_bytes(shared.dtype)


def _served(request, nodes, marked, owners):
    """{node outside of all scopes: the one parameter whose step needs it, or _MANY}."""
    serves = {}

    def note(variable, served):
        node = variable.node
        if node is not None and node not in marked and served is not None:
            serves[node] = served if serves.get(node, served) is served else _MANY

    for output in request.outputs:
        note(output, _MANY)
    for shared, value in request.updates:
        note(value, shared if isinstance(shared, Shared) and shared in owners else None)
    for node in reversed(nodes):
        for variable in node.inputs:
            note(variable, _MANY if node in marked else serves.get(node))
    return serves
