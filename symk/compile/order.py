"""When each node runs: an order that keeps few bytes alive, in time linear in the graph.

The base is the order of a walk from the results. Out of that order a node runs early, as soon as
its inputs are there, if that frees at least as many bytes as it makes: a weight's gradient runs
when the gradient of its layer's output is known, and the activation it needs can be forgotten.
"""
from ..graph import dims
from ..graph.dtype import size_bytes
from ..graph.errors import ShapeError
from ..graph.walk import nodes_of

__all__ = ["order_nodes", "estimate_bytes"]

_TYPICAL_SIZE = 64   # what an unknown size counts as: batches are of this order


def order_nodes(results):
    """The nodes that `results` need, in the order in which they run."""
    base = nodes_of(results)
    state = _State(base, results)
    for node in base:
        if node not in state.done:
            state.run(node)
    return state.order


def estimate_bytes(variable):
    """The bytes of a variable, with a typical number for each unknown size."""
    count = 1
    for size in variable.shape:
        count *= _typical(size) if isinstance(size, dims.Dim) else size
    return count * size_bytes(variable.dtype)


def _typical(size):
    try:
        return dims.evaluate(size, dict.fromkeys(dims.sizes_in(size), _TYPICAL_SIZE))
    except ShapeError:      # an unknown size that must meet a known one, which is another
        return _TYPICAL_SIZE


class _State:
    """How far the order has come: what has run, what still waits, what is still read."""

    def __init__(self, base, results):
        self.order, self.done = [], set()
        self.bytes, known = {}, {}
        self.readers = {}    # variable -> nodes that have not run yet and read it
        self.waiting = {}    # node -> number of its different inputs that are not made yet
        for variable in results:
            self.readers.setdefault(variable, {})[None] = True   # never freed
        for node in base:
            inputs = {v for v in node.inputs if v.node is not None}
            self.waiting[node] = len(inputs)
            for variable in inputs:
                self.readers.setdefault(variable, {})[node] = True
            for variable in node.outputs:
                if variable.type not in known:
                    known[variable.type] = estimate_bytes(variable)
                self.bytes[variable] = known[variable.type]

    def run(self, node):
        """Puts a node into the order, then all that shrink memory because of it."""
        stack = [node]
        while stack:
            node = stack.pop()
            if node in self.done:
                continue
            self.done.add(node)
            self.order.append(node)
            stack.extend(reversed(self._now_worthwhile(node)))

    def _now_worthwhile(self, node):
        """The nodes that became ready, or whose inputs became free, and that shrink memory."""
        candidates = {}
        for variable in node.outputs:
            for reader in self.readers.get(variable, ()):
                if reader is not None:
                    self.waiting[reader] -= 1
                    candidates[reader] = True
        for variable in set(node.inputs):
            readers = self.readers.get(variable)
            if readers is not None:
                readers.pop(node, None)
                if len(readers) == 1:
                    candidates.update((reader, True) for reader in readers if reader is not None)
        return [reader for reader in candidates
                if reader not in self.done and not self.waiting[reader] and self._shrinks(reader)]

    def _shrinks(self, node):
        freed = sum(self.bytes[v] for v in set(node.inputs)
                    if v.node is not None and len(self.readers[v]) == 1)
        return freed >= sum(self.bytes[v] for v in node.outputs)
