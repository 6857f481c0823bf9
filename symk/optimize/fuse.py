"""Elementwise fusion: nodes that make one shape and feed each other become one program.

Which nodes may join without a cycle is decided by levels: a level grows by one over every edge that
is not between two elementwise nodes of the same shape. A path between two nodes of one level and
shape therefore stays among such nodes, so each connected set of them can run as one. After that a
node all of whose readers are in one program moves there, which is safe because no other path leads
from it.
"""
import collections

from ..graph.node import apply
from ..graph.walk import clients_of, nodes_of
from .fused import Fused
from .rewrite import remake

__all__ = ["fuse", "keep", "needed_outside", "unit_order", "MOST_INSTRUCTIONS", "MOST_OPERANDS"]

# A program's values live in cache-sized blocks, one each: more would not stay in the first cache.
MOST_INSTRUCTIONS = 48
MOST_OPERANDS = 24
_NAME = "elementwise nodes -> fused"


def fuse(results):
    """The results with elementwise nodes joined, and how many nodes went into programs."""
    nodes = nodes_of(results)
    group_of = _sink(nodes, _limit(nodes, _groups(nodes)), set(results))
    members = collections.defaultdict(list)
    for node in nodes:
        if node in group_of:
            members[group_of[node]].append(node)
    counts = collections.Counter()
    counts[_NAME] = sum(len(group) for group in members.values() if len(group) > 1)
    return _contract(results, nodes, group_of, members), +counts


def _is_elementwise(node):
    return node.op.kind == "elementwise"


# --- who may join ---

def _levels(nodes):
    """{node: level}."""
    levels = {}
    for node in nodes:
        level = 0
        for variable in node.inputs:
            if variable.node is not None:
                level = max(level, levels[variable.node] + (not _joins(variable.node, node)))
        levels[node] = level
    return levels


def _joins(producer, consumer):
    return (_is_elementwise(producer) and _is_elementwise(consumer)
            and producer.outputs[0].shape == consumer.outputs[0].shape)


def _groups(nodes):
    """{elementwise node: number of its connected set}."""
    levels = _levels(nodes)
    parent = {node: node for node in nodes if _is_elementwise(node)}

    def find(node):
        while parent[node] is not node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for node in parent:
        for variable in node.inputs:
            producer = variable.node
            if producer in parent and _joins(producer, node) and levels[producer] == levels[node]:
                parent[find(node)] = find(producer)
    numbers = {}
    return {node: numbers.setdefault(find(node), len(numbers)) for node in parent}


def _limit(nodes, group_of):
    """The same with long groups cut into pieces, in the order of the nodes."""
    state, result = {}, {}
    for node in nodes:
        if node not in group_of:
            continue
        group = group_of[node]
        count, operands, piece = state.get(group, (0, frozenset(), 0))
        outside = operands.union(v for v in node.inputs if result.get(v.node) != (group, piece))
        if count == MOST_INSTRUCTIONS or len(outside) > MOST_OPERANDS:
            count, outside, piece = 0, frozenset(node.inputs), piece + 1
        state[group] = (count + 1, outside, piece)
        result[node] = (group, piece)
    return result


def _sink(nodes, group_of, results):
    """Moves nodes into the one group that reads them."""
    clients = clients_of(nodes)
    sizes, operands = collections.Counter(group_of.values()), _operands(group_of)
    shapes = {group: node.outputs[0].shape for node, group in group_of.items()}
    for node in reversed(nodes):
        if node not in group_of or node.outputs[0] in results:
            continue
        readers = {group_of.get(reader) for reader, _ in clients[node.outputs[0]]}
        target = readers.pop() if len(readers) == 1 else None
        # Pieces of one group were cut on purpose.
        if target is None or target[0] == group_of[node][0] or sizes[target] == MOST_INSTRUCTIONS:
            continue
        outside = operands[target].union(node.inputs) - {node.outputs[0]}
        if shapes[target] == node.outputs[0].shape and len(outside) <= MOST_OPERANDS:
            sizes[group_of[node]] -= 1
            sizes[target] += 1
            operands[target] = outside
            group_of[node] = target
    return group_of


def _operands(group_of):
    """{group: the variables that its nodes read and none of them makes}."""
    operands = collections.defaultdict(set)
    for node, group in group_of.items():
        operands[group].update(v for v in node.inputs if group_of.get(v.node) != group)
    return operands


# --- making the programs ---

def _contract(results, nodes, group_of, members):
    """The results, with one node in place of each group of several."""
    outside = needed_outside(results, nodes, group_of)
    new = {}
    for unit in unit_order(nodes, group_of, members):
        if len(unit) > 1:
            _make_program(unit, outside, new)
        else:
            keep(unit[0], new)
    return [new.get(variable, variable) for variable in results]


def keep(node, new):
    """A node that is in no group: as it is, or over its new inputs."""
    inputs = [new.get(variable, variable) for variable in node.inputs]
    if any(a is not b for a, b in zip(inputs, node.inputs)):
        new.update(zip(node.outputs, remake(node, inputs)))


def needed_outside(results, nodes, group_of):
    """The variables that are read outside of the group that makes them."""
    needed = set(results)
    for node in nodes:
        for variable in node.inputs:
            if variable.node is not None and (
                    node not in group_of or group_of.get(variable.node) != group_of[node]):
                needed.add(variable)
    return needed


def unit_order(nodes, group_of, members):
    """Groups and single nodes, each after what it reads."""
    unit_of = {}
    for node in nodes:
        unit_of[node] = group_of.get(node, node)
    done, order = set(), []
    for last in nodes:
        stack = [(unit_of[last], False)]
        while stack:
            unit, complete = stack.pop()
            inside = members.get(unit) or [unit]
            if complete:
                order.append(inside)
            elif unit not in done:
                done.add(unit)
                stack.append((unit, True))
                stack.extend((unit_of[v.node], False) for node in inside for v in node.inputs
                             if v.node is not None and unit_of[v.node] != unit)
    return order


def _make_program(unit, outside, new):
    """One fused node for the nodes of a group; its results go into `new`."""
    inside = {node.outputs[0] for node in unit}
    operands = list(dict.fromkeys(v for node in unit for v in node.inputs if v not in inside))
    places = {variable: place for place, variable in enumerate(operands)}
    for node in unit:
        places[node.outputs[0]] = len(places)
    kept = [node.outputs[0] for node in unit if node.outputs[0] in outside]
    op = Fused(ops=tuple(node.op.name for node in unit),
               dtypes=tuple(node.outputs[0].dtype for node in unit),
               arity=tuple(len(node.inputs) for node in unit),
               args=tuple(places[v] for node in unit for v in node.inputs),
               outs=tuple(places[variable] for variable in kept))
    made = apply(op, *(new.get(v, v) for v in operands), origin_=unit[-1].origin)
    if any(old.type != fresh.type for old, fresh in zip(kept, made)):
        # Sizes that meet in another order are another expression: the nodes stay single.
        for node in unit:
            keep(node, new)
        return
    for old, fresh in zip(kept, made):
        fresh.name = old.name
        new[old] = fresh
