"""Loops: `scan` runs an inner graph once for each row of its sequences, handing states on.

The function that builds a step is called once. What does not change from step to step is found and
computed before the loop. The gradient is a scan in the other direction: it computes the body again
from the states, which every scan gives out row by row for that; `symk/optimize` drops what nobody
reads, and replaces what need not be computed twice.
"""
import dataclasses

import numpy as np

from ..graph import (GraphError, InnerGraph, Op, Placeholder, ShapeError, apply, dims,
                     nodes_of, op, rebuild)
from ..graph.node import mark
from ..graph.reference import evaluate
from .checks import FLOATS, need_type, same_size
from .convert import as_variable
from .elementwise import add, mul, tanh
from .index import arange
from .linalg import matmul
from .random import RandomKey, fold_in
from .samples import sample, values
from .shape import broadcast_to, full, stack
from .sizes import as_size
from .trace import captured

__all__ = ["Loop", "Scan", "scan"]


def _example():
    """A body: h' = tanh(x @ w + h) with the outputs h' * x and h; x and h (2, 3), w (3, 3)."""
    x, h, w = (Placeholder("float64", shape) for shape in ((2, 3), (2, 3), (3, 3)))
    after = tanh(add(matmul(x, w), h))
    return InnerGraph([x, h, w], [after, mul(after, x), h])


def _sample(dtype, rows=(4, 2, 3), length=4, reverse=False, error=None):
    inputs = [values(shape, dtype, -1, 1) for shape in (rows, (2, 3), (3, 3))]
    return sample(*inputs, body=_example(), sequences=1, states=1, outputs=2,
                  length=length, reverse=reverse, error=error)


@op("scan", kind="loop")
class Scan(Op):
    """`body` for each row: from slices, states and invariants to new states and output rows.

    The operands are `sequences` tensors of `length` rows, the initial values of `states`, and
    invariants; the body has a row of each sequence, the states and the invariants as its inputs,
    the new states and a row of each of `outputs` as its outputs. With `reverse` the last row comes
    first; rows keep their places. `recompute` tells the optimiser not to keep values for gradients.

    Shapes: sequences (length, ...), states, invariants -> states, outputs (length, ...).
    Dtypes: any; those of the body.
    """

    body: object = None
    sequences: int = 0
    states: int = 0
    outputs: int = 0
    reverse: bool = False
    length: object = 0
    recompute: bool = False

    accepts = FLOATS
    smooth = True

    @property
    def bodies(self):
        return (self.body,)

    def with_bodies(self, bodies):
        """The same loop over another body of the same inputs and outputs."""
        return dataclasses.replace(self, body=bodies[0])

    def describe(self):
        """The attributes but for the body, which listings show by itself."""
        flags = "".join(", " + key for key in ("reverse", "recompute") if getattr(self, key))
        return "sequences=%d, states=%d, outputs=%d, length=%s%s" % (
            self.sequences, self.states, self.outputs, self.length, flags)

    def split(self, values):
        """Operands or inputs of the body as (sequences, states, invariants)."""
        states = self.sequences + self.states
        return values[:self.sequences], values[self.sequences:states], values[states:]

    def infer(self, *types):
        wanted = [variable.type for variable in self.body.inputs]
        wanted[:self.sequences] = [row.with_shape((self.length,) + row.shape)
                                   for row in wanted[:self.sequences]]
        self._check_counts(len(types))
        for number, (given, needed) in enumerate(zip(types, wanted)):
            need_type(self.name, "operand %d must be as the body needs it" % number, given, needed)
        results = [variable.type for variable in self.body.outputs]
        states = self.split(wanted)[1]
        for number, (before, after) in enumerate(zip(states, results)):
            need_type(self.name, "state %d must keep its type" % number, after, before)
        rows = [row.with_shape((self.length,) + row.shape) for row in results[self.states:]]
        return (*states, *rows)

    def _check_counts(self, operands):
        taken, given = len(self.body.inputs), len(self.body.outputs)
        if (operands != taken or self.states + self.outputs != given
                or min(self.sequences, self.states, self.outputs) < 0
                or self.sequences + self.states > taken):
            raise GraphError("[scan] the body must fit the counts; it takes %d and gives %d values "
                             "for %d operands, %d sequences, %d states and %d outputs."
                             % (taken, given, operands, self.sequences, self.states, self.outputs))

    def reference(self, *arrays):
        sequences = self.split(arrays)[0]
        if any(len(x) != self.length for x in sequences):
            raise ShapeError("[scan] sequences must have %d rows; they have %s."
                             % (self.length, ", ".join(str(len(x)) for x in sequences)))
        body = self.body
        states, outputs = self._run(arrays, lambda operands: evaluate(
            body.outputs, dict(zip(body.inputs, operands))))
        shapes = [(self.length,) + row.shape for row in body.outputs[self.states:]]
        return (*states, *(np.array(rows).reshape(shape) for rows, shape in zip(outputs, shapes)))

    def expand(self, *inputs):
        """The steps one after the other; None if their number is not known."""
        if isinstance(self.length, dims.Dim):
            return None
        states, outputs = self._run(inputs, self.body.at)
        types = [row.type for row in self.body.outputs[self.states:]]
        return (*states, *map(_stacked, outputs, types))

    def _run(self, operands, step):
        """The states after all steps, and for each output a list of its rows."""
        sequences, states, invariants = self.split(operands)
        outputs = [[None] * self.length for _ in range(self.outputs)]
        for row in range(self.length)[::-1 if self.reverse else 1]:
            results = step([*(x[row] for x in sequences), *states, *invariants])
            states = results[:self.states]
            for rows, value in zip(outputs, results[self.states:]):
                rows[row] = value
        return states, outputs

    def pull_back(self, walk, node, gradients):
        return _pull_back(walk, node, gradients)

    def push_forward(self, walk, node, tangents):
        return _push_forward(walk, node, tangents)

    samples = [_sample("float64"), _sample("float64", reverse=True),
               _sample("float64", (1, 2, 3), 1), _sample("float64", (0, 2, 3), 0)]
    bad = [_sample("float64", (5, 2, 3), error="operand 0 must be as the body needs it"),
           _sample("float64", (4, 2), error="operand 0 must be as the body needs it"),
           _sample("float32", error="operand 0 must be as the body needs it")]


def _stacked(rows, type):
    return stack(rows) if rows else full((0,) + type.shape, 0, type.dtype)


# --- building ---

def scan(function, sequences=(), initial=(), length=None, reverse=False, unroll=False,
         recompute=False):
    """Runs a step for each row of sequences.

    Args:
        function: function(rows, states) -> (new states, outputs), all lists; called once. `rows`
            has a slice of each sequence, without its first axis. It may use any other tensor.
        sequences: tensors with the same size of axis 0, which may be 0.
        initial: the states before the first step; each keeps its dtype and shape.
        length: the number of steps; needed where there are no sequences.
        reverse: from the last row to the first. Rows of outputs belong to rows of sequences.
        unroll: write the steps out one after the other; the length must be known.
        recompute: a gradient computes the steps again from the states before them, instead of
            keeping more of their values: less memory, more time.
    Returns:  (states, outputs): the states after the last step, and the outputs of all steps
              along a new axis 0; two lists.
    Raises:   ShapeError, DtypeError when lengths differ or a state changes its type; GraphError
              when the length is unknown and needed.
    """
    sequences, initial = _operands(sequences), _operands(initial)
    loop = Loop(_length(sequences, length), bool(reverse), bool(recompute))
    _trace(loop, function, sequences, initial)
    count = len(loop.outputs)
    if unroll:
        return _unrolled(loop)
    loop.outputs += loop.states          # for derivatives
    states, outputs = loop.apply()
    return states, outputs[:count]


def _unrolled(loop):
    """The steps one after the other."""
    if isinstance(loop.length, dims.Dim):
        raise GraphError("[scan] unroll needs a number of steps that is known while the graph is "
                         "built; it is %r." % (loop.length,))
    count = len(loop.states)
    states, outputs = loop.apply()
    made = (states + outputs)[0].node if states + outputs else None
    results = list(made.op.expand(*made.inputs)) if made else []
    return results[:count], results[count:]


def _operands(given):
    return [as_variable(x) for x in given]


def _length(sequences, length):
    """The number of steps, of which all sequences must have a row."""
    if length is not None:
        length = as_size(length)
    for number, x in enumerate(sequences):
        if not x.ndim:
            raise ShapeError("[scan] a sequence needs an axis 0; sequence %d is a scalar, %r."
                             % (number, x.type))
        rows = x.shape[0]
        length = rows if length is None else same_size(
            "scan", length, rows, "sequences must have one length; sequence %d is %r"
            % (number, x.type))
    if length is None:
        raise GraphError("[scan] a length is required where there are no sequences; None was "
                         "given.")
    return length


class Loop:
    """A loop as it is built and rewritten: what stands inside for what outside.

    rows, states, invariants: {placeholder: sequence}, {placeholder: initial value} and
    {placeholder: value}; results: the new states, in the order of the states; outputs: what each
    step gives, as expressions of the placeholders; length, reverse, recompute: as in Scan.
    """

    def __init__(self, length, reverse, recompute=False):
        self.length, self.reverse, self.recompute = length, reverse, recompute
        self.rows, self.states, self.invariants = {}, {}, {}
        self.results, self.outputs = [], []

    @classmethod
    def of(cls, node, inputs=None):
        """The loop that a node is; `inputs` in place of the node's."""
        op, body = node.op, node.op.body
        loop = cls(op.length, op.reverse, op.recompute)
        outside = op.split(node.inputs if inputs is None else tuple(inputs))
        loop.rows, loop.states, loop.invariants = (
            dict(zip(*pair)) for pair in zip(op.split(body.inputs), outside))
        loop.results, loop.outputs = list(body.outputs[:op.states]), list(body.outputs[op.states:])
        return loop

    def substitute(self, replacements):
        """Replaces variables inside: {old: new}."""
        count = len(self.results)
        made = rebuild(self.results + self.outputs, replacements)
        self.results, self.outputs = made[:count], made[count:]

    @property
    def body(self):
        """The inner graph of one step."""
        return InnerGraph([*self.rows, *self.states, *self.invariants],
                          self.results + self.outputs)

    def apply(self):
        """Makes the node, without the rows and invariants that no step uses.

        Returns:  (states, outputs) after and of all steps.
        """
        results, used = self.results + self.outputs, self.body.used
        rows = {inside: x for inside, x in self.rows.items() if inside in used}
        invariants = {inside: x for inside, x in self.invariants.items() if inside in used}
        body = InnerGraph([*rows, *self.states, *invariants], results)
        op = Scan(body, len(rows), len(self.states), len(self.outputs), self.reverse, self.length,
                  self.recompute)
        made = apply(op, *rows.values(), *self.states.values(), *invariants.values())
        return list(made[:len(self.states)]), list(made[len(self.states):])


def _trace(loop, function, sequences, initial):
    """Fills a loop with a function of rows and states."""
    step = Placeholder("int64", (), "step")
    rows = {Placeholder(x.dtype, x.shape[1:], "row"): x for x in sequences}
    states = {Placeholder(x.dtype, x.shape, "state"): x for x in initial}

    def call():
        results, outputs = function(list(rows), list(states))
        if len(results) != len(states):
            raise GraphError("[scan] a step must give one new value for each of the %d states; it "
                             "gave %d." % (len(states), len(results)))
        return [*map(_as_state, results, states, range(len(states))), *_operands(outputs)]

    since = mark()
    results, arguments = call(), [*rows, *states]
    nodes = _changing(nodes_of(results, since=since), arguments)
    outside = captured(nodes, results, arguments)
    results = rebuild(results, {
        variable: fold_in(inside, step) if isinstance(variable, RandomKey) else inside
        for variable, inside in outside.items()})
    rows[step] = arange(loop.length, dtype="int64")
    loop.rows, loop.states = rows, states
    loop.invariants = {inside: variable for variable, inside in outside.items()}
    loop.results, loop.outputs = results[:len(states)], results[len(states):]


def _changing(nodes, arguments):
    """The nodes that have to run in each step: the others are computed before the loop."""
    changing, found = [], set(arguments)
    for node in nodes:
        if node.op.effect or any(v in found or isinstance(v, RandomKey) for v in node.inputs):
            changing.append(node)
            found.update(node.outputs)
    return changing


def _as_state(value, state, number):
    """The new value of a state, in the state's type."""
    value = as_variable(value, like=state)
    if value.type == state.type:
        return value
    what = "state %d must keep its type" % number
    if value.ndim <= state.ndim:
        widened = (1,) * (state.ndim - value.ndim) + value.shape
        need_type("scan", what, value.type.with_shape(widened), state.type)
    need_type("scan", what, value.type, state.type)
    return broadcast_to(value, state.shape)


# --- derivatives ---

def _pull_back(walk, node, gradients):
    """The gradients of a loop's operands, by a loop from the last step that ran to the first.

    Its states are the gradients of the states and the sums of the gradients of the invariants. Its
    rows are those of the loop, the states before each step, and the gradients of the outputs.
    """
    op, body, forward = node.op, node.op.body, Loop.of(node)
    final = dict(zip(forward.states, gradients))
    arriving = {_like(output): (output, gradient) for output, gradient
                in zip(forward.outputs, gradients[op.states:]) if gradient is not None}
    moving, pulled = _through_body(walk, op, final, arriving)
    summed = [inside for inside in forward.invariants if pulled[inside] is not None]
    rows = [inside for inside in forward.rows if pulled[inside] is not None]
    backward = _along(node, not op.reverse)
    backward.rows.update((inside, gradient) for inside, (_, gradient) in arriving.items())
    for state, inside in moving.items():
        backward.states[inside] = _or_zeros(final[state], state)
        backward.results.append(_or_zeros(pulled[state], state))
    for inside in summed:
        total = _like(inside)
        backward.states[total] = _zeros(total)
        backward.results.append(add(total, pulled[inside]))
    backward.outputs = [pulled[row] for row in rows] + list(moving.values())
    states, outputs = backward.apply()
    found = dict(zip([*moving, *summed, *rows], states + outputs))
    return [found.get(inside) for inside in body.inputs]


def _through_body(walk, loop, final, arriving):
    """One step backwards: a gradient moves back through a state if it comes from the end, from an
    output, or through another state.

    Returns:  (moving, pulled): {state: placeholder of its gradient}, {input: gradient or None}.
    """
    inputs, results = loop.body.inputs, loop.body.outputs
    states = loop.split(inputs)[1]
    reached = [state for state in states if final[state] is not None]
    moving = {}
    while True:
        moving.update((state, _like(state)) for state in reached)
        starts = {}
        for state, result in zip(states, results):
            if state in moving:
                starts.setdefault(result, []).append(moving[state])
        for inside, (output, _) in arriving.items():
            starts.setdefault(output, []).append(inside)
        pulled = dict(zip(inputs, walk(starts, inputs, inputs)))
        reached = [state for state in states
                   if pulled[state] is not None and state not in moving]
        if not reached:
            return moving, pulled


def _push_forward(walk, node, tangents):
    """The tangents of a loop's results, by a loop in its own direction.

    Its states are the tangents of the states; the states themselves are rows, as in `_pull_back`.
    """
    op, primal = node.op, Loop.of(node)
    given = dict(zip(op.body.inputs, tangents))
    moving, pushed = _along_body(walk, op, given)
    forward = _along(node, op.reverse)
    forward.rows.update((moving[row], given[row]) for row in primal.rows if row in moving)
    forward.invariants.update((moving[inside], given[inside]) for inside in primal.invariants
                              if inside in moving)
    states = [state for state in primal.states if state in moving]
    for state, result in zip(primal.states, primal.results):
        if state in moving:
            forward.states[moving[state]] = _or_zeros(given[state], state)
            forward.results.append(_or_zeros(pushed.get(result), result))
    outputs = [output for output in dict.fromkeys(primal.outputs) if output in pushed]
    forward.outputs = [pushed[output] for output in outputs] + [moving[state] for state in states]
    after, along = forward.apply()
    after, along = dict(zip(states, after)), dict(zip(outputs, along))
    return [after.get(state) for state in primal.states] + [along.get(output)
                                                            for output in primal.outputs]


def _along_body(walk, loop, given):
    """One step of the tangents: a state moves if its initial value or its new value does.

    Returns:  (moving, pushed): {input: placeholder of its tangent}, {variable: tangent}.
    """
    states, results = loop.split(loop.body.inputs)[1], loop.body.outputs
    moving = {}
    reached = [inside for inside, tangent in given.items() if tangent is not None]
    while reached:
        moving.update((inside, _like(inside)) for inside in reached)
        pushed = walk(results, dict(moving))
        reached = [state for state, result in zip(states, results)
                   if result in pushed and state not in moving]
    return moving, pushed


def _along(node, reverse):
    """A loop beside that of a node: its rows, and its states before each step as rows."""
    loop, of = Loop(node.op.length, reverse, node.op.recompute), Loop.of(node)
    stored = {inside: rows for inside, rows in zip(of.outputs, node.outputs[node.op.states:])
              if inside in of.states}
    loop.rows, loop.invariants = {**of.rows, **stored}, dict(of.invariants)
    return loop


def _like(variable):
    return Placeholder(variable.dtype, variable.shape, "gradient")


def _zeros(variable):
    return full(variable.shape, 0, variable.dtype)


def _or_zeros(gradient, variable):
    return _zeros(variable) if gradient is None else gradient
