"""Random expressions, for the tests that compare one way to run them with another.

They are drawn to meet the rules: constants 0, 1 and -1, ops that undo each other, parts used twice,
shapes that broadcast, an unknown batch size.
"""
import numpy as np

from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.graph import Placeholder, Shared
from symk.graph.walk import nodes_of

UNARY = ("neg", "abs", "square", "relu", "exp", "log", "sqrt", "tanh", "sigmoid", "softplus",
         "sign", "reciprocal", "identity", "stop_gradient", "sin", "expm1", "log1p")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum")
REDUCE = ("sum", "mean", "max", "logsumexp")
ROWS, COLUMNS = 3, 4
# A finite value beyond this is something moderate divided by a rounding error (a sum that should be
# 0): another order of operations may well make it infinite.
LARGEST = 1e12
NEARLY_ZERO = 1e-9   # a rounding error of moderate values, with room


class Drawing:
    """One random graph: `inputs` with `arrays` to feed, `results`, and updates of `shared`."""

    def __init__(self, seed, dtype="float64", size=25):
        self.random = np.random.RandomState(seed)
        self.dtype = dtype
        batch = None if seed % 2 else ROWS
        x = Placeholder(dtype, (batch, COLUMNS), name="x")
        y = Placeholder(dtype, (x.shape[0] if seed % 3 else batch, COLUMNS), name="y")
        self.inputs = [x, y]
        self.arrays = [self._array((ROWS, COLUMNS)) for _ in self.inputs]
        self.weight = Shared(self._array((COLUMNS, COLUMNS)), name="w")
        self.bias = Shared(self._array((COLUMNS,)), name="b")
        self.pool = [x, y, self.bias, ops.constant(self._array((COLUMNS,)))]
        for _ in range(size):
            self.pool.append(self._step())
        self.results = self.pool[-3:]
        if seed % 5 == 0:
            self._add_gradients()

    def _array(self, shape):
        return self.random.uniform(-2, 2, shape).astype(self.dtype)

    def _pick(self, *options):
        return options[self.random.randint(len(options))]

    def _any(self):
        """An earlier value; late ones more often, so that graphs get deep."""
        place = int(len(self.pool) * self.random.uniform() ** 0.5)
        return self.pool[min(place, len(self.pool) - 1)]

    def _step(self):
        step = self._pick(self._unary, self._binary, self._binary, self._with_constant,
                          self._reduce, self._move, self._choose, self._product)
        made = step(self._any())
        # Only values that can meet the others stay: matrices of the batch, rows and scalars.
        return made if made.ndim <= 2 else ops.sum(made, 0)

    def _unary(self, x):
        return getattr(ops, self._pick(*UNARY))(x)

    def _binary(self, x):
        name, other = self._pick(*BINARY), self._any()
        if not _fit(x, other):
            other = x
        return getattr(ops, name)(x, other)

    def _with_constant(self, x):
        number = self._pick(0, 1, -1, 2, 0.5, 3)
        name = self._pick(*BINARY, "pow")
        return getattr(ops, name)(x, number if name != "pow" else self._pick(1, 2, 3, -1))

    def _reduce(self, x):
        axes = self._pick(None, 0, -1) if x.ndim else None
        return getattr(ops, self._pick(*REDUCE))(x, axes, keepdims=True)

    def _move(self, x):
        if x.ndim != 2:
            return ops.broadcast_to(x, self.inputs[0].shape) if _fit(x, self.inputs[0]) else x
        turned = ops.transpose(ops.reshape(x, (x.shape[0], x.shape[1], 1)), (1, 2, 0))
        back = ops.transpose(turned, (2, 1, 0))
        both = ops.concat([x, x], 1)
        return self._pick(ops.reshape(back, x.shape), ops.cast(ops.cast(x, "float64"), self.dtype),
                          ops.transpose(ops.transpose(x)), both[:, 1:x.shape[1] + 1])

    def _choose(self, x):
        condition = self._pick(True, False, ops.greater(x, 0), ops.less(x, 0.5))
        return ops.where(condition, x, self._pick(x, -x, 0, 1))

    def _product(self, x):
        if x.ndim != 2 or x.shape[1] != COLUMNS:
            return ops.softmax(x) if x.ndim == 2 else ops.tanh(x)
        made = ops.matmul(x, self._pick(self.weight, ops.transpose(self.weight)))
        return self._pick(made, made + self.bias, ops.relu(made + self.bias), ops.softmax(made),
                          ops.log(ops.softmax(made)))

    def _add_gradients(self):
        loss = sum(ops.sum(ops.tanh(result)) for result in self.results)
        self.results += [g for g in grad(loss, [self.weight, self.bias]) if g is not None]


def drawings(seeds, **options):
    """Pairs (seed, Drawing) of the seeds whose values do not hang on a rounding error."""
    for seed in seeds:
        drawing = Drawing(seed, **options)
        if is_conditioned(drawing):
            yield seed, drawing


# Ops that make much of the sign of a number near 0: a rounding error, or the 0 of a maximum or relu,
# whose sign is left open, would decide about an infinity or NaN.
_SPLIT_AT_ZERO = ("div", "reciprocal", "sqrt", "log")


def is_conditioned(drawing):
    """Whether no result hangs on a rounding error: all finite values, also those along the way, are
    moderate, and none that is nearly 0 goes into an op that splits there.
    """
    made = [variable for node in nodes_of(drawing.results) for variable in node.outputs]
    whole = function(drawing.inputs, made, on_unused_input="ignore", mode="reference")
    values = dict(zip(made, whole.run(drawing.arrays)))
    values.update(zip(drawing.inputs, drawing.arrays))
    return all(map(_is_moderate, values.values())) and not any(
        np.any(np.abs(values.get(variable.node.inputs[-1], 1)) < NEARLY_ZERO) for variable in made
        if variable.node.op.name in _SPLIT_AT_ZERO)


def _is_moderate(value):
    return (value.dtype.kind != "f"
            or np.max(np.abs(value[np.isfinite(value)]), initial=0) < LARGEST)


def _fit(a, b):
    """Whether two shapes meet whatever the sizes of the inputs are."""
    for first, second in zip(a.shape[::-1], b.shape[::-1]):
        if first != second and first != 1 and second != 1:
            return False
    return True


def assert_same(before, after, note):
    """Equal up to rounding wherever the first is finite and moderate: where it is not, a stage may
    have made it so."""
    for first, second in zip(before, after):
        assert first.shape == second.shape and first.dtype == second.dtype, note
        sound = np.isfinite(first) & (np.abs(first) < 1e6)
        np.testing.assert_allclose(second[sound], first[sound], rtol=1e-6, atol=1e-6, err_msg=note)
