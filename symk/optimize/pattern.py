"""The language in which rules say what they look for.

A pattern is
    "x"                      any variable; the same name again must be the same variable
    2                        a variable all of whose elements are this number
    NUMBER("c")              a variable whose elements are all one number, known now
    ("exp", "x")             a use of that op on operands that match
    ("softmax:s", "x")       the same, and the result is bound to the name s
Operands of commutative ops match in both orders. A rule's replacement and guard get a `Match`:
`m.x` is the variable of that name, `m.number("c")` the number, `m.op("s")` the op of a result.
"""
import numpy as np

from ..graph.node import Constant

__all__ = ["COMMUTATIVE", "NUMBER", "Match", "compile_pattern", "number_of"]

COMMUTATIVE = frozenset(("add", "mul", "maximum", "minimum", "equal", "not_equal", "logical_and",
                         "logical_or", "logical_xor"))

# Larger arrays are not read to find out whether all their elements are equal.
_UNIFORM_LIMIT = 4096


class NUMBER(str):
    """A pattern: a name for a variable whose elements are all one number, known now."""

    __slots__ = ()


class Match:
    """What a pattern has found: `root`, which is to be replaced, and variables by name."""

    def __init__(self, root, found):
        self.__dict__.update(found)
        self.root = root

    def number(self, name):
        """The number that all elements of a variable are."""
        return number_of(getattr(self, name))

    def op(self, name):
        """The op that made a variable."""
        return getattr(self, name).node.op


def number_of(variable):
    """The one number that all elements of a variable are, if that is known now, else None."""
    while variable.node is not None and variable.node.op.name in ("broadcast_to", "reshape"):
        variable = variable.node.inputs[0]
    if not isinstance(variable, Constant) or not 0 < variable.value.size <= _UNIFORM_LIMIT:
        return None
    first = variable.value.flat[0]
    if variable.value.size > 1 and not np.all(variable.value == first):
        return None
    return first.item()


def compile_pattern(pattern):
    """A pattern as a function (variable, found) -> whether it matches, filling `found`."""
    if isinstance(pattern, NUMBER):
        return _named(str(pattern), lambda variable: number_of(variable) is not None)
    if isinstance(pattern, str):
        return _named(pattern, lambda variable: True)
    if isinstance(pattern, tuple):
        return _use(pattern)
    return lambda variable, found: _is_number(variable, pattern)


def _is_number(variable, wanted):
    value = number_of(variable)
    return value is not None and value == wanted


def _named(name, accepts):
    def match(variable, found):
        if name in found:
            return found[name] is variable
        if not accepts(variable):
            return False
        found[name] = variable
        return True
    return match


def _use(pattern):
    name, _, label = pattern[0].partition(":")
    parts = [compile_pattern(part) for part in pattern[1:]]
    orders = [parts]
    if name in COMMUTATIVE:
        orders.append(parts[::-1])

    def match(variable, found):
        node = variable.node
        if node is None or node.op.name != name or len(node.inputs) != len(parts):
            return False
        for order in orders:
            trial = dict(found)
            if not _all_match(order, node.inputs, trial):
                continue
            if label and trial.setdefault(label, variable) is not variable:
                continue
            found.update(trial)
            return True
        return False
    return match


def _all_match(parts, operands, found):
    for part, operand in zip(parts, operands):
        if not part(operand, found):
            return False
    return True
