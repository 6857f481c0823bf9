"""The profile: each step's time, bytes and operations, beside what the machine can do at best.

A step cannot be faster than moving its bytes from memory, nor than its multiply-adds from registers
(the roofline model; Williams, Waterman & Patterson 2009). The share of that limit that it reaches
is printed beside it; what works in the caches may reach more than 100 %.
"""
import collections
import typing

import numpy as np

from ..graph.dtype import size_bytes
from ..graph.node import registered_ops
from ..graph.type import TensorType
from .plan import SizeRef, evaluate_sizes

__all__ = ["Row", "rows", "text"]


class Row(typing.NamedTuple):
    """One step in one call, on average: time in nanoseconds, bytes and operations."""

    number: int
    kernel: str
    origin: str
    time_ns: float
    size_bytes: int
    flops: int

    def limit_ns(self, limits):
        """The least time that the machine needs."""
        moving = self.size_bytes / limits["bytes_per_s"]
        return 1e9 * max(moving, self.flops / limits["flops_per_s"])


def rows(program):
    """The rows of a native program's steps. Sizes are those of the call made last."""
    plan, calls = program.plan, max(program.timed_calls(), 1)
    shapes = program.last_shapes()
    sizes = evaluate_sizes(plan, shapes) if shapes is not None else None
    result = []
    for number, (step, (_, _, time_ns)) in enumerate(zip(plan.steps, program.times())):
        known = (0, 0) if sizes is None else (_bytes(plan, step, sizes), _flops(plan, step, sizes))
        result.append(Row(number, _name(step), step.origin, time_ns / calls, *known))
    return result


def text(program):
    """The profile as a table, grouped by layer, the slowest layer first."""
    calls = program.timed_calls()
    if not calls:
        return ("no call has been timed: compile with profile=True, or turn it on by "
                "f.profile(), and call the function")
    limits = program.limits()
    steps = rows(program)
    total = sum(row.time_ns for row in steps)
    lines = ["%d calls, %.1f us in steps per call; this machine: %.1f Gflop/s, %.1f GB/s, "
             "%d threads" % (calls, total / 1e3, limits["flops_per_s"] / 1e9,
                             limits["bytes_per_s"] / 1e9, limits["threads"]),
             "sizes are those of the last call",
             "%5s  %-34s %10s %6s %9s %9s %8s" % ("step", "kernel", "us", "share", "KB", "Kflop",
                                                  "of limit")]
    for layer, inside in _by_layer(steps):
        lines.append("%-41s %10.1f %5.1f%%" % (layer, sum(row.time_ns for row in inside) / 1e3,
                                               _percent(sum(r.time_ns for r in inside), total)))
        lines += [_line(row, total, limits) for row in inside]
    return "\n".join(lines)


def _line(row, total, limits):
    name = row.kernel if len(row.kernel) <= 34 else row.kernel[:31] + "..."
    return "%5d  %-34s %10.1f %5.1f%% %9.1f %9.1f %7.0f%%" % (
        row.number, name, row.time_ns / 1e3, _percent(row.time_ns, total), row.size_bytes / 1e3,
        row.flops / 1e3, _percent(row.limit_ns(limits), row.time_ns))


def _percent(part, whole):
    return 100 * part / whole if whole else 0.0


def _by_layer(steps):
    """[(layer, its rows)], the layer with most time first."""
    layers = collections.defaultdict(list)
    for row in steps:
        name = row.origin.rpartition(", ")[0] if row.origin.startswith("layer ") else ""
        layers[name or "no layer"].append(row)
    return sorted(layers.items(), key=lambda item: -sum(row.time_ns for row in item[1]))


def _name(step):
    """The kernel; of an elementwise program its ops, and what reduces their values."""
    return " ".join(_instructions(step)) if _is_program(step) else step.kernel


def _is_program(step):
    return step.kernel in ("elementwise", "fused_reduce", "fused_scatter")


def _instructions(step):
    """What a program does with each element."""
    return [*step.attributes["ops"], *filter(None, step.attributes.get("reductions", ()))]


def _types(plan, buffers, sizes):
    """The types of operands."""
    return [TensorType(plan.buffers[number].dtype,
                       [sizes[size] for size in plan.buffers[number].shape]) for number in buffers]


def _bytes(plan, step, sizes):
    types = _types(plan, step.inputs + step.outputs, sizes)
    return sum(type.size * size_bytes(type.dtype) for type in types)


def _flops(plan, step, sizes):
    """The operations of a step; 0 for what only moves elements, and for one that is not known."""
    inputs, outputs = (_types(plan, b, sizes) for b in (step.inputs, step.outputs))
    if step.kernel == "scan":
        return _loop_flops(plan, step, inputs, sizes)
    if step.kernel == "cond":
        return _branch_flops(plan, step, inputs)
    if _is_program(step):
        elements = np.prod(np.broadcast_shapes(*(type.shape for type in inputs)), dtype=int)
        return len(_instructions(step)) * int(elements)
    op = registered_ops().get(step.kernel)
    return op.flops(inputs, outputs) if op is not None else 0


def _branch_flops(plan, step, inputs):
    """The operations of the larger side: which one a call takes, the Plan does not know."""
    sides = [plan.plans[step.attributes[key]] for key in ("then", "else")]
    shapes = [type.shape for type in inputs[1:]]
    return max(_all_flops(side, evaluate_sizes(side, shapes)) for side in sides)


def _all_flops(plan, sizes):
    return sum(_flops(plan, step, sizes) for step in plan.steps)


def _loop_flops(plan, step, inputs, sizes):
    """The operations of all steps of a loop."""
    body, sequences = plan.plans[step.attributes["body"]], step.attributes["sequences"]
    shapes = [type.shape[1:] for type in inputs[:sequences]]
    shapes += [type.shape for type in inputs[sequences:]]
    inner = evaluate_sizes(body, shapes)
    length = step.attributes["length"]
    length = sizes[length] if isinstance(length, SizeRef) else length
    return length * _all_flops(body, inner)
