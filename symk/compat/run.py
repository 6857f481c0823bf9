"""Runs a script that imports keras, with symk in its place and what it found around Keras."""
import os
import sys
import traceback
import types

from . import answer, surroundings
from .detect import version_of

__all__ = ["run"]

# Engines that scripts of Keras call besides it.
_ENGINES = ("tensorflow", "theano", "cntk")


def run(script, arguments=(), keras=None, backend=None, image_dim_ordering=None):
    """Runs a script as `python script.py arguments` would; returns its exit status.

    Args:     keras: 1 or 2; None finds out which one it was written for.
              backend, image_dim_ordering: as in `install`.
    Raises:   OSError if there is no such file.
    """
    with open(script, "rb") as file:
        source = file.read()
    try:
        code = compile(source, script, "exec", dont_inherit=True)
        version = version_of(source) if keras is None else keras
    except SyntaxError:
        traceback.print_exc(limit=0)
        return 1
    answer.install(version, backend, image_dim_ordering)
    module = types.ModuleType("__main__")
    module.__file__ = script
    vars(module).update(surroundings.BUILTINS)
    sys.modules["__main__"] = module
    sys.argv = [script] + list(arguments)
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    try:
        with surroundings.provided():
            exec(code, module.__dict__)
    except (Exception, KeyboardInterrupt) as error:
        traceback.print_exception(type(error), error, _from_script(error, script))
        if getattr(error, "name", None) in _ENGINES and isinstance(error, ImportError):
            print("[run] %s calls %s itself; symk runs no code of it. What it does can be said "
                  "with keras.backend; see docs/migration.md." % (script, error.name),
                  file=sys.stderr)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _from_script(error, script):
    """The traceback from the script on, without what started it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != script:
        trace = trace.tb_next
    return trace
