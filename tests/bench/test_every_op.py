"""The bench times every op of the registry: each has a case, and the case's graph has the op."""
import os
import sys

import numpy as np
import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bench import cases, every_op, models, moves  # noqa: E402, F401 (these add their cases)
from symk import ops  # noqa: E402, F401 (which registers them)
from symk.compile import function  # noqa: E402
from symk.graph import registered_ops  # noqa: E402
from symk.graph.walk import nodes_of  # noqa: E402

OPS = sorted(name for name, op in registered_ops().items() if op.__module__.startswith("symk.ops"))
OPERATIONS = [case for case in cases.CASES if isinstance(case, every_op.Operation)]
SLOW = {"ctc_beam_search"}


def test_each_op_stands_in_one_place():
    places = [case.op for case in OPERATIONS] + list(every_op.COVERED) + list(every_op.NOT_TIMED)
    assert sorted(places) == OPS


@pytest.mark.parametrize("op", sorted(every_op.COVERED))
def test_a_case_elsewhere_is_there(op):
    assert any(every_op.COVERED[op] in case.name for case in cases.CASES)


@pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case.op)
def test_a_case_times_its_op(case):
    assert case.op in {node.op.name for node in nodes_of(case.graph()[1])}


@pytest.mark.parametrize("case", [case for case in OPERATIONS if case.op not in SLOW],
                         ids=lambda case: case.op)
def test_a_case_has_numbers(case):
    for result in function(*case.graph()).run(case.arrays()):
        assert result.size and not np.isnan(np.asarray(result, "float64")).any()
