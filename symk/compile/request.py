"""What a function was asked for, checked and completed: a closed expression of its inputs.

Here the mistakes of a caller are found: inputs that are no placeholders, updates that do not fit,
placeholders that nobody feeds. After this a graph has no loose ends; nothing below checks again.
"""
import warnings

from ..graph import dims
from ..graph.errors import DtypeError, GraphError, ShapeError
from ..graph.node import Constant, Placeholder, Shared, Variable
from ..graph.walk import nodes_of, rebuild, sizes_of, sources_of
from ..optimize import decide

__all__ = ["Request", "prepare", "checked_replacements"]

_ON_UNUSED = ("raise", "warn", "ignore")


class Request:
    """The closed expression: `inputs` are Placeholders, `updates` pairs (Shared, Variable).

    `output_names` are those that the outputs had at first, made unique: rewriting loses them.
    """

    __slots__ = ("inputs", "outputs", "updates", "name", "output_names")

    def __init__(self, inputs, outputs, updates, name, output_names):
        self.inputs, self.outputs, self.updates = inputs, outputs, updates
        self.name, self.output_names = name, output_names

    @property
    def label(self):
        """As messages begin: function, and its name if it has one."""
        return "function %s" % self.name if self.name else "function"

    @property
    def results(self):
        """Everything that is computed: the outputs, then the new values of the updates."""
        return self.outputs + [value for _, value in self.updates]

    def with_results(self, results):
        """The same request for other expressions of the same results."""
        count = len(self.outputs)
        shared = [variable for variable, _ in self.updates]
        return Request(self.inputs, list(results[:count]), list(zip(shared, results[count:])),
                       self.name, self.output_names)


def prepare(inputs, outputs, updates=(), givens=None, name=None, on_unused_input="ignore"):
    """Checks and closes a request.

    Args:     as `symk.compile.function`; `outputs` is a list here.
    Raises:   GraphError, ShapeError, DtypeError, as told in the messages.
    """
    inputs = _checked_inputs(inputs)
    outputs = _checked_outputs(outputs)
    updates = _checked_updates(updates)
    givens = _checked_givens(givens, inputs)
    request = Request(inputs, outputs, updates, name, _unique_names(outputs))
    request = request.with_results(rebuild(request.results, givens))
    _check_unused(request, on_unused_input)
    request = _with_placeholder_defaults(request)
    request = request.with_results(decide(request.results))
    request = _with_default_updates(request, givens)
    request = _with_placeholder_defaults(request)
    _check_sources(request)
    _check_sizes(request)
    return request


def _checked_inputs(inputs):
    if isinstance(inputs, Variable):
        inputs = [inputs]
    inputs = list(inputs)
    seen = set()
    for position, variable in enumerate(inputs):
        if not isinstance(variable, Placeholder):
            raise GraphError("[function] inputs must be placeholders; input %d is %r. "
                             "Use givens to replace another variable." % (position, variable))
        if variable in seen:
            raise GraphError("[function] an input must be listed once; %r is listed twice."
                             % (variable,))
        seen.add(variable)
    return inputs


def _checked_outputs(outputs):
    outputs = list(outputs)
    for position, variable in enumerate(outputs):
        if not isinstance(variable, Variable):
            raise GraphError("[function] outputs must be symbolic tensors; output %d is %r."
                             % (position, variable))
    return outputs


def _unique_names(outputs):
    names = []
    for position, variable in enumerate(outputs):
        name = variable.name or "output_%d" % position
        names.append(name if name not in names else "%s_%d" % (name, position))
    return names


def _checked_updates(updates):
    pairs = list(updates.items() if isinstance(updates, dict) else updates)
    seen = set()
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise GraphError("[function] an update must be a pair (variable, new value); %r was "
                             "given." % (pair,))
        _check_update(*pair)
        if pair[0] in seen:
            raise GraphError("[function] a variable can be updated once per call; %r has two "
                             "updates." % (pair[0],))
        seen.add(pair[0])
    return pairs


def _check_update(variable, value):
    if not isinstance(variable, Shared):
        raise GraphError("[function] only a shared variable can be updated; %r was given."
                         % (variable,))
    if not isinstance(value, Variable):
        raise GraphError("[function] the new value of %r must be a symbolic tensor; %r was given."
                         % (variable, value))
    if value.dtype != variable.dtype:
        raise DtypeError("[function] the new value must keep the dtype of the variable; %r would "
                         "become %r. Use cast." % (variable, value))
    if value.ndim != variable.ndim or any(map(dims.known_different, value.shape, variable.shape)):
        raise ShapeError("[function] the new value must keep the shape of the variable; %r would "
                         "become %r." % (variable, value))


def _checked_givens(givens, inputs):
    result = checked_replacements("function", givens)
    for old in result:
        if old in inputs:
            raise GraphError("[function] %r is an input and replaced by givens as well; give it "
                             "one value." % (old,))
    return result


def checked_replacements(name, replacements):
    """{variable: replacement} from a dict or pairs; values become constants.

    Raises:   GraphError, DtypeError, ShapeError where a replacement does not fit.
    """
    pairs = replacements.items() if isinstance(replacements, dict) else (replacements or ())
    result = {}
    for old, new in pairs:
        if not isinstance(old, Variable):
            raise GraphError("[%s] symbolic tensors can be replaced; %r was given." % (name, old))
        if not isinstance(new, Variable):
            new = Constant(new, dtype=old.dtype)
        _check_replacement(name, old, new)
        result[old] = new
    return result


def _check_replacement(name, old, new):
    if new.dtype != old.dtype:
        raise DtypeError("[%s] a replacement must have the dtype of what it replaces; %r was "
                         "given for %r." % (name, new, old))
    if new.ndim != old.ndim or any(map(dims.known_different, new.shape, old.shape)):
        raise ShapeError("[%s] a replacement must have the shape of what it replaces; %r was "
                         "given for %r." % (name, new, old))


def _check_unused(request, on_unused_input):
    """Reports inputs that no result uses, neither for their values nor for their sizes."""
    if on_unused_input not in _ON_UNUSED:
        raise GraphError("[function] on_unused_input must be one of %s; %r was given."
                         % (", ".join(_ON_UNUSED), on_unused_input))
    if on_unused_input == "ignore":
        return
    used = set(sources_of(request.results))
    sizes = {atom for node in nodes_of(request.results) for size in sizes_of(node)
             for atom in dims.sizes_in(size)}
    unused = [variable for variable in request.inputs if variable not in used and not any(
        atom in sizes for size in variable.shape for atom in dims.sizes_in(size))]
    if not unused:
        return
    message = ("[%s] every input must be used by a result; %s is not. Leave it out, or say "
               'on_unused_input="ignore".' % (request.label, ", ".join(map(repr, unused))))
    if on_unused_input == "raise":
        raise GraphError(message)
    warnings.warn(message, UserWarning, stacklevel=5)


def _with_default_updates(request, givens):
    """Adds the default update of every shared variable that is used and not updated."""
    updated = {variable for variable, _ in request.updates}
    updates = list(request.updates)
    waiting = request.results
    while waiting:
        new = [source for source in sources_of(waiting) if isinstance(source, Shared)
               and source.default_update is not None and source not in updated]
        values = rebuild([source.default_update for source in new], givens)
        updates.extend(zip(new, values))
        updated.update(new)
        waiting = values
    return Request(request.inputs, request.outputs, updates, request.name, request.output_names)


def _with_placeholder_defaults(request):
    """Puts a constant for every placeholder that has a default and is not fed."""
    fed = set(request.inputs)
    defaults = {source: Constant(source.default, name=source.name)
                for source in sources_of(request.results)
                if isinstance(source, Placeholder) and source not in fed
                and source.default is not None}
    return request.with_results(rebuild(request.results, defaults)) if defaults else request


def _check_sources(request):
    fed = set(request.inputs)
    missing = [source for source in sources_of(request.results)
               if isinstance(source, Placeholder) and source not in fed]
    if missing:
        raise GraphError("[%s] every placeholder that a result uses must be an input; %s. Add it "
                         "to the inputs or to givens."
                         % (request.label, _describe_missing(request, missing[0])))


def _describe_missing(request, placeholder):
    """Which result needs the placeholder, and which layer first uses it."""
    layer = None
    needing = "a result"
    for position, result in enumerate(request.results):
        nodes = nodes_of([result])
        users = [node for node in nodes if placeholder in node.inputs]
        if users or result is placeholder:
            layer = next((node.origin.layer for node in users if node.origin.layer), None)
            needing = _result_name(request, position)
            break
    where = " in layer %s" % layer if layer else ""
    return "%s needs %r%s, which is not among the inputs" % (needing, placeholder, where)


def _result_name(request, position):
    count = len(request.outputs)
    if position < count:
        return "output %d %r" % (position, request.outputs[position])
    return "the update of %r" % (request.updates[position - count][0],)


def _check_sizes(request):
    """Every unknown size in the expression must be a size of an input."""
    bound = set()
    for placeholder in request.inputs:
        for size in placeholder.shape:
            bound |= dims.sizes_in(size)
    for node in nodes_of(request.results):
        loose = set()
        for size in sizes_of(node):
            loose |= dims.sizes_in(size) - bound
        if loose:
            layer = " in layer %s" % node.origin.layer if node.origin.layer else ""
            raise GraphError("[%s] every unknown size must be a size of an input; %r of %r%s "
                             "belongs to no input."
                             % (request.label, min(loose, key=repr), node.outputs[0], layer))
