"""The exceptions of symk. Each is also the built-in exception that Keras users expect."""

__all__ = ["SymkError", "ShapeError", "DtypeError", "GraphError", "DeviceError", "OutOfRangeError",
           "NotFiniteError", "CustomOpError"]


class SymkError(Exception):
    """The base of all errors that symk raises about a user's expression, value or file."""


class ShapeError(SymkError, ValueError):
    """Sizes or ranks that do not fit."""


class DtypeError(SymkError, TypeError):
    """A dtype that an op cannot take."""


class GraphError(SymkError, ValueError):
    """An expression that cannot be built, differentiated or compiled."""


class DeviceError(SymkError, RuntimeError):
    """A device, kernel or library that is missing, or that failed."""


class OutOfRangeError(SymkError, IndexError, ValueError):
    """An index that a value of the run put outside of its array."""


class NotFiniteError(SymkError, FloatingPointError):
    """A NaN or an infinity, in a function that was asked to look for them."""


class CustomOpError(SymkError, RuntimeError):
    """A user's op or kernel that failed while it ran."""
