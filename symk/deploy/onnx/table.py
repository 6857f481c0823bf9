"""The table of rules: for each op of symk, the function that writes it. Filled by the other files.

rule(writer, node) gives the name of the result, a list of names for several, `First` around a name
whose axes have the channels first, or NotImplemented where the expansion of the op is to be
written in place of it.
"""
import typing

__all__ = ["RULES", "First", "rule"]

RULES = {}


class First(typing.NamedTuple):
    """The name of a value whose channels, in symk its last axis, are its second axis."""

    name: str


def rule(*names):
    """Decorator: the function writes the ops of these names."""
    def decorate(function):
        RULES.update(dict.fromkeys(names, function))
        return function
    return decorate
