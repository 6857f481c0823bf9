"""Producers into reductions: sum(square(x)) is one pass over x, and writes no square.

What is joined: a reduction with the program that makes its operand, and with other reductions over
the same axes that read that program or an operand of it. Cycles are ruled out by levels, as in
`fuse`: a level grows by one over every edge but those between programs of one shape and those from
a program to a reduction. A path that leaves a group therefore never comes back to its level, if it
does not lead through further programs of the group's shape; where such follow, nothing but the
program and its own reductions is joined.
"""
import collections

from .. import ops
from ..graph.node import apply
from ..graph.origin import acting_for
from ..graph.walk import clients_of, nodes_of
from .fuse import MOST_INSTRUCTIONS, MOST_OPERANDS, keep, needed_outside, unit_order
from .fused import REDUCTIONS, FusedReduce

__all__ = ["fuse_reductions"]

_MOST_RESULTS = 32   # of one step: as the kernel has it
_NAME = "producers and reductions -> fused_reduce"


def fuse_reductions(results):
    """The results with reductions joined to what they read, and how many reductions those were."""
    nodes = nodes_of(results)
    groups = _Groups(nodes)
    group_of = {node: number for number, group in enumerate(groups.found())
                for node in group.nodes()}
    members = collections.defaultdict(list)
    for node in nodes:
        if node in group_of:
            members[group_of[node]].append(node)
    counts = collections.Counter(
        {_NAME: sum(_is_reduction(node) for unit in members.values() for node in unit)})
    return _contract(results, nodes, group_of, members), +counts


def _is_program(node):
    return node is not None and node.op.kind in ("elementwise", "fused")


def _is_reduction(node):
    return (node.op.kind == "reduce" and node.op.name in REDUCTIONS
            and node.inputs[0].dtype != "float16")


def _continues(producer, consumer):
    """Whether both run over one shape, so that the level stays."""
    return _is_program(producer) and (
        _is_reduction(consumer)
        or (_is_program(consumer) and producer.outputs[0].shape == consumer.outputs[0].shape))


def _length(program):
    return len(program.op.ops) if program.op.kind == "fused" else 1


class _Group:
    """Reductions over one shape and the same axes, and the programs that make what they read."""

    def __init__(self, reduction, program):
        self.reductions = [reduction]
        self.programs = [] if program is None else [program]

    def nodes(self):
        return self.programs + self.reductions

    def reads(self):
        """The variables that the programs, and the reductions without one, read."""
        made = {variable for program in self.programs for variable in program.outputs}
        return [v for v in dict.fromkeys(v for node in self.nodes() for v in node.inputs)
                if v not in made]

    def take(self, other):
        """Joins another group if the step does not get too large; whether it did."""
        programs = list(dict.fromkeys(self.programs + other.programs))
        reductions = list(dict.fromkeys(self.reductions + other.reductions))
        outputs = sum(len(program.outputs) for program in programs)
        if (sum(map(_length, programs)) > MOST_INSTRUCTIONS
                or len(set(self.reads() + other.reads())) > MOST_OPERANDS
                or outputs + len(reductions) > _MOST_RESULTS):
            return False
        self.programs, self.reductions = programs, reductions
        return True


class _Groups:
    """Finds what may be joined."""

    def __init__(self, nodes):
        self._levels = {}
        for node in nodes:
            self._levels[node] = max(
                (self._levels[v.node] + (not _continues(v.node, node))
                 for v in node.inputs if v.node is not None), default=0)
        clients = clients_of(nodes)
        self._goes_on = {
            node for node in nodes if _is_program(node)
            if any(_is_program(reader) and _continues(node, reader)
                   for v in node.outputs for reader, _ in clients.get(v, ()))}
        self._all = []
        self._joined = {}    # (key, program or variable that is read) -> group
        axes = {}            # program -> those of the group that has it
        for node in nodes:
            if _is_reduction(node):
                self._add(node, axes)

    def _add(self, reduction, axes):
        source = reduction.inputs[0]
        program = source.node if _is_program(source.node) else None
        if program is not None and axes.setdefault(program, reduction.op.axes) != reduction.op.axes:
            return   # over other axes the program's result is read from memory
        made = _Group(reduction, program)
        key = (self._levels[reduction], source.shape, reduction.op.axes)
        handles = [(key, handle) for handle in self._handles(made, source.shape)]
        group = next((self._joined[handle] for handle in handles if handle in self._joined), None)
        if group is None or not group.take(made):
            group = made
            self._all.append(made)
        for handle in handles:
            self._joined[handle] = group

    def _handles(self, made, shape):
        """What another group must have in common with this one to be joined to it."""
        handles = list(made.programs)
        if not any(program in self._goes_on for program in made.programs):
            handles += [v for v in made.reads() if v.shape == shape]
        return handles

    def found(self):
        """The groups in which something is joined."""
        return [group for group in self._all if len(group.nodes()) > 1]


# --- making the steps ---

def _contract(results, nodes, group_of, members):
    outside = needed_outside(results, nodes, group_of)
    new = {}
    for unit in unit_order(nodes, group_of, members):
        if len(unit) > 1:
            _make(unit, outside, new)
        else:
            keep(unit[0], new)
    return [new.get(variable, variable) for variable in results]


def _make(unit, outside, new):
    """One node for a group; its results go into `new`."""
    programs = [node for node in unit if not _is_reduction(node)]
    reductions = [node for node in unit if _is_reduction(node)]
    made_inside = {v for program in programs for v in program.outputs}
    operands = [v for v in dict.fromkeys(v for node in unit for v in node.inputs)
                if v not in made_inside]
    text = _Text(operands)
    for program in programs:
        text.add(program)
    kept = [v for program in programs for v in program.outputs if v in outside]
    op = FusedReduce(
        ops=tuple(text.ops), dtypes=tuple(text.dtypes), arity=tuple(text.arity),
        args=tuple(text.args),
        outs=tuple(text.places[v] for v in kept + [node.inputs[0] for node in reductions]),
        reductions=("",) * len(kept) + tuple(node.op.name for node in reductions),
        axes=reductions[0].op.axes)
    origin = reductions[-1].origin
    made = apply(op, *(new.get(v, v) for v in operands), origin_=origin)
    old = kept + [node.outputs[0] for node in reductions]
    with acting_for(origin):
        made = [fresh if before.ndim == fresh.ndim else ops.reshape(fresh, before.shape)
                for before, fresh in zip(old, made)]
    if any(before.type != fresh.type for before, fresh in zip(old, made)):
        # Sizes that meet in another order are another expression: the nodes stay single.
        for node in unit:
            keep(node, new)
        return
    for before, fresh in zip(old, made):
        fresh.name = before.name
        new[before] = fresh


class _Text:
    """The instructions of several programs as those of one."""

    def __init__(self, operands):
        self.places = {variable: place for place, variable in enumerate(operands)}
        self._count = len(operands)
        self.ops, self.dtypes, self.arity, self.args = [], [], [], []

    def add(self, program):
        """Appends a fused or elementwise node; its results get places."""
        values = [self.places[v] for v in program.inputs]
        if program.op.kind == "fused":
            for name, dtype, places in program.op.instructions():
                values.append(self._append(name, dtype, [values[place] for place in places]))
            outs = program.op.outs
        else:
            values.append(self._append(program.op.name, program.outputs[0].dtype, values))
            outs = (len(values) - 1,)
        self.places.update((v, values[out]) for v, out in zip(program.outputs, outs))

    def _append(self, name, dtype, operands):
        self.ops.append(name)
        self.dtypes.append(dtype)
        self.arity.append(len(operands))
        self.args.extend(operands)
        self._count += 1
        return self._count - 1
