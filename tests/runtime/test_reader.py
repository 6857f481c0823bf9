"""Damaged Plans: refused with a reason, never a crash."""
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest

import symk
from symk.graph.errors import GraphError

PACKAGE = os.path.dirname(symk.__file__)
PROGRAM = os.path.join(os.path.dirname(__file__), "hostile_plans.py")


def feed(seed, count):
    done = subprocess.run([sys.executable, "-X", "faulthandler", PROGRAM, str(seed), str(count)],
                          capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
    assert done.returncode == 0, done.stderr[-2000:]
    refused, ran = (int(word) for word in done.stdout.split() if word.isdigit())
    assert refused + ran == count
    assert refused > count // 2 and ran > 0   # the damage is neither harmless nor always fatal


def test_damaged_plans_do_not_crash():
    feed(seed=1, count=4000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_many_damaged_plans_do_not_crash(seed):
    feed(seed, 10000)


def test_every_truncation_is_refused(plans):
    data = plans.plus_one().encode()
    for count in range(len(data)):
        with pytest.raises(GraphError, match=r"^\[plan\] "):
            plans.core.Program(data[:count], [])


def test_every_changed_byte_is_refused(plans):
    data = plans.plus_one().encode()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x10
        with pytest.raises(GraphError, match=r"^\[plan\] "):
            plans.core.Program(bytes(changed), [])


def test_a_later_version_is_named(plans):
    data = bytearray(plans.plus_one().encode())
    data[8] = 3
    with pytest.raises(GraphError, match="must be 2; this Plan has version 3. Export it again"):
        plans.core.Program(bytes(data), [])


def broken(plans, change):
    """A sound Plan of x + 1 with one thing wrong in it."""
    b = plans.plus_one()
    b.output(b.alias(b.plan.outputs[0][1], (1, 3)), "z")
    change(b.plan, b)
    return b.encode()


def set_buffer(number, **fields):
    def change(plan, _):
        plan.buffers[number] = plan.buffers[number]._replace(**fields)
    return change


def set_step(**fields):
    def change(plan, _):
        plan.steps[0] = plan.steps[0]._replace(**fields)
    return change


@pytest.mark.parametrize("change, message", [
    (set_buffer(0, shape=(99, 0)), "number of a size must be below .* it is 99"),
    (set_buffer(0, shape=(0,) * 9), "at most 8 axes; one has 9"),
    (set_buffer(0, reference=-1), "number of a input must be below 1"),
    (set_buffer(1, reference=7), "number of a constant must be below 1; it is 7"),
    (set_buffer(3, reference=3), "number of a buffer before an alias must be below 3; it is 3"),
    (set_buffer(3, dtype="int8"), "an alias must have the dtype of its buffer"),
    (set_buffer(1, shape=(1,)), "constant 0 must have 12 bytes for its shape; it has 4"),
    (set_step(inputs=(0, 50)), "number of a buffer must be below 4; it is 50"),
    (set_step(inputs=(2, 1)), "must read what an earlier step has written"),
    (set_step(outputs=(0,)), "must write a fresh temporary or a shared value; buffer 0"),
    (set_step(outputs=(2, 2)), "must write a fresh temporary"),
    (set_step(outputs=(3,)), "must write a fresh temporary"),
    (set_step(in_place=((0, 2),)), "number of a input in in_place must be below 2; it is 2"),
    (lambda plan, b: plan.inputs.append(("again", 0)), "buffer of input 1 must refer to it"),
    (lambda plan, b: plan.buffers.append(plan.buffers[0]), "each input must have one buffer"),
    (lambda plan, b: plan.outputs.append(("w", 17)), "number of a buffer must be below 4"),
    (lambda plan, b: plan.updates.append((0, 0)), "number of a shared value must be below 0"),
    (lambda plan, b: plan.checks.append((0, 64, "")), "number of a size must be below"),
    (lambda plan, b: plan.sizes.append(("add", 0, len(plan.sizes))), "size before a size"),
    (lambda plan, b: plan.sizes.append(("input", 0, 2)), "axis of an input must be below 2"),
    (lambda plan, b: plan.steps.clear(), "output y must read what an earlier step has written"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_every_wrong_reference_is_named(plans, change, message):
    with pytest.raises(GraphError, match=message):
        plans.core.Program(broken(plans, change), [])


def test_two_updates_of_one_value_are_refused(plans):
    b = plans.counter()
    b.plan.updates.append(b.plan.updates[0])
    with pytest.raises(GraphError, match="the update of w must be the only one"):
        b.program(plans.core.Tensor(np.zeros(4, "float32")))


def test_a_text_must_be_utf8(plans):
    data = plans.plus_one().encode()
    from_name = bytearray(data)
    place = data.index(b"elementwise")
    for bad in (b"\xff", b"\0", b"\xc0", b"\xed"):
        from_name[place:place + 1] = bad
        from_name[24:28] = zlib.crc32(from_name[32:]).to_bytes(4, "little")
        with pytest.raises(GraphError, match="must be UTF-8"):
            plans.core.Program(bytes(from_name), [])
