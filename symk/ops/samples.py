"""The rows of the generated op tests: what to feed an op, and what it must refuse.

An input of a sample is a shape, which draws floats from the op's `domain`, or the result of
`values`, which says more. Rows are data; `tests/ops/test_every_op.py` draws and runs them.
"""
__all__ = ["Draw", "Sample", "sample", "values"]


class Draw:
    """How to draw one input. dtype None: each dtype under test; low, high None: the domain."""

    __slots__ = ("shape", "dtype", "low", "high", "exact", "derive")

    def __init__(self, shape, dtype=None, low=None, high=None, exact=None, derive=None):
        self.shape, self.dtype, self.low, self.high = shape, dtype, low, high
        self.exact, self.derive = exact, derive

    def __repr__(self):
        return "%s%s" % (self.dtype or "", self.shape)


class Sample:
    """Inputs and attributes of one use of an op; `error` is part of the message if it must fail."""

    __slots__ = ("inputs", "attributes", "error")

    def __init__(self, inputs, attributes, error):
        self.inputs = tuple(i if isinstance(i, Draw) else Draw(tuple(i)) for i in inputs)
        self.attributes, self.error = attributes, error

    def __repr__(self):
        parts = [repr(i) for i in self.inputs]
        parts += ["%s=%r" % item for item in self.attributes.items()]
        return ", ".join(parts)


def sample(*inputs, error=None, **attributes):
    """A row of `samples`, or of `bad` if it gives the `error` that must be raised."""
    return Sample(inputs, attributes, error)


def values(shape, dtype=None, low=None, high=None, exact=None, derive=None):
    """An input that is not drawn from the op's domain.

    Args:     dtype: its own dtype. low, high: drawn from [low, high]. exact: just this value.
              derive: a function of the inputs before it, for one that must fit to them.
    """
    return Draw(tuple(shape), dtype, low, high, exact, derive)
