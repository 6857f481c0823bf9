"""Random graphs have the same values with each stage on, with each off, and with all of them.

SYMK_RANDOM_GRAPHS=seed[,count] tries the graphs from a seed on: the one that a failure has named.
"""
import importlib.util
import os

import numpy as np
import pytest

from symk.compile import function
from symk.compile.native import _core
from symk.optimize import STAGES

_PLACE = os.path.join(os.path.dirname(__file__), "random_graphs.py")
_SPEC = importlib.util.spec_from_file_location("random_graphs", _PLACE)
random_graphs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(random_graphs)

NAMES = [stage.name for stage in STAGES]
MODE = "native" if _core is not None else "reference"
# What is compared with the bare meaning: (name, mode, stages).
CHOICES = ([("only " + name, "reference", [name]) for name in NAMES]
           + [("all but " + name, MODE, [n for n in NAMES if n != name]) for name in NAMES]
           + [("all", MODE, NAMES), ("none", MODE, ())])
FAST, SLOW = 2000, 100000
BATCH = 100


def compare(seed):
    """One way to run one graph against its meaning; which way is decided by the seed.

    Returns:  how many elements were compared, and how many there are.
    """
    name, mode, stages = CHOICES[seed % len(CHOICES)]
    note = "seed %d, stages: %s" % (seed, name)
    try:
        drawing = random_graphs.Drawing(seed)
        before = drawing.values()
        masks = random_graphs.sure(drawing, before)
        compiled = function(drawing.inputs, drawing.results, mode=mode, stages=stages)
        after = compiled.run(drawing.arrays)
    except Exception as error:
        raise AssertionError(note) from error
    random_graphs.assert_same(before, after, masks, note)
    return sum(mask.sum() for mask in masks), sum(mask.size for mask in masks)


def compare_all(first, count):
    """The share of the elements of all results that was compared."""
    compared, every = zip(*map(compare, range(first, first + count)))
    return sum(compared) / sum(every)


def test_each_way_is_tried():
    seen = {seed % len(CHOICES) for seed in range(FAST)}
    assert len(seen) == len(CHOICES) == 2 * len(STAGES) + 2


@pytest.mark.parametrize("first", range(0, FAST, BATCH))
def test_stages_keep_the_values(first):
    assert compare_all(first, BATCH) > 0.8   # the rest are NaN, infinite, or hang on rounding


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10 ** 6, 10 ** 6 + SLOW, 20 * BATCH))
def test_stages_keep_the_values_of_many_graphs(first):
    assert compare_all(first, 20 * BATCH) > 0.88


def test_graphs_that_are_asked_for():
    first, _, count = os.environ.get("SYMK_RANDOM_GRAPHS", "31").partition(",")
    compare_all(int(first), int(count or 1))


def test_values_that_hang_on_rounding_are_told():
    drawing = random_graphs.Drawing(1093673)   # compares logsumexp(log_softmax(x)), 0, with 0
    values = drawing.values()
    masks = random_graphs.sure(drawing, values)
    assert all(np.isfinite(value).all() for value in values)
    assert [mask.sum() for mask in masks] == [4, 3, 4]   # of 12, 3 and 12
