"""The number of threads changes no bit: work is split by shape."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.graph import Placeholder

core = pytest.importorskip("symk._core", exc_type=ImportError)

MATRIX, IMAGES = (300, 1000), (16, 28, 28, 17)


def with_gradient(build):
    """An expression and its gradients in all operands."""
    def both(*inputs):
        y = build(*inputs)
        return [y] + [g for g in grad(ops.sin(y), inputs) if g is not None]
    return both


ROWS = {
    "elementwise": (with_gradient(lambda x: ops.tanh(x) * x + ops.exp(x)), MATRIX),
    "softmax": (with_gradient(ops.softmax), MATRIX),
    "log_softmax": (with_gradient(lambda x: ops.log_softmax(x, 0)), MATRIX),
    "cross-entropy": (with_gradient(ops.softmax_cross_entropy), MATRIX, MATRIX),
    "batch_norm": (with_gradient(lambda x, gamma: ops.batch_norm(x, gamma, np.ones(17))[0]),
                   IMAGES, (17,)),
    "max_pool": (with_gradient(lambda x: ops.max_pool(x, 3, 2, "same")), IMAGES),
    "average_pool": (with_gradient(lambda x: ops.average_pool(x, 3, 2)), IMAGES),
    "conv": (with_gradient(ops.conv), IMAGES, (3, 3, 17, 23)),
    "matmul": (with_gradient(ops.matmul), MATRIX, (1000, 133)),
    "broadcast": (with_gradient(lambda x, y: x * y), MATRIX, (1000,)),
    "transpose": (lambda x: [ops.transpose(x)], MATRIX),
    "gather": (with_gradient(lambda x: ops.gather(x, np.arange(5000) * 7 % 300)), MATRIX),
}
for _name in ("sum", "mean", "max", "prod", "logsumexp"):
    for _axes in (0, 1, (0, 1)):
        ROWS["%s over %s" % (_name, _axes)] = (
            lambda x, name=_name, axes=_axes: [getattr(ops, name)(x, axes)], MATRIX)


def results_by_threads(run):
    """The bytes of the results with 1, 2, 3 and 4 threads."""
    before = core.threads()
    try:
        results = []
        for count in (1, 2, 3, 4):
            core.set_threads(count)
            results.append([value.tobytes() for value in run()])
        return results
    finally:
        core.set_threads(before)


@pytest.mark.parametrize("row", sorted(ROWS))
def test_the_number_of_threads_changes_no_bit(row):
    build, *shapes = ROWS[row]
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal(shape).astype("float32") for shape in shapes]
    inputs = [Placeholder("float32", shape) for shape in shapes]
    compiled = function(inputs, build(*inputs), mode="native")
    one, *others = results_by_threads(lambda: compiled.run(arrays))
    assert all(other == one for other in others)


def test_the_number_of_threads_changes_no_random_number():
    key = ops.random_key(3)
    compiled = function([], [ops.random_normal(key, (100000,)), ops.random_uniform(key, (9999,))],
                        mode="native")

    def from_the_start():
        key.set_value(np.array([3, 0]))
        return compiled.run([])
    one, *others = results_by_threads(from_the_start)
    assert all(other == one for other in others)
