"""What only a run can refuse is refused by the device as by the CPU: the tests of
`tests/ops/test_late_errors.py` there."""
import os
import sys

import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.config import device
from symk.graph import Placeholder
from symk.graph.errors import OutOfRangeError

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "ops"))
from test_late_errors import *  # noqa: E402,F401,F403 (its tests are collected here again)


@pytest.fixture(autouse=True)
def everything(on_device):
    """All tests of this file compile for the device."""


TABLE = Placeholder("float32", (6, 4))
REFUSING = {
    "gather": lambda i: ops.gather(TABLE, i),
    "gather of columns": lambda i: ops.gather(TABLE, i, 1),
    "scatter_add": lambda i: ops.scatter_add(TABLE[:3], i, 0, 6),
    "sparse_softmax_cross_entropy": lambda i: ops.sparse_softmax_cross_entropy(TABLE[:3], i),
}


@pytest.mark.parametrize("given", [[0, 9, 11], [-7, 1, 2], [1, 2, 6], [-20, 20, -20]])
@pytest.mark.parametrize("dtype", ["int32", "int64", "int8"])
@pytest.mark.parametrize("name", sorted(REFUSING))
def test_the_words_are_those_of_the_cpu_at_every_call(on_device, name, dtype, given):
    """At the first call, the recorded one and a replay; and a call in between is not disturbed."""
    indices = Placeholder(dtype, (3,))
    built = REFUSING[name](indices)
    x, wrong = np.ones((6, 4), "float32"), np.array(given, dtype)
    with device("cpu"):
        with pytest.raises(OutOfRangeError) as wanted:
            function([TABLE, indices], [built]).run([x, wrong])
    f = function([TABLE, indices], [built])
    for _ in range(4):
        with pytest.raises(OutOfRangeError) as raised:
            f.run([x, wrong])
        assert str(raised.value) == str(wanted.value)
        assert np.isfinite(f.run([x, np.array([0, 2, 1], dtype)])[0]).all()
