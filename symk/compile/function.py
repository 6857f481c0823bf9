"""The one door from an expression to a callable: `function(inputs, outputs, updates)`."""
from ..config import settings
from ..graph.errors import GraphError
from ..graph.node import Variable
from .native import NativeProgram
from .reference import ReferenceProgram
from .request import prepare

__all__ = ["Function", "function"]

_PROGRAMS = {"native": NativeProgram, "reference": ReferenceProgram}


def function(inputs, outputs, updates=(), givens=None, name=None, mode=None):
    """Compiles expressions into a callable.

    Args:
        inputs: Placeholders, in the order in which arrays are given.
        outputs: a Variable, or a list of them.
        updates: pairs (Shared, new value) or a dict. All new values are computed from the old
            ones. A shared variable with a default update takes it unless one is given here.
        givens: {variable: replacement}, done before anything else.
        name: used in messages.
        mode: "native" or "reference"; by default `settings.mode`.
    Returns:  a Function.
    Raises:   GraphError for a request that cannot be compiled.
    """
    return Function(inputs, outputs, updates, givens, name, mode)


class Function:
    """A compiled expression. `f(*arrays)` runs it: one array for a single output, else a list."""

    def __init__(self, inputs, outputs, updates=(), givens=None, name=None, mode=None):
        mode = settings.mode if mode is None else mode
        if mode not in _PROGRAMS:
            raise GraphError("[function] mode must be one of %s; %r was given."
                             % (", ".join(_PROGRAMS), mode))
        self._single = isinstance(outputs, Variable)
        self.request = prepare(inputs, [outputs] if self._single else outputs, updates, givens,
                               name)
        self.mode = mode
        self._program = _PROGRAMS[mode](self.request)
        self._run = self._program.run

    def __call__(self, *arrays):
        values = self._run(arrays)
        return values[0] if self._single else values

    def run(self, arrays):
        """The outputs as a list, for a list of arrays."""
        return self._run(arrays)

    @property
    def program(self):
        """What runs it: a NativeProgram with its Plan, or a ReferenceProgram."""
        return self._program

    @property
    def inputs(self):
        """The placeholders in the order of the arrays."""
        return tuple(self.request.inputs)

    @property
    def outputs(self):
        """The expressions of the results, before optimisation."""
        return tuple(self.request.outputs)
