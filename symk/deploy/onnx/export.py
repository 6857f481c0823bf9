"""From a function or a model to an ONNX file.

The graph is closed (`compile/request.py`), its weights become constants, ops that ONNX does not
know are said by others, and the optimiser runs all of its stages but fusion. Then each node is
written by its rule.
"""
import os

from ...compile import Function
from ...extras import extra
from ...files import replacing
from ...graph import GraphError, apply, dims, nodes_of, rebuild
from ...graph.node import Constant, Shared
from ...graph.origin import acting_for
from ...graph.walk import sources_of
from ...optimize import STAGES, optimize
from ..model_file import texts_of
from . import elementwise, loops, moves, products, reductions, sequences  # noqa: F401 (rules)
from .definitions import said_otherwise
from .idioms import as_idiom
from .table import RULES
from .writer import Writer, names_used

__all__ = ["OPSET", "to_onnx"]

OPSET = 17          # of 2022: has all that the rules use, and tools of several years read it
_IR_VERSION = 8     # that of this opset
_LIMIT_BYTES = 2 ** 31 - 1024 ** 2      # of a file, which is one protobuf message


def to_onnx(function, path=None, metadata=None):
    """Writes what a function, or the prediction of a model, computes as an ONNX file.

    Unknown sizes stay unknown. Inputs and outputs keep their names; those of a model are its
    `input_names` and `output_names`, with a number behind one that is there already. The file is
    checked before it is written, and complete or not there.

    Args:
        function: what `symk.compile.function` made, without updates; or a model, whose
            `predict_function` is meant.
        path: the file; one that exists is replaced. None writes nothing.
        metadata: a dict of texts that the file carries along.
    Returns:  the model as an `onnx.ModelProto`.
    Raises:   ImportError without the package onnx; GraphError naming op and layer for what ONNX
              cannot say, for a function with updates, and for more than 2 GB of weights.
    """
    onnx = extra("onnx", "to_onnx")
    extra("onnx.checker", "to_onnx")
    request = _exportable(function).request
    names = getattr(function, "output_names", request.output_names)
    outputs = _prepared(request.outputs)
    writer = Writer(onnx, request.inputs, outputs)
    writer.add_all(outputs)
    model = onnx.helper.make_model(
        _graph(writer, request, zip(names, outputs)), ir_version=_IR_VERSION,
        producer_name="symk",
        opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    onnx.helper.set_model_props(model, texts_of("to_onnx", metadata))
    if model.ByteSize() > _LIMIT_BYTES:
        raise GraphError("[to_onnx] a file of at most 2 GB is required; this one has %d bytes."
                         % model.ByteSize())
    onnx.checker.check_model(model)
    if path is not None:
        with replacing(os.fspath(path)) as temporary:
            onnx.save_model(model, temporary)
    return model


def _exportable(function):
    """The compiled function of a function or model, if it computes the same at each call."""
    function = getattr(function, "predict_function", function)
    if not isinstance(function, Function):
        raise GraphError("[to_onnx] a compiled function or a model is required; %r was given. "
                         "Give what K.function made." % type(function).__name__)
    if function.request.updates:
        names = ", ".join(sorted(shared.name for shared, _ in function.request.updates))
        raise GraphError("[to_onnx] a function without updates is required; this one updates %s. "
                         "Export the prediction function, of layers that are not stateful."
                         % names)
    return function


def _prepared(outputs):
    """The outputs with fixed weights, made of ops that have rules, and optimised."""
    weights = {source: Constant(source.get_value(), name=source.name)
               for source in sources_of(outputs) if isinstance(source, Shared)}
    results = _expressible(rebuild(outputs, weights))
    results, _ = optimize(results, [stage.name for stage in STAGES if stage.name != "fuse"])
    return results


def _expressible(results):
    """The results with definitions and expansions in the place of ops that have no rule."""
    new = {}
    for node in nodes_of(results):
        inputs = [new.get(variable, variable) for variable in node.inputs]
        with acting_for(node.origin):
            made = _expressed(node, inputs)
        if made is not None:
            new.update(zip(node.outputs, made))
    return [new.get(variable, variable) for variable in results]


def _expressed(node, inputs):
    """The outputs of a node in terms of what has a rule, as far as that is known; None if it can
    stay as it is."""
    op, idiom = node.op, as_idiom(node, inputs)
    if idiom is not None:
        return [idiom]
    if op.name not in RULES:
        made = said_otherwise(op, inputs)
        if made is not None:
            return _expressible(made)
    if op.bodies:
        op = op.with_bodies([body.with_outputs(_expressible(body.outputs)) for body in op.bodies])
    if op is node.op and all(a is b for a, b in zip(inputs, node.inputs)):
        return None
    made = apply(op, *inputs)
    return made if isinstance(made, tuple) else (made,)


def _graph(writer, request, outputs):
    """The graph of a writer that has written the outputs, pairs of a name and a variable."""
    names = _size_names(request.inputs)
    inputs = [_declaration(writer, writer.name(variable), variable.type, names)
              for variable in request.inputs]
    results = []
    for wanted, variable in outputs:
        results.append(_declaration(writer, writer.output(variable, wanted), variable.type, names))
    nodes = _needed(writer.sizes + writer.nodes, {info.name for info in results})
    used = set().union(*map(names_used, nodes))
    weights = [weight for weight in writer.initializers if weight.name in used]
    return writer.onnx.helper.make_graph(nodes, request.name or "function", inputs, results,
                                         weights)


def _size_names(inputs):
    """{unknown size: its name in the file}: batch, or that of the input and axis."""
    names = {}
    for placeholder in inputs:
        for axis, size in enumerate(placeholder.shape):
            atom = dims.as_size(size)
            if atom is not None and atom not in names:
                batch = axis == 0 and "batch" not in names.values()
                names[atom] = "batch" if batch else "%s_%d" % (placeholder.name, axis)
    return names


def _declaration(writer, name, type, names):
    """The declaration of an input or output, its unknown sizes with names."""
    shape = [int(size) if not isinstance(size, dims.Dim) else names.get(dims.as_size(size))
             for size in type.shape]
    return writer.onnx.helper.make_tensor_value_info(name, writer.element_type(type.dtype), shape)


def _needed(nodes, wanted):
    """The nodes whose results are used."""
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted |= names_used(node)
    return kept[::-1]
