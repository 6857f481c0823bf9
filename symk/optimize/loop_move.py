"""Moves work out of loops, where one large operation does what small ones did in each step.

Before the loop goes what no state changes: invariants, and products of a whole input sequence.
After it go what no step waits for: products that only make outputs, and sums over time, so that
the gradient of a weight becomes one product: sum over t of a_t' b_t = A' B.
"""
import collections

from .. import ops
from ..graph import Constant, Placeholder
from ..graph.node import apply
from ..graph.walk import nodes_of, sources_of
from ..ops.loop import Loop
from .inside import replace_nodes
from .loop_rows import for_all_steps, has_rule
from .rewrite import remake

__all__ = ["move_before_loops", "move_behind_loops", "is_light"]

# Kinds of ops that cost little in a step: alone they are no reason to move anything.
_LIGHT = ("elementwise", "shape", "index", "size")


def is_light(variable):
    """Whether a value is an operand, or made by an op that costs about a pass over its elements."""
    return variable.node is None or variable.node.op.kind in _LIGHT


def _moved(results, move, name):
    """The results with `move(loop, node)` done to every loop; it gives new outputs or None."""
    counts = collections.Counter()

    def replaced(node, inputs):
        if node.op.name != "scan":
            return None
        outputs, count = move(node, Loop.of(node, inputs))
        counts[name] += count
        return outputs if count else None

    return replace_nodes(results, replaced), +counts


# --- before the loop ---

def move_before_loops(results):
    """The results with less in each step, and how many values are computed before a loop."""
    return _moved(results, _before, "in each step -> once, before the loop")


def _before(node, loop):
    """Takes the values that a step needs and that can be computed for all steps before it."""
    outside = _computed_outside(loop)
    taken = _worthwhile(loop, outside)
    inside = {}
    for variable in taken:
        value, has_time = outside[variable]
        inside[variable] = Placeholder(variable.dtype, variable.shape, "row")
        (loop.rows if has_time else loop.invariants)[inside[variable]] = value
    if not taken:
        return None, 0
    loop.substitute(inside)
    states, outputs = loop.apply()
    return states + outputs, len(taken)


def _computed_outside(loop):
    """{inside: (value outside, whether it has an axis of time)} of all that no state changes."""
    found = {row: (x, True) for row, x in loop.rows.items()}
    found.update((inside, (x, False)) for inside, x in loop.invariants.items())
    for node in loop.body.nodes:
        operands = [_known(variable, found) for variable in node.inputs]
        if None in operands or node.op.effect:
            continue
        values, has_time = [x for x, _ in operands], [flag for _, flag in operands]
        if not any(has_time):
            same = all(a is b for a, b in zip(values, node.inputs))     # of constants alone
            made = node.outputs if same else remake(node, values)
            found.update((v, (x, False)) for v, x in zip(node.outputs, made))
        elif not loop.recompute:
            value = for_all_steps(node, values, has_time, loop.length)
            if value is not None:
                found[node.outputs[0]] = (value, True)
    return found


def _known(variable, found):
    return (variable, False) if isinstance(variable, Constant) else found.get(variable)


def _worthwhile(loop, outside):
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
        value, has_time = outside.get(variable, (variable, False))
        light = is_light(variable) and (loop.states if has_time
                                        else variable.node.op.name == "broadcast_to")
        if value is not variable and not light:
            taken.append(variable)
        else:
            stack.extend(variable.node.inputs)
    return taken


# --- after the loop ---

def move_behind_loops(results):
    """The results with less in each step, and how many values are computed after a loop."""
    return _moved(results, _behind, "in each step -> once, after the loop")


def _behind(node, loop):
    if loop.recompute:
        return None, 0
    readers = collections.Counter(v for each in loop.body.nodes for v in each.inputs)
    readers.update(loop.results + loop.outputs)
    sums = _take_sums(loop, readers)
    wanted = loop.outputs + [v for terms in sums.values() for term in terms
                             for v in _summed(term).node.inputs]
    behind = _nodes_behind(loop, wanted)
    if not sums and not behind:
        return None, 0
    return _made_behind(node, loop, sums, wanted, behind), len(behind) + len(sums)


def _take_sums(loop, readers):
    """Takes terms out of sums over time, s' = s + f(t), that can be added up after the loop.

    Returns:  {state: terms}.
    """
    sums = {}
    for number, (state, result) in enumerate(zip(loop.states, loop.results)):
        terms = _terms(result, readers)
        if terms.count(state) != 1 or readers[state] > 1:
            continue
        taken = [term for term in terms if _summed(term) is not None and readers[term] == 1]
        if taken:
            sums[state] = taken
            loop.results[number] = _added([term for term in terms if term not in taken])
    return sums


def _terms(variable, readers):
    """The terms of a sum, through additions that nothing else reads."""
    terms, stack = [], [variable]
    while stack:
        variable = stack.pop()
        whole = variable.node is None or variable.node.op.name != "add" or readers[variable] > 1
        if whole or any(v.type != variable.type for v in variable.node.inputs):
            terms.append(variable)
        else:
            stack.extend(variable.node.inputs[::-1])
    return terms


def _added(terms):
    total = terms[0]
    for term in terms[1:]:
        total = ops.add(total, term)
    return total


def _summed(term):
    """The product or sum that a term is, seen through reshapes, if time can join its sum."""
    while term.node is not None and term.node.op.kind == "shape":
        term = term.node.inputs[0]
    if term.node is None:
        return None
    op, operands = term.node.op, term.node.inputs
    if op.name in ("sum", "sum_to"):
        return term
    flat = op.name == "matmul" and [v.ndim for v in operands] == [2, 2]
    return term if flat and op.transpose_a and not op.transpose_b else None


def _total(term, found, length):
    """The sum of a term over all steps."""
    summed = _summed(term)
    node, values = summed.node, [_at_all_steps(v, found, length) for v in summed.node.inputs]
    if node.op.name == "matmul":
        rows = [ops.reshape(x, (-1, x.shape[-1])) for x in values]
        total = apply(node.op, *rows)                       # A' B, of all rows of all steps
    else:
        total = ops.sum(for_all_steps(node, values, [True], length), 0)
    return ops.reshape(total, term.shape)


def _at_all_steps(variable, found, length):
    value, has_time = found[variable]
    return value if has_time else ops.broadcast_to(value, (length,) + variable.shape)


def _nodes_behind(loop, wanted):
    """The nodes that no state needs and that may run after the loop: much work, and light work on
    its results.
    """
    needed = {node for node in nodes_of(loop.results)}
    tail = [node for node in nodes_of(wanted) if node not in needed]
    inside = set()        # values that a node which stays inside reads
    while True:
        behind, made = [], set()
        for node in tail:
            late = made.intersection(node.inputs) or not is_light(node.outputs[0])
            if late and has_rule(node) and not inside.intersection(node.outputs):
                behind.append(node)
                made.update(node.outputs)
        blocked = {v for node in tail if node not in behind for v in node.inputs if v in made}
        if not blocked:
            return behind
        inside |= blocked


def _made_behind(node, loop, sums, wanted, behind):
    """The outputs of a loop's node, when the sums and the nodes behind it are taken out."""
    found = {row: (x, True) for row, x in loop.rows.items()}
    found.update((inside, (x, False)) for inside, x in loop.invariants.items())
    made = {v for each in behind for v in each.outputs}
    read = [v for v in wanted + [v for each in behind for v in each.inputs] if v not in made]
    found.update((v, (v, False)) for v in read if _is_closed(v))
    along = [v for v in dict.fromkeys(read) if v not in found]
    old_outputs, loop.outputs = loop.outputs, along
    initial, kept = dict(loop.states), []
    for state, result in list(zip(loop.states, loop.results)):
        if state is result and state in sums:
            del loop.states[state]
        else:
            kept.append(result)
    loop.results = kept
    states, outputs = loop.apply() if loop.states or along else ([], [])
    after = {**initial, **dict(zip(loop.states, states))}
    found.update((v, (x, True)) for v, x in zip(along, outputs))
    for each in behind:
        operands = [found[v] if v in found else (v, False) for v in each.inputs]
        value = for_all_steps(each, [x for x, _ in operands], [t for _, t in operands], loop.length)
        found[each.outputs[0]] = (value, True)
    finals = [_added([after[state]] + [_total(term, found, loop.length)
                                       for term in sums.get(state, ())]) for state in initial]
    return finals + [_at_all_steps(v, found, loop.length) for v in old_outputs]


def _is_closed(variable):
    """Whether a value depends on constants alone."""
    return all(isinstance(source, Constant) for source in sources_of([variable]))
