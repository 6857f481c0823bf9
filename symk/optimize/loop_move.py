"""Moves work out of loops, where one large operation does what small ones did in each step.

Before the loop goes what no state changes: invariants, and products of a whole input sequence.
Behind it go products that only make outputs, and sums over time of products, so that the gradient
of a weight is one product: sum over t of a_t' b_t = A' B. Convolutions are products here.
"""
import collections

from .. import ops
from ..graph import Placeholder
from ..graph.node import apply
from ..graph.walk import nodes_of
from ..ops.loop import Loop
from .inside import replace_nodes
from .loop_rows import for_all_steps, has_rule, is_constant, operands_outside, outside
from .sums import added, readers_of, terms_of

__all__ = ["move_before_loops", "move_behind_loops", "is_light"]

# Kinds of ops that cost little in a step: alone they are no reason to move anything.
_LIGHT = ("elementwise", "shape", "index", "size")


def is_light(variable):
    """Whether a value is an operand, or made by an op that costs about a pass over its elements."""
    return variable.node is None or variable.node.op.kind in _LIGHT


def _moved(results, move, name):
    """The results with move(loop) done to every loop: it gives (new outputs, how many moved)."""
    counts = collections.Counter()

    def replaced(node, inputs):
        if node.op.name != "scan":
            return None
        outputs, count = move(Loop.of(node, inputs))
        counts[name] += count
        return outputs if count else None

    return replace_nodes(results, replaced), +counts


# --- before the loop ---

def move_before_loops(results):
    """The results with less in each step, and how many values are computed before a loop."""
    return _moved(results, _before, "in each step -> once, before the loop")


def _before(loop):
    """Takes the values that a step needs and that can be computed for all steps before it."""
    known = _known_outside(loop)
    taken = _worthwhile(loop, known)
    stand_ins = {}
    for variable in taken:
        value, has_time = known[variable]
        stand_ins[variable] = Placeholder(variable.dtype, variable.shape, "moved")
        (loop.rows if has_time else loop.invariants)[stand_ins[variable]] = value
    if not taken:
        return None, 0
    loop.substitute(stand_ins)
    states, outputs = loop.apply()
    return states + outputs, len(taken)


def _known_outside(loop):
    """{inside: (value outside, whether it has an axis of time)} of all that no state changes."""
    found = operands_outside(loop)
    for node in loop.body.nodes:
        made = outside(node, found, loop.length)
        if made is not None and not (loop.recompute and made[0][1]):
            found.update(zip(node.outputs, made))
    return found


def _worthwhile(loop, known):
    """The values that steps take from outside: all that stay the same, and what is much work.

    Light work for all steps is left inside, where it joins other light work, unless no state keeps
    the steps apart.
    """
    taken, seen = [], set()
    stack = loop.results + loop.outputs
    while stack:
        variable = stack.pop()
        if variable in seen or variable.node is None:
            continue
        seen.add(variable)
        value, has_time = known.get(variable, (variable, False))
        light = is_light(variable) and (loop.states if has_time
                                        else variable.node.op.name == "broadcast_to")
        if value is variable or light:
            stack.extend(variable.node.inputs)
        else:
            taken.append(variable)
    return taken


# --- behind the loop ---

def move_behind_loops(results):
    """The results with less in each step, and how many values are computed behind a loop."""
    return _moved(results, _behind, "in each step -> once, behind the loop")


def _behind(loop):
    """Takes what no state needs."""
    if loop.recompute:
        return None, 0
    sums = _take_sums(loop)
    wanted = loop.outputs + [variable for terms in sums.values() for term in terms
                             for variable in _summed(term).node.inputs]
    behind = _nodes_behind(loop, wanted)
    if not sums and not behind:
        return None, 0
    return _made_behind(loop, sums, wanted, behind), len(sums) + len(behind)


def _take_sums(loop):
    """Takes terms out of sums over time, s' = s + f(t), that can be added up behind the loop.

    Returns:  {state: terms}.
    """
    readers = readers_of(loop.body.nodes, loop.results + loop.outputs)
    sums = {}
    for number, (state, result) in enumerate(zip(loop.states, loop.results)):
        terms = terms_of(result, readers)
        if terms.count(state) != 1 or readers[state] > 1 or readers[result] > 1:
            continue
        taken = [term for term in terms if _summed(term) is not None and readers[term] == 1]
        if taken:
            sums[state] = taken
            loop.results[number] = added([term for term in terms if term not in taken])
    return sums


def _summed(term):
    """The product or sum that a term is, seen through reshapes, if time can join its sum."""
    while term.node is not None and term.node.op.kind == "shape":
        term = term.node.inputs[0]
    if term.node is None:
        return None
    op, operands = term.node.op, term.node.inputs
    if op.name == "matmul":
        plain = op == type(op)(transpose_a=True) and [v.ndim for v in operands] == [2, 2]
        return term if plain else None
    return term if op.name in ("sum", "sum_to", "conv_grad_kernel") else None


def _nodes_behind(loop, wanted):
    """The nodes that no state needs and that can run behind the loop: much work, and light work on
    its results.
    """
    needed = set(nodes_of(loop.results))
    tail = [node for node in nodes_of(wanted) if node not in needed]
    inside = set()        # values that a node which stays inside reads
    while True:
        behind, made = [], set()
        for node in tail:
            late = made.intersection(node.inputs) or not is_light(node.outputs[0])
            stacked = [v not in loop.invariants and not is_constant(v) for v in node.inputs]
            if late and has_rule(node, stacked) and not inside.intersection(node.outputs):
                behind.append(node)
                made.update(node.outputs)
        moved = set(behind)
        blocked = {v for node in tail if node not in moved for v in node.inputs if v in made}
        if not blocked:
            return behind
        inside |= blocked


def _made_behind(loop, sums, wanted, behind):
    """What takes the place of a loop's states and outputs, with the sums and nodes behind it."""
    found, old_states, old_outputs = operands_outside(loop), list(loop.states), loop.outputs
    made = {v for node in behind for v in node.outputs}
    read = [v for v in wanted + [v for node in behind for v in node.inputs] if v not in made]
    found.update((v, (v, False)) for v in read if is_constant(v))
    loop.outputs = [v for v in dict.fromkeys(read) if v not in found]
    after = _without_sums(loop, sums)
    states, outputs = loop.apply() if loop.states or loop.outputs else ([], [])
    after.update(zip(loop.states, states))
    found.update((v, (x, True)) for v, x in zip(loop.outputs, outputs))
    for node in behind:
        found.update(zip(node.outputs, outside(node, found, loop.length)))
    for state, terms in sums.items():
        after[state] = added([after[state]] + [_total(term, found, loop.length)
                                                for term in terms])
    return ([after[state] for state in old_states]
            + [_at_all_steps(v, found, loop.length) for v in old_outputs])


def _without_sums(loop, sums):
    """Drops the states of which nothing but their sum was left: {state: its initial value}."""
    dropped = [state for state, result in zip(loop.states, loop.results)
               if state in sums and result is state]
    loop.results = [result for state, result in zip(loop.states, loop.results)
                    if state not in dropped]
    return {state: loop.states.pop(state) for state in dropped}


def _total(term, found, length):
    """The sum of a term over all steps."""
    node = _summed(term).node
    values = [_at_all_steps(variable, found, length) for variable in node.inputs]
    if node.op.name in ("matmul", "conv_grad_kernel"):
        # The axis that the product sums over, rows or images, is joined with time.
        total = apply(node.op, *(ops.reshape(x, (-1,) + x.shape[2:]) for x in values))
    else:
        total = ops.sum(for_all_steps(node, values, [True], length), 0)
    return ops.reshape(total, term.shape)


def _at_all_steps(variable, found, length):
    value, has_time = found[variable]
    return value if has_time else ops.broadcast_to(value, (length,) + variable.shape)
