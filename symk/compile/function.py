"""The one door from an expression to a callable: `function(inputs, outputs, updates)`."""
import typing

from ..config import current_device, settings
from ..graph.collection import without_collection
from ..graph.draw import to_dot, to_svg
from ..graph.errors import GraphError
from ..graph.node import Variable
from ..graph.show import show
from ..graph.sparse import dense_feeds, dense_parts
from ..ops.checks import one_of
from ..ops.products import PRODUCTS
from ..optimize import STAGES, explain, optimize
from ..optimize.precision import set_products
from . import device, memory, plan, profile
from .diagnose import locate_shape_error
from .native import NativeEnsemble, NativeProgram
from .place import place
from .reference import ReferenceProgram
from .request import prepare
from .sparse import join_outputs, split_inputs

__all__ = ["Function", "function"]

_MODES = ("native", "reference")

# These join ops into one step; a check for NaN is to name the op.
_JOINING_STAGES = ("epilogue", "fuse")


def function(inputs, outputs, updates=(), givens=None, on_unused_input="ignore", name=None,
             mode=None, stages=None, check_nan=None, profile=False, products=None):
    """Compiles expressions into a callable.

    Args:
        inputs: Placeholders, in the order in which arrays are given.
        outputs: a Variable, or a list of them.
        updates: pairs (Shared, new value) or a dict. All new values are computed from the old
            ones. A shared variable with a default update takes it unless one is given here.
        givens: {variable: replacement}, done before anything else.
        on_unused_input: "raise", "warn" or "ignore", for an input that no result needs.
        name: used in messages.
        mode: "native" or "reference"; by default `settings.mode`.
        stages: the names of the optimiser's stages to run; by default all in native mode and none
            in reference mode.
        check_nan: whether a call stops at the first NaN or infinity, naming op, layer and line;
            by default `settings.check_nan`. Each op then is a step of its own, which is slower.
        profile: whether every step of every call is timed, for `show("profile")`.
        products: "float32"; "bfloat16", "float16" or, on a GPU, "tf32": matrix products and
            convolutions of float32 round their operands so and add up in float32; "winograd": 3x3
            convolutions of float32 multiply less often, with errors twice as large; by default
            `settings.products`.
    Returns:  a Function.
    Raises:   GraphError for a request that cannot be compiled.
    """
    return Function(inputs, outputs, updates, givens, on_unused_input, name, mode, stages,
                    check_nan, profile, products)


class Prefetched(typing.NamedTuple):
    """Arrays on their way to a device."""

    batch: object
    arrays: list


class Function:
    """A compiled expression. `f(*arrays)` runs it: one array for a single output, else a list."""

    @without_collection
    def __init__(self, inputs, outputs, updates=(), givens=None, on_unused_input="ignore",
                 name=None, mode=None, stages=None, check_nan=None, profile=False,
                 products=None):
        mode = settings.mode if mode is None else mode
        if mode not in _MODES:
            raise GraphError("[function] mode must be one of %s; %r was given."
                             % (", ".join(_MODES), mode))
        products = settings.products if products is None else products
        one_of("function", "products", products, PRODUCTS)
        check_nan = settings.check_nan if check_nan is None else bool(check_nan)
        self._single = isinstance(outputs, Variable)
        inputs = [inputs] if isinstance(inputs, Variable) else list(inputs)
        outputs = [outputs] if self._single else list(outputs)
        self._split, self._join = split_inputs(inputs), join_outputs(outputs)
        self.request = prepare(dense_feeds(inputs), dense_parts(outputs), updates, givens, name,
                               on_unused_input)
        self.mode = mode
        stages = _default_stages(mode, check_nan) if stages is None else stages
        self._program = self._compiled(stages, check_nan, products)
        self._run = self._program.run
        self._finish = [(position, output.node.op.finish)
                        for position, output in enumerate(self.request.outputs)
                        if output.node is not None and output.node.op.finish is not None]
        if profile:
            self.profile()

    def _compiled(self, stages, check_nan, products):
        """What runs the request: optimised, and on several devices cut into sections."""
        request, device = self.request, "cpu"
        if self.mode == "native":
            request, device = place(request, current_device())
        results, self.reports = optimize(request.results, stages)
        if products != PRODUCTS[0] and device is not None:
            on_cpu = self.mode == "native" and device == "cpu"
            results, _ = set_products(results, products, on_cpu)
        self._optimized = request.with_results(results)
        if self.mode == "reference":
            return ReferenceProgram(self._optimized, check_nan)
        if device is None:
            return NativeEnsemble(self._optimized, check_nan, current_device(), products)
        return NativeProgram(self._optimized, check_nan, device)

    def __call__(self, *arrays):
        values = self.run(arrays)
        return values[0] if self._single else values

    def run(self, arrays):
        """The outputs as a list, for a list of arrays.

        Raises:   ShapeError, DtypeError, OutOfRangeError naming the input, or the layer and line.
        """
        batch = None
        if isinstance(arrays, Prefetched):
            batch, arrays = arrays
        elif self._split is not None:
            arrays = self._split(arrays)
        try:
            values = self._run(arrays) if batch is None else self._program.run_batch(batch)
        except ValueError as error:
            self._locate(error, arrays)
            raise
        for position, finish in self._finish:
            values[position] = finish(values[position])
        return values if self._join is None else self._join(values)

    @property
    def prefetches(self):
        """Whether `prefetch` is worth a call: arrays must move to where the function runs."""
        return self._program.prefetch is not None

    def prefetch(self, arrays):
        """What `run` takes once in place of these arrays, which move to the device meanwhile.

        Returns:  the arrays themselves where nothing has to move.
        Raises:   what `run` does, where the arrays alone decide it.
        """
        if not self.prefetches:
            return arrays
        if self._split is not None:
            arrays = self._split(arrays)
        try:
            return Prefetched(self._program.prefetch(arrays), arrays)
        except ValueError as error:
            self._locate(error, arrays)
            raise

    def _locate(self, error, arrays):
        """Raises an error of shapes again with the layer and line where they do not fit."""
        located = locate_shape_error(self.request, arrays)
        if located is not None:
            raise located from error

    @property
    def program(self):
        """What runs it: a NativeProgram with its Plan, a NativeEnsemble of such programs where it
        runs on several devices, or a ReferenceProgram."""
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
        """The Plan that is run, or None in reference mode and on several devices."""
        return getattr(self._program, "plan", None)

    def profile(self, on=True):
        """Times every step of the calls that follow, or of none."""
        self._need_native("profile")
        self._program.profile(on)

    def show(self, what="graph"):
        """This function as text.

        Args:     what: "graph" after optimisation; "stages": sizes of the graph before and after
                  each stage and the rules that fired; "plan"; "memory": the map of the arena;
                  "profile": the time of each step beside the limit of the machine, by layer;
                  "device": where it runs, and which steps of the last call were replayed;
                  drawings: "dot" (Graphviz), "svg" (the graph), "memory svg".
        On several devices each section has its own plan, memory, profile and parts.
        Raises:   GraphError for another word, or when reference mode has no such thing.
        """
        if what not in _VIEWS:
            raise GraphError("[show] one of %s is required; %r was given."
                             % (", ".join('"%s"' % view for view in _VIEWS), what))
        view, of_plan = _VIEWS[what]
        if not of_plan:
            return view(self)
        self._need_native(what)
        programs = getattr(self._program, "programs", None)
        if programs is None:
            return view(self._program)
        if what == "memory svg":
            raise GraphError('[show] "memory svg" is of a function on one device; this one runs on '
                             '%s. Use show("memory").' % self._program.device)
        return "\n\n".join("%s\n%s" % (title, view(program))
                           for title, program in zip(self._program.titles, programs))

    def _need_native(self, what):
        if self.mode != "native":
            raise GraphError('[show] only a function of mode "native" has a %s; this one is of '
                             "mode %r." % (what, self.mode))


def _default_stages(mode, check_nan):
    """Reference mode shows the meaning of an expression: nothing is rewritten unless asked for."""
    if mode == "reference":
        return ()
    if check_nan:
        return [stage.name for stage in STAGES if stage.name not in _JOINING_STAGES]
    return None


# What `show` knows: a function of the Function, or of its native program.
_VIEWS = {
    "graph": (lambda f: show(f._optimized.results), False),
    "stages": (lambda f: explain(f.reports), False),
    "plan": (lambda program: plan.text(program.plan), True),
    "memory": (lambda program: memory.text(program.memory()), True),
    "profile": (lambda program: profile.text(program), True),
    "device": (lambda program: device.text(program), True),
    "dot": (lambda f: to_dot(f._optimized.results), False),
    "svg": (lambda f: to_svg(f._optimized.results), False),
    "memory svg": (lambda program: memory.to_svg(program.memory(), program.plan), True),
}
