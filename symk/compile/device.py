"""How a device does a function, as text: what is replayed, what runs on the host, and why."""
from collections import Counter

__all__ = ["text"]

# What the runtime says of a part, for people.
_HOW = {
    "first": "done one by one; the second call of these shapes records them",
    "second": "done one by one; the next call of these shapes records them",
    "refused": "done one by one: a recording is not possible here, or not worth it",
}


def text(program):
    """The device of a native program, then the parts of the call made last."""
    lines = ["device %s" % program.device]
    if not program.moves_arrays:
        return lines[0] + "\nsteps run one after the other on the host"
    parts = program.parts()
    if not parts:
        lines.append("no call has been made, or there are no steps")
    return "\n".join(lines + [_line(program.plan.steps, *part) for part in parts])


def _line(steps, first, last, how, size, manners, branches):
    if how == "hosted":
        names = sorted({step.kernel for step in steps[first:last + 1]})
        meaning = "not recorded, since each call needs the host: %s" % ", ".join(names)
    elif how == "recorded":
        meaning = "replayed as one graph of %d launches and copies" % size
        meaning += " in %d branches" % branches * (branches > 1)
    else:
        meaning = _HOW[how]
    lines = ["steps %4d..%-4d  %s" % (first, last, meaning)]
    lines += ["%18s%d x %s" % ("", count, manner) for manner, count in Counter(manners).items()]
    return "\n".join(lines)
