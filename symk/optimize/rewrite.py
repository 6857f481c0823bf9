"""The rule engine: one walk over a graph, from the inputs up, that applies a table of rules.

When a node is reached its operands are in their final form, so a rule sees all that can be seen.
What a rule puts in place is walked in turn, until no rule fires. The work is linear in the nodes
met, because a rule looks a fixed number of steps down. Replacements get the origin of what they
replace.
"""
import collections

from .. import ops
from ..graph.node import Node, apply, registered_ops
from ..graph.origin import acting_for
from .pattern import Match, compile_pattern

__all__ = ["Rule", "Sample", "rule", "rewrite", "remake", "use"]

# A rule table that makes a node anew more often than this goes round in a circle.
_LIMIT = 200


class Sample:
    """The example of a rule: what builds it, and how to draw its inputs."""

    def __init__(self, build, shapes, dtype, low, high):
        self.build, self.shapes, self.dtype, self.low, self.high = build, shapes, dtype, low, high


class Rule:
    """A row: the name is the formula; `replacement(m)` gives a Variable, or None to decline."""

    def __init__(self, name, pattern, replacement, when, sample):
        self.name, self.pattern, self.when, self.sample = name, pattern, when, sample
        self.root = pattern[0].partition(":")[0]
        self._match = compile_pattern(pattern)
        self._replacement = replacement

    def apply_to(self, variable):
        """The variable that takes the place of `variable`, or None."""
        found = {}
        if not self._match(variable, found):
            return None
        match = Match(variable, found)
        if self.when is not None and not self.when(match):
            return None
        if callable(self._replacement):
            result = self._replacement(match)
        else:
            result = _build(self._replacement, match)
        if result is None or result is variable or result.type != variable.type:
            return None
        return result


def rule(name, pattern, replacement, when=None, example=None, shapes=((3, 4),), dtype="float32",
         low=-2.0, high=2.0):
    """A row of a table.

    Args:
        name: the formula, as people read it.
        pattern: see `pattern.py`; its root is an op.
        replacement: a pattern of names and ops, or a function of the Match. A result of another
            type than the root (a shape that broadcasting would have widened) is not taken.
        when: a guard, a function of the Match.
        example: a function of inputs drawn from [low, high], of these shapes and dtype, on whose
            expression the rule fires. It is the rule's test.
    """
    return Rule(name, pattern, replacement, when, Sample(example, shapes, dtype, low, high))


def _build(template, match):
    """The expression that a replacement given as data stands for."""
    if isinstance(template, str):
        return getattr(match, template)
    if isinstance(template, tuple):
        return getattr(ops, template[0])(*(_build(part, match) for part in template[1:]))
    return template


def use(name, *inputs, **attributes):
    """An op on Variables just as it is named, without what its function would do first."""
    return apply(registered_ops()[name](**attributes), *inputs)


def remake(node, inputs):
    """The node's outputs over other inputs."""
    if all(a.type == b.type for a, b in zip(inputs, node.inputs)):
        types = [variable.type for variable in node.outputs]   # what infer would say again
        made = Node(node.op, inputs, types, node.origin).outputs
    else:
        made = apply(node.op, *inputs, origin_=node.origin)
        made = made if isinstance(made, tuple) else (made,)
    for old, new in zip(node.outputs, made):
        new.name = old.name
    return made


def rewrite(results, rules):
    """Applies rules everywhere.

    Args:     rules: a table; of rules for one op the first that fires is taken.
    Returns:  (results, counts): how often each rule fired, by name.
    """
    walk = _Rewrite(rules)
    return [walk.settle(result) for result in results], walk.counts


class _Rewrite:
    """One walk: `new` maps each variable met to its final form."""

    def __init__(self, rules):
        self.by_root = collections.defaultdict(list)
        for row in rules:
            self.by_root[row.root].append(row)
        self.counts = collections.Counter()
        self.new = {}

    def settle(self, variable):
        """The final form of a variable."""
        if variable in self.new:
            return self.new[variable]
        for node in self._unsettled(variable):
            inputs = [self.new.get(v, v) for v in node.inputs]
            outputs = node.outputs
            if any(a is not b for a, b in zip(inputs, node.inputs)):
                outputs = remake(node, inputs)
            for old, fresh in zip(node.outputs, outputs):
                self.new[old] = self._settle_root(fresh)
        return self.new.get(variable, variable)

    def _unsettled(self, variable):
        """The nodes behind a variable that have no final form yet, inputs first."""
        order, seen, stack = [], set(), [(variable.node, False)]
        while stack:
            node, complete = stack.pop()
            if complete:
                order.append(node)
            elif node is not None and node not in seen and node.outputs[0] not in self.new:
                seen.add(node)
                stack.append((node, True))
                stack.extend((v.node, False) for v in reversed(node.inputs))
        return order

    def _settle_root(self, variable):
        """Applies rules to a variable whose operands are in final form, until none fires."""
        for _ in range(_LIMIT):
            replaced = self._replace(variable)
            if replaced is None:
                self.new.setdefault(variable, variable)
                return variable
            if replaced.node is None or replaced in self.new:
                return self.new.get(replaced, replaced)
            inner = [self.settle(v) for v in replaced.node.inputs]
            if any(a is not b for a, b in zip(inner, replaced.node.inputs)):
                replaced = remake(replaced.node, inner)[replaced.index]
            variable = replaced
        raise AssertionError("the rules go round in a circle at %r" % (variable,))

    def _replace(self, variable):
        """What the first rule that fires makes of a variable, or None."""
        rows = self.by_root.get(variable.node.op.name)
        if rows is None:
            return None
        with acting_for(variable.node.origin):
            for row in rows:
                replaced = row.apply_to(variable)
                if replaced is not None:
                    self.counts[row.name] += 1
                    return replaced
        return None
