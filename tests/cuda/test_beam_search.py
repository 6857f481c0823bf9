"""The search for the most probable labels, beside the CPU's: the same labels, whatever is equal."""
import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.config import device
from symk.graph import Placeholder
from symk.graph.errors import OutOfRangeError


def search(logits, steps, where, width, paths, merge=False):
    x = Placeholder(logits.dtype, logits.shape)
    n = Placeholder("int32", steps.shape)
    with device(where):
        f = function([x, n], ops.ctc_beam_search(x, n, width, paths, merge))
    first = f.run([logits, steps])
    for _ in range(2):      # recorded, replayed
        for value, again in zip(first, f.run([logits, steps])):
            np.testing.assert_array_equal(value, again)
    return first


def check(on_device, logits, steps, width, paths, merge=False):
    labels, totals = search(logits, steps, on_device, width, paths, merge)
    expected, wanted = search(logits, steps, "cpu", width, paths, merge)
    np.testing.assert_allclose(totals, wanted, rtol=1e-5 if logits.dtype == "float32" else 1e-12)
    np.testing.assert_array_equal(labels, expected)


def normal(shape, dtype="float64", scale=2.0):
    return (np.random.default_rng(5).standard_normal(shape) * scale).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("classes, width, paths", [(1, 3, 2), (2, 1, 1), (5, 4, 4), (5, 300, 7),
                                                   (29, 60, 3), (300, 5, 5), (64, 257, 2)])
def test_labels_are_those_of_the_cpu(on_device, classes, width, paths, merge, dtype):
    check(on_device, normal((3, 9, classes), dtype), np.array([9, 0, 6], "int32"), width, paths,
          merge)


@pytest.mark.parametrize("width", [1, 7, 40])
def test_the_earlier_of_equals_comes_first(on_device, width):
    """All classes alike, and then a few values again and again."""
    steps = np.array([5, 3], "int32")
    check(on_device, np.zeros((2, 5, 4)), steps, width, 1)
    few = np.random.default_rng(6).integers(0, 2, (2, 5, 4)).astype("float64")
    check(on_device, few, steps, width, min(width, 5))


def test_what_is_impossible_is_no_path(on_device):
    logits = normal((4, 4, 5))
    logits[0, :, 1:4] = -np.inf         # a label and the blank are left
    logits[1, 2] = -np.inf              # nothing is
    logits[2, 1, 3] = np.nan
    logits[3, 0, 2] = np.inf
    check(on_device, logits, np.full(4, 4, "int32"), 6, 6)


def test_a_wrong_number_of_steps_is_named(on_device):
    with pytest.raises(OutOfRangeError, match="must be from 0 to 4; 5 was given at position 1"):
        search(normal((3, 4, 5)), np.array([4, 5, 9], "int32"), on_device, 3, 1)
