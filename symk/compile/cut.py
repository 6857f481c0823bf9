"""Cuts the graph of a function on several devices into sections, each on one device.

A node's level is how often a path to it goes from one device to another. Nodes of one level and
device are a section, or two: what another device waits for comes first, then the rest. Sections
read what earlier ones have made, so they run in the order of levels. Variables change in the last
level alone, when all others have read them. What the host makes of the inputs alone for other
devices is the section before all levels, which can run before the call.
"""
import collections
import typing

from .. import config
from ..graph.node import Placeholder, Shared
from ..graph.walk import nodes_of, sources_of
from ..ops import identity
from ..ops.placed import Placed
from ..optimize.rewrite import remake
from .request import Request

__all__ = ["Section", "cut"]

_PROGRAMS = ("fused", "fused_reduce", "fused_scatter")
_AHEAD = -1     # the level of what can run before the call


class Section(typing.NamedTuple):
    """What one device does in one go.

    `request` has all inputs of the function first, so that it knows their sizes. `sources` has for
    each of its inputs the number of a value, the inputs of the function being the first and the
    outputs of all sections the rest, and whether the section reads it.
    """

    device: str
    request: Request
    sources: list


def cut(request, device):
    """The sections of a request that `place` has prepared, and the numbers of its outputs.

    Args:     device: where results are that no node makes.
    """
    return _Cut(request, config.numbered_device(device)).sections()


def root(variable):
    """The value itself: looks through what says where it is read."""
    while variable.node is not None and isinstance(variable.node.op, Placed):
        variable = variable.node.inputs[0]
    return variable


def _distinct(inputs):
    """The operands of a program, whose instructions count on different ones: what was read in two
    places may have become one."""
    seen, result = set(), []
    for variable in inputs:
        result.append(identity(variable) if variable in seen else variable)
        seen.add(variable)
    return result


class _Cut:
    """Which section each node is in. A section is named (level, whether it may wait, device)."""

    def __init__(self, request, default):
        self.request, self.default = request, default
        everything = nodes_of(request.results)
        self.nodes = [node for node in everything if not isinstance(node.op, Placed)]
        self.where = self._places()
        self.readers = collections.defaultdict(list)
        for node in self.nodes:
            for variable in node.inputs:
                self.readers[root(variable).node].append(node)
        self.ahead = self._ahead()
        self.levels = self._levels()
        self.last = max(self.levels.values(), default=0)
        self._run_late()
        self.due = self._due()

    def _places(self):
        """{node: its device}; None for what needs constants alone: each section makes its own."""
        where = {}
        for node in self.nodes:
            devices = (variable.node.op.device if isinstance(variable.node.op, Placed)
                       else where[variable.node]
                       for variable in node.inputs if variable.node is not None)
            where[node] = next((device for device in devices if device is not None), None)
        return where

    def _ahead(self):
        """The nodes of the host that need nothing but inputs, and that another device waits for.
        Users' ops may do what others see, and so may bodies: they run at each call."""
        able = set()

        def is_known(variable):
            source = root(variable)
            if source.node is None:
                return not isinstance(source, Shared)
            return self.where[source.node] is None or source.node in able

        for node in self.nodes:
            acts = node.op.effect or node.op.bodies or node.op.kind == "custom"
            if self.where[node] == "cpu" and not acts and all(map(is_known, node.inputs)):
                able.add(node)
        ahead = set()
        for node in reversed(self.nodes):
            if node in able and any(self.where[reader] != "cpu" or reader in ahead
                                    for reader in self.readers[node]):
                ahead.add(node)
        return ahead

    def _levels(self):
        levels = {}
        for node in self.nodes:
            if node in self.ahead:
                levels[node] = _AHEAD
            elif self.where[node] is not None:
                makers = [root(variable).node for variable in node.inputs]
                levels[node] = max([0] + [
                    levels[maker] + (self.where[maker] != self.where[node])
                    for maker in makers if maker in levels])
        return levels

    def _run_late(self):
        """What an optimizer makes for updates alone goes to the last level, so that steps write
        where variables lie; what needs no other device, to the level where it is needed. What was
        made in a scope stays where it is, as the replicas of a model and their gradients: they
        must not wait for each other."""
        given = {root(output).node for output in self.request.outputs}
        updating = set()
        for node in reversed(self.nodes):
            if self.where[node] is None or node in self.ahead:
                continue
            readers = self.readers[node]
            is_free = node.origin.device is None or self.levels[node] == 0
            if is_free and node not in given and all(
                    reader in updating and self.where[reader] == self.where[node]
                    for reader in readers):
                updating.add(node)
                self.levels[node] = self.last
            elif self.levels[node] == 0 and readers and node.origin.device is None:
                self.levels[node] = max(0, min(
                    self.levels[reader] - (self.where[reader] != self.where[node])
                    for reader in readers))

    def _due(self):
        """{node: the level at which another device waits for what is made of it}."""
        due = {}
        for node in reversed(self.nodes):
            if node in self.levels:
                due[node] = min((due[reader] if self.where[reader] == self.where[node]
                                 else self.levels[reader] for reader in self.readers[node]),
                                default=self.last + 1)
        return due

    # --- sections ---

    def sections(self):
        """(sections in running order, numbers of the values that are the outputs)."""
        members, wanted = self._members(), self._wanted()
        names = sorted(members, key=self._turn)
        values = [variable for name in names for variable in wanted[name]]
        first = len(self.request.inputs)
        numbers = {variable: first + number for number, variable in enumerate(values)}
        sections = [self._section(name, members[name], wanted[name], numbers)
                    for name in names]
        return sections, [numbers[root(output)] for output in self.request.outputs]

    def _turn(self, name):
        """By level; what changes variables comes last. The host, which works while it is asked,
        does its part when all others have been asked for theirs, and what may wait when they have
        been asked for what does not wait for it."""
        level, may_wait, device = name
        changes = any(self._target(value) == name for _, value in self.request.updates)
        if device != "cpu":
            return level, may_wait, changes, 0, device
        if may_wait and level < self.last:
            return level + 1, False, False, 1, device
        return level, True, changes, 2, device

    def _members(self):
        """{section: its nodes in order}, with those that it makes for itself."""
        needed = collections.defaultdict(set)
        for output in self.request.outputs:
            needed[root(output).node].add(self._home(output))
        for _, value in self.request.updates:
            needed[root(value).node].add(self._target(value))
        for node in reversed(self.nodes):
            if node in self.levels:
                needed[node].add(self._name(node))
            for variable in node.inputs:
                if root(variable).node not in self.levels:
                    needed[root(variable).node] |= needed[node]
        members = {name: [] for names in needed.values() for name in names}
        for node in self.nodes:
            for name in {self._name(node)} if node in self.levels else needed[node]:
                members[name].append(node)
        return members

    def _wanted(self):
        """{section: the values that it gives to others or to the caller}, in an order in which
        those that the same sections read are neighbours: they are handed on as one."""
        wanted = collections.defaultdict(dict)

        def note(variable, reader):
            maker = root(variable).node
            if maker in self.levels and self._name(maker) != reader:
                wanted[self._name(maker)].setdefault(root(variable), set()).add(reader)

        for node in self.nodes:
            for variable in node.inputs if node in self.levels else ():
                note(variable, self._name(node))
        for _, value in self.request.updates:
            note(value, self._target(value))
        for output in self.request.outputs:
            wanted[self._home(output)].setdefault(root(output), set())
        return collections.defaultdict(list, {
            name: sorted(values, key=lambda variable: sorted(values[variable]))
            for name, values in wanted.items()})

    def _name(self, node):
        level = self.levels[node]
        if level == _AHEAD:
            return level, False, "cpu"
        return level, level == self.last or self.due[node] > level + 1, self.where[node]

    def _home(self, variable):
        """The section that gives a value; of one that no section alone makes, the first one of the
        function's device."""
        node = root(variable).node
        return self._name(node) if node in self.levels else (0, True, self.default)

    def _target(self, value):
        """The section that an update is done in."""
        node = root(value).node
        return self.last, True, self.where[node] if node in self.levels else self.default

    def _section(self, name, nodes, wanted, numbers):
        """One section; `numbers` are those of all values."""
        made, arriving = {}, {}

        def read(variable):
            variable = root(variable)
            if variable in made or variable.node is None:
                return made.get(variable, variable)
            if variable not in arriving:
                arriving[variable] = Placeholder(variable.dtype, variable.shape,
                                                 name="value_%d" % numbers[variable])
            return arriving[variable]

        for node in nodes:
            inputs = [read(variable) for variable in node.inputs]
            if node.op.kind in _PROGRAMS:
                inputs = _distinct(inputs)
            made.update(zip(node.outputs, remake(node, inputs)))
        outputs = [read(variable) for variable in wanted]
        updates = [(shared, read(value)) for shared, value in self.request.updates
                   if self._target(value) == name]
        results = outputs + [value for _, value in updates]
        used = set(sources_of(results))
        updates += self._changed_elsewhere(used, updates)
        inputs = self.request.inputs + list(arriving.values())
        sources = ([(number, variable in used)
                    for number, variable in enumerate(self.request.inputs)]
                   + [(numbers[variable], True) for variable in arriving])
        names = ["value_%d" % numbers[variable] for variable in wanted]
        request = Request(inputs, outputs, updates, self.request.name, names)
        return Section(name[-1], request, sources)

    def _changed_elsewhere(self, used, updates):
        """Updates that change nothing, of variables that other sections change: so that nothing
        made of them is kept for the next call."""
        own = {shared for shared, _ in updates}
        return [(shared, shared) for shared, _ in self.request.updates
                if shared in used and shared not in own]
