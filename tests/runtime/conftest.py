"""Small Plans made by hand, for tests of the runtime alone: no graph and no compiler take part."""
import types

import numpy as np
import pytest

from symk.compile.plan import Buffer, Plan, PlanRef, SizeRef, Step, encode

core = pytest.importorskip("symk._core", reason="the native runtime is not built")


class Builder:
    """Collects a Plan. Shapes are tuples of ints and of numbers returned by `size` (as SizeRef)."""

    def __init__(self):
        self.plan = Plan()

    def size(self, kind, a, b=0):
        self.plan.sizes.append((kind, int(a), int(b)))
        return SizeRef(len(self.plan.sizes) - 1)

    def _sizes(self, shape):
        return tuple(s if isinstance(s, SizeRef) else self.size("constant", s) for s in shape)

    def buffer(self, dtype, kind, shape, reference=0):
        self.plan.buffers.append(Buffer(dtype, kind, self._sizes(shape), reference))
        return len(self.plan.buffers) - 1

    def input(self, name, shape, dtype="float32"):
        """`None` in the shape is a size of this input's own."""
        number = len(self.plan.inputs)
        shape = tuple(self.size("input", number, axis) if s is None else s
                      for axis, s in enumerate(shape))
        buffer = self.buffer(dtype, "input", shape, number)
        self.plan.inputs.append((name, buffer))
        return buffer

    def constant(self, value, dtype="float32"):
        value = np.asarray(value, dtype)
        self.plan.constants.append(value)
        return self.buffer(dtype, "constant", value.shape, len(self.plan.constants) - 1)

    def shared(self, name, shape, dtype="float32"):
        buffer = self.buffer(dtype, "shared", shape, len(self.plan.shared))
        self.plan.shared.append((name, buffer))
        return buffer

    def temporary(self, like, dtype=None):
        old = self.plan.buffers[like]
        return self.buffer(dtype or old.dtype, "temporary", tuple(map(SizeRef, old.shape)))

    def alias(self, of, shape):
        return self.buffer(self.plan.buffers[of].dtype, "alias", shape, of)

    def step(self, kernel, operands, results, in_place=(), origin="", **attributes):
        self.plan.steps.append(Step(kernel, origin, attributes, tuple(operands), tuple(results),
                                    tuple(in_place)))

    def apply(self, operation, *inputs, out=None, in_place=()):
        """One elementwise operation on buffers; the result is shaped as the first."""
        out = self.temporary(inputs[0]) if out is None else out
        self.step("elementwise", inputs, (out,), in_place, ops=(operation,),
                  dtypes=(self.plan.buffers[out].dtype,), arity=(len(inputs),),
                  args=tuple(range(len(inputs))), outs=(len(inputs),))
        return out

    def shape(self, buffer):
        """The sizes of a buffer, to make others of them."""
        return tuple(map(SizeRef, self.plan.buffers[buffer].shape))

    def sub_plan(self, builder):
        self.plan.plans.append(builder.plan)
        return PlanRef(len(self.plan.plans) - 1)

    def scan(self, body, sequences=(), states=(), invariants=(), rows=(), reverse=0, length=None,
             origin=""):
        """A loop. `rows` are the shapes of the outputs of all steps; returns all results."""
        results = [self.temporary(state) for state in states]
        results += [self.buffer("float32", "temporary", shape) for shape in rows]
        length = {} if length is None else {"length": length}
        self.step("scan", (*sequences, *states, *invariants), results, origin=origin,
                  body=self.sub_plan(body), sequences=len(sequences), states=len(states),
                  outputs=len(rows), reverse=reverse, **length)
        return results

    def cond(self, predicate, then, otherwise, inputs, results):
        """A branch; `results` are buffers."""
        sides = {"then": self.sub_plan(then), "else": self.sub_plan(otherwise)}
        self.step("cond", (predicate, *inputs), results, **sides)
        return results

    def output(self, buffer, name="y"):
        self.plan.outputs.append((name, buffer))

    def update(self, shared, buffer):
        number = [b for _, b in self.plan.shared].index(shared)
        self.plan.updates.append((number, buffer))

    def encode(self):
        return encode(self.plan)

    def program(self, *tensors):
        return core.Program(self.encode(), list(tensors))


def plus_one():
    """y = x + 1 for x of shape (n, 3)."""
    b = Builder()
    x = b.input("x", (None, 3))
    b.output(b.apply("add", x, b.constant(1.0)))
    return b


def chain(length, in_place=False):
    """y = x + 1 + 1 ..., `length` times, each in a step of its own."""
    b = Builder()
    value = b.input("x", (None,))
    one = b.constant(1.0)
    for number in range(length):
        pairs = ((0, 0),) if in_place and number > 0 else ()
        value = b.apply("add", value, one, in_place=pairs)
    b.output(value)
    return b


def counter():
    """y = w * x; then w <- w + x, for w of shape (4,)."""
    b = Builder()
    x, w = b.input("x", (4,)), b.shared("w", (4,))
    b.output(b.apply("mul", w, x))
    b.update(w, b.apply("add", w, x))
    return b


@pytest.fixture
def plans():
    """The builder and the ready-made Plans."""
    return types.SimpleNamespace(Builder=Builder, plus_one=plus_one, chain=chain, counter=counter,
                                 core=core, SizeRef=SizeRef)
