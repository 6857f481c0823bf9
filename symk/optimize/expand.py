"""Ops that are defined by others and have no kernel become what they are defined by."""
import collections

from ..graph.walk import nodes_of
from .inside import replace_nodes

__all__ = ["expand_compositions"]

_NAME = "composition -> its definition"


def expand_compositions(results):
    """The results without compositions, also those inside of others, and how many there were."""
    counts = collections.Counter()

    def definition(node, inputs):
        if node.op.kind != "composition":
            return None
        counts[_NAME] += 1
        made = node.op.expand(*inputs)
        return made if isinstance(made, tuple) else (made,)

    while any(node.op.kind == "composition" for node in nodes_of(results)):
        results = replace_nodes(results, definition)
    return results, counts
