"""The op that prints: a value on its way through the graph, each time a function is called."""
import itertools
import sys

import numpy as np

from ..graph import GraphError, Op, apply, op
from .checks import ANY
from .convert import as_variable
from .samples import sample

__all__ = ["print_value"]

_serial = itertools.count()


@op("print", kind="print")
class Print(Op):
    """x, which is printed to the standard output as `message`, a space and its elements.

    `number` tells prints of equal values apart, so that none is merged with another.
    Shapes: x -> same.  Dtypes: any -> same.
    """

    message: str = ""
    number: int = 0

    effect = True
    in_place = ((0, 0),)
    accepts = ANY
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, x):
        if not isinstance(self.message, str):
            raise GraphError("[print] the message must be a text; %r was given." % (self.message,))
        return x

    def reference(self, x):
        sys.stdout.write("%s%s\n" % (self.message and self.message + " ", _text(x)))
        return x

    def grad(self, x, y, g):
        return g

    samples = [sample((2, 3), message="value"), sample((), message=""), sample((0, 2)),
               sample((2, 2, 2), message="100 %")]
    bad = [sample((3,), message=3, error="the message must be a text")]


def _text(x, depth=1):
    """Rows in brackets, an empty line more between them for each axis from the third on."""
    if not x.ndim:
        return _number(x[()])
    between = " " if x.ndim == 1 else "\n" * (x.ndim - 1) + " " * depth
    return "[%s]" % between.join(_text(part, depth + 1) for part in x)


def _number(value):
    """The shortest text, of six digits or more, that reads back as the same number."""
    if value.dtype.kind != "f":
        return str(value).lower()
    for digits in range(6, 18):
        text = "%.*g" % (digits, value)
        if value.dtype.type(text) == value or np.isnan(value):
            return text
    return text


def print_value(x, message=""):
    """x, which is printed with a message each time it is computed."""
    return apply(Print(str(message), next(_serial)), as_variable(x))
