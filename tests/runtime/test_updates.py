"""Values that live between calls: when they change, what reads them, when they must not change."""
import numpy as np
import pytest

from symk.graph.errors import OutOfRangeError


def ones(count=4):
    return np.ones(count, "float32")


def test_outputs_see_the_old_value_and_the_next_call_the_new_one(plans):
    tensor = plans.core.Tensor(np.arange(4, dtype="float32"))
    program = plans.counter().program(tensor)
    for call in range(3):
        y, = program.run([ones()])
        np.testing.assert_array_equal(y, np.arange(4) + call)
        np.testing.assert_array_equal(tensor.array(), np.arange(4) + call + 1)
        assert tensor.version == call + 2


def test_two_values_can_be_exchanged(plans):
    b = plans.Builder()
    first, second = b.shared("first", (4,)), b.shared("second", (4,))
    b.update(first, second)
    b.update(second, first)
    a, c = plans.core.Tensor(ones() * 1), plans.core.Tensor(ones() * 2)
    b.program(a, c).run([])
    assert (a.read() == 2).all() and (c.read() == 1).all()


def test_an_output_of_a_shared_value_is_the_one_before_the_update(plans):
    b = plans.Builder()
    w = b.shared("w", (4,))
    b.output(w)
    b.update(w, b.apply("add", w, b.constant(1.0)))
    tensor = plans.core.Tensor(ones())
    y, = b.program(tensor).run([])
    assert (y == 1).all() and (tensor.read() == 2).all()


def test_a_step_may_write_into_a_shared_value(plans):
    b = plans.Builder()
    x, w = b.input("x", (4,)), b.shared("w", (4,))
    b.apply("add", w, x, out=w, in_place=((0, 0),))
    b.output(b.apply("mul", w, x))
    tensor = plans.core.Tensor(ones())
    y, = b.program(tensor).run([ones() * 2])
    assert (tensor.read() == 3).all() and (y == 6).all()
    assert tensor.version == 2


def test_packed_weights_follow_the_value(plans):
    """matmul packs a shared operand and may keep it: a change must be seen at the next call."""
    b = plans.Builder()
    x, w = b.input("x", (None, 64)), b.shared("w", (64, 64))
    rows = plans.SizeRef(b.plan.buffers[x].shape[0])
    y = b.buffer("float32", "temporary", (rows, 64))
    b.step("matmul", (x, w), (y,), transpose_a=0, transpose_b=0, activation="")
    b.output(y)
    b.update(w, b.apply("add", w, b.constant(1.0)))
    tensor = plans.core.Tensor(np.zeros((64, 64), "float32"))
    program = b.program(tensor)
    x = np.ones((48, 64), "float32")
    for call in range(4):
        assert (program.run([x])[0] == 64 * call).all()
    tensor.write(np.full((64, 64), 0.5))
    assert (program.run([x])[0] == 32).all()


def failing_after_use(plans):
    """w <- w + 1, beside a gather that fails for a bad index."""
    b = plans.Builder()
    i, w = b.input("i", (1,), "int64"), b.shared("w", (4,))
    b.update(w, b.apply("add", w, b.constant(1.0)))
    out = b.buffer("float32", "temporary", (1,))
    b.step("gather", (w, i), (out,), axis=0)
    b.output(out)
    return b


def test_a_failing_step_leaves_shared_values_unchanged(plans):
    tensor = plans.core.Tensor(ones())
    program = failing_after_use(plans).program(tensor)
    with pytest.raises(OutOfRangeError):
        program.run([[4]])
    assert (tensor.read() == 1).all() and tensor.version == 1
    assert program.run([[3]]) == [1]
    assert (tensor.read() == 2).all()


def test_an_update_from_an_input_a_constant_and_an_alias(plans):
    b = plans.Builder()
    x = b.input("x", (2, 2))
    names = [b.shared(name, (4,)) for name in ("from input", "from constant")]
    b.update(names[0], b.alias(x, (4,)))
    b.update(names[1], b.constant([4.0, 3.0, 2.0, 1.0]))
    first, second = plans.core.Tensor(ones()), plans.core.Tensor(ones())
    assert b.program(first, second).run([[[1, 2], [3, 4]]]) == []
    np.testing.assert_array_equal(first.read(), [1, 2, 3, 4])
    np.testing.assert_array_equal(second.read(), [4, 3, 2, 1])
