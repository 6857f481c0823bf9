"""The plain evaluator: binding of sizes, sources, and its errors."""
import numpy as np
import pytest

from symk import ops
from symk.graph import GraphError, Placeholder, ShapeError, Shared, dims
from symk.graph.reference import bind_sizes, evaluate
from symk.graph.walk import with_sizes


def test_sizes_are_bound_from_the_arrays():
    x = Placeholder("float32", (None, 3))
    y = Placeholder("float32", (x.shape[0], 2 * x.shape[0]))
    sizes = bind_sizes([x, y], [np.zeros((4, 3)), np.zeros((4, 8))])
    assert list(sizes.values()) == [4]


@pytest.mark.parametrize("shape", [(4, 2), (4,), (4, 3, 1)])
def test_a_wrong_shape_is_refused(shape):
    x = Placeholder("float32", (None, 3), name="images")
    with pytest.raises(ShapeError, match=r"\[input images\] the shape must be \(images.0, 3\)"):
        evaluate([ops.exp(x)], {x: np.zeros(shape, "float32")})


def test_sizes_that_are_shared_must_agree():
    x = Placeholder("float32", (None,))
    y = Placeholder("float32", (x.shape[0],))
    with pytest.raises(ShapeError, match="the shape must be"):
        evaluate([x + y], {x: np.zeros(3, "float32"), y: np.zeros(4, "float32")})


def test_a_missing_value_is_named():
    x = Placeholder("float32", (), name="labels")
    with pytest.raises(GraphError, match="a value is required for the placeholder <labels"):
        evaluate([ops.exp(x)], {})


def test_defaults_and_shared_values_are_used():
    phase = Placeholder("float32", (), default=2)
    weight = Shared(np.float32(3))
    assert evaluate([phase * weight], {}) == [6.0]
    assert evaluate([phase * weight], {phase: 5}) == [15.0]


def test_the_sizes_in_attributes_are_evaluated():
    n = dims.Size.new("n")
    atom, = dims.sizes_in(n)
    op = ops.reshape(Placeholder("float32", (n, 2)), (2 * n,)).node.op
    assert with_sizes(op, {atom: 4}).shape == (8,)
