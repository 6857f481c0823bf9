"""Who made a node: the layer that was being called, the user's line, and the device of the scope.

Every node keeps an `Origin`, so that an error found later, in a rewrite, at binding or in a
kernel, can still name layer and line, and so that what takes the place of a node runs where it was
to run.
"""
import contextlib
import os
import sys
import threading

from ..config import scoped_device

__all__ = ["Origin", "layer_scope", "current_layer", "here", "acting_for"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_state = threading.local()


class Origin:
    """`layer` is a text such as '"dense_1" (Dense)' or None; `file` and `line` are the user's;
    `device` is where the node is to run, None for where its function is compiled to run."""

    __slots__ = ("layer", "file", "line", "device")

    def __init__(self, layer, file, line, device=None):
        self.layer, self.file, self.line, self.device = layer, file, line, device

    def __repr__(self):
        where = "%s:%d" % (self.file, self.line) if self.file else "unknown line"
        return "%s, %s" % (self.layer, where) if self.layer else where


@contextlib.contextmanager
def layer_scope(name, class_name):
    """Nodes made inside belong to this layer."""
    stack = _state.__dict__.setdefault("layers", [])
    stack.append('"%s" (%s)' % (name, class_name))
    try:
        yield
    finally:
        stack.pop()


def current_layer():
    """The innermost layer that is being called, as a text, or None."""
    stack = _state.__dict__.get("layers")
    return stack[-1] if stack else None


class acting_for:
    """Nodes made inside have this origin: they stand for a node that a user made.

    A class, since every node that rules look at enters it: a generator would cost three times that.
    """

    __slots__ = ("_origin", "_before")

    def __init__(self, origin):
        self._origin = origin

    def __enter__(self):
        self._before = _state.__dict__.get("origin")
        _state.origin = self._origin

    def __exit__(self, *error):
        _state.origin = self._before


def here():
    """The origin of a node made now: the innermost frame that is outside of symk."""
    given = _state.__dict__.get("origin")
    if given is not None:
        return given
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return Origin(current_layer(), None, 0, scoped_device())
    return Origin(current_layer(), frame.f_code.co_filename, frame.f_lineno, scoped_device())
