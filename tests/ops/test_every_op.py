"""One walk over the registry: op x sample x dtype. The rows are the ops' own `samples` and `bad`.

Types, symbolic types, values (native against NumPy, in several layouts), gradients against
differences, second derivatives, refused inputs, and completeness.
"""
import zlib

import numpy as np
import pytest

from symk import autodiff, ops
from symk.autodiff import verify
from symk.compile import function
from symk.graph import Placeholder, SymkError, apply, dims, registered_ops
from symk.graph.dtype import is_bool, is_float
from symk.graph.node import Op
from symk.graph.reference import evaluate
from symk.graph.walk import with_sizes

try:
    import symk._core as core
except ImportError:
    core = None

native = pytest.mark.skipif(core is None, reason="symk._core is not built")

OPS = {name: op for name, op in registered_ops().items() if op.__module__.startswith("symk.ops")}
CASES = [(name, row) for name, op in sorted(OPS.items()) for row in range(len(op.samples))]
# The key of a random op is no tensor of unknown size.
NOT_RANDOM = [(name, row) for name, row in CASES if OPS[name].kind != "random"]
BAD = [(name, row) for name, op in sorted(OPS.items()) for row in range(len(op.bad))]
FLOATING = [(name, row) for name, row in CASES
            if "float64" in getattr(OPS[name], "accepts", ()) and OPS[name].samples[row].inputs]

# Relative to the largest value of the result: rounding of the dtype times what a sum of some
# hundred terms, or a function of a few operations, may add up to.
TOLERANCE = {"float16": 4e-3, "float32": 2e-6, "float64": 1e-13}


def draw(op, drawn, dtype, generator, before):
    """One input of a sample as an array."""
    dtype = drawn.dtype or dtype
    if drawn.exact is not None:
        return np.array(drawn.exact, dtype)
    if drawn.derive is not None:
        return np.asarray(drawn.derive(*before), dtype)
    if is_bool(dtype):
        return generator.random(drawn.shape) < 0.5
    low, high = getattr(op, "domain", (-2.0, 2.0))
    low = low if drawn.low is None else drawn.low
    high = high if drawn.high is None else drawn.high
    if is_float(dtype):
        return np.asarray(generator.uniform(low, high, drawn.shape)).astype(dtype)
    low = max(int(np.ceil(low)), 0 if dtype == "uint8" else -100)
    return np.asarray(generator.integers(low, int(high), drawn.shape, endpoint=True)).astype(dtype)


def arrays_of(name, sample, dtype):
    """The inputs of a sample; the same at every run."""
    generator = np.random.default_rng(zlib.crc32(repr((name, sample, dtype)).encode()))
    arrays = []
    for drawn in sample.inputs:
        arrays.append(draw(OPS[name], drawn, dtype, generator, arrays))
    return arrays


def dtypes_of(name, sample):
    """The dtypes under test: those of the op, if an input has none of its own."""
    open_dtype = any(drawn.dtype is None and drawn.exact is None for drawn in sample.inputs)
    return OPS[name].accepts if open_dtype else (None,)


def main_dtype(name, sample):
    """The one dtype of the tests in which the dtype does not matter."""
    dtypes = dtypes_of(name, sample)
    return "float32" if "float32" in dtypes else dtypes[0]


def build(name, sample, arrays, symbolic=False):
    """Placeholders, and the outputs of the op on them."""
    inputs = [Placeholder(a.dtype, [None] * a.ndim if symbolic else a.shape) for a in arrays]
    outputs = apply(OPS[name](**sample.attributes), *inputs)
    return inputs, list(outputs) if isinstance(outputs, tuple) else [outputs]


def assert_close(actual, expected, dtype):
    """Equal for integers; for floats within the tolerance of the largest value."""
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    if not is_float(dtype):
        np.testing.assert_array_equal(actual, expected)
        return
    finite = np.abs(expected[np.isfinite(expected)].astype("float64"))
    scale = np.max(finite, initial=1e-3)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


def meaning(name, sample, arrays, outputs):
    """The results by NumPy; those of float16 from sums in float32, as the kernels do."""
    wide = [a.astype("float32") if a.dtype == "float16" else a for a in arrays]
    inputs, results = build(name, sample, wide)
    values = evaluate(results, dict(zip(inputs, wide)))
    return [value.astype(output.dtype) for value, output in zip(values, outputs)]


@pytest.mark.parametrize("name", sorted(OPS))
def test_an_op_is_complete(name):
    op = OPS[name]
    assert op.__doc__ and op.samples, "an op states its meaning and its samples"
    assert op.reference is not Op.reference, "an op has a meaning in NumPy"
    assert op.grad is not Op.grad or op.expand is not Op.expand, "an op states its gradient"
    takes_all = op.kind in ("shape", "size") and name != "reshape"
    assert op.bad or takes_all, "an op states what it refuses"


@native
@pytest.mark.parametrize("name", sorted(OPS))
def test_an_op_has_a_kernel(name):
    op = OPS[name]
    needs_one = op.kind not in ("elementwise", "shape", "composition")  # one for all; an alias
    assert not needs_one or name in core.kernels()


@pytest.mark.parametrize("name, row", CASES)
def test_the_inferred_type_is_that_of_the_result(name, row):
    sample = OPS[name].samples[row]
    for dtype in dtypes_of(name, sample):
        arrays = arrays_of(name, sample, dtype)
        _, outputs = build(name, sample, arrays)
        with np.errstate(all="ignore"):
            results = outputs[0].node.op.reference(*arrays)
        results = results if isinstance(results, tuple) else (results,)
        assert len(results) == len(outputs)
        for result, output in zip(map(np.asarray, results), outputs):
            assert result.shape == output.shape
            assert np.can_cast(result.dtype, output.dtype, "same_kind") or is_bool(result.dtype)


@pytest.mark.parametrize("name, row", NOT_RANDOM)
def test_the_symbolic_type_is_that_of_the_result(name, row):
    sample = OPS[name].samples[row]
    arrays = arrays_of(name, sample, main_dtype(name, sample))
    inputs, outputs = build(name, sample, arrays, symbolic=True)
    sizes = {}
    for placeholder, array in zip(inputs, arrays):
        for dim, size in zip(placeholder.shape, array.shape):
            sizes.update((atom, size) for atom in dims.sizes_in(dim))
    _, expected = build(name, sample, arrays)
    for output, known in zip(outputs, expected):
        assert output.dtype == known.dtype
        assert tuple(dims.evaluate(size, sizes) for size in output.shape) == known.shape
    assert with_sizes(outputs[0].node.op, sizes) == expected[0].node.op


@native
@pytest.mark.parametrize("name, row", CASES)
def test_the_native_value_is_the_meaning(name, row):
    sample = OPS[name].samples[row]
    for dtype in dtypes_of(name, sample):
        arrays = arrays_of(name, sample, dtype)
        inputs, outputs = build(name, sample, arrays)
        expected = meaning(name, sample, arrays, outputs)
        run = function(inputs, outputs, mode="native", stages=())  # the op's own kernel
        for actual, wanted in zip(run.run(arrays), expected):
            assert_close(actual, wanted, wanted.dtype.name)


@native
@pytest.mark.parametrize("name, row", NOT_RANDOM)
def test_sizes_may_be_bound_late(name, row):
    sample = OPS[name].samples[row]
    arrays = arrays_of(name, sample, main_dtype(name, sample))
    inputs, outputs = build(name, sample, arrays, symbolic=True)
    expected = evaluate(outputs, dict(zip(inputs, arrays)))
    for actual, wanted in zip(function(inputs, outputs, mode="native").run(arrays), expected):
        assert_close(actual, wanted, wanted.dtype.name)


EXPANDED = [(name, row) for name, row in CASES if OPS[name].expand is not Op.expand]


@pytest.mark.parametrize("name, row", EXPANDED)
def test_the_expansion_is_the_meaning(name, row):
    sample = OPS[name].samples[row]
    arrays = arrays_of(name, sample, "float64")
    inputs, outputs = build(name, sample, arrays)
    expanded = outputs[0].node.op.expand(*inputs)
    if expanded is None:
        assert not sample.attributes.get("activation") and len(inputs) < 3
        return
    expanded = list(expanded) if isinstance(expanded, tuple) else [expanded]
    values = evaluate(outputs + expanded, dict(zip(inputs, arrays)))
    for wanted, actual in zip(values, values[len(outputs):]):
        assert_close(actual, wanted, wanted.dtype.name)


def layouts(array):
    """Other ways in which memory may hold the same values."""
    transposed = np.asarray(array.T.copy()).T
    backwards = (Ellipsis,) + (slice(None, None, -1),) * array.ndim
    reversed_twice = array[backwards].copy()[backwards]
    room = np.zeros([size + 3 for size in array.shape], array.dtype)
    offset = room[(Ellipsis,) + tuple(slice(2, 2 + size) for size in array.shape)]
    offset[...] = array
    unaligned = np.zeros(array.nbytes + 1, "uint8")[1:].view(array.dtype).reshape(array.shape)
    unaligned[...] = array
    read_only = array.copy()
    read_only.setflags(write=False)
    return transposed, reversed_twice, offset, unaligned, read_only


@native
@pytest.mark.parametrize("name", sorted(OPS))
def test_the_layout_of_an_input_does_not_matter(name):
    sample = OPS[name].samples[0]
    arrays = arrays_of(name, sample, main_dtype(name, sample))
    inputs, outputs = build(name, sample, arrays)
    run = function(inputs, outputs, mode="native").run
    expected = run(arrays)
    for views in zip(*(layouts(array) for array in arrays)):
        for actual, wanted in zip(run(list(views)), expected):
            np.testing.assert_array_equal(actual, wanted)
        for view, array in zip(views, arrays):
            np.testing.assert_array_equal(view, array)


@pytest.mark.parametrize("name, row", FLOATING)
def test_the_gradient_is_the_slope(name, row):
    sample = OPS[name].samples[row]
    arrays = arrays_of(name, sample, "float64")
    inputs, outputs = build(name, sample, arrays)
    for output in outputs:
        if output.dtype == "float64" and autodiff.grad(output, inputs) != [None] * len(inputs):
            verify.check(output, dict(zip(inputs, arrays)), moved(name, inputs), step=step_of(name))


@pytest.mark.parametrize("name, row", FLOATING)
def test_the_second_derivative_is_the_slope_of_the_gradient(name, row):
    sample = OPS[name].samples[row]
    arrays = arrays_of(name, sample, "float64")
    inputs, outputs = build(name, sample, arrays)
    generator = np.random.default_rng(5)
    for output in outputs:
        if output.dtype != "float64":
            continue
        weights = ops.constant(generator.standard_normal(output.shape))
        for gradient in autodiff.grad(output * weights, inputs):
            if gradient is not None:
                verify.check(gradient, dict(zip(inputs, arrays)), moved(name, inputs),
                             directions=1, step=step_of(name))


@pytest.mark.parametrize("name, row", FLOATING)
def test_the_forward_derivative_is_the_slope(name, row):
    sample = OPS[name].samples[row]
    arrays = arrays_of(name, sample, "float64")
    inputs, outputs = build(name, sample, arrays)
    for output in outputs:
        if output.dtype != "float64" or autodiff.grad(output, inputs) == [None] * len(inputs):
            continue
        verify.check_forward(output, dict(zip(inputs, arrays)), moved(name, inputs), directions=1,
                             step=step_of(name))


@pytest.mark.parametrize("name, row", FLOATING)
def test_the_gradient_has_a_forward_derivative(name, row):
    sample = OPS[name].samples[row]
    arrays = arrays_of(name, sample, "float64")
    inputs, outputs = build(name, sample, arrays)
    generator = np.random.default_rng(6)
    for output in outputs:
        if output.dtype != "float64":
            continue
        weights = ops.constant(generator.standard_normal(output.shape))
        for gradient in autodiff.grad(output * weights, inputs):
            if gradient is not None:
                verify.check_forward(gradient, dict(zip(inputs, arrays)), moved(name, inputs),
                                     directions=1, step=step_of(name))


def step_of(name):
    """The step of differences: short where a kink may be near. At 3e-4 the fifth derivative of a
    steep function (erfinv's slope near 0.9) still adds less than 1e-8."""
    return 3e-4 if OPS[name].smooth else 1e-6


def moved(name, inputs):
    """The floating inputs that differences may move."""
    positions = getattr(OPS[name], "differences", range(len(inputs)))
    return [inputs[k] for k in positions if inputs[k].dtype == "float64"]


@pytest.mark.parametrize("name, row", BAD)
def test_bad_inputs_are_refused_with_a_message(name, row):
    sample = OPS[name].bad[row]
    accepts = getattr(OPS[name], "accepts", ("float32",))
    dtype = "float32" if "float32" in accepts else accepts[0]
    arrays = [np.zeros(drawn.shape, drawn.dtype or dtype) for drawn in sample.inputs]
    with pytest.raises(SymkError) as raised:
        build(name, sample, arrays)
    assert sample.error in str(raised.value)
    assert str(raised.value).startswith("[")


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1e-30, -1e-30, 1e30, -1e30, 88.0, -88.0, 104.0,
                    -104.0, np.inf, -np.inf, np.nan, 2.5, 3.5, -2.5])


def specials(name):
    """For each operand the special values, all pairs of them for two."""
    count = len(OPS[name].samples[0].inputs)
    return [SPECIAL] if count == 1 else np.meshgrid(SPECIAL, SPECIAL)


@native
@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("name", [name for name, op in sorted(OPS.items()) if name != "cast"
                                  and op.kind == "elementwise" and "float32" in op.accepts
                                  and len(op.samples[0].inputs) < 3])
def test_special_values_keep_their_meaning(name, dtype):
    with np.errstate(over="ignore"):
        arrays = [np.array(array, dtype) for array in specials(name)]
    inputs, outputs = build(name, OPS[name].samples[0], arrays)
    expected, = evaluate(outputs, dict(zip(inputs, arrays)))
    actual, = function(inputs, outputs, mode="native").run(arrays)
    if is_bool(expected.dtype.name):
        np.testing.assert_array_equal(actual, expected)
    else:
        tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=np.finfo(dtype).tiny)
