"""Stores the weights of products and embeddings in less than float32: float16, or int8 with a scale
for each column (`docs/precision.md`). Functions in, functions out; arithmetic stays float32.

A value is stored so when each step that reads it can: steps of products take it as their operand,
behind which int8 has its scale as one more; a gather takes rows of it, which a step of its own
makes float32. Values that a function changes, and those inside of loops, stay as they are.
"""
import collections
import typing

import numpy as np

from ..graph.errors import GraphError
from .fold import changed, written
from .model_file import Value

__all__ = ["STORED", "store"]

STORED = ("float32", "float16", "int8")

_LEAST = 256   # elements; of fewer, a scale and a conversion are no gain
_LEVELS = 127  # int8 without -128, so that both signs reach equally far

# kernel -> the input that is its weights, and the axis of the scale: that of the results' channels.
_PRODUCTS = {"matmul": (1, -1), "conv": (1, -1), "conv_grad_input": (1, -2),
             "rnn_sequence": (1, -1), "lstm_sequence": (1, -1), "gru_sequence": (1, -1)}


class _Use(typing.NamedTuple):
    """How a step reads a value: as which shape, and along which axis its columns lie."""

    shape: tuple
    axis: int


def store(functions, values, weights):
    """The functions with their weights stored as `weights` says, and the values.

    Args:     functions: ModelFunctions.  values: Values, in the order of their numbers.
    Raises:   GraphError for another word, and for weights that have no such form.
    """
    if weights not in STORED:
        raise GraphError("[export] weights must be one of %s; %r was given."
                         % (", ".join(STORED), weights))
    if weights == "float32":
        return functions, values
    functions, values = _with_constants_as_values(functions, values)
    chosen = _chosen(functions, values)
    scales = {}
    values = list(values)
    for number, use in chosen.items():
        stored, scale = _narrowed(values[number], use, weights)
        values[number] = values[number]._replace(array=stored)
        if scale is not None:
            scales[number] = len(values)
            values.append(Value(values[number].name + " scale", scale))
    return [_rewritten(function, chosen, scales, values) for function in functions], values


# --- which values ---

def _with_constants_as_values(functions, values):
    """Constants that are large enough to be weights become values: folding has made them."""
    values, moved = list(values), []
    for function in functions:
        plan, numbers = function.plan, list(function.values)
        buffers, shared = list(plan.buffers), list(plan.shared)
        for number, buffer in enumerate(buffers):
            if buffer.kind != "constant" or not _is_large(plan.constants[buffer.reference]):
                continue
            name = "constant_%d of %s" % (buffer.reference, function.name)
            array = plan.constants[buffer.reference]
            buffers[number] = buffer._replace(kind="shared", reference=len(shared))
            shared.append((name, number))
            numbers.append(len(values))
            values.append(Value(name, np.asarray(array)))
        moved.append(function._replace(plan=changed(plan, buffers=buffers, shared=shared),
                                       values=tuple(numbers)))
    return moved, values


def _is_large(array):
    return array.dtype == np.float32 and array.ndim >= 2 and array.size >= _LEAST


def _chosen(functions, values):
    """{number of a value: its one use}, for those that all their readers take in less."""
    uses = collections.defaultdict(set)
    for function in functions:
        for number in _written_values(function):
            uses[number].add(None)
        for number, use in _uses(function):
            uses[number].add(use)
    return {number: next(iter(found)) for number, found in sorted(uses.items())
            if len(found) == 1 and None not in found and _is_large(values[number].array)}


def _written_values(function):
    return [function.values[shared] for shared in written(function.plan)]


def _uses(function):
    """(number of a value, _Use or None) for each place where a Plan reads a shared value."""
    plan = function.plan
    number_of = {buffer: function.values[k] for k, (_, buffer) in enumerate(plan.shared)}
    for step in plan.steps:
        for place, buffer in enumerate(step.inputs):
            root = _root(plan, buffer)
            if root in number_of:
                yield number_of[root], _use(plan, step, place)
    for _, buffer in plan.outputs + plan.updates:
        if _root(plan, buffer) in number_of:
            yield number_of[_root(plan, buffer)], None


def _root(plan, buffer):
    while plan.buffers[buffer].kind == "alias":
        buffer = plan.buffers[buffer].reference
    return buffer


def _use(plan, step, place):
    """How a step reads an input as weights; None if it reads it as anything else."""
    shape = _shape(plan, step.inputs[place])
    if shape is None or len(shape) < 2:
        return None
    if step.kernel == "gather":
        return _Use(shape, -1) if place == 0 and step.attributes["axis"] == 0 else None
    wanted, axis = _PRODUCTS.get(step.kernel, (None, None))
    if place != wanted or step.inputs.count(step.inputs[place]) > 1:
        return None
    return _Use(shape, -2 if step.attributes.get("transpose_b") else axis)


def _shape(plan, buffer):
    """The shape of a buffer, or None if it depends on the inputs."""
    sizes = [plan.sizes[size] for size in plan.buffers[buffer].shape]
    known = all(kind == "constant" for kind, _, _ in sizes)
    return tuple(size for _, size, _ in sizes) if known else None


# --- what they become ---

def _narrowed(value, use, weights):
    """(the array in less, its scale or None).

    Raises:   GraphError for values that are not finite, or too large for float16.
    """
    array = np.asarray(value.array)
    largest = np.max(np.abs(array), initial=0)
    limit = 65504 if weights == "float16" else np.finfo("float32").max
    if not largest <= limit:
        raise GraphError("[export] weights stored as %s must be finite and at most %g; the largest "
                         'of "%s" is %g. Leave weights=%r out.'
                         % (weights, limit, value.name, largest, weights))
    if weights == "float16":
        return array.astype("float16"), None
    seen = array.reshape(use.shape)
    others = tuple(k for k in range(seen.ndim) if k != seen.ndim + use.axis)
    scale = np.max(np.abs(seen), axis=others, keepdims=True, initial=0) / np.float32(_LEVELS)
    scale = np.where(scale > 0, scale, np.float32(1)).astype("float32")
    rounded = np.clip(np.rint(seen / scale), -_LEVELS, _LEVELS).astype("int8")
    column = scale.reshape(-1) if use.axis == -1 else scale.reshape(-1, 1)
    return rounded.reshape(array.shape), column


def _rewritten(function, chosen, scales, values):
    """A function that reads the chosen values in their new form."""
    plan = function.plan
    writer = _Writer(plan, list(function.values))
    stored = {buffer: function.values[k] for k, (_, buffer) in enumerate(plan.shared)
              if function.values[k] in chosen}
    for number, buffer in enumerate(plan.buffers):
        root = _root(plan, number)
        if root in stored:
            dtype = values[stored[root]].array.dtype.name
            writer.buffers[number] = buffer._replace(dtype=dtype)
    for step in plan.steps:
        place = 0 if step.kernel == "gather" else _PRODUCTS.get(step.kernel, (0, 0))[0]
        root = _root(plan, step.inputs[place]) if len(step.inputs) > place else None
        if root not in stored:
            writer.steps.append(step)
            continue
        value = stored[root]
        scale = None if value not in scales else writer.shared_buffer(scales[value], values)
        if step.kernel == "gather":
            writer.add_gather(step, values[value].array.dtype.name, scale)
        else:
            more = () if scale is None else (scale,)
            writer.steps.append(step._replace(inputs=step.inputs + more))
    return function._replace(plan=writer.plan(), values=tuple(writer.values))


class _Writer:
    """The Plan that is being written."""

    def __init__(self, plan, values):
        self._plan, self.values = plan, values
        self.buffers, self.shared = list(plan.buffers), list(plan.shared)
        self.sizes, self.steps = list(plan.sizes), []
        self._places = {}   # number of a value that was added -> its buffer

    def shared_buffer(self, value, values):
        """The buffer of a value that the Plan did not have."""
        if value not in self._places:
            array = values[value].array
            shape = tuple(map(self._size, array.shape))
            self.buffers.append(self.buffers[0]._replace(
                dtype=array.dtype.name, kind="shared", shape=shape, reference=len(self.shared)))
            self._places[value] = len(self.buffers) - 1
            self.shared.append((values[value].name, self._places[value]))
            self.values.append(value)
        return self._places[value]

    def _size(self, size):
        entry = ("constant", int(size), 0)
        if entry not in self.sizes:
            self.sizes.append(entry)
        return self.sizes.index(entry)

    def add_gather(self, step, dtype, scale):
        """Rows as they are stored, then as float32."""
        result, = step.outputs
        self.buffers.append(self.buffers[result]._replace(dtype=dtype, kind="temporary",
                                                          reference=0))
        rows = len(self.buffers) - 1
        self.steps.append(step._replace(outputs=(rows,), in_place=()))
        program = ({"ops": ("cast",), "dtypes": ("float32",), "arity": (1,), "args": (0,),
                    "outs": (1,)} if scale is None else
                   {"ops": ("cast", "mul"), "dtypes": ("float32", "float32"), "arity": (1, 2),
                    "args": (0, 2, 1), "outs": (3,)})
        inputs = (rows,) if scale is None else (rows, scale)
        self.steps.append(step._replace(kernel="elementwise", attributes=program, inputs=inputs,
                                        outputs=(result,), in_place=()))

    def plan(self):
        return changed(self._plan, buffers=self.buffers, shared=self.shared, sizes=self.sizes,
                       steps=self.steps)
