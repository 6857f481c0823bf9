"""The one door from an expression to a callable: `function(inputs, outputs, updates)`."""
from ..config import settings
from ..graph.errors import GraphError
from ..graph.node import Variable
from ..graph.show import show
from ..optimize import explain, optimize
from . import plan
from .diagnose import locate_shape_error
from .native import NativeProgram
from .reference import ReferenceProgram
from .request import prepare

__all__ = ["Function", "function"]

_PROGRAMS = {"native": NativeProgram, "reference": ReferenceProgram}


# Reference mode shows the meaning of an expression, so nothing is rewritten unless it is asked for.
_DEFAULT_STAGES = {"native": None, "reference": ()}


def function(inputs, outputs, updates=(), givens=None, name=None, mode=None, stages=None):
    """Compiles expressions into a callable.

    Args:
        inputs: Placeholders, in the order in which arrays are given.
        outputs: a Variable, or a list of them.
        updates: pairs (Shared, new value) or a dict. All new values are computed from the old
            ones. A shared variable with a default update takes it unless one is given here.
        givens: {variable: replacement}, done before anything else.
        name: used in messages.
        mode: "native" or "reference"; by default `settings.mode`.
        stages: the names of the optimiser's stages to run; by default all in native mode and none
            in reference mode.
    Returns:  a Function.
    Raises:   GraphError for a request that cannot be compiled.
    """
    return Function(inputs, outputs, updates, givens, name, mode, stages)


class Function:
    """A compiled expression. `f(*arrays)` runs it: one array for a single output, else a list."""

    def __init__(self, inputs, outputs, updates=(), givens=None, name=None, mode=None,
                 stages=None):
        mode = settings.mode if mode is None else mode
        if mode not in _PROGRAMS:
            raise GraphError("[function] mode must be one of %s; %r was given."
                             % (", ".join(_PROGRAMS), mode))
        self._single = isinstance(outputs, Variable)
        self.request = prepare(inputs, [outputs] if self._single else outputs, updates, givens,
                               name)
        self.mode = mode
        stages = _DEFAULT_STAGES[mode] if stages is None else stages
        results, self.reports = optimize(self.request.results, stages)
        self._optimized = self.request.with_results(results)
        self._program = _PROGRAMS[mode](self._optimized)
        self._run = self._program.run

    def __call__(self, *arrays):
        values = self.run(arrays)
        return values[0] if self._single else values

    def run(self, arrays):
        """The outputs as a list, for a list of arrays.

        Raises:   ShapeError, DtypeError, OutOfRangeError naming the input, or the layer and line.
        """
        try:
            return self._run(arrays)
        except ValueError as error:
            located = locate_shape_error(self.request, arrays)
            if located is None:
                raise
            raise located from error

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

    @property
    def plan(self):
        """The Plan that is run, or None in reference mode."""
        return getattr(self._program, "plan", None)

    def show(self, what="graph"):
        """This function as text.

        Args:     what: "graph" after optimisation; "stages": sizes of the graph before and after
                  each stage and the rules that fired; "plan"; "memory": the map of the arena.
        Raises:   GraphError for another word, or when reference mode has no such thing.
        """
        if what == "graph":
            return show(self._optimized.results)
        if what == "stages":
            return explain(self.reports)
        if what not in ("plan", "memory"):
            raise GraphError('[show] one of "graph", "stages", "plan", "memory" is required; %r '
                             "was given." % (what,))
        if self.plan is None:
            raise GraphError('[show] only a function of mode "native" has a %s; this one is of '
                             "mode %r." % (what, self.mode))
        return plan.text(self.plan) if what == "plan" else _memory_text(self._program.memory())


def _memory_text(memory):
    """The arena after the last call: totals, then one line per buffer."""
    lines = ["%-10s %12d bytes" % (name, memory[name + "_bytes"])
             for name in ("arena", "unshared", "constant", "shared")]
    lines += ["%10d  %10d bytes  steps %4d..%-4d  %s"
              % (row["offset"], row["bytes"], row["first_step"], row["last_step"], row["name"])
              for row in memory["map"]]
    return "\n".join(lines)
