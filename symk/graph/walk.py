"""Walks over expressions, all without recursion: a graph may be many thousand nodes deep."""
from . import dims
from .node import apply

__all__ = ["nodes_of", "sources_of", "clients_of", "rebuild", "depends_on", "substituted",
           "with_sizes", "sizes_of"]


def nodes_of(outputs, stop=(), since=0):
    """All nodes that `outputs` depend on, every node after its inputs. Order is deterministic.

    Args:     stop: variables that are taken as given; the walk does not look behind them.
              since: nodes with a lower number, made earlier, are not looked at either.
    """
    seen, order = {v.node for v in stop}, []
    stack = [(v.node, False) for v in reversed(list(outputs))
             if v.node is not None and v.node.number >= since]
    while stack:
        node, complete = stack.pop()
        if complete:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            for variable in reversed(node.inputs):
                made = variable.node
                if made is not None and made not in seen and made.number >= since:
                    stack.append((made, False))
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


def rebuild(outputs, replacements, sizes=None):
    """The same expressions with some variables replaced: {old: new}.

    Nodes that depend on a replaced variable are made anew, with their origin; others are shared.
    Where an input with an unknown size is replaced, the size is replaced in all attributes too.

    Args:     sizes: more unknown sizes to replace: {Size: int or Dim}.
    Raises:   what `infer` raises if a replacement does not fit.
    """
    if not replacements and not sizes:
        return list(outputs)
    new = dict(replacements)
    sizes = {**_replaced_sizes(replacements), **(sizes or {})}
    for node in nodes_of(outputs, _wholly_replaced(replacements)):
        op = with_sizes(node.op, sizes)
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


def _wholly_replaced(replacements):
    """The replaced variables whose nodes have no other output: nothing behind them is needed."""
    return [old for old in replacements if old.node is not None
            and all(output in replacements for output in old.node.outputs)]


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


def with_sizes(op, sizes):
    """The op with unknown sizes replaced in its attributes, {Size: int or Dim}; itself if none."""
    if not sizes:
        return op
    attributes = op.attributes()
    changed = {name: substituted(value, sizes) for name, value in attributes.items()}
    return op if changed == attributes else type(op)(**changed)


def substituted(value, sizes):
    """An attribute, a shape or a size with unknown sizes replaced; so are those of inner graphs."""
    if isinstance(value, tuple):
        return tuple(substituted(item, sizes) for item in value)
    if hasattr(value, "with_sizes"):
        return value.with_sizes(sizes)
    return dims.substitute(value, sizes)


def sizes_of(node):
    """The unknown sizes (Dims) in a node's types and attributes, and in those of its bodies."""
    attributes = [item for value in node.op.attributes().values()
                  for item in (value if isinstance(value, tuple) else (value,))]
    shapes = [size for variable in node.outputs for size in variable.shape]
    inner = [size for body in node.op.bodies for size in body.sizes]
    return [size for size in attributes + shapes if isinstance(size, dims.Dim)] + inner
