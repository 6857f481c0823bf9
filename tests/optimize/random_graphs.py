"""Random expressions, for the tests that compare one way to run them with another.

They are drawn to meet the rules: constants 0, 1 and -1, ops that undo each other, parts used twice,
shapes that broadcast, an unknown batch size.
"""
import numpy as np

from symk import ops
from symk.autodiff import grad
from symk.graph import Placeholder, Shared
from symk.graph.dtype import is_float
from symk.graph.reference import evaluate

UNARY = ("neg", "abs", "square", "relu", "exp", "log", "sqrt", "tanh", "sigmoid", "softplus",
         "sign", "reciprocal", "identity", "stop_gradient", "sin", "expm1", "log1p")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum")
REDUCE = ("sum", "mean", "max", "logsumexp")
ROWS, COLUMNS = 3, 4

# What rounding does to a result is measured by noise, see `sure`.
NOISE = 1e-13       # some hundred times a rounding error
AGREEMENT = 1e-8    # within which noise leaves a value that is sure; a hundredth of what is allowed
EDGE = 1e150        # beyond it, and below its inverse, the order of operations decides on overflow
# These give one of their operands' elements, or its negative: nothing is rounded.
EXACT = {"neg", "abs", "relu", "sign", "maximum", "minimum", "where", "max", "min", "concat",
         "slice_grad", "cast"}
# These add what may cancel: where little is left of large operands, it may as well be nothing.
CANCELLING = {"add", "sub", "sum", "sum_to", "mean", "matmul", "logsumexp", "log", "log1p",
              "log_softmax", "softmax_grad"}


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

    def values(self, inspect=None):
        """The meaning of the results; `inspect` as in `evaluate`."""
        return evaluate(self.results, dict(zip(self.inputs, self.arrays)), inspect)


def sure(drawing, values):
    """Which elements of the results rounding leaves as they are, to many digits: a mask for each.

    Rounding is replaced by noise that is larger: every result along the way gets a relative error.
    What moves with it hangs on rounding (a difference of equal values, the branch that the sign of
    0 takes), and another order of operations may move it as well. The second trial moves each
    result the other way than the first, so that the sign of each 0 is seen both ways; the last one
    has 0 for what is left of sums that cancel, and NaN for what overflows.
    """
    masks = [np.isfinite(value) for value in values]
    for seed, sign, cancels in ((0, 1, False), (0, -1, False), (1, 1, True)):
        noise = _Noise(np.random.RandomState(seed), sign, cancels)
        for mask, value, other in zip(masks, values, drawing.values(noise)):
            with np.errstate(invalid="ignore"):
                mask &= np.abs(other - value) <= AGREEMENT * (1 + np.abs(value))
    return masks


class _Noise:
    """Moves each result of a graph as it is made."""

    def __init__(self, random, sign, cancels):
        self._random, self._sign, self._cancels = random, sign, cancels

    def __call__(self, variable, array, operands):
        if not is_float(variable.dtype) or any(np.may_share_memory(array, x) for x in operands):
            return   # the elements of an operand, moved
        draws = self._sign * self._random.uniform(-1, 1, array.shape)
        if variable.node.op.name not in EXACT:
            array *= 1 + NOISE * draws
        if self._cancels and variable.node.op.name in CANCELLING:
            array[np.abs(array) < NOISE * max(map(_largest, operands))] = 0
        size = np.abs(array)
        lost = ~(size < EDGE)
        if lost.any():
            array[lost] = np.nan if self._cancels else 1000 * draws[lost]
        small = size < 1 / EDGE
        if small.any():
            array[small] *= draws[small]   # also the sign of 0


def _largest(array):
    return np.max(np.abs(array), initial=0, where=np.isfinite(array))


def _fit(a, b):
    """Whether two shapes meet whatever the sizes of the inputs are."""
    for first, second in zip(a.shape[::-1], b.shape[::-1]):
        if first != second and first != 1 and second != 1:
            return False
    return True


def assert_same(before, after, masks, note):
    """Equal up to rounding in the elements that are sure."""
    for first, second, mask in zip(before, after, masks):
        assert first.shape == second.shape and first.dtype == second.dtype, note
        np.testing.assert_allclose(second[mask], first[mask], rtol=1e-6, atol=1e-6, err_msg=note)
