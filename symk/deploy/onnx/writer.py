"""The ONNX graph that is being written: its nodes, its constants, and what each value is called.

ONNX has the channels of images in front, symk behind. So a value may be there in either form, and
the other one is made by a Transpose when somebody asks for it: a network of convolutions is
transposed at its ends only. Unknown sizes are numbers that nodes compute from the shapes of the
inputs; they stand before all other nodes, where loops and branches see them too.
"""
import re

import numpy as np

from ...graph import GraphError, dims, nodes_of
from ...graph.node import Constant
from .definitions import said_otherwise
from .table import RULES, First

__all__ = ["Writer", "names_used", "to_first", "to_last"]

_SMALL = 256    # elements; larger constants are weights, of which each is one variable


def to_first(rank):
    """The order of axes that brings the last one behind the first."""
    return (0, rank - 1) + tuple(range(1, rank - 1))


def to_last(rank):
    """The order of axes that undoes `to_first`."""
    return (0,) + tuple(range(2, rank)) + (1,)


class Writer:
    """One graph; that of a loop or branch has a `parent`, whose values it sees."""

    def __init__(self, onnx, inputs=(), results=(), parent=None):
        self.onnx, self.parent = onnx, parent
        self.root = parent.root if parent else self
        self.nodes, self.sizes = [], []
        self.scope = parent.scope if parent else ""
        self._names, self._first = {}, {}
        if not parent:
            self.initializers, self._taken, self._constants, self._known = [], set(), {}, {}
            self._places = {}
            self._outputs = set()
            self._used = set(results).union(*_uses(results))
            for placeholder in inputs:
                self._add_input(placeholder)

    def _add_input(self, placeholder):
        name = self.unique(placeholder.name)
        self.set(placeholder, name)
        for axis, size in enumerate(placeholder.shape):
            atom = dims.as_size(size)
            if atom is not None:
                self._places.setdefault(atom, (name, axis))

    # --- names ---

    def unique(self, wanted):
        """A name that no value or node has."""
        taken, wanted = self.root._taken, re.sub(r"[^\w./:-]", "_", wanted) or "value"
        name, number = wanted, 0
        while name in taken:
            number += 1
            name = "%s_%d" % (wanted, number)
        taken.add(name)
        return name

    def set(self, variable, value):
        """Says under which name a variable is there: a name, or `First` around one."""
        if isinstance(value, First):
            self._first[variable] = value.name
        else:
            self._names[variable] = value

    def name(self, variable):
        """The name of a variable with its axes in order."""
        found = self._find("_names", variable)
        if found is None and isinstance(variable, Constant):
            found = self.constant(variable.value, variable.name)
            self.root._names[variable] = found
        if found is None:
            owner = self._owner("_first", variable)
            found = owner._names[variable] = owner.emit(
                "Transpose", owner._first[variable], perm=to_last(variable.ndim))
        return found

    def first(self, variable):
        """The name of a variable of at least three axes with its channels first."""
        found = self._find("_first", variable)
        if found is not None:
            return found
        order = to_first(variable.ndim)
        if isinstance(variable, Constant):
            found = self.constant(variable.value.transpose(order), variable.name)
            self.root._first[variable] = found
            return found
        owner = self._owner("_names", variable)
        found = owner._first[variable] = owner.emit("Transpose", owner._names[variable], perm=order)
        return found

    def has_first(self, variable):
        """Whether a variable is there with its channels first."""
        return self._find("_first", variable) is not None

    def is_only_first(self, variable):
        """Whether a variable is there in this form only."""
        return self.has_first(variable) and self._find("_names", variable) is None

    def is_used(self, variable):
        """Whether anything of what is written reads a variable."""
        return variable in self.root._used

    def _owner(self, table, variable):
        """The writer, this one or one around it, that knows a variable."""
        writer = self
        while writer is not None and variable not in getattr(writer, table):
            writer = writer.parent
        return writer

    def _find(self, table, variable):
        owner = self._owner(table, variable)
        return None if owner is None else getattr(owner, table)[variable]

    # --- nodes ---

    def add(self, node):
        """Writes a node of symk by its rule, or by what it stands for.

        Raises:   GraphError naming op and layer when there is neither.
        """
        layer = node.origin.layer
        self.scope = re.match('"(.*)"', layer).group(1) + "/" if layer else ""
        write = RULES.get(node.op.name)
        made = write(self, node) if write else NotImplemented
        if made is NotImplemented:
            made = self._written_otherwise(node)
        for variable, value in zip(node.outputs, made if isinstance(made, list) else [made]):
            if value is not None:
                self.set(variable, value)

    def _written_otherwise(self, node):
        made = said_otherwise(node.op, node.inputs)
        if made is None:
            self.refuse(node, "there is none")
        self.add_all(made, stop=node.inputs)
        return list(map(self.name, made))

    def add_all(self, results, stop=()):
        """Writes all nodes that results need, up to those of `stop`."""
        for node in nodes_of(results, stop):
            self.add(node)

    def refuse(self, node, why):
        """Raises GraphError for a node that has no form in ONNX."""
        layer = "in layer %s: " % node.origin.layer if node.origin.layer else ""
        raise GraphError("%s[to_onnx] every op must have a form in ONNX; for %r of %s, %s. Leave "
                         "it out of what is exported." % (
                             layer, node.op, ", ".join(repr(v.type) for v in node.inputs), why))

    def emit(self, kind, *inputs, outputs=1, into=None, **attributes):
        """Adds a node of ONNX; gives the name of its result, or a list of names for several."""
        name = self.unique(self.scope + kind)
        names = [name] if outputs == 1 else [self.unique("%s:%d" % (name, number))
                                             for number in range(outputs)]
        (self.nodes if into is None else into).append(
            self.onnx.helper.make_node(kind, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    # --- values ---

    def constant(self, value, name=None, dtype=None):
        """The name of a fixed array; equal small ones are written once."""
        value = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        constants = self.root._constants
        key = (value.dtype.str, value.shape, value.tobytes()) if value.size <= _SMALL else object()
        if key not in constants:
            constants[key] = self.unique(name or "constant")
            self.root.initializers.append(
                self.onnx.numpy_helper.from_array(value, constants[key]))
        return constants[key]

    def integers(self, *values):
        """The name of a vector of int64."""
        return self.constant(np.asarray(values, "int64").reshape(-1))

    def cast(self, name, dtype):
        """A value in another dtype."""
        return self.emit("Cast", name, to=self.element_type(dtype))

    def element_type(self, dtype):
        """ONNX's number of a dtype."""
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def shape(self, sizes):
        """The name of the vector of sizes."""
        if not any(isinstance(size, dims.Dim) for size in sizes):
            return self.integers(*sizes)
        parts = []
        for size in sizes:
            if isinstance(size, dims.Dim) or not parts or not isinstance(parts[-1], list):
                parts.append(size if isinstance(size, dims.Dim) else [size])
            else:
                parts[-1].append(size)
        names = [self.integers(*part) if isinstance(part, list) else self.size(part)
                 for part in parts]
        return names[0] if len(names) == 1 else self._size_node("Concat", *names, axis=0)

    def size(self, size):
        """The name of the vector of one size."""
        known = self.root._known
        if size not in known:
            known[size] = self._write_size(size)
        return known[size]

    def _write_size(self, size):
        if not isinstance(size, dims.Dim):
            return self.integers(size)
        total = None
        for atoms, coefficient in size.terms:
            term = None if atoms and coefficient == 1 else self.integers(coefficient)
            for atom in atoms:
                factor = self._atom(atom)
                term = factor if term is None else self._size_node("Mul", term, factor)
            total = term if total is None else self._size_node("Add", total, term)
        return total

    def _atom(self, atom):
        if isinstance(atom, dims.Size):
            name, axis = self.root._places[atom]
            return self._size_node("Shape", name, start=axis, end=axis + 1)
        a, b = map(self.size, atom.operands)
        if isinstance(atom, dims.Max):
            return self._size_node("Max", a, b)
        if isinstance(atom, dims.FloorDiv):     # Div cuts towards zero, Mod has the sign of b
            whole = self._size_node("Sub", a, self._size_node("Mod", a, b))
            return self._size_node("Div", whole, b)
        is_one = self._size_node("Equal", a, self.integers(1))
        return self._size_node("Where", is_one, b, a)

    def _size_node(self, kind, *inputs, **attributes):
        root = self.root
        scope, root.scope = root.scope, "sizes/"
        name = root.emit(kind, *inputs, into=root.sizes, **attributes)
        root.scope = scope
        return name

    # --- graphs ---

    def output(self, variable, wanted):
        """Makes a variable an output; gives its name there, which is the one wanted if it is free.

        The value gets the name where it is made, if nobody else reads it.
        """
        self.scope = ""
        name, result = self.unique(wanted), self.name(variable)
        is_read = any(result in names_used(node) for node in self.nodes)
        maker = next((node for node in self.nodes if result in node.output), None)
        if is_read or maker is None or result in self._outputs:
            self.nodes.append(self.onnx.helper.make_node("Identity", [result], [name],
                                                         name=self.unique("output")))
        else:
            maker.output[list(maker.output).index(result)] = name
            for other, value in self._names.items():
                if value == result:
                    self._names[other] = name
        self._outputs.add(name)
        return name

    def value_info(self, name, type):
        """The declaration of a value; unknown sizes are left open."""
        shape = [None if isinstance(size, dims.Dim) else int(size) for size in type.shape]
        return self.onnx.helper.make_tensor_value_info(name, self.element_type(type.dtype), shape)

    def inner(self, body, arguments, fed=()):
        """A body as a graph.

        Args:     arguments: {its input: the variable outside that stands there}. fed: its inputs
                  that the loop feeds.
        """
        child = Writer(self.onnx, parent=self)
        for inside, outside in arguments.items():
            child.set(inside, self.name(outside))
        infos = []
        for inside in fed:
            child.set(inside, self.unique(self.scope + "row"))
            infos.append(self.value_info(child.name(inside), inside.type))
        child.add_all(body.outputs, stop=body.inputs)
        results = []
        for output in body.outputs:
            child.scope = self.scope
            name = child.emit("Identity", child.name(output))
            results.append(self.value_info(name, output.type))
        return self.onnx.helper.make_graph(child.nodes, self.unique(self.scope + "body"), infos,
                                           results)


def names_used(node):
    """The names that a node of ONNX and the graphs inside of it read."""
    used = set(node.input)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            used.update(*map(names_used, attribute.g.node))
            used.update(info.name for info in attribute.g.output)
    return used


def _uses(results):
    """What each node behind results reads, and what the nodes inside of it read."""
    for node in nodes_of(results):
        yield node.inputs
        for body in node.op.bodies:
            yield body.outputs
            yield from _uses(body.outputs)
