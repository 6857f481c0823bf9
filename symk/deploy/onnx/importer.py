"""From an ONNX file to a compiled function: each node becomes ops of symk, by the table that
`meanings.py`, `layer_meanings.py` and `resizing.py` fill. Shapes are read where they follow from
sizes; one that depends on data is an error.
"""
import os

from ... import ops
from ...compile import function
from ...extras import extra
from ...graph import GraphError, Placeholder, SymkError, dims
from ...graph.node import Constant
from . import layer_meanings, meanings, resizing  # noqa: F401 (they fill the table)
from .table import MEANINGS

__all__ = ["from_onnx"]

_OLDEST = 13     # opset: before it, Softmax and others meant something else
# What comes of values that the checker does not look at.
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError,
              ZeroDivisionError)


def from_onnx(source, mode=None):
    """The function that an ONNX file describes.

    Its inputs and outputs are those of the file, in their order; weights are constants. It can be
    called, shown, exported, and used in a graph of one's own (`symk.clone`).

    Args:
        source: a path, or an `onnx.ModelProto`.
        mode: as in `symk.function`.
    Returns:  a compiled Function.
    Raises:   ImportError without the package onnx; OSError for a file that cannot be read;
              GraphError for one that is no ONNX model, for opsets before 13, and naming the node
              for what symk has no form for.
    """
    onnx = extra("onnx", "from_onnx")
    extra("onnx.checker", "from_onnx")
    model = _loaded(onnx, source)
    try:
        inputs, outputs = _Reader(onnx).graph(model.graph)
    except SymkError:
        raise
    except _MALFORMED as error:
        raise GraphError("[from_onnx] a valid ONNX model is required; an input or a weight of "
                         "this one is not: %r" % error) from None
    return function(inputs, outputs, name=model.graph.name or None, mode=mode)


def _loaded(onnx, source):
    """A checked model."""
    try:
        model = onnx.load(os.fspath(source)) if not hasattr(source, "graph") else source
        onnx.checker.check_model(model)
    except OSError:
        raise
    except Exception as error:      # of protobuf and of the checker, which share no class
        raise GraphError("[from_onnx] a valid ONNX model is required; it is none: %s"
                         % str(error).strip().split("\n")[0]) from None
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions.get("", 0) < _OLDEST:
        raise GraphError("[from_onnx] opset %d or later is required; the model has %s. Convert it "
                         "with onnx.version_converter." % (_OLDEST, versions.get("", "none")))
    return model


class _Reader:
    """The values of a graph by name; an inner graph sees those of its `parent`."""

    def __init__(self, onnx, parent=None):
        self.onnx, self.parent, self.values = onnx, parent, {}

    def get(self, name):
        """The variable of a name; None for an operand that is left out."""
        if not name:
            return None
        if name in self.values:
            return self.values[name]
        if self.parent is None:
            raise GraphError("[from_onnx] values must be made before they are used; %r is not."
                             % name)
        return self.parent.get(name)

    def graph(self, graph):
        """(inputs, outputs) of a whole model."""
        inputs = []
        weights = {weight.name for weight in graph.initializer}
        sizes = {}
        for info in graph.input:
            if info.name not in weights:
                inputs.append(self._placeholder(info, sizes))
        self._read(graph)
        return inputs, [ops.identity(self.get(info.name), info.name) for info in graph.output]

    def body(self, graph, arguments):
        """The outputs of an inner graph for the values of its inputs."""
        inner = _Reader(self.onnx, self)
        inner.values.update(zip((info.name for info in graph.input), arguments))
        inner._read(graph)
        return [inner.get(info.name) for info in graph.output]

    def _placeholder(self, info, sizes):
        """An input; equal names of sizes are equal sizes."""
        type = info.type.tensor_type
        if not info.type.HasField("tensor_type") or not type.HasField("shape"):
            raise GraphError("[from_onnx] inputs must be tensors of known rank; %r is none."
                             % info.name)
        shape = []
        for axis, size in enumerate(type.shape.dim):
            name = size.dim_param or "%s.%d" % (info.name, axis)
            if not size.HasField("dim_value") and name not in sizes:
                sizes[name] = dims.Size.new(name)
            shape.append(size.dim_value if size.HasField("dim_value") else sizes[name])
        dtype = self.onnx.helper.tensor_dtype_to_np_dtype(type.elem_type)
        variable = self.values[info.name] = Placeholder(dtype, shape, name=info.name)
        return variable

    def _read(self, graph):
        for weight in graph.initializer:
            self.values[weight.name] = Constant(self.onnx.numpy_helper.to_array(weight),
                                                name=weight.name)
        for node in graph.node:
            self._add(node)

    def _add(self, node):
        """The outputs of a node."""
        meaning = MEANINGS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        label = "node %r (%s)" % (node.name, node.op_type)
        if meaning is None:
            raise GraphError("[from_onnx] symk has no form for %s." % label)
        operands = [self.get(name) for name in node.input]
        try:
            made = meaning(self, _Attributes(self.onnx, node), *operands)
        except SymkError as error:
            raise type(error)("[from_onnx] %s: %s" % (label, error)) from None
        except _MALFORMED as error:
            raise GraphError("[from_onnx] %s must have valid attributes and operands; it has not: "
                             "%r" % (label, error)) from None
        made = made if isinstance(made, (list, tuple)) else [made]
        for number, name in enumerate(node.output):
            if name and number >= len(made):
                raise GraphError("[from_onnx] symk has no form for output %d of %s."
                                 % (number, label))
            if name:
                self.values[name] = made[number]


class _Attributes:
    """The attributes of a node; texts are str, tensors arrays."""

    def __init__(self, onnx, node):
        self._given = {entry.name: self._value(onnx, entry) for entry in node.attribute}
        self.outputs = list(node.output)

    def _value(self, onnx, entry):
        value = onnx.helper.get_attribute_value(entry)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if entry.type == onnx.AttributeProto.TENSOR:
            return onnx.numpy_helper.to_array(value)
        if isinstance(value, list) and value and isinstance(value[0], bytes):
            return [item.decode("utf-8", "replace") for item in value]
        return value

    def __call__(self, name, default=None):
        return self._given.get(name, default)

    def need(self, name, *allowed):
        """Raises GraphError unless an attribute is left out or one of these."""
        if name in self._given and self._given[name] not in allowed:
            raise GraphError("%s must be %s; it is %r."
                             % (name, " or ".join(map(repr, allowed)), self._given[name]))
