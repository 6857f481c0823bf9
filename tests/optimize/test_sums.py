"""The gradient of a tensor cut into pieces is the gradients of the pieces, one after the other."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.graph import Placeholder
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize.sums import join_slices


def gradient(cut, shape=(None, 12)):
    """The gradient of a sum of functions of pieces of x, before and after."""
    x = Placeholder("float64", shape)
    total = sum(ops.sum(f(piece)) for f, piece in zip((ops.exp, ops.sin, ops.square), cut(x)))
    before = grad(total, x)
    (after,), counts = join_slices([before])
    array = np.random.default_rng(0).normal(size=[size or 5 for size in shape])
    one, other = evaluate([before, after], {x: array})
    np.testing.assert_allclose(one, other, rtol=1e-14)
    return [node.op.name for node in nodes_of([after])], sum(counts.values())


def test_pieces_that_make_up_the_whole_are_joined():
    names, count = gradient(lambda x: (x[:, 6:], x[:, :2], x[:, 2:6]))
    assert count == 1 and "slice_grad" not in names and names.count("concat") == 1


def test_rows_are_joined_as_well():
    assert gradient(lambda x: (x[:1], x[1:3]), (3, 4))[1] == 1


def test_other_terms_are_added():
    names, count = gradient(lambda x: (x[:, :6], x[:, 6:], x))
    assert count == 1 and names.count("concat") == 1 and "add" in names


@pytest.mark.parametrize("cut", [
    lambda x: (x[:, :6], x[:, 7:]),              # one column is missing
    lambda x: (x[:, :7], x[:, 6:]),              # one is there twice
    lambda x: (x[:, ::2], x[:, 1::2]),           # in turn
    lambda x: (x[:, :6], x[1:, 6:])])            # along another axis
def test_pieces_that_are_no_whole_stay(cut):
    names, count = gradient(cut)
    assert count == 0 and "concat" not in names
