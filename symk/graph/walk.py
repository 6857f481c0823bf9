"""Walks over expressions, all without recursion: a graph may be many thousand nodes deep."""
from . import dims
from .node import apply

__all__ = ["nodes_of", "sources_of", "clients_of", "rebuild", "depends_on"]


def nodes_of(outputs, stop=()):
    """All nodes that `outputs` depend on, every node after its inputs. Order is deterministic.

    Args:     stop: variables that are taken as given; the walk does not look behind them.
    """
    seen, order = {v.node for v in stop}, []
    stack = [(v.node, False) for v in reversed(list(outputs)) if v.node is not None]
    while stack:
        node, complete = stack.pop()
        if complete:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            for variable in reversed(node.inputs):
                if variable.node is not None and variable.node not in seen:
                    stack.append((variable.node, False))
    return order


def sources_of(outputs):
    """All variables without a node that `outputs` depend on, in the order of first use."""
    found = {}
    for node in nodes_of(outputs):
        for variable in node.inputs:
            if variable.node is None:
                found.setdefault(variable)
    for variable in outputs:
        if variable.node is None:
            found.setdefault(variable)
    return list(found)


def clients_of(nodes):
    """{variable: [(node, position), ...]} of the uses among these nodes."""
    clients = {}
    for node in nodes:
        for position, variable in enumerate(node.inputs):
            clients.setdefault(variable, []).append((node, position))
    return clients


def depends_on(output, variables):
    """Whether an expression uses one of `variables`."""
    wanted = set(variables)
    return output in wanted or any(wanted.intersection(node.inputs) for node in nodes_of([output]))


def rebuild(outputs, replacements):
    """The same expressions with some variables replaced: {old: new}.

    Nodes that depend on a replaced variable are made anew, with their origin; others are shared.
    Where an input with an unknown size is replaced, the size is replaced in all attributes too.
    Raises:   what `infer` raises if a replacement does not fit.
    """
    new = dict(replacements)
    sizes = _replaced_sizes(replacements)
    for node in nodes_of(outputs):
        op = _with_sizes(node.op, sizes) if sizes else node.op
        if op is node.op and not any(v in new for v in node.inputs):
            continue
        if all(v in new for v in node.outputs):
            continue
        made = apply(op, *(new.get(v, v) for v in node.inputs), origin_=node.origin)
        for old, fresh in zip(node.outputs, made if isinstance(made, tuple) else (made,)):
            if old not in new:
                fresh.name = old.name
                new[old] = fresh
    return [new.get(v, v) for v in outputs]


def _replaced_sizes(replacements):
    """{unknown size: its new value} from inputs whose new shape has another size there."""
    sizes = {}
    for old, new in replacements.items():
        if old.node is not None:
            continue
        for before, after in zip(old.shape, new.shape):
            size = dims.as_size(before)
            if size is not None and before != after:
                sizes[size] = after
    return sizes


def _with_sizes(op, sizes):
    """The op with unknown sizes replaced in its attributes; itself if there are none."""
    def value(attribute):
        if isinstance(attribute, tuple):
            return tuple(map(value, attribute))
        return dims.substitute(attribute, sizes)
    attributes = op.attributes()
    changed = {name: value(attribute) for name, attribute in attributes.items()}
    return op if changed == attributes else type(op)(**changed)
