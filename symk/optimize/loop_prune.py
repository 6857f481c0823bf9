"""Takes out of loops and branches what nobody needs: states and outputs that nobody reads, values
that are the same in each step, and what is there twice.
"""
import collections

from .. import ops
from ..graph import Constant, dims
from ..graph.walk import nodes_of
from ..ops.branch import branch
from ..ops.loop import Loop
from .inside import replace_nodes
from .pattern import number_of

__all__ = ["prune_loops"]

_SMALL = 4096   # elements of a constant that may be copied into a body


def prune_loops(results):
    """The results with smaller loops and branches, and how many parts went."""
    needed = _needed(results)
    counts = collections.Counter()

    def pruned(node, inputs):
        if node.op.name == "cond":
            return _smaller_branch(node, inputs, needed, counts)
        if node.op.name != "scan":
            return None
        pruning = _Pruning(node, inputs, needed)
        outputs = pruning.outputs()
        counts.update(+pruning.counts)
        return outputs if +pruning.counts else None

    return replace_nodes(results, pruned), counts


def _smaller_branch(node, inputs, needed, counts):
    """A branch without the outputs that nobody reads, or None if there are none."""
    kept = [k for k, outer in enumerate(node.outputs) if outer in needed]
    dropped = len(node.outputs) - len(kept)
    if not dropped:
        return None
    counts["output of a branch that nobody reads -> none"] += dropped
    sides = [side.with_outputs(side.outputs[k] for k in kept) for side in node.op.bodies]
    made = dict(zip(kept, branch(inputs[0], sides, inputs[1:])))
    return [made.get(k, old) for k, old in enumerate(node.outputs)]


# --- what is read ---

def _needed(results):
    """All variables that the results need, seen through loops: what only a dead state of a loop
    reads is not among them.
    """
    needed = set(results)
    for node in reversed(nodes_of(results)):
        if node.op.name == "scan":
            needed.update(_needed_by_loop(node, needed))
        elif node.op.name == "cond":
            needed.update(_needed_by_branch(node, needed))
        elif needed.intersection(node.outputs):
            needed.update(node.inputs)
    return needed


def _needed_by_loop(node, needed):
    """The operands of a loop that its needed results depend on."""
    op, body = node.op, node.op.body
    live = _live_states(node, needed)
    used = _used(_live_results(node, needed, live))
    states = op.split(body.inputs)[1]
    return [outside for inside, outside in zip(body.inputs, node.inputs)
            if inside in (live if inside in states else used)]


def _needed_by_branch(node, needed):
    """The operands of a branch that its needed results depend on."""
    kept = [k for k, outer in enumerate(node.outputs) if outer in needed]
    used = _used([side.outputs[k] for side in node.op.bodies for k in kept])
    found = [outside for side in node.op.bodies
             for inside, outside in zip(side.inputs, node.inputs[1:]) if inside in used]
    return found + [node.inputs[0]] if kept else []


def _live_states(node, needed):
    """The states that are read after the loop, or in it by what is."""
    states = node.op.split(node.op.body.inputs)[1]
    live = {state for state, final in zip(states, node.outputs) if final in needed}
    while True:
        used = _used(_live_results(node, needed, live))
        more = {state for state in states if state in used} - live
        if not more:
            return live
        live |= more


def _live_results(node, needed, live):
    """The outputs of the body that are new values of live states, or needed after the loop."""
    op, body = node.op, node.op.body
    states = op.split(body.inputs)[1]
    return ([result for state, result in zip(states, body.outputs) if state in live]
            + [inner for inner, outer in zip(body.outputs[op.states:], node.outputs[op.states:])
               if outer in needed])


def _used(results):
    return set(results).union(*(node.inputs for node in nodes_of(results)))


# --- one loop ---

class _Pruning:
    """One loop that gets smaller."""

    def __init__(self, node, inputs, needed):
        self.node, self.loop = node, Loop.of(node, inputs)
        self.counts = collections.Counter()
        self.final = {}      # state that goes -> what it is after the loop
        self._drop_what_nobody_reads(needed)
        self._drop_operands()
        while self._drop_constant_states() or self._join_states():
            pass

    def _drop_what_nobody_reads(self, needed):
        loop, outer = self.loop, self.node.outputs
        live = _live_states(self.node, needed)
        self.states = dict(zip(loop.states, outer))
        self.kept = [k for k in range(len(loop.outputs)) if outer[len(loop.states) + k] in needed]
        self.counts["output of a loop that nobody reads -> none"] += (len(loop.outputs)
                                                                      - len(self.kept))
        loop.outputs = [loop.outputs[k] for k in self.kept]
        for state in [state for state in loop.states if state not in live]:
            self._drop_state(state, self.states[state], "state that nobody reads -> none")

    def _drop_state(self, state, after, name):
        """Takes a state out; returns its initial value."""
        del self.loop.results[list(self.loop.states).index(state)]
        self.final[state] = after
        self.counts[name] += 1
        return self.loop.states.pop(state)

    def _drop_operands(self):
        """Operands that no step uses, that are there twice, or that are constants."""
        loop, used, replaced = self.loop, self.loop.body.used, {}
        for operands in (loop.rows, loop.invariants):
            first = {}
            for inside, outside in operands.items():
                if inside not in used:
                    self.counts["operand that no step uses -> none"] += 1
                elif first.setdefault(outside, inside) is not inside:
                    replaced[inside] = first[outside]
                    self.counts["operand twice -> once"] += 1
        for inside, outside in loop.invariants.items():
            small = not isinstance(outside, Constant) or outside.value.size <= _SMALL
            if inside in used and small and _is_constant(outside):
                replaced[inside] = outside
                self.counts["constant operand -> inside"] += 1
        if replaced:
            loop.substitute(replaced)

    def _drop_constant_states(self):
        """A state that stays what it is at first is an invariant."""
        fixed = [state for state, result in zip(self.loop.states, self.loop.results)
                 if result is state]
        for state in fixed:
            initial = self.loop.states[state]
            self._drop_state(state, initial, "state that stays -> invariant")
            self.loop.invariants[state] = initial
        return bool(fixed)

    def _join_states(self):
        """States that begin with the same value and go on with the same one are one."""
        first = {}
        for (state, initial), result in zip(self.loop.states.items(), self.loop.results):
            same = first.setdefault((initial, result), state)
            if same is not state:
                self._drop_state(state, same, "state twice -> once")
                self.loop.substitute({state: same})
                return True
        return False

    def _last_values(self):
        """A state that no step reads, with the same new value as another: only its initial value,
        which is its last one where there is no step, is its own. {state: (other, initial)}.
        """
        loop, used = self.loop, self.loop.body.used
        of = {result: state for state, result in zip(loop.states, loop.results) if state in used}
        found = {state: of[result] for state, result in zip(loop.states, loop.results)
                 if state not in used and result in of}
        return {state: (other, self._drop_state(state, None, "state that no step reads -> none"))
                for state, other in found.items()}

    def outputs(self):
        """What takes the place of the node's outputs."""
        loop = self.loop
        unread = self._last_values()
        known = {k: value for k, value in zip(self.kept, map(self._outside, loop.outputs))
                 if value is not None}
        self.counts["output that needs no loop -> outside"] += len(known)
        inner = dict(zip(self.kept, loop.outputs))
        left = [inner[k] for k in self.kept if k not in known]
        loop.outputs = list(dict.fromkeys(left))
        self.counts["output twice -> once"] += len(left) - len(loop.outputs)
        states, outputs = loop.apply() if loop.states or loop.outputs else ((), ())
        after, along = dict(zip(loop.states, states)), dict(zip(loop.outputs, outputs))
        for state, (other, initial) in unread.items():
            self.final[state] = _after_any(loop.length, after[other], initial)
        return ([self._after(state, after) for state in self.states]
                + [known[k] if k in known else along[inner[k]] if k in inner else old
                   for k, old in enumerate(self.node.outputs[len(self.states):])])

    def _outside(self, output):
        """The rows of an output that is an operand or a constant; None if the loop makes it."""
        if output in self.loop.rows:
            return ops.reshape(self.loop.rows[output], (self.loop.length,) + output.shape)
        value = self.loop.invariants.get(output, output)
        if value is not output or _is_constant(output):
            return ops.broadcast_to(value, (self.loop.length,) + output.shape)
        return None

    def _after(self, state, after):
        while state in self.final and self.final[state] in self.states:
            state = self.final[state]      # joined with another state
        return self.final[state] if state in self.final else after[state]


def _is_constant(variable):
    return isinstance(variable, Constant) or number_of(variable) is not None


def _after_any(length, value, initial):
    """`value` if there is a step, else `initial`."""
    if not isinstance(length, dims.Dim):
        return value if length else initial
    return ops.where(ops.greater(ops.size_of(length), 0), value, initial)
