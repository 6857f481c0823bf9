"""The tables, which the other files fill: for each op of symk the function that writes it, and for
each op of ONNX what it means.

rule(writer, node) gives the name of the result, a list of names for several, `First` around a name
whose axes have the channels first, or NotImplemented where the expansion of the op is to be
written in place of it. meaning(reader, attributes, *operands) gives a Variable, or a list of them;
an operand that is left out is None.
"""
import typing

__all__ = ["MEANINGS", "RULES", "First", "meaning", "rule"]

RULES, MEANINGS = {}, {}


class First(typing.NamedTuple):
    """The name of a value whose channels, in symk its last axis, are its second axis."""

    name: str


def rule(*names):
    """Decorator: the function writes the ops of these names."""
    def decorate(function):
        RULES.update(dict.fromkeys(names, function))
        return function
    return decorate


def meaning(*names):
    """Decorator: the function says what the ops of ONNX with these names mean."""
    def decorate(function):
        MEANINGS.update(dict.fromkeys(names, function))
        return function
    return decorate
