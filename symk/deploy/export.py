"""Writes a compiled function as one file: its Plan, with the shared values embedded as constants.

The steps stay as they are, so the file computes what the function computes, bit by bit.
"""
import os
import tempfile

import numpy as np

from ..compile import Function
from ..compile.callback import called_ops
from ..compile.plan import Plan, encode
from ..graph.errors import GraphError

__all__ = ["export"]


def export(function, path, metadata=None):
    """Writes a function, or the prediction of a model, for `symk/deploy/load.py` or the C library.

    The file is complete or not there: it is written under another name and then renamed.

    Args:
        function: what `symk.compile.function` made, in mode "native" and without updates; or a
            model, whose `predict_function` is meant.
        path: the file; one that exists is replaced.
        metadata: a dict of texts that the file carries along.
    Raises:   GraphError when the function is no such function; OSError.
    """
    function = getattr(function, "predict_function", function)
    plan = _embedded(_exportable(function), metadata or {})
    _write_whole(os.fspath(path), encode(plan))


def _exportable(function):
    """The native program of a function that computes the same at each call."""
    if not isinstance(function, Function):
        raise GraphError("[export] a compiled function or a model is required; %r was given. "
                         "Give what K.function made." % type(function).__name__)
    if function.mode != "native":
        raise GraphError('[export] a function in mode "native" is required; its mode is %r. '
                         'Compile it with mode="native".' % function.mode)
    program = function.program
    called = called_ops(program.plan)
    if called:
        raise GraphError("[export] every op must have a kernel; %s of this function run in Python. "
                         "Load kernels of these names by symk.load_kernels, and compile it again."
                         % ", ".join(called))
    written = {number for number, _ in program.plan.updates}
    buffers = {buffer: number for number, (_, buffer) in enumerate(program.plan.shared)}
    for step in program.plan.steps:
        written.update(buffers[output] for output in step.outputs if output in buffers)
    if written:
        names = ", ".join(sorted(program.plan.shared[number][0] for number in written))
        raise GraphError("[export] a function without updates is required; this one updates %s. "
                         "Export the prediction function, not the training function." % names)
    return program


def _embedded(program, metadata):
    """The Plan with constants in the place of shared values."""
    plan = program.plan
    values = [np.asarray(shared.get_value()) for shared in program.shared]
    first = len(plan.constants)
    buffers = [buffer._replace(kind="constant", reference=first + buffer.reference)
               if buffer.kind == "shared" else buffer for buffer in plan.buffers]
    return Plan(metadata=dict(plan.metadata, **metadata), sizes=plan.sizes,
                constants=list(plan.constants) + values, buffers=buffers, inputs=plan.inputs,
                shared=[], outputs=plan.outputs, steps=plan.steps, updates=[],
                checks=plan.checks, plans=plan.plans)


def _write_whole(path, data):
    """Replaces the content of a file in one step that a crash cannot divide."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _umask():
    """The permissions that new files do not get; mkstemp ignores them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Makes the new name durable, where the file system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
