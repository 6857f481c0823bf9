"""Runs the steps whose results are the same at each call, and keeps what they give as constants.

Batch normalisation is such a case: its scale and bias are made of values that nothing changes. The
native kernels do the work, so that a folded function gives the same bits.
"""
import dataclasses

import numpy as np

from ..compile.native import core
from ..compile.plan import Plan, SizeRef, encode
from .model_file import Value

__all__ = ["fold", "changed", "written"]

# Steps that do more than to make their results.
_ACTING = ("print",)
_SMALL_BYTES = 1 << 16   # a result may be as large as what it is made of, or as this


def fold(functions, values):
    """The functions with such steps gone, and the values that are still needed.

    Args:     functions: ModelFunctions.  values: Values, in the order of their numbers.
    """
    changing = set()
    for function in functions:
        changing.update(function.values[shared] for shared in written(function.plan))
    folded = []
    for function in functions:
        frozen = {buffer: values[value].array for (_, buffer), value
                  in zip(function.plan.shared, function.values) if value not in changing}
        plan, kept = _without_unused(_folded(function.plan, frozen))
        folded.append(function._replace(plan=plan,
                                        values=tuple(function.values[number] for number in kept)))
    return _renumbered(folded, values)


def changed(plan, **parts):
    """A copy of a Plan with some parts replaced."""
    return dataclasses.replace(plan, **parts)


def written(plan):
    """The numbers of the shared values that a Plan changes."""
    numbers = {number for number, _ in plan.updates}
    buffers = {buffer: number for number, (_, buffer) in enumerate(plan.shared)}
    for step in plan.steps:
        numbers.update(buffers[output] for output in step.outputs if output in buffers)
    return numbers


def _folded(plan, frozen):
    """The Plan with results that never change as constants; `frozen`: shared buffers by number."""
    known = {number for number, buffer in enumerate(plan.buffers) if buffer.kind == "constant"}
    known.update(frozen)
    once = []   # the numbers of the steps to be run here
    for number, buffer in enumerate(plan.buffers):
        if buffer.kind == "alias" and _root(plan, number) in known:
            known.add(number)
    for number, step in enumerate(plan.steps):
        if _is_fixed(plan, step) and all(_root(plan, source) in known for source in step.inputs):
            known.update(step.outputs)
            once.append(number)
    if not once:
        return plan
    results = _results(plan, [plan.steps[number] for number in once], frozen)
    return _with_constants(plan, set(once), results)


def _root(plan, number):
    while plan.buffers[number].kind == "alias":
        number = plan.buffers[number].reference
    return number


def _is_fixed(plan, step):
    """Whether a step makes small results of known sizes, and does nothing else."""
    if step.kernel in _ACTING or any(plan.buffers[output].kind != "temporary"
                                     for output in step.outputs):
        return False
    if any(plan.sizes[size][0] != "constant" for size in _size_attributes(step)):
        return False
    sizes = [_bytes(plan, number) for number in step.inputs + step.outputs]
    if any(size is None for size in sizes):
        return False
    made = sum(sizes[len(step.inputs):])
    return made <= max(_SMALL_BYTES, sum(sizes[:len(step.inputs)]))


def _size_attributes(step):
    """The numbers of the sizes that a kernel asks for at binding."""
    for value in step.attributes.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, SizeRef):
                yield item


def _bytes(plan, number):
    """The bytes of a buffer, or None if they depend on the inputs."""
    buffer = plan.buffers[number]
    sizes = [plan.sizes[size] for size in buffer.shape]
    if any(kind != "constant" for kind, _, _ in sizes):
        return None
    return int(np.prod([size for _, size, _ in sizes], dtype=np.int64)
               * np.dtype(buffer.dtype).itemsize)


def _results(plan, steps, frozen):
    """{buffer: array} of what these steps make."""
    made = [output for step in steps for output in step.outputs]
    first = len(plan.constants)
    constants = list(plan.constants) + list(frozen.values())
    numbers = {buffer: first + number for number, buffer in enumerate(frozen)}
    buffers = [buffer._replace(kind="constant", reference=numbers[number])
               if number in numbers else buffer for number, buffer in enumerate(plan.buffers)]
    # Inputs that are not asked for need no place; what remains of them must be no source.
    buffers = [buffer._replace(kind="temporary", reference=0)
               if buffer.kind in ("input", "shared") else buffer for buffer in buffers]
    program = Plan(sizes=[size if size[0] == "constant" else ("constant", 0, 0)
                          for size in plan.sizes],
                   constants=constants, buffers=buffers, steps=steps,
                   outputs=[("output_%d" % number, buffer) for number, buffer in enumerate(made)],
                   plans=plan.plans)
    program, _ = _without_unused(program)
    arrays = core().Program(encode(program), []).run([])
    return dict(zip(made, arrays))


def _with_constants(plan, gone, results):
    """The Plan without the steps in `gone`, their results being constants."""
    steps = [step for number, step in enumerate(plan.steps) if number not in gone]
    buffers, constants = list(plan.buffers), list(plan.constants)
    for number, array in results.items():
        buffers[number] = buffers[number]._replace(kind="constant", reference=len(constants))
        constants.append(array)
    return changed(plan, steps=steps, buffers=buffers, constants=constants)


def _without_unused(plan):
    """The Plan without buffers, constants and shared values that nothing uses.

    Returns:  (plan, the numbers that its shared values had).
    """
    touched = [number for step in plan.steps for number in step.inputs + step.outputs]
    touched += [number for _, number in plan.outputs + plan.inputs + plan.updates]
    used = {number for one in touched for number in _chain(plan, one)}
    updated = {number for number, _ in plan.updates}
    shared = [number for number, (_, buffer) in enumerate(plan.shared)
              if buffer in used or number in updated]
    used.update(plan.shared[number][1] for number in shared)
    order = sorted(used)
    place = {old: new for new, old in enumerate(order)}
    shared_place = {old: new for new, old in enumerate(shared)}
    constants, buffers = [], []
    for old in order:
        buffer = plan.buffers[old]
        if buffer.kind == "constant":
            constants.append(plan.constants[buffer.reference])
            buffer = buffer._replace(reference=len(constants) - 1)
        elif buffer.kind == "alias":
            buffer = buffer._replace(reference=place[buffer.reference])
        elif buffer.kind == "shared":
            buffer = buffer._replace(reference=shared_place[buffer.reference])
        buffers.append(buffer)

    def moved(items):
        return [(name, place[buffer]) for name, buffer in items]

    steps = [step._replace(inputs=tuple(place[number] for number in step.inputs),
                           outputs=tuple(place[number] for number in step.outputs))
             for step in plan.steps]
    return changed(plan, buffers=buffers, constants=constants, steps=steps,
                   inputs=moved(plan.inputs), outputs=moved(plan.outputs),
                   shared=moved([plan.shared[number] for number in shared]),
                   updates=[(shared_place[number], place[buffer])
                            for number, buffer in plan.updates]), shared


def _chain(plan, number):
    """A buffer, and those that it is an alias of."""
    chain = [number]
    while plan.buffers[number].kind == "alias":
        number = plan.buffers[number].reference
        chain.append(number)
    return chain


def _renumbered(functions, values):
    """Functions and values without the values that no function uses any more."""
    used = sorted({number for function in functions for number in function.values})
    place = {old: new for new, old in enumerate(used)}
    functions = [function._replace(values=tuple(place[number] for number in function.values))
                 for function in functions]
    return functions, [Value(*values[number]) for number in used]
