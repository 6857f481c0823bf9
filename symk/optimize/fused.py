"""The ops that fusion makes: a program of elementwise ops, run in one pass over memory, the same
with results that are reduced on the way, and with an operand that is rows added into zeros.
"""
import dataclasses

import numpy as np

from ..graph import GraphError, Op, TensorType, apply, op, registered_ops
from ..ops.checks import broadcast_shapes, need_axes
from ..ops.index import ScatterAdd
from ..ops.samples import sample, values

__all__ = ["REDUCTIONS", "Fused", "FusedReduce", "FusedScatter", "program_op"]

# The reductions that a program can do with its values.
REDUCTIONS = ("sum", "mean", "prod", "max", "min", "any", "all")


def program_op(name, dtype):
    """The elementwise op that one instruction stands for."""
    cls = registered_ops()[name]
    return cls(dtype) if name == "cast" else cls()


@dataclasses.dataclass(frozen=True, repr=False)
class Program(Op):
    """Instruction k applies `ops[k]` to `arity[k]` values named in `args`, and makes value n + k.

    The n operands are the values 0 .. n-1; `dtypes` are those of the instructions' results, `outs`
    the values that are results of the node.

    Shapes: the operands broadcast to one shape, over which the program runs.
    """

    ops: tuple = ()
    dtypes: tuple = ()
    arity: tuple = ()
    args: tuple = ()
    outs: tuple = ()

    def dtype_of(self, value, types):
        """The dtype of a value, given the types of the operands."""
        return self.dtypes[value - len(types)] if value >= len(types) else types[value].dtype

    def instructions(self):
        """(op name, dtype of the result, values) of each instruction."""
        start = 0
        for name, dtype, arity in zip(self.ops, self.dtypes, self.arity):
            yield name, dtype, self.args[start:start + arity]
            start += arity

    def describe(self):
        """One formula per instruction: x0, x1, ... are the operands, t0, t1, ... the results."""
        # The last instruction's value is always a result, so it is the highest that is named.
        count = max(self.args + self.outs) + 1 - len(self.ops)
        names = ["x%d" % k for k in range(count)] + ["t%d" % k for k in range(len(self.ops))]
        lines = ["%s = %s(%s)" % (names[count + number], name,
                                  ", ".join(names[place] for place in places))
                 for number, (name, _, places) in enumerate(self.instructions())]
        return "; ".join(lines + ["-> " + ", ".join(names[out] for out in self.outs)])

    def results_of(self, arrays):
        """The values that `outs` names, as arrays of the one shape."""
        values = list(arrays)
        for name, dtype, places in self.instructions():
            value = program_op(name, dtype).reference(*(values[place] for place in places))
            values.append(np.asarray(value, dtype=dtype))
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        return [np.broadcast_to(values[out], shape) for out in self.outs]


@op("fused", kind="fused")
class Fused(Program):
    """A program all of whose results are written.

    Shapes: operands -> the shape that they broadcast to.
    """

    def infer(self, *types):
        shape = broadcast_shapes(self.name, *types)
        return tuple(TensorType(self.dtype_of(value, types), shape) for value in self.outs)

    def reference(self, *arrays):
        return tuple(self.results_of(arrays))

    samples = [
        sample((3, 4), (4,), ops=("mul", "exp"), dtypes=("float32", "float32"), arity=(2, 1),
               args=(0, 1, 2), outs=(3,)),
        sample((3, 4), (3, 4), ops=("add", "neg"), dtypes=("float32", "float32"), arity=(2, 1),
               args=(0, 1, 2), outs=(2, 3)),
    ]


@op("fused_reduce", kind="fused_reduce")
class FusedReduce(Program):
    """A program whose result k goes through `reductions[k]`, over `axes`, unless that is "".

    Shapes: operands -> the shape they broadcast to, without the axes where a result is reduced.
    """

    reductions: tuple = ()
    axes: tuple = ()

    def infer(self, *types):
        shape = broadcast_shapes(self.name, *types)
        if len(self.reductions) != len(self.outs) or not set(self.reductions) <= {"", *REDUCTIONS}:
            raise GraphError("[fused_reduce] there must be one reduction per result, of %s; given "
                             "are %s." % (", ".join(REDUCTIONS), self.reductions))
        need_axes(self.name, self.axes, len(shape))
        rest = tuple(size for axis, size in enumerate(shape) if axis not in self.axes)
        return tuple(TensorType(self.dtype_of(value, types), rest if reduction else shape)
                     for value, reduction in zip(self.outs, self.reductions))

    def describe(self):
        text, _, results = Program.describe(self).rpartition("-> ")
        named = ["%s(%s, axes=%s)" % (reduction, result, self.axes) if reduction else result
                 for result, reduction in zip(results.split(", "), self.reductions)]
        return text + "-> " + ", ".join(named)

    def reference(self, *arrays):
        return tuple(
            registered_ops()[reduction](self.axes).reference(value) if reduction else value
            for value, reduction in zip(self.results_of(arrays), self.reductions))

    samples = [
        sample((5, 4), (4,), ops=("mul",), dtypes=("float32",), arity=(2,), args=(0, 1),
               outs=(2, 2, 0), reductions=("sum", "", "max"), axes=axes)
        for axes in ((0,), (1,), (0, 1))
    ] + [
        sample((2, 3, 4), ops=("square", "neg"), dtypes=("float32", "float32"), arity=(1, 1),
               args=(0, 1), outs=(2, 0), reductions=("mean", "min"), axes=axes)
        for axes in ((1,), (0, 2), (0,), (2,))
    ] + [
        sample((0, 3), ops=("exp",), dtypes=("float32",), arity=(1,), args=(0,), outs=(1,),
               reductions=("sum",), axes=(0,)),
        sample((3, 1500), ops=("tanh",), dtypes=("float32",), arity=(1,), args=(0,), outs=(1,),
               reductions=("sum",), axes=(0,)),
        sample((3, 5000), ops=("tanh",), dtypes=("float32",), arity=(1,), args=(0,), outs=(1, 1),
               reductions=("sum", ""), axes=(1,)),
    ]
    bad = [sample((3, 4), ops=("neg",), dtypes=("float32",), arity=(1,), args=(0,), outs=(1,),
                  reductions=("median",), axes=(1,), error="one reduction per result")]


@op("fused_scatter", kind="fused_scatter")
class FusedScatter(Program):
    """A program that writes all of its results; operand `place` is rows that are added into zeros.

    The last input, the indices, is no operand of the program. The rows are added as
    ScatterAdd(axis, size) adds them, and the sum is never in memory.

    Shapes: operands -> the shape that they broadcast to, which is that of the sum.
    """

    place: int = 0
    axis: int = 0
    size: object = 0

    def _scatter(self):
        return ScatterAdd(self.axis, self.size)

    def _operands(self, inputs, made):
        """The operands of the program, with what the rows make in their place."""
        return [made if k == self.place else operand for k, operand in enumerate(inputs[:-1])]

    def infer(self, *types):
        if not 0 <= self.place < len(types) - 1:
            raise GraphError("[fused_scatter] the rows must be an operand before the indices; "
                             "place is %d of %d inputs." % (self.place, len(types)))
        made = self._scatter().infer(types[self.place], types[-1])
        operands = self._operands(types, made)
        if broadcast_shapes(self.name, *operands) != made.shape:
            raise GraphError("[fused_scatter] the program must have the shape of the sum of rows; "
                             "the operands are %s." % ", ".join(map(repr, operands)))
        return tuple(TensorType(self.dtype_of(value, operands), made.shape) for value in self.outs)

    def reference(self, *arrays):
        made = self._scatter().reference(arrays[self.place], arrays[-1])
        return tuple(self.results_of(self._operands(arrays, made)))

    def expand(self, *inputs):
        made = apply(self._scatter(), inputs[self.place], inputs[-1])
        program = Fused(self.ops, self.dtypes, self.arity, self.args, self.outs)
        return apply(program, *self._operands(inputs, made))

    samples = [
        sample((5, 3), (4, 3), values((4,), "int64", -5, 4), ops=("mul", "sub"),
               dtypes=("float32", "float32"), arity=(2, 2), args=(0, 1, 0, 2), outs=(2, 3), place=1,
               size=5),
        sample((2, 2, 3), (), (5, 1, 3), values((2, 2), "int32", 0, 4), ops=("mul", "add"),
               dtypes=("float32", "float32"), arity=(2, 2), args=(0, 1, 3, 2), outs=(4,), size=5),
        sample((40, 700), (700,), values((40,), "int32", -90, 89), ops=("mul",),
               dtypes=("float32",), arity=(2,), args=(0, 1), outs=(2,), size=90),
        sample((5, 33, 2), (5, 9, 2), values((9,), "int32", 0, 32), ops=("add",),
               dtypes=("float32",), arity=(2,), args=(0, 1), outs=(2,), place=1, axis=1, size=33),
        sample((0, 3), (5, 3), values((0,), "int64", 0, 4), ops=("add",), dtypes=("float32",),
               arity=(2,), args=(0, 1), outs=(2,), size=5),
    ]
    bad = [sample((4, 3), values((4,), "int64", 0, 2), ops=("neg",), dtypes=("float32",),
                  arity=(1,), args=(0,), outs=(1,), place=1, size=5,
                  error="an operand before the indices"),
           sample((4, 3), (2, 5, 3), values((4,), "int64", 0, 2), ops=("add",),
                  dtypes=("float32",), arity=(2,), args=(0, 1), outs=(2,), size=5,
                  error="the shape of the sum")]
