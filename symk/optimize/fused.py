"""The op that fusion makes: a program of elementwise ops, run in one pass over memory."""
import numpy as np

from ..graph import Op, TensorType, op, registered_ops
from ..ops.checks import broadcast_shapes
from ..ops.samples import sample

__all__ = ["Fused", "program_op"]


def program_op(name, dtype):
    """The elementwise op that one instruction stands for."""
    cls = registered_ops()[name]
    return cls(dtype) if name == "cast" else cls()


@op("fused", kind="fused")
class Fused(Op):
    """Instruction k applies `ops[k]` to `arity[k]` values named in `args`, and makes value n + k.

    The n operands are the values 0 .. n-1; `dtypes` are those of the instructions' results, `outs`
    the values that are results of the node.

    Shapes: the operands broadcast to one shape, which all results have.
    """

    ops: tuple = ()
    dtypes: tuple = ()
    arity: tuple = ()
    args: tuple = ()
    outs: tuple = ()

    def infer(self, *types):
        shape = broadcast_shapes(self.name, *types)
        return tuple(TensorType(self.dtypes[value - len(types)], shape) for value in self.outs)

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

    def reference(self, *arrays):
        values = list(arrays)
        for name, dtype, places in self.instructions():
            value = program_op(name, dtype).reference(*(values[place] for place in places))
            values.append(np.asarray(value, dtype=dtype))
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        return tuple(np.broadcast_to(values[out], shape) for out in self.outs)

    samples = [
        sample((3, 4), (4,), ops=("mul", "exp"), dtypes=("float32", "float32"), arity=(2, 1),
               args=(0, 1, 2), outs=(3,)),
        sample((3, 4), (3, 4), ops=("add", "neg"), dtypes=("float32", "float32"), arity=(2, 1),
               args=(0, 1, 2), outs=(2, 3)),
    ]
