"""A graph as a value: the body of a loop or one side of a branch, which an op has as an attribute.

It is closed: it uses its inputs, which are placeholders of its own, and constants. Its unknown
sizes are those of the graph around it, so that types inside and outside compare directly. Two are
equal if they compute the same in the same way, whatever their placeholders are called.
"""
from .dims import Dim
from .errors import GraphError
from .node import Constant, Placeholder
from .walk import nodes_of, rebuild, sizes_of, sources_of, substituted

__all__ = ["InnerGraph"]


class InnerGraph:
    """`inputs` are Placeholders, `outputs` expressions of them and of constants. Frozen."""

    __slots__ = ("inputs", "outputs", "_key")

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs, self._key = tuple(inputs), tuple(outputs), None
        known = set(self.inputs)
        for source in sources_of(self.outputs):
            if source not in known and not isinstance(source, Constant):
                raise GraphError("[graph] an inner graph may use its inputs and constants; it uses "
                                 "%r." % (source,))

    @property
    def nodes(self):
        """The nodes in running order."""
        return nodes_of(self.outputs)

    @property
    def used(self):
        """All variables that a node reads or that are an output, as a set."""
        return set(self.outputs).union(*(node.inputs for node in self.nodes))

    @property
    def sizes(self):
        """The unknown sizes (Dims) of its inputs and nodes."""
        shapes = [size for variable in self.inputs for size in variable.shape]
        return ([size for size in shapes if isinstance(size, Dim)]
                + [size for node in self.nodes for size in sizes_of(node)])

    def at(self, arguments):
        """The outputs for other inputs, as expressions of the graph in which these live."""
        return rebuild(self.outputs, dict(zip(self.inputs, arguments)))

    def with_outputs(self, outputs):
        """The same inputs with other outputs."""
        return InnerGraph(self.inputs, outputs)

    def with_sizes(self, sizes):
        """The graph with unknown sizes replaced: {Size: int or Dim}."""
        if not sizes:
            return self
        inputs = [Placeholder(old.dtype, substituted(old.shape, sizes), old.name)
                  for old in self.inputs]
        return InnerGraph(inputs, rebuild(self.outputs, dict(zip(self.inputs, inputs)), sizes))

    def _identity(self):
        """What is compared: each value as what made it from which earlier values."""
        if self._key is None:
            numbers = {variable: number for number, variable in enumerate(self.inputs)}
            made = [variable.type for variable in self.inputs]

            def number(variable):
                if variable not in numbers:
                    numbers[variable] = len(made)
                    made.append((variable.type, variable.value.tobytes()))
                return numbers[variable]

            for node in self.nodes:
                entry = (node.op, tuple(map(number, node.inputs)))
                for variable in node.outputs:
                    numbers[variable] = len(made)
                    made.append(entry)
            self._key = (tuple(made), tuple(map(number, self.outputs)), len(self.inputs))
        return self._key

    def __eq__(self, other):
        return self is other or (isinstance(other, InnerGraph)
                                 and self._identity() == other._identity())

    def __hash__(self):
        return hash(self._identity())

    def __repr__(self):
        return "graph(%s)" % ", ".join(repr(variable.type) for variable in self.inputs)
