"""Plans as bytes and as text: nothing is lost on the way, and no damage goes unnoticed."""
import struct
import zlib

import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.compile import plan as plans
from symk.compile.lower import lower
from symk.compile.request import prepare
from symk.graph import GraphError, Placeholder, Shared


@pytest.fixture(scope="module")
def plan():
    """A Plan with all kinds of buffers, sizes, attributes, an update and checks."""
    random = np.random.RandomState(3)
    x = Placeholder("float32", (None, 6, 6, 2), name="x")
    n = Placeholder("float32", (None,), name="n")
    w = Shared(random.randn(3, 3, 2, 4).astype("float32"), name="w")
    y = ops.relu(ops.conv(ops.pad(x, (0, 1, 1, 0), (0, 0, 0, 0), 1.5), w, padding="same"))
    flat = ops.reshape(y, (y.shape[0], -1))
    mean = ops.mean(flat * ops.size_of(n.shape[0]))
    results = [mean + ops.sum(ops.flip(n, 0)), flat[::2]]
    step, = grad(mean, [w])
    before = Shared(np.zeros((3, 3, 2, 4), "float32"), name="before")
    return lower(prepare([x, n], results, [(w, w - step), (before, w)], None, "everything"))[0]


def test_bytes_hold_the_whole_plan(plan):
    data = plans.encode(plan)
    again = plans.decode(data)
    assert plans.encode(again) == data
    assert plans.text(again) == plans.text(plan)
    assert again.metadata == {"name": "everything"}
    assert again.steps == plan.steps and again.buffers == plan.buffers
    for one, other in zip(again.constants, plan.constants):
        np.testing.assert_array_equal(one, other)


def test_the_layout_is_that_of_the_format(plan):
    data = plans.encode(plan)
    assert data[:8] == b"SYMKPLAN" and len(data) % 64 == 0
    assert int.from_bytes(data[16:24], "little") == len(data)
    assert int.from_bytes(data[24:28], "little") == zlib.crc32(data[32:])


def test_every_cut_is_noticed(plan):
    data = plans.encode(plan)
    for length in range(0, len(data), 97):
        with pytest.raises(GraphError, match="must be a whole Plan"):
            plans.decode(data[:length])


def test_every_change_is_noticed(plan):
    data = plans.encode(plan)
    for place in range(32, len(data), 61):
        changed = bytearray(data)
        changed[place] ^= 0x40
        with pytest.raises(GraphError, match="the checksum differs"):
            plans.decode(changed)


def test_damage_behind_a_right_checksum_is_an_error_or_a_plan(plan):
    data = plans.encode(plan)
    random = np.random.RandomState(0)
    for _ in range(300):
        changed = bytearray(data)
        changed[random.randint(32, len(data))] = random.randint(256)
        changed[24:28] = zlib.crc32(bytes(changed[32:])).to_bytes(4, "little")
        try:
            assert isinstance(plans.decode(changed), plans.Plan)
        except GraphError as error:
            assert "[plan]" in str(error)


def test_another_version_is_refused(plan):
    data = bytearray(plans.encode(plan))
    data[8] = 3
    with pytest.raises(GraphError, match="the version must be 2; it is 3"):
        plans.decode(data)


def test_text_names_what_is_there(plan):
    text = plans.text(plan)
    for part in ("plan everything", "input x: b0 float32(x.0, 6, 6, 2)", "shared w:", "alias:",
                 "conv(", "padding=same", "= relu(", "update before =", "output output_0:",
                 "check x.1 == 6: [input x] axis 1 must fit the shape"):
        assert part in text, part


def test_plans_are_compared_by_their_text(plan):
    other = plans.decode(plans.encode(plan))
    assert plans.diff(plan, other) == ""
    other.outputs[0] = ("renamed", other.outputs[0][1])
    changed = [line for line in plans.diff(plan, other).splitlines() if line[0] in "+-"][2:]
    assert len(changed) == 2 and changed[1].startswith("+output renamed:")


def nested(depth):
    """A Plan with a chain of sub-plans below it."""
    plan = plans.Plan(constants=[np.arange(depth + 1.0)], sizes=[("constant", depth + 1, 0)],
                      buffers=[plans.Buffer("float64", "constant", (0,))], outputs=[("y", 0)])
    if depth > 0:
        plan.plans = [nested(depth - 1)]
        plan.steps = [plans.Step("cond", "", {"then": plans.PlanRef(0)}, (), ())]
    return plan


def test_plans_within_plans_are_kept():
    data = plans.encode(nested(3))
    again = plans.decode(data)
    assert plans.encode(again) == data
    assert again.steps[0].attributes == {"then": 0}
    assert isinstance(again.steps[0].attributes["then"], plans.PlanRef)
    inner = again.plans[0].plans[0].plans[0]
    np.testing.assert_array_equal(inner.constants[0], [0.0])
    assert "then=plan 0" in plans.text(again) and " " * 12 + "output y" in plans.text(again)


def test_plans_go_no_deeper_than_the_format_says():
    plans.decode(plans.encode(nested(16)))
    with pytest.raises(GraphError, match="deeper than 16"):
        plans.decode(plans.encode(nested(17)))


def test_sub_plans_that_share_bytes_are_refused():
    plan = nested(1)
    plan.plans *= 2
    data = bytearray(plans.encode(plan))
    count = len(plans.encode(plan.plans[0]))
    table = data.index(struct.pack("<IQQQQ", 2, 64, count, 64 + count, count))
    data[table + 20:table + 28] = struct.pack("<Q", 64)
    data[24:28] = zlib.crc32(data[32:]).to_bytes(4, "little")
    with pytest.raises(GraphError, match="two sub-plans overlap at byte 64"):
        plans.decode(data)
