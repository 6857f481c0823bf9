"""What only a call can find out is an exception with a message in both modes, no wrong value."""
import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.graph import OutOfRangeError, Placeholder, ShapeError, Shared

try:
    import symk._core as core
except ImportError:
    core = None

MODES = [pytest.param("native", marks=pytest.mark.skipif(core is None, reason="not built")),
         "reference"]


def unknown(rank, dtype="float32", name=None):
    return Placeholder(dtype, (None,) * rank, name=name)


def zeros(*shape):
    return np.zeros(shape, "float32")


ROWS = {
    "broadcast": (lambda x, y: x + y, zeros(3, 4), zeros(3, 5)),
    "matmul": (ops.matmul, zeros(3, 4), zeros(5, 3)),
    "matmul of batches": (ops.matmul, zeros(2, 3, 4), zeros(3, 4, 5)),
    "concat": (lambda x, y: ops.concat([x, y], 0), zeros(3, 4), zeros(3, 5)),
    "reshape": (lambda x, y: ops.reshape(x, (-1, 5)), zeros(3, 4), zeros(1)),
    "reshape to a known shape": (lambda x, y: ops.reshape(x, (4, 4)), zeros(3, 4), zeros(1)),
    "reshape to another shape": (lambda x, y: ops.reshape(x, y.shape), zeros(3, 4), zeros(3, 5)),
    "squeeze": (lambda x, y: ops.squeeze(x, 0), zeros(3, 4), zeros(1)),
    "index": (lambda x, y: x[5], zeros(3, 4), zeros(1)),
    "index from the end": (lambda x, y: x[-5], zeros(3, 4), zeros(1)),
    "broadcast_to": (lambda x, y: ops.broadcast_to(x, (5, 4)), zeros(3, 4), zeros(1)),
    "sum_to": (lambda x, y: ops.sum_to(x, y.shape), zeros(3, 4), zeros(2, 4)),
    "convolution channels": (ops.conv, zeros(1, 5, 5, 2), zeros(3, 3, 3, 4)),
    "convolution of a small image": (lambda x, y: ops.conv(x, np.zeros((3, 3, 2, 4))),
                                     zeros(1, 2, 2, 2), zeros(1)),
    "pool of a small image": (lambda x, y: ops.max_pool(x, 3), zeros(1, 2, 2, 2), zeros(1)),
    "cross-entropy": (ops.softmax_cross_entropy, zeros(3, 4), zeros(3, 5)),
    "batch_norm": (lambda x, y: ops.batch_norm(x, y, y)[0], zeros(3, 4), zeros(5)),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("row", sorted(ROWS))
def test_shapes_that_do_not_fit_are_refused_in_the_call(row, mode):
    build, *arrays = ROWS[row]
    inputs = [unknown(array.ndim) for array in arrays]
    run = function(inputs, [build(*inputs), inputs[1]], mode=mode)
    with pytest.raises(ValueError) as raised:
        run(*arrays)
    if mode == "native":
        assert isinstance(raised.value, ShapeError), raised.value
        assert "[" in str(raised.value)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("index", [5, -6, 2 ** 40, -2 ** 40])
def test_an_index_outside_is_refused_in_the_call(index, mode):
    x, indices = unknown(2), unknown(1, "int64")
    for build in (lambda: ops.gather(x, indices), lambda: ops.scatter_add(x, indices, 0, 5)):
        run = function([x, indices], build(), mode=mode)
        with pytest.raises(OutOfRangeError, match=str(index)):
            run(zeros(5, 3), np.array([0, 1, index, 2, 3]))
        run(zeros(5, 3), np.array([0, 1, 4, -5, 3]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape, axis", [((5, 0), 0), ((0, 5), 1), ((0,), 0)])
def test_an_index_outside_is_refused_where_there_is_no_result(shape, axis, mode):
    x, indices = unknown(len(shape)), unknown(1, "int64")
    run = function([x, indices], ops.gather(x, indices, axis), mode=mode)
    with pytest.raises(OutOfRangeError, match="7"):
        run(zeros(*shape), np.array([7]))
    size = shape[:axis] + (0,) + shape[axis + 1:]
    assert run(zeros(*shape), np.zeros(0, "int64")).shape == size


@pytest.mark.parametrize("mode", MODES)
def test_a_gradient_with_an_index_outside_is_refused_where_there_is_no_result(mode):
    g, indices = unknown(2), unknown(1, "int64")
    run = function([g, indices], ops.scatter_add(g, indices, 0, 5), mode=mode)
    with pytest.raises(OutOfRangeError, match="7"):
        run(zeros(1, 0), np.array([7]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("label", [4, -1, 2 ** 40])
def test_a_label_outside_is_refused_in_the_call(label, mode):
    logits, labels = unknown(2), unknown(1, "int64")
    run = function([logits, labels], ops.sparse_softmax_cross_entropy(logits, labels), mode=mode)
    with pytest.raises(OutOfRangeError, match=str(label)):
        run(zeros(3, 4), np.array([0, label, 1]))


@pytest.mark.parametrize("mode", MODES)
def test_a_failed_call_leaves_shared_values_alone(mode):
    count = Shared(np.zeros((), "float32"))
    x, y = unknown(1), unknown(1, "int64")
    run = function([x, y], ops.gather(x, y), updates=[(count, count + 1)], mode=mode)
    with pytest.raises(OutOfRangeError):
        run(zeros(3), np.array([7]))
    assert count.get_value() == 0
    run(zeros(3), np.array([2]))
    assert count.get_value() == 1
