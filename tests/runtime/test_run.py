"""Plans made by hand, run through the Python door."""
import numpy as np
import pytest

from symk.graph.errors import DeviceError, DtypeError, GraphError, OutOfRangeError, ShapeError


def ramp(*shape, dtype="float32"):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def test_runs_at_every_batch_size(plans):
    program = plans.plus_one().program()
    for rows in (1, 7, 0, 33, 7):
        y, = program.run([ramp(rows, 3)])
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, ramp(rows, 3) + 1)


def test_more_shapes_than_bindings_are_kept(plans):
    program = plans.plus_one().program()
    for rows in list(range(80)) * 2:
        np.testing.assert_array_equal(program.run([ramp(rows, 3)])[0], ramp(rows, 3) + 1)


@pytest.mark.parametrize("value", [
    ramp(2, 3, dtype="float64"), ramp(2, 3, dtype="int64"), ramp(2, 3, dtype="float16"),
    ramp(2, 3, dtype=">f4"), ramp(3, 2).T, ramp(4, 6)[::2, ::2], ramp(2, 3).tolist(),
    np.ones((2, 3), bool), np.frombuffer(b"\0" + bytes(24), np.uint8)[1:].view("<f4").reshape(2, 3),
], ids=["float64", "int64", "float16", "big-endian", "transposed", "strided", "list", "bool",
        "unaligned"])
def test_converts_what_keeps_its_value(plans, value):
    y, = plans.plus_one().program().run([value])
    np.testing.assert_array_equal(y, np.asarray(value, "float32") + 1)


@pytest.mark.parametrize("dtype, value", [
    ("int32", [1.5, 2.0]), ("int32", [np.nan, 1.0]), ("int8", [300, 1]), ("uint8", [-1, 1]),
    ("bool", [2, 0]), ("int64", np.array([2**63], "uint64").repeat(2)), ("float32", ["1", "2"]),
    ("float32", np.array([1j, 2])), ("float32", np.array([None, 1])),
    ("float32", np.array(["2000-01-01", "2001-01-01"], "datetime64[D]")),
], ids=str)
def test_refuses_what_would_change_its_value(plans, dtype, value):
    b = plans.Builder()
    b.output(b.alias(b.input("x", (2,), dtype), (2,)))
    with pytest.raises(DtypeError, match=r"^\[input x\] the dtype must be %s" % dtype):
        b.program().run([value])


@pytest.mark.parametrize("dtype, value", [
    ("int32", [1.0, 2.0]), ("int8", [127, -128]), ("bool", [1, 0]), ("uint8", [True, False]),
    ("int32", np.array([7, 8], "uint64")),
], ids=str)
def test_takes_floats_and_wide_integers_that_fit(plans, dtype, value):
    b = plans.Builder()
    b.output(b.alias(b.input("x", (2,), dtype), (2,)))
    y, = b.program().run([value])
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.asarray(value).astype(dtype))


def test_a_wrong_shape_says_what_was_given(plans):
    b = plans.Builder()
    x = b.input("x", (None, 28, 28, 1))
    b.output(b.alias(x, tuple(map(plans.SizeRef, b.plan.buffers[x].shape))))
    message = (r"^\[input x\] the shape must be \(None, 28, 28, 1\) float32; "
               r"an array of shape \(32, 28, 28\) float64 was given\.$")
    with pytest.raises(ShapeError, match=message):
        b.program().run([np.zeros((32, 28, 28))])
    with pytest.raises(ShapeError, match="28, 28\\) float32 was given"):
        b.program().run([np.zeros((32, 28, 28), "float32")])


def test_sizes_that_inputs_share_must_agree(plans):
    b = plans.Builder()
    x = b.input("x", (None,))
    batch = plans.SizeRef(b.plan.buffers[x].shape[0])
    y = b.input("y", (batch,))
    b.output(b.apply("add", x, y))
    program = b.program()
    np.testing.assert_array_equal(program.run([ramp(3), ramp(3)])[0], 2 * ramp(3))
    with pytest.raises(ShapeError, match=r"\[input y\] the shape must be \(3,\) float32"):
        program.run([ramp(3), ramp(4)])


def test_checks_are_made_when_shapes_are_bound(plans):
    b = plans.Builder()
    x, y = b.input("x", (None,)), b.input("y", (None,))
    b.plan.checks.append((b.plan.buffers[x].shape[0], b.plan.buffers[y].shape[0],
                          '[concat] in layer "join": x and y must have one size.'))
    b.output(b.apply("neg", x))
    b.output(b.apply("neg", y), "z")
    program = b.program()
    program.run([ramp(2), ramp(2)])
    with pytest.raises(ShapeError, match='layer "join".*The sizes are 2 and 3'):
        program.run([ramp(2), ramp(3)])


def test_a_wrong_number_of_arrays_names_the_inputs(plans):
    program = plans.plus_one().program()
    with pytest.raises(GraphError, match=r"1 arrays are required \(x\); 2 were given"):
        program.run([ramp(1, 3), ramp(1, 3)])
    with pytest.raises(TypeError):
        program.run(5)
    with pytest.raises(ShapeError, match="at most 8 axes"):
        program.run([np.zeros((1,) * 9)])


def test_every_kind_of_expression_of_sizes(plans):
    b = plans.Builder()
    x = b.input("x", (None, None))
    rows, columns = map(plans.SizeRef, b.plan.buffers[x].shape)
    two = b.size("constant", 2)
    total = b.size("multiply", rows, columns)
    half = b.size("floor_divide", b.size("add", total, b.size("constant", -1)), two)
    largest = b.size("max", rows, columns)
    met = b.size("broadcast", rows, b.size("constant", 1))
    for number, size in enumerate((total, half, largest, met)):
        out = b.buffer("int64", "temporary", ())
        b.step("size", (), (out,), size=size)
        b.output(out, "y%d" % number)
    program = b.program()
    assert [int(y) for y in program.run([np.zeros((3, 5))])] == [15, 7, 5, 3]
    assert [int(y) for y in program.run([np.zeros((0, 5))])] == [0, -1, 5, 0]


@pytest.mark.parametrize("kind, a, b, message", [
    ("floor_divide", 7, 0, "cannot be divided by zero"),
    ("broadcast", 2, 3, "must be equal or one of them 1; 2 and 3"),
    ("multiply", 2**62, 4, "must fit 63 bits"),
    ("add", 2**63 - 1, 1, "must fit 63 bits"),
    ("floor_divide", -2**63, -1, "must fit 63 bits"),
])
def test_sizes_that_cannot_be_are_refused(plans, kind, a, b, message):
    builder = plans.Builder()
    builder.size(kind, builder.size("constant", a), builder.size("constant", b))
    builder.output(builder.constant([1.0]))
    with pytest.raises((ShapeError, GraphError), match=message):
        builder.program().run([])


def test_a_product_of_sizes_that_wraps_is_refused(plans):
    b = plans.Builder()
    x = b.input("x", (None,))
    n = plans.SizeRef(b.plan.buffers[x].shape[0])
    huge = b.size("multiply", n, b.size("constant", 2**60))
    out = b.buffer("float32", "temporary", (huge, 16))
    b.step("broadcast_to", (b.constant(1.0),), (out,))
    b.output(out)
    with pytest.raises(ShapeError, match="63 bits"):
        b.program().run([np.zeros(1)])


def test_memory_that_cannot_be_had_is_an_error_and_the_program_lives_on(plans):
    b = plans.Builder()
    x = b.input("x", (None,))
    n = plans.SizeRef(b.plan.buffers[x].shape[0])
    huge = b.buffer("float32", "temporary", (n, n, n))
    b.step("broadcast_to", (b.constant(1.0),), (huge,))
    out = b.buffer("float32", "temporary", ())
    b.step("sum", (huge,), (out,), axes=(0, 1, 2), keepdims=0)
    b.output(out)
    program = b.program()
    assert program.run([np.zeros(4)]) == [64]
    with pytest.raises(MemoryError, match="bytes are required"):
        program.run([np.zeros(100000)])
    assert program.run([np.zeros(4)]) == [64]
    assert program.run([np.zeros(5)]) == [125]


def test_outputs_are_copies_of_inputs_constants_and_shared_values(plans):
    b = plans.Builder()
    x, w, c = b.input("x", (3,)), b.shared("w", (3,)), b.constant([7.0, 8.0, 9.0])
    for name, buffer in (("x", x), ("x again", b.alias(x, (3, 1))), ("w", w), ("c", c)):
        b.output(buffer, name)
    tensor, value = plans.core.Tensor(ramp(3)), ramp(3) + 10
    first = b.program(tensor).run([value])
    for y in first:
        y[...] = -1
    assert [y.shape for y in first] == [(3,), (3, 1), (3,), (3,)]
    np.testing.assert_array_equal(value, ramp(3) + 10)
    np.testing.assert_array_equal(tensor.read(), ramp(3))
    second = b.program(tensor).run([value])
    np.testing.assert_array_equal(second[3], [7, 8, 9])


def test_one_buffer_may_be_several_outputs(plans):
    b = plans.Builder()
    total = b.apply("add", b.input("x", (4,)), b.constant(1.0))
    b.output(total, "a")
    b.output(b.alias(total, (2, 2)), "b")
    b.output(total, "c")
    a, reshaped, c = b.program().run([ramp(4)])
    a[...] = 0
    np.testing.assert_array_equal(reshaped, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(c, [1, 2, 3, 4])


def test_outputs_of_earlier_calls_keep_their_values(plans):
    program = plans.plus_one().program()
    results = [program.run([np.full((500, 3), i)])[0] for i in range(30)]  # larger than 4 KB
    for i, y in enumerate(results):
        assert (y == i + 1).all()


def test_large_outputs_are_aligned_and_owned(plans):
    y, = plans.plus_one().program().run([ramp(5000, 3)])
    assert y.ctypes.data % 64 == 0 and y.flags.writeable and y.flags.c_contiguous


def test_a_bad_index_names_origin_value_position_and_limit(plans):
    b = plans.Builder()
    x, i = b.input("x", (5, 2)), b.input("i", (None,), "int64")
    out = b.buffer("float32", "temporary", (plans.SizeRef(b.plan.buffers[i].shape[0]), 2))
    b.step("gather", (x, i), (out,), origin='layer "embed" (Embedding), train.py:7', axis=0)
    b.output(out)
    program = b.program()
    np.testing.assert_array_equal(program.run([ramp(5, 2), [4, -1, 0]])[0],
                                  ramp(5, 2)[[4, -1, 0]])
    message = (r'^in layer "embed" \(Embedding\), train.py:7: \[gather\] .* axis of size 5; '
               r'9 was given at position 1')
    with pytest.raises(OutOfRangeError, match=message):
        program.run([ramp(5, 2), [4, 9, 0]])


def test_a_missing_kernel_is_named(plans):
    b = plans.Builder()
    x = b.input("x", (2,))
    out = b.temporary(x)
    b.step("no such kernel", (x,), (out,))
    b.output(out)
    with pytest.raises(DeviceError, match=r"\[no such kernel\] this build has no kernel"):
        b.program().run([ramp(2)])


def test_times_and_description_name_every_step(plans):
    program = plans.chain(3).program()
    program.run([ramp(10)])
    assert [time for _, _, time in program.times()] == [0, 0, 0]
    program.profile(True)
    program.run([ramp(10)])
    assert all(kernel == "elementwise" and time > 0 for kernel, _, time in program.times())
    assert program.describe().count("= elementwise(") == 3


def test_a_tensor_keeps_dtype_and_shape(plans):
    tensor = plans.core.Tensor(ramp(2, 3, dtype="int32"))
    assert (tensor.dtype, tensor.shape, tensor.version) == ("int32", (2, 3), 1)
    tensor.write([[1.0, 2.0, 3.0]] * 2)
    assert tensor.version == 2
    np.testing.assert_array_equal(tensor.read(), [[1, 2, 3]] * 2)
    view = tensor.array()
    assert not view.flags.writeable
    with pytest.raises(ShapeError, match=r"must be \(2, 3\) int32"):
        tensor.write([1, 2, 3])
    with pytest.raises(DtypeError):
        tensor.write(np.full((2, 3), 0.5))
    del tensor
    np.testing.assert_array_equal(view, [[1, 2, 3]] * 2)


def test_tensors_must_be_those_of_the_plan(plans):
    core, builder = plans.core, plans.counter()
    with pytest.raises(GraphError, match="1 shared values are required; 0 were given"):
        builder.program()
    with pytest.raises(ShapeError, match=r"\[shared w\] the value must be \(4,\) float32; \(3,\)"):
        builder.program(core.Tensor(ramp(3)))
    with pytest.raises(DtypeError, match="float64"):
        builder.program(core.Tensor(ramp(4, dtype="float64")))
