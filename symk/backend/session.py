"""What Keras calls the session: the learning phase, name scopes and the counters of names.

Variables and functions belong to no session: they live as long as they are referred to.
"""
import contextlib
import itertools
import threading

import numpy as np

from ..config import device
from ..graph import GraphError, Placeholder
from ..ops.checks import flag, text

__all__ = ["learning_phase", "set_learning_phase", "get_uid", "reset_uids", "clear_session",
           "name_scope", "device", "get_session", "set_session", "control_dependencies",
           "manual_variable_initialization"]

# Fed like any input (0 testing, 1 training); a function that is not given it takes 0.
LEARNING_PHASE = Placeholder("uint8", (), name="learning_phase", default=0)

_fixed_phase = None
_counters = {}  # prefix -> iterator
_scopes = threading.local()


def learning_phase():
    """The learning phase: a placeholder, or the number fixed by `set_learning_phase`."""
    return LEARNING_PHASE if _fixed_phase is None else _fixed_phase


def set_learning_phase(value):
    """Fixes the phase of all expressions built from now on: 0 testing, 1 training."""
    global _fixed_phase
    if not np.isscalar(value) or value not in (0, 1):
        raise ValueError("[set_learning_phase] 0 or 1 is required; %r was given." % (value,))
    _fixed_phase = int(value)


def get_uid(prefix=""):
    """1 at the first call with a prefix, then 2, 3, ..."""
    text("get_uid", "a prefix", prefix)
    return next(_counters.setdefault(prefix, itertools.count(1)))  # one step, so threads may meet


def reset_uids():
    """Starts the numbers of `get_uid` again."""
    _counters.clear()


def clear_session():
    """Starts the numbers of names again and frees the learning phase; models stay usable."""
    global _fixed_phase
    _fixed_phase = None
    reset_uids()


@contextlib.contextmanager
def name_scope(name):
    """Names of variables made inside begin with `name/`."""
    stack = _scopes.__dict__.setdefault("names", [])
    stack.append((str(name), {}))
    try:
        yield name
    finally:
        stack.pop()


def scoped(name):
    """A variable's full name, as Keras on TensorFlow writes it: "dense_1/kernel:0".

    Inside of a scope, the second variable of a name gets "_1", the next "_2", ...
    """
    stack = _scopes.__dict__.get("names", [])
    if stack:
        used = stack[-1][1]
        count = used[name] = used.get(name, -1) + 1
        name = "%s_%d" % (name, count) if count else name
    return "/".join([scope for scope, _ in stack] + [name]) + ":0"


# ---- what belongs to TensorFlow

def get_session():
    """Refused: there is no session."""
    raise GraphError("[get_session] symk has no session; one was asked for. Use K.function to run "
                     "expressions, K.eval and K.get_value for values.")


def set_session(session):
    """Refused: there is no session."""
    raise GraphError("[set_session] symk has no session; %r was given. The number of threads is "
                     "SYMK_NUM_THREADS, other settings are in symk.config." % (session,))


def control_dependencies(control_inputs):
    """Refused: an expression is computed where its value is needed, and in no other order."""
    raise GraphError("[control_dependencies] expressions have no order but that of their values; "
                     "%r was given. Give what is to happen as updates: K.function(updates=...) or "
                     "add_update of a layer." % (control_inputs,))


def manual_variable_initialization(value):
    """Whether variables wait for their values; they never do.

    Raises:   GraphError for True.
    """
    if flag("manual_variable_initialization", "the value", value):
        raise GraphError("[manual_variable_initialization] a variable has its value from the "
                         "start; %r was given. Use K.set_value to give it another." % (value,))
