"""From nodes to a Plan: each node becomes a step over buffers, each size an integer expression.

Assumes a closed and legal request (`request.py`, `legalise.py`). Nodes of kind "shape" become
aliases, elementwise nodes become programs of one instruction, the rest keeps its name and its
attributes.
"""
import numpy as np

from ..graph import InnerGraph, dims
from ..graph.errors import GraphError
from ..graph.node import Constant, Shared
from ..ops.checks import recorded_needs
from .alias import choose_direct_updates, in_place_pairs
from .order import order_nodes
from .plan import MAX_DEPTH, Buffer, Plan, PlanRef, SizeRef, Step
from .request import Request

__all__ = ["lower", "describe_origin"]

# Attributes that the type of the result tells already, or that only the optimiser asks.
_NOT_IN_PLANS = ("shape", "dtype", "depth", "recompute")
# Words of the format that are no names in Python.
_WORDS = {"otherwise": "else"}


def lower(request, keep_operands=False, depth=0):
    """The Plan of a request.

    Args:     depth: how many loops and branches it is inside of; then its inputs have been checked,
              as the operands of the step that runs it.
              keep_operands: no step writes over an operand or into a shared variable, so that what
              a step has read can still be looked at when it has run.
    Returns:  (plan, shared): the Shared variables in the order of the Plan's.
    """
    order, direct = order_nodes(request.results), {}
    if not keep_operands:
        order, direct = choose_direct_updates(order, request)
    lowering = _Lowering(request, direct, keep_operands, depth)
    if not depth:
        lowering.check_inputs()
    for node in order:
        lowering.add(node)
    lowering.finish()
    return lowering.plan, lowering.shared


class _Lowering:
    """The Plan that is being written, and where each variable is in it."""

    def __init__(self, request, direct, keep_operands, depth):
        self.request, self.direct = request, direct
        self.keep_operands, self.depth = keep_operands, depth
        self.plan = Plan(metadata={"name": request.name or ""})
        self.shared = []
        self.buffers = {}        # variable -> number
        self.constants = {}      # (dtype, shape, bytes) -> number of the buffer
        self.sizes = _Sizes(self.plan.sizes, request.inputs)
        self._checks = set()
        for number, placeholder in enumerate(request.inputs):
            self.buffers[placeholder] = self._new_buffer(placeholder, "input", number)
            self.plan.inputs.append((placeholder.name, self.buffers[placeholder]))

    # --- buffers ---

    def _new_buffer(self, variable, kind, reference=0):
        shape = tuple(self.sizes.number(size) for size in variable.shape)
        self.plan.buffers.append(Buffer(variable.dtype, kind, shape, reference))
        return len(self.plan.buffers) - 1

    def buffer(self, variable):
        """The buffer of an operand; sources get theirs when they are first used."""
        number = self.buffers.get(variable)
        if number is None:
            number = self.buffers[variable] = self._source(variable)
        return number

    def _source(self, variable):
        if isinstance(variable, Shared):
            number = self._new_buffer(variable, "shared", len(self.shared))
            self.shared.append(variable)
            self.plan.shared.append((variable.name, number))
            return number
        assert isinstance(variable, Constant), variable
        key = (variable.dtype, variable.shape, variable.value.tobytes())
        if key not in self.constants:
            self.constants[key] = self._new_buffer(variable, "constant", len(self.plan.constants))
            self.plan.constants.append(variable.value)
        return self.constants[key]

    # --- steps ---

    def add(self, node):
        """Lowers one node."""
        self._add_needs(node)
        if node.op.kind == "shape":
            self._add_alias(node)
        else:
            self._add_step(node)

    def _add_step(self, node):
        operands = tuple(dict.fromkeys(node.inputs)) if _is_program(node) else node.inputs
        inputs = tuple(self.buffer(variable) for variable in operands)
        for variable in node.outputs:
            shared = self.direct.get(variable)
            self.buffers[variable] = (self._new_buffer(variable, "temporary") if shared is None
                                      else self.buffer(shared))
        outputs = tuple(self.buffers[variable] for variable in node.outputs)
        attributes = _program(node, operands) if _is_program(node) else self._attributes(node.op)
        kernel = "elementwise" if _is_program(node) else node.op.name
        in_place = () if self.keep_operands else in_place_pairs(node)
        self.plan.steps.append(Step(kernel, describe_origin(node.origin), attributes, inputs,
                                    outputs, in_place))

    def _add_alias(self, node):
        source, result = node.inputs[0], node.outputs[0]
        number = self.buffer(source)
        if source.shape != result.shape:
            self._need_equal(source.type.size, result.type.size,
                             "[reshape] the number of elements must stay")
            number = self._new_buffer(result, "alias", number)
        self.buffers[result] = number

    def _attributes(self, op):
        return {_WORDS.get(key, key): self._attribute(value)
                for key, value in op.attributes().items()
                if value is not None and key not in _NOT_IN_PLANS}

    def _attribute(self, value):
        if isinstance(value, InnerGraph):
            return self._sub_plan(value)
        if isinstance(value, tuple):
            if any(isinstance(item, dims.Dim) for item in value):
                return tuple(SizeRef(self.sizes.number(item)) for item in value)
            return tuple(map(self._attribute, value))
        if isinstance(value, dims.Dim):
            return SizeRef(self.sizes.number(value))
        if isinstance(value, (bool, np.integer)):
            return int(value)
        return float(value) if isinstance(value, np.floating) else value

    def _sub_plan(self, body):
        """A body as a Plan of this Plan."""
        names = ["output_%d" % number for number in range(len(body.outputs))]
        request = Request(body.inputs, list(body.outputs), [], "body", names)
        if self.depth == MAX_DEPTH:
            raise GraphError("[function] loops and branches may be inside of each other %d deep; "
                             "these are deeper." % MAX_DEPTH)
        self.plan.plans.append(lower(request, self.keep_operands, self.depth + 1)[0])
        return PlanRef(len(self.plan.plans) - 1)

    # --- checks ---

    def check_inputs(self):
        """The shapes of the inputs, where they are not what defines an unknown size."""
        for number, placeholder in enumerate(self.request.inputs):
            for axis, size in enumerate(placeholder.shape):
                given = self.sizes.of_input(number, axis)
                self._need(given, self.sizes.number(size), "[input %s] axis %d must fit the shape "
                           "%r" % (placeholder.name, axis, placeholder.type))

    def _add_needs(self, node):
        """What the op's rule could not decide while sizes were unknown."""
        if not any(isinstance(size, dims.Dim) for v in node.inputs + node.outputs
                   for size in v.shape):
            return
        with recorded_needs() as needs:
            node.op.infer(*(variable.type for variable in node.inputs))
        layer = "in layer %s: " % node.origin.layer if node.origin.layer else ""
        for a, b, message in needs:
            self._need_equal(a, b, layer + message)

    def _need_equal(self, a, b, message):
        if a != b:
            self._need(self.sizes.number(a), self.sizes.number(b), message)

    def _need(self, a, b, message):
        if a != b and (a, b) not in self._checks:
            self._checks.add((a, b))
            self.plan.checks.append((a, b, message))

    # --- results ---

    def finish(self):
        """Outputs and updates."""
        for name, output in zip(self.request.output_names, self.request.outputs):
            self.plan.outputs.append((name, self.buffer(output)))
        for shared, value in self.request.updates:
            if value in self.direct:
                continue
            self._check_update(shared, value)
            target = self.buffer(shared)
            self.plan.updates.append((self.plan.buffers[target].reference, self.buffer(value)))

    def _check_update(self, shared, value):
        for axis, (wanted, given) in enumerate(zip(shared.shape, value.shape)):
            self._need_equal(given, wanted, "[function] the new value of %r must keep its shape; "
                             "axis %d differs" % (shared, axis))


class _Sizes:
    """The table of integer expressions; equal expressions share an entry."""

    def __init__(self, table, inputs):
        self._table = table
        self._entries = {}     # (kind, a, b) -> number
        self._numbers = {}     # size -> number
        self._places = {}      # Size -> (input, axis)
        for number, placeholder in enumerate(inputs):
            for axis, size in enumerate(placeholder.shape):
                atom = dims.as_size(size)
                if atom is not None:
                    self._places.setdefault(atom, (number, axis))

    def of_input(self, number, axis):
        """The size of an input as it is given."""
        return self._entry("input", number, axis)

    def number(self, size):
        """The entry of an int or Dim."""
        found = self._numbers.get(size)
        if found is None:
            found = self._numbers[size] = self._write(size)
        return found

    def _write(self, size):
        if not isinstance(size, dims.Dim):
            return self._entry("constant", int(size), 0)
        total = None
        for atoms, coefficient in size.terms:
            term = None if atoms and coefficient == 1 else self._entry("constant", coefficient, 0)
            for atom in atoms:
                factor = self._atom(atom)
                term = factor if term is None else self._entry("multiply", term, factor)
            total = term if total is None else self._entry("add", total, term)
        return total

    def _atom(self, atom):
        if isinstance(atom, dims.Size):
            if atom not in self._places:
                raise GraphError("[function] the unknown size %r must be a size of an input; it is "
                                 "none." % (atom,))
            return self._entry("input", *self._places[atom])
        kind = {dims.FloorDiv: "floor_divide", dims.Max: "max",
                dims.Broadcast: "broadcast"}[type(atom)]
        return self._entry(kind, *map(self.number, atom.operands))

    def _entry(self, kind, a, b):
        key = (kind, a, b)
        if key not in self._entries:
            self._table.append(key)
            self._entries[key] = len(self._table) - 1
        return self._entries[key]


def _is_program(node):
    return node.op.kind in ("elementwise", "fused")


def _program(node, operands):
    """The attributes of an elementwise step."""
    if node.op.kind == "fused":
        return node.op.attributes()
    places = {variable: number for number, variable in enumerate(operands)}
    return {"ops": (node.op.name,), "dtypes": (node.outputs[0].dtype,),
            "arity": (len(node.inputs),), "args": tuple(places[v] for v in node.inputs),
            "outs": (len(operands),)}


def describe_origin(origin):
    """As in messages: layer "dense_1" (Dense), model.py:12."""
    parts = ["layer %s" % origin.layer] if origin.layer else []
    if origin.file:
        parts.append("%s:%d" % (origin.file, origin.line))
    return ", ".join(parts)
