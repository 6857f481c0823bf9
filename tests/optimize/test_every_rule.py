"""Each rule of each table fires on its example and keeps the value."""
import numpy as np
import pytest

from symk.graph import Placeholder
from symk.graph.check import check
from symk.graph.reference import evaluate
from symk.optimize.canonicalise import CANONICALISE
from symk.optimize.rewrite import rewrite
from symk.optimize.simplify import SIMPLIFY
from symk.optimize.stabilise import BEFORE_GRADIENTS

RULES = CANONICALISE + SIMPLIFY + BEFORE_GRADIENTS


def draw(sample, dtype, shape):
    random = np.random.RandomState(5)
    values = random.uniform(sample.low, sample.high, shape)
    return values > 0 if dtype == "bool" else values.astype(dtype)


@pytest.mark.parametrize("row", RULES, ids=[row.name for row in RULES])
def test_rule_fires_on_its_example_and_keeps_the_value(row):
    sample = row.sample
    inputs = [Placeholder(sample.dtype, shape) for shape in sample.shapes]
    expression = sample.build(*inputs)
    (result,), counts = rewrite([expression], [row])
    assert counts[row.name] >= 1
    check([result])
    assert result.type == expression.type
    feeds = {variable: draw(sample, sample.dtype, variable.shape) for variable in inputs}
    before, after = evaluate([expression], feeds)[0], evaluate([result], feeds)[0]
    assert before.dtype == after.dtype
    np.testing.assert_allclose(after, before, rtol=2e-6, atol=2e-6)


def test_rule_names_are_unique():
    names = [row.name for row in RULES]
    assert len(set(names)) == len(names)
