"""The stages and rules as a page: `python -m symk.optimize.document` prints the generated part of
docs/optimize.md, which a test compares with it.
"""
import textwrap

from .canonicalise import CANONICALISE
from .simplify import SIMPLIFY
from .stabilise import BEFORE_GRADIENTS, STABILISE
from .stages import STAGES

__all__ = ["page"]

_TABLES = (
    ("canonicalise", CANONICALISE, "One form for what can be written in several."),
    ("simplify", SIMPLIFY, "The same values with less work, for every input."),
    ("stabilise", STABILISE, "The same in real arithmetic, without overflow and cancellation."),
    ("before gradients", [row for row in BEFORE_GRADIENTS if row not in STABILISE],
     "Besides those of `stabilise`, only on what is about to be differentiated."),
)


def page():
    """The lists of stages and of rules, in Markdown."""
    lines = ["## Stages", "", "| stage | why it stands there |", "|---|---|"]
    lines += ["| %s | %s |" % (stage.name, stage.reason) for stage in STAGES]
    lines += ["", "## Rules", ""]
    for name, rules, meaning in _TABLES:
        lines += ["### %s" % name, "", meaning, ""]
        for row in rules:
            lines += textwrap.wrap("- `%s`%s" % (row.name, _guarded(row)), 100,
                                   subsequent_indent="  ")
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def _guarded(row):
    """The first line of the guard's meaning, where a function of its own says it."""
    meaning = row.when.__doc__ if row.when is not None else None
    return ": if %s" % _lower_first(meaning.strip().splitlines()[0]) if meaning else ""


def _lower_first(text):
    text = text[0].lower() + text[1:].rstrip(".")
    return text[len("whether "):] if text.startswith("whether ") else text


if __name__ == "__main__":
    print(page(), end="")
