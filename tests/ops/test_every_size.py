"""Every op with each dimension 0, 1 or 2, and each integer attribute -1, 0, 1 or 2**31.

Each variant is refused while building, or in the call by both modes, or has one value in both.
"""
import math

import numpy as np
import pytest

from symk import ops  # noqa: F401 (registers the ops)
from symk.compile import function
from symk.graph import Placeholder, SymkError, apply, registered_ops
from symk.graph.reference import evaluate

try:
    import symk._core as core
except ImportError:
    core = None

OPS = {name: op for name, op in registered_ops().items() if op.__module__.startswith("symk.ops")}
SIZES = (0, 1, 2)
INTEGERS = (-1, 0, 1, 2 ** 31)
MOST_ELEMENTS = 10 ** 6  # larger results are legal; they are not computed here


def with_item(values, position, item):
    return values[:position] + (item,) + values[position + 1:]


def other_shapes(sample):
    """The shapes of the inputs, with one dimension replaced."""
    shapes = tuple(drawn.shape for drawn in sample.inputs)
    for k, shape in enumerate(shapes):
        for axis in range(len(shape)):
            for size in SIZES:
                yield with_item(shapes, k, with_item(shape, axis, size))


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def other_attributes(sample, op):
    """The attributes, with one integer replaced."""
    whole = op(**sample.attributes).attributes()
    for key, value in whole.items():
        for integer in INTEGERS:
            if is_integer(value):
                yield dict(whole, **{key: integer})
            elif isinstance(value, tuple):
                for position, item in enumerate(value):
                    if is_integer(item):
                        yield dict(whole, **{key: with_item(value, position, integer)})


def dtype_of(op, drawn):
    accepts = getattr(op, "accepts", ("float32",))
    return drawn.dtype or ("float32" if "float32" in accepts else accepts[0])


def array_of(op, drawn, shape, generator):
    """The values that a sample gives, if their shape stays; else zeros and ones."""
    if drawn.exact is not None and shape == drawn.shape:
        return np.array(drawn.exact, dtype_of(op, drawn))
    return generator.integers(0, 2, shape).astype(dtype_of(op, drawn))


def outcome(run):
    """The values, or None if it is refused."""
    try:
        return run()
    except SymkError:
        return None


def try_variant(op, sample, shapes, attributes):
    """Builds and runs one variant; returns whether it had a value."""
    generator = np.random.default_rng(3)
    arrays = [array_of(op, drawn, shape, generator)
              for shape, drawn in zip(shapes, sample.inputs)]
    inputs = [Placeholder(array.dtype, array.shape) for array in arrays]
    made = outcome(lambda: apply(op(**attributes), *inputs))
    if made is None:
        return False
    outputs = list(made) if isinstance(made, tuple) else [made]
    if sum(math.prod(v.shape) for v in outputs) > MOST_ELEMENTS:
        return False
    expected = outcome(lambda: evaluate(outputs, dict(zip(inputs, arrays))))
    if core is not None:
        actual = outcome(lambda: function(inputs, outputs, mode="native", stages=()).run(arrays))
        assert (actual is None) == (expected is None), (op.name, shapes, attributes)
        for a, b in zip(actual or (), expected or ()):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6,
                                       err_msg=repr((shapes, attributes)))
    return expected is not None


@pytest.mark.parametrize("name", sorted(OPS))
def test_a_variant_is_refused_or_has_one_value(name):
    op, valued = OPS[name], 0
    for sample in op.samples[:4]:
        same = tuple(drawn.shape for drawn in sample.inputs)
        for shapes in other_shapes(sample):
            valued += try_variant(op, sample, shapes, sample.attributes)
        for attributes in other_attributes(sample, op):
            valued += try_variant(op, sample, same, attributes)
    assert valued, "some variants are legal"
