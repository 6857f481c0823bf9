"""Whole sequences of SimpleRNN, LSTM and GRU as one op each, and one step of an LSTM.

The products of the inputs with their weights, and the bias, are made before, for all times at once;
the ops take their sums. The meaning of a step stands once, for arrays and for graphs: `reference`
runs it time by time, `expand` runs it by `scan`.
"""
import numpy as np

from ..graph import GraphError, Op, apply, dims, op
from .checks import BOOL, FLOATS, need_dtype, need_equal_dtypes, need_rank, same_size
from .convert import as_variable, cast, fit, meet
from .elementwise import clip, logical_and, relu, sigmoid, tanh, where
from .linalg import Matmul, matmul
from .loop import scan
from .products import check_products, rounded
from .reduce import sum
from .samples import sample, values
from .shape import concat, expand_dims, full, identity, reshape, transpose

__all__ = ["CURVES", "gru_sequence", "lstm_cell", "lstm_sequence", "rnn_sequence"]

CURVES = ("linear", "relu", "tanh", "sigmoid", "hard_sigmoid")


# --- arrays and graphs ---

class _Arrays:
    """The functions of a step, for NumPy."""

    concat, expand_dims = staticmethod(np.concatenate), staticmethod(np.expand_dims)
    both, where, zeros_like = np.logical_and, staticmethod(np.where), staticmethod(np.zeros_like)
    curves = {"linear": lambda x: x, "relu": lambda x: np.maximum(x, 0), "tanh": np.tanh,
              "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
              "hard_sigmoid": lambda x: np.clip(x * 0.2 + 0.5, 0, 1)}

    @staticmethod
    def as_number(condition, like):
        return condition.astype(like.dtype)

    turned = staticmethod(np.transpose)

    @staticmethod
    def product(op, a, b):
        a, b = rounded(op, a, b)
        return a @ b

    @staticmethod
    def run(step, rows, states, reverse):
        """step(rows, states) -> (states, outputs) for each time; rows are (batch, time, ...)."""
        times = rows[0].shape[1]
        if times == 0:
            _, made = step([np.zeros(x.shape[:1] + x.shape[2:], x.dtype) for x in rows], states)
            return states, [np.zeros(x.shape[:1] + (0,) + x.shape[1:], x.dtype) for x in made]
        outputs = []
        for time in range(times)[::-1 if reverse else 1]:
            states, made = step([x[:, time] for x in rows], states)
            outputs.append(made)
        return states, [np.stack(column[::-1 if reverse else 1], 1) for column in zip(*outputs)]


class _Graphs:
    """The same for graphs."""

    concat, expand_dims = staticmethod(concat), staticmethod(expand_dims)
    both, where = staticmethod(logical_and), staticmethod(where)
    curves = {"linear": lambda x: x, "relu": relu, "tanh": tanh, "sigmoid": sigmoid,
              "hard_sigmoid": lambda x: clip(x * 0.2 + 0.5, 0, 1)}

    @staticmethod
    def zeros_like(x):
        return full(x.shape, 0, x.dtype)

    @staticmethod
    def as_number(condition, like):
        return cast(condition, like.dtype)

    @staticmethod
    def turned(x):
        return transpose(x, (1, 0))

    @staticmethod
    def product(op, a, b):
        return apply(Matmul(products=op.products), a, b)

    @staticmethod
    def run(step, rows, states, reverse):
        states, outputs = scan(step, [_swap_time(x) for x in rows], states, reverse=reverse)
        return states, [_swap_time(output) for output in outputs]


def _swap_time(x):
    """Exchanges the axes of batch and time."""
    return transpose(x, (1, 0) + tuple(range(2, x.ndim)))


def _slope(math, name, y):
    """The slope of a curve where its result is y."""
    if name == "linear":
        return 1.0
    if name == "relu":
        return math.as_number(y > 0, y)
    if name == "hard_sigmoid":
        return math.as_number(math.both(y > 0, y < 1), y) * 0.2
    return 1 - y * y if name == "tanh" else y * (1 - y)


def _run(math, step, rows, states, mask, incoming, reverse):
    """Runs a step over the times of a sequence.

    Args:
        step: step(rows, states) -> (new states, outputs).
        mask: where it is False the states stay and the outputs are 0; or None.
        incoming: what is added to the first state before each step; or None.
    Returns:  the last states, and the states and outputs of all times.
    """
    count = len(rows)

    def guarded(rows, states):
        more = list(rows[count:])
        shown = more.pop(0) if mask is not None else None
        if incoming is not None:
            states = [states[0] + more[0], *states[1:]]
        new, outputs = step(rows[:count], states)
        if shown is not None:
            shown = math.expand_dims(shown, 1)
            new = [math.where(shown, a, b) for a, b in zip(new, states)]
            outputs = [math.where(shown, output, math.zeros_like(output)) for output in outputs]
        return new, [*new, *outputs]

    return math.run(guarded, [*rows, *_some(mask), *_some(incoming)], states, reverse)


def _some(value):
    return [] if value is None else [value]


def _gates(x, units):
    """The parts of rows that belong to each gate."""
    return [x[..., first:first + units] for first in range(0, x.shape[-1], units)]


def _before(math, all_states, initial, reverse):
    """The state before each step, (batch, time, units)."""
    initial = math.expand_dims(initial, 1)
    if reverse:
        return math.concat([all_states, initial], 1)[:, 1:]
    return math.concat([initial, all_states], 1)[:, :-1]


def _weights_gradient(before, d_sums):
    """before^T d_sums, over all samples and times."""
    before, d_sums = (reshape(x, (-1, x.shape[-1])) for x in (before, d_sums))
    return matmul(before, d_sums, transpose_a=True)


# --- what the ops share ---

class _Recurrent(Op):
    """The meaning of an op is written once, for NumPy and for graphs. Attributes: the curves by
    name."""

    accepts = FLOATS
    domain = (-1.0, 1.0)
    smooth = True
    gates = 1

    def _need_curves(self):
        for curve in (self.activation, getattr(self, "recurrent_activation", "sigmoid")):
            if curve not in CURVES:
                raise GraphError("[%s] an activation must be one of %s; %r was given."
                                 % (self.name, ", ".join(CURVES), curve))

    def _need_shape(self, what, type, shape):
        message = "%s must have the shape %s; it is %r" % (what, shape, type)
        same_size(self.name, type.ndim, len(shape), message)
        for given, wanted in zip(type.shape, shape):
            same_size(self.name, given, wanted, message)

    def reference(self, *arrays):
        return self._meaning(_Arrays, *arrays)

    def expand(self, *inputs):
        """The meaning by other ops; None if the number of units is not known."""
        units = inputs[0].shape[-1]
        return None if isinstance(units, dims.Dim) else self._meaning(_Graphs, *inputs)

    def push_forward(self, walk, node, tangents):
        """The tangents of the expansion: the kernels go in the other direction only."""
        operands = [identity(variable) for variable in node.inputs]   # nothing moves before them
        outputs = self.expand(*operands)
        if outputs is None:
            return NotImplemented
        moved = walk(outputs, {variable: tangent for variable, tangent in zip(operands, tangents)
                               if tangent is not None})
        return [moved.get(output) for output in outputs]

    def _curves(self, math):
        """The functions of the values and of the gates."""
        return math.curves[self.activation], math.curves[self.recurrent_activation]

    def _slopes(self, math):
        """The slopes of both, as functions of their results."""
        return (lambda y: _slope(math, self.activation, y),
                lambda y: _slope(math, self.recurrent_activation, y))


class _Sequence(_Recurrent):
    """With the attribute `reverse`, to run from the last time to the first; expands by `scan`."""

    def _need(self, sums, weights, mask, sequences, states):
        """Checks the operands: sums (batch, time, units of all gates), weights (units, units of all
        gates), sequences (batch, time, units), states (batch, units), mask (batch, time).

        Returns:  the types of a sequence and of a state.
        """
        self._need_curves()
        need_dtype(self.name, "x", sums, self.accepts)
        need_rank(self.name, "x", sums, 3, "(batch, time, units of all gates)")
        need_rank(self.name, "weights", weights, 2, "(units, units of all gates)")
        need_equal_dtypes(self.name, sums, weights, *sequences, *states)
        check_products(self, sums)
        (batch, time, _), units = sums.shape, weights.shape[0]
        self._need_shape("x", sums, (batch, time, units * self.gates))
        self._need_shape("weights", weights, (units, units * self.gates))
        for type in sequences:
            self._need_shape("a sequence", type, (batch, time, units))
        for type in states:
            self._need_shape("a state", type, (batch, units))
        if mask is not None:
            need_dtype(self.name, "mask", mask, BOOL)
            self._need_shape("mask", mask, (batch, time))
        return sums.with_shape((batch, time, units)), sums.with_shape((batch, units))

    def _product(self, math, a, weights):
        return math.product(self, a, weights)

    def _transposed(self, math, a, weights):
        return math.product(self, a, math.turned(weights))

    @classmethod
    def flops(cls, inputs, outputs):
        sequence = next(type for type in outputs if len(type.shape) == 3)
        batch, time, _ = sequence.shape
        units = next(type for type in inputs if len(type.shape) == 2).shape[-1] // cls.gates
        return 2 * batch * time * units * units * cls.gates


def _optional(operands, *present):
    """Takes operands that need not be there from the end of a list; None for those that are not."""
    operands = list(operands)
    return [operands.pop(0) if there else None for there in present]


def _or_zeros(gradient, variable):
    return full(variable.shape, 0, variable.dtype) if gradient is None else gradient


_MASK = values((3, 4), "bool")
_GATE = {"low": 0.1, "high": 0.9}      # within the range of every curve, away from its ends


def _one_step(*shapes, **attributes):
    """A sample of products of bfloat16, which only float32 has. Over several steps, the order of a
    sum may decide how a state is rounded."""
    return sample(*(values(shape, dtype="float32") for shape in shapes), products="bfloat16",
                  **attributes)


# --- SimpleRNN ---

@op("rnn_sequence", kind="recurrent")
class RnnSequence(_Sequence):
    """h = activation(x + h . weights), for each time.

    Shapes: x (batch, time, units), weights (units, units), h (batch, units) [, mask (batch, time)]
            -> all h (batch, time, units), the last h (batch, units).
    Dtypes: floats -> same; mask bool.
    """

    activation: str = "tanh"
    reverse: bool = False
    products: str = None

    in_place = ((0, 0),)

    def infer(self, x, weights, h, mask=None):
        return self._need(x, weights, mask, [], [h])

    def _meaning(self, math, x, weights, h, mask=None):
        curve = math.curves[self.activation]

        def step(rows, states):
            return [curve(rows[0] + self._product(math, states[0], weights))], []

        (last,), (every,) = _run(math, step, [x], [h], mask, None, self.reverse)
        return every, last

    def grad(self, x, weights, h, *rest):
        every, last, g, g_last = rest[-4:]
        mask = rest[:-4]
        dx, dh = apply(RnnSequenceGrad(self.activation, self.reverse, g is not None),
                       every, weights, _or_zeros(g_last, last), *_some(g), *mask)
        before = _before(_Graphs, every, h, self.reverse)
        return dx, _weights_gradient(before, dx), dh, *[None] * len(mask)

    samples = [sample((3, 4, 5), (5, 5), (3, 5)), sample((3, 4, 2), (2, 2), (3, 2), reverse=True),
               sample((3, 4, 2), (2, 2), (3, 2), _MASK, activation="sigmoid"),
               sample((3, 4, 2), (2, 2), (3, 2), _MASK, reverse=True, activation="linear"),
               sample((1, 1, 1), (1, 1), (1, 1), activation="hard_sigmoid"),
               sample((2, 0, 3), (3, 3), (2, 3)), sample((0, 2, 3), (3, 3), (0, 3)),
               sample((17, 2, 33), (33, 33), (17, 33))]
    samples += [_one_step((3, 1, 5), (5, 5), (3, 5)),
                _one_step((17, 1, 33), (33, 33), (17, 33))]
    bad = [sample((3, 5), (5, 5), (3, 5), error="x must have 3 axes"),
           sample((3, 4, 5), (5, 6), (3, 5), error="weights must have the shape (5, 5)"),
           sample((3, 4, 5), (5, 5), (2, 5), error="a state must have the shape (3, 5)"),
           sample((3, 4, 5), (5, 5), (3, 5), (3, 4), error="the dtype must be one of bool"),
           sample((3, 4, 5), (5, 5), (3, 5), activation="exp", error="an activation must be one")]


@op("rnn_sequence_grad", kind="recurrent")
class RnnSequenceGrad(_Sequence):
    """The gradient of `rnn_sequence`; `sequences` says whether there is one of all h.

    Shapes: all h, weights, gradient of the last h [, of all h] [, mask] -> dx, dh.
    """

    activation: str = "tanh"
    reverse: bool = False
    sequences: bool = False
    products: str = None

    in_place = ((0, 0),)

    def infer(self, every, weights, g_last, *more):
        g, mask = _optional(more, self.sequences, len(more) > self.sequences)
        return self._need(every, weights, mask, _some(g), [g_last])

    def _meaning(self, math, every, weights, g_last, *more):
        g, mask = _optional(more, self.sequences, len(more) > self.sequences)

        def step(rows, states):
            dx = states[0] * _slope(math, self.activation, rows[0])
            return [self._transposed(math, dx, weights)], [dx]

        (dh,), (_, dx) = _run(math, step, [every], [g_last], mask, g, not self.reverse)
        return dx, dh

    samples = [sample((3, 4, 5), (5, 5), (3, 5)),
               sample((3, 4, 5), (5, 5), (3, 5), (3, 4, 5), sequences=True, reverse=True),
               sample((3, 4, 5), (5, 5), (3, 5), (3, 4, 5), _MASK, sequences=True),
               sample((3, 4, 5), (5, 5), (3, 5), _MASK, activation="sigmoid"),
               sample((2, 0, 3), (3, 3), (2, 3))]
    samples += [_one_step((3, 1, 5), (5, 5), (3, 5)),
                _one_step((17, 1, 33), (33, 33), (17, 33))]
    bad = [sample((3, 4, 5), (5, 5), (3, 4), error="a state must have the shape (3, 5)"),
           sample((3, 4, 5), (5, 5), (3, 5), (3, 4, 6), sequences=True,
                  error="a sequence must have the shape (3, 4, 5)")]


# --- LSTM ---

@op("lstm_sequence", kind="recurrent")
class LstmSequence(_Sequence):
    """c = f * c + i * activation(c'), h = o * activation(c), for each time, where i, f, c', o are
    the parts of x + h . weights, and the gates i, f, o go through recurrent_activation.

    Shapes: x (batch, time, 4 units), weights (units, 4 units), h, c (batch, units) [, mask (batch,
            time)] -> all h, all c (batch, time, units), all gates (batch, time, 4 units), the last
            h and c (batch, units). Gates that a mask hides are 0.
    Dtypes: floats -> same; mask bool.
    Source: Hochreiter & Schmidhuber 1997; Gers et al. 1999.
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reverse: bool = False
    products: str = None

    gates = 4
    in_place = ((2, 0),)

    def infer(self, x, weights, h, c, mask=None):
        every, one = self._need(x, weights, mask, [], [h, c])
        return every, every, x, one, one

    def _meaning(self, math, x, weights, h, c, mask=None):
        curve, gate = self._curves(math)
        units = weights.shape[0]

        def step(rows, states):
            i, f, g, o = _gates(rows[0] + self._product(math, states[0], weights), units)
            i, f, g, o = gate(i), gate(f), curve(g), gate(o)
            c = f * states[1] + i * g
            return [o * curve(c), c], [math.concat([i, f, g, o], 1)]

        last, every = _run(math, step, [x], [h, c], mask, None, self.reverse)
        return (*every, *last)

    def grad(self, x, weights, h, c, *rest):
        every_h, every_c, gates, last_h, last_c = rest[-10:-5]
        g, g_every_c, g_gates, g_h, g_c = rest[-5:]
        mask = rest[:-10]
        if g_every_c is not None or g_gates is not None:
            return NotImplemented
        rule = LstmSequenceGrad(self.activation, self.recurrent_activation, self.reverse,
                                g is not None)
        dx, dh, dc = apply(rule, gates, every_c, c, weights, _or_zeros(g_h, last_h),
                           _or_zeros(g_c, last_c), *_some(g), *mask)
        before = _before(_Graphs, every_h, h, self.reverse)
        return dx, _weights_gradient(before, dx), dh, dc, *[None] * len(mask)

    samples = [sample((3, 4, 8), (2, 8), (3, 2), (3, 2)),
               sample((3, 4, 12), (3, 12), (3, 3), (3, 3), reverse=True,
                      recurrent_activation="hard_sigmoid"),
               sample((3, 4, 8), (2, 8), (3, 2), (3, 2), _MASK),
               sample((3, 4, 8), (2, 8), (3, 2), (3, 2), _MASK, reverse=True, activation="linear"),
               sample((1, 1, 4), (1, 4), (1, 1), (1, 1)),
               sample((2, 0, 8), (2, 8), (2, 2), (2, 2)), sample((0, 2, 8), (2, 8), (0, 2), (0, 2)),
               sample((17, 2, 68), (17, 68), (17, 17), (17, 17))]
    samples += [_one_step((3, 1, 20), (5, 20), (3, 5), (3, 5)),
                _one_step((17, 1, 68), (17, 68), (17, 17), (17, 17))]
    bad = [sample((3, 4, 8), (2, 6), (3, 2), (3, 2), error="weights must have the shape (2, 8)"),
           sample((3, 4, 8), (2, 8), (3, 2), (3, 3), error="a state must have the shape (3, 2)"),
           sample((3, 4, 8), (2, 8), (3, 2), (3, 2), values((3, 5), "bool"),
                  error="mask must have the shape (3, 4)")]


@op("lstm_sequence_grad", kind="recurrent")
class LstmSequenceGrad(_Sequence):
    """The gradient of `lstm_sequence`; `sequences` says whether there is one of all h.

    Shapes: gates, all c, c, weights, gradients of the last h and c [, of all h] [, mask]
            -> dx, dh, dc.
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reverse: bool = False
    sequences: bool = False
    products: str = None

    gates = 4
    in_place = ((0, 0),)

    def infer(self, gates, every_c, c, weights, g_h, g_c, *more):
        g, mask = _optional(more, self.sequences, len(more) > self.sequences)
        _, one = self._need(gates, weights, mask, [every_c, *_some(g)], [c, g_h, g_c])
        return gates, one, one

    def _meaning(self, math, gates, every_c, c, weights, g_h, g_c, *more):
        g, mask = _optional(more, self.sequences, len(more) > self.sequences)
        curve, _ = self._curves(math)
        slope, gate_slope = self._slopes(math)
        units = weights.shape[0]

        def step(rows, states):
            i, f, value, o = _gates(rows[0], units)
            shown, before, d, dc = curve(rows[1]), rows[2], *states
            dc = dc + d * o * slope(shown)
            dx = math.concat([dc * value * gate_slope(i), dc * before * gate_slope(f),
                              dc * i * slope(value), d * shown * gate_slope(o)], 1)
            return [self._transposed(math, dx, weights), dc * f], [dx]

        rows = [gates, every_c, _before(math, every_c, c, self.reverse)]
        (dh, dc), (_, _, dx) = _run(math, step, rows, [g_h, g_c], mask, g, not self.reverse)
        return dx, dh, dc

    samples = [sample(values((3, 4, 8), **_GATE), (3, 4, 2), (3, 2), (2, 8), (3, 2), (3, 2)),
               sample(values((3, 4, 8), **_GATE), (3, 4, 2), (3, 2), (2, 8), (3, 2), (3, 2),
                      (3, 4, 2), _MASK, sequences=True, reverse=True,
                      recurrent_activation="hard_sigmoid"),
               sample(values((3, 4, 8), **_GATE), (3, 4, 2), (3, 2), (2, 8), (3, 2), (3, 2), _MASK),
               sample((2, 0, 8), (2, 0, 2), (2, 2), (2, 8), (2, 2), (2, 2)),
               sample((17, 2, 68), (17, 2, 17), (17, 17), (17, 68), (17, 17), (17, 17))]
    samples += [_one_step((3, 1, 20), (3, 1, 5), (3, 5), (5, 20), (3, 5), (3, 5)),
                _one_step((9, 1, 68), (9, 1, 17), (9, 17), (17, 68), (9, 17), (9, 17))]
    bad = [sample((3, 4, 8), (3, 4, 3), (3, 2), (2, 8), (3, 2), (3, 2),
                  error="a sequence must have the shape (3, 4, 2)")]


# --- one step of an LSTM ---

class _Cell(_Recurrent):
    """Any leading axes: samples, or the pixels of images."""

    gates = 4

    def _need(self, gates, states, sums=()):
        """Checks the operands: gates and sums (..., 4 units), states (..., units)."""
        self._need_curves()
        need_dtype(self.name, "gates", gates, self.accepts)
        need_equal_dtypes(self.name, gates, *sums, *states)
        units = states[0].shape[-1:] if states[0].ndim else ()
        for type in (gates, *sums):
            self._need_shape("gates", type, states[0].shape[:-1] + tuple(4 * n for n in units))
        for type in states:
            self._need_shape("a state", type, states[0].shape)


@op("lstm_cell", kind="recurrent")
class LstmCell(_Cell):
    """h and c of the next step: c = f * c + i * activation(c'), h = o * activation(c), where i, f,
    c', o are the parts of x + sums, and the gates i, f, o go through recurrent_activation.

    Shapes: x, sums (..., 4 units), c (..., units) -> h, c (..., units), gates (..., 4 units).
    Dtypes: floats -> same.
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    in_place = ((2, 1), (2, 0))

    def infer(self, x, sums, c):
        self._need(x, [c], [sums])
        return c, c, x

    def _meaning(self, math, x, sums, c):
        curve, gate = self._curves(math)
        i, f, g, o = _gates(x + sums, c.shape[-1])
        i, f, g, o = gate(i), gate(f), curve(g), gate(o)
        c = f * c + i * g
        return o * curve(c), c, math.concat([i, f, g, o], c.ndim - 1)

    def grad(self, x, sums, before, h, c, gates, g_h, g_c, g_gates):
        if g_gates is not None:
            return NotImplemented
        d_sums, dc = apply(LstmCellGrad(self.activation, self.recurrent_activation), gates, c,
                           before, _or_zeros(g_h, h), _or_zeros(g_c, c))
        return d_sums, d_sums, dc

    samples = [sample((3, 8), (3, 8), (3, 2)), sample((2, 3, 5, 12), (2, 3, 5, 12), (2, 3, 5, 3)),
               sample((3, 8), (3, 8), (3, 2), activation="linear",
                      recurrent_activation="hard_sigmoid"),
               sample((4,), (4,), (1,)), sample((0, 8), (0, 8), (0, 2)),
               sample((19, 68), (19, 68), (19, 17)), sample((3, 132), (3, 132), (3, 33))]
    bad = [sample((3, 8), (3, 8), (3, 3), error="gates must have the shape (3, 12)"),
           sample((3, 8), (2, 8), (3, 2), error="gates must have the shape (3, 8)"),
           sample((3, 8), (3, 8), (3, 2), activation="exp", error="an activation must be one of")]


@op("lstm_cell_grad", kind="recurrent")
class LstmCellGrad(_Cell):
    """The gradient of `lstm_cell`.

    Shapes: gates (..., 4 units), c after and before the step, gradients of h and c (..., units)
            -> gradients of x (or sums) and c.
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    in_place = ((0, 0), (1, 4))

    def infer(self, gates, c, before, g_h, g_c):
        self._need(gates, [c, before, g_h, g_c])
        return gates, c

    def _meaning(self, math, gates, c, before, g_h, g_c):
        curve, _ = self._curves(math)
        slope, gate_slope = self._slopes(math)
        i, f, value, o = _gates(gates, c.shape[-1])
        shown = curve(c)
        dc = g_c + g_h * o * slope(shown)
        d_sums = math.concat([dc * value * gate_slope(i), dc * before * gate_slope(f),
                              dc * i * slope(value), g_h * shown * gate_slope(o)], c.ndim - 1)
        return d_sums, dc * f

    samples = [sample(values((3, 8), **_GATE), (3, 2), (3, 2), (3, 2), (3, 2)),
               sample(values((2, 3, 12), **_GATE), *4 * [(2, 3, 3)],
                      recurrent_activation="hard_sigmoid"),
               sample(values((0, 8), **_GATE), *4 * [(0, 2)]),
               sample(values((19, 68), **_GATE), *4 * [(19, 17)], activation="linear")]
    bad = [sample((3, 8), (3, 2), (3, 2), (3, 2), (3, 3),
                  error="a state must have the shape (3, 2)")]


# --- GRU ---

@op("gru_sequence", kind="recurrent")
class GruSequence(_Sequence):
    """h = z * h + (1 - z) * g, for each time: z and r are recurrent_activation of parts of
    x + h . weights; g = activation(x_g + (r * h) . weights_g), or with `reset_after`
    activation(x_g + r * (h . weights_g + bias_g)), and the biases are those of all products with h.

    Shapes: x (batch, time, 3 units), weights (units, 3 units), h (batch, units) [, bias (3 units),
            with reset_after] [, mask (batch, time)] -> all h (batch, time, units), all gates
            (batch, time, 3 units), r * h or h . weights_g + bias_g (batch, time, units), the last
            h. Gates and what follows them are 0 where a mask hides them.
    Dtypes: floats -> same; mask bool.
    Source: Cho et al. 2014, versions 3 and 1.
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = False
    reverse: bool = False
    products: str = None

    gates = 3
    in_place = ((1, 0),)

    def infer(self, x, weights, h, *more):
        bias, mask = _optional(more, self.reset_after, len(more) > self.reset_after)
        every, one = self._need(x, weights, mask, [], [h])
        if bias is not None:
            need_equal_dtypes(self.name, x, bias)
            self._need_shape("bias", bias, (weights.shape[0] * 3,))
        return every, x, every, one

    def _meaning(self, math, x, weights, h, *more):
        bias, mask = _optional(more, self.reset_after, len(more) > self.reset_after)
        curve, gate = self._curves(math)
        units = weights.shape[0]

        def after(rows, states):
            sums = _gates(self._product(math, states[0], weights) + bias, units)
            z, r, value = _gates(rows[0], units)
            z, r = gate(z + sums[0]), gate(r + sums[1])
            return z, r, curve(value + r * sums[2]), sums[2]

        def before(rows, states):
            z, r, value = _gates(rows[0], units)
            sums = _gates(self._product(math, states[0], weights[:, :2 * units]), units)
            z, r = gate(z + sums[0]), gate(r + sums[1])
            inner = r * states[0]
            return z, r, curve(value + self._product(math, inner, weights[:, 2 * units:])), inner

        def step(rows, states):
            z, r, value, inner = (after if self.reset_after else before)(rows, states)
            return [z * states[0] + (1 - z) * value], [math.concat([z, r, value], 1), inner]

        (last,), every = _run(math, step, [x], [h], mask, None, self.reverse)
        return (*every, last)

    def grad(self, x, weights, h, *rest):
        every, gates, inner, last, g, g_gates, g_inner, g_last = rest[-8:]
        bias, mask = _optional(rest[:-8], self.reset_after, len(rest) - 8 > self.reset_after)
        if g_gates is not None or g_inner is not None:
            return NotImplemented
        rule = GruSequenceGrad(self.activation, self.recurrent_activation, self.reset_after,
                               self.reverse, g is not None)
        dx, dh, *d_sums = apply(rule, gates, inner, every, h, weights, _or_zeros(g_last, last),
                                *_some(g), *_some(mask))
        before = _before(_Graphs, every, h, self.reverse)
        if self.reset_after:
            d_weights = [_weights_gradient(before, d_sums[0]), dh, sum(d_sums[0], (0, 1))]
        else:
            split = 2 * weights.shape[0]
            d_weights = [concat([_weights_gradient(before, dx[..., :split]),
                                 _weights_gradient(inner, dx[..., split:])], 1), dh]
        return dx, *d_weights, *[None] * (mask is not None)

    samples = [sample((3, 4, 6), (2, 6), (3, 2)), sample((3, 4, 6), (2, 6), (3, 2), _MASK),
               sample((3, 4, 9), (3, 9), (3, 3), (9,), reset_after=True),
               sample((3, 4, 6), (2, 6), (3, 2), (6,), _MASK, reset_after=True, reverse=True),
               sample((3, 4, 6), (2, 6), (3, 2), reverse=True, recurrent_activation="hard_sigmoid"),
               sample((1, 1, 3), (1, 3), (1, 1)), sample((2, 0, 6), (2, 6), (2, 2)),
               sample((0, 2, 6), (2, 6), (0, 2)),
               sample((17, 2, 51), (17, 51), (17, 17), (51,), reset_after=True),
               sample((17, 2, 51), (17, 51), (17, 17))]
    samples += [_one_step((3, 1, 15), (5, 15), (3, 5)),
                _one_step((9, 1, 51), (17, 51), (9, 17), (51,), reset_after=True)]
    bad = [sample((3, 4, 6), (2, 6), (3, 2), (5,), reset_after=True,
                  error="bias must have the shape (6,)"),
           sample((3, 4, 6), (2, 8), (3, 2), error="weights must have the shape (2, 6)")]


@op("gru_sequence_grad", kind="recurrent")
class GruSequenceGrad(_Sequence):
    """The gradient of `gru_sequence`; `sequences` says whether there is one of all h.

    Shapes: gates, inner, all h, h, weights, gradient of the last h [, of all h] [, mask]
            -> dx, dh [, with reset_after: the gradient of the products with h].
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = False
    reverse: bool = False
    sequences: bool = False
    products: str = None

    gates = 3
    in_place = ((0, 0),)

    def infer(self, gates, inner, every, h, weights, g_last, *more):
        g, mask = _optional(more, self.sequences, len(more) > self.sequences)
        _, one = self._need(gates, weights, mask, [inner, every, *_some(g)], [h, g_last])
        return (gates, one) + (gates,) * self.reset_after

    def _meaning(self, math, gates, inner, every, h, weights, g_last, *more):
        g, mask = _optional(more, self.sequences, len(more) > self.sequences)
        slope, gate_slope = self._slopes(math)
        units = weights.shape[0]

        def step(rows, states):
            z, r, value = _gates(rows[0], units)
            d, inner, before = states[0], rows[1], rows[2]
            d_value = d * (1 - z) * slope(value)
            dz = d * (before - value) * gate_slope(z)
            if self.reset_after:
                dr = d_value * inner * gate_slope(r)
                d_sums = math.concat([dz, dr, d_value * r], 1)
                new = d * z + self._transposed(math, d_sums, weights)
                return [new], [math.concat([dz, dr, d_value], 1), d_sums]
            d_inner = self._transposed(math, d_value, weights[:, 2 * units:])
            dr = d_inner * before * gate_slope(r)
            both = math.concat([dz, dr], 1)
            new = d * z + d_inner * r + self._transposed(math, both, weights[:, :2 * units])
            return [new], [math.concat([dz, dr, d_value], 1)]

        rows = [gates, inner, _before(math, every, h, self.reverse)]
        (dh,), (_, dx, *d_sums) = _run(math, step, rows, [g_last], mask, g, not self.reverse)
        return (dx, dh, *d_sums)

    samples = [sample(values((3, 4, 6), **_GATE), (3, 4, 2), (3, 4, 2), (3, 2), (2, 6), (3, 2),
                      *more, **attributes)
               for more, attributes in [
                   ((), {}), ((), {"reset_after": True}),
                   (((3, 4, 2), _MASK), {"sequences": True, "reverse": True}),
                   (((3, 4, 2), _MASK), {"sequences": True, "reset_after": True}),
                   ((_MASK,), {"recurrent_activation": "hard_sigmoid"})]]
    samples += [_one_step((3, 1, 15), (3, 1, 5), (3, 1, 5), (3, 5), (5, 15), (3, 5)),
                _one_step((9, 1, 51), (9, 1, 17), (9, 1, 17), (9, 17), (17, 51), (9, 17),
                          reset_after=True)]
    bad = [sample((3, 4, 6), (3, 4, 2), (3, 4, 3), (3, 2), (2, 6), (3, 2),
                  error="a sequence must have the shape (3, 4, 2)")]


# --- functions ---

def _operands(x, weights, states, more, mask):
    """The operands of an op, with one dtype; None where there is none."""
    values = [fit(v, FLOATS) for v in meet(x, weights, *states, *_some(more))]
    return values + ([] if mask is None else [cast(as_variable(mask), "bool")])


def rnn_sequence(x, weights, h, activation="tanh", mask=None, reverse=False):
    """The states of a SimpleRNN at all times, and the last one.

    Args:
        x: (batch, time, units): the products with the inputs, and the bias.
        weights: (units, units), of the state. h: the state to begin with, (batch, units).
        activation: one of `CURVES`. mask: (batch, time); where it is False the state stays.
        reverse: from the last time to the first; the states stand at their times.
    """
    return apply(RnnSequence(activation, bool(reverse)), *_operands(x, weights, [h], None, mask))


def lstm_sequence(x, weights, h, c, activation="tanh", recurrent_activation="sigmoid", mask=None,
                  reverse=False):
    """The states h of an LSTM at all times, the last h, and the last c; see `rnn_sequence`.

    Args:     x, weights: of the gates i, f, c, o, one behind the other in the last axis.
    """
    rule = LstmSequence(activation, recurrent_activation, bool(reverse))
    every, _, _, last_h, last_c = apply(rule, *_operands(x, weights, [h, c], None, mask))
    return every, last_h, last_c


def lstm_cell(x, sums, c, activation="tanh", recurrent_activation="sigmoid"):
    """The states h and c of an LSTM after a step; see `lstm_sequence`.

    Args:
        x, sums: (..., 4 units): the products with the input and with the state, bias included;
            they are added up.
        c: (..., units): the state before the step.
    """
    rule = LstmCell(activation, recurrent_activation)
    h, c, _ = apply(rule, *(fit(v, FLOATS) for v in meet(x, sums, c)))
    return h, c


def gru_sequence(x, weights, h, bias=None, activation="tanh", recurrent_activation="sigmoid",
                 mask=None, reverse=False):
    """The states of a GRU at all times, and the last one; see `rnn_sequence`.

    Args:
        x, weights: of the gates z, r, h, one behind the other in the last axis.
        bias: that of the products with the state. With it the reset gate is applied after the
            product, without it before.
    """
    rule = GruSequence(activation, recurrent_activation, bias is not None, bool(reverse))
    every, _, _, last = apply(rule, *_operands(x, weights, [h], bias, mask))
    return every, last


