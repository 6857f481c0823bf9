"""The edges between layers: which tensors each call of a layer took and gave, and what it may take.

A tensor made by a layer carries `_keras_history`, a `History`, and for users `_keras_shape`; that
is all that the engine ever puts on a tensor. Shapes are in the tensor's type.
"""
import collections

from .. import backend as K
from ..graph import dims
from ..utils.generic_utils import to_list, unpack_singleton

__all__ = ["History", "InputSpec", "Node", "check_inputs", "history_of", "mark"]

History = collections.namedtuple("History", "layer node_index tensor_index")


def mark(tensor, layer, node_index, tensor_index):
    """Writes on a tensor that it is an output of a layer's call."""
    tensor._keras_history = History(layer, node_index, tensor_index)
    tensor._keras_shape = K.int_shape(tensor)


def history_of(tensor):
    """The History of a tensor that a layer made, or None."""
    return getattr(tensor, "_keras_history", None)


class Node:
    """One call of a layer.

    It stands in `inbound_nodes` of the layer called and in `outbound_nodes` of the layers that
    made the inputs. A source is no call: an input layer, or a whole model at its creation, has its
    tensors in a Node that joins nothing.

    # Arguments
        outbound_layer: the layer called.
        inbound_layers, node_indices, tensor_indices: for each input which layer made it, in which
            of its calls, as which of the outputs.
        input_tensors, output_tensors, input_masks, output_masks, input_shapes, output_shapes: what
            went in and came out.
        arguments: keyword arguments of the call.
    """

    def __init__(self, outbound_layer, inbound_layers, node_indices, tensor_indices, input_tensors,
                 output_tensors, input_masks, output_masks, input_shapes, output_shapes,
                 arguments=None):
        self.outbound_layer = outbound_layer
        self.inbound_layers = inbound_layers
        self.node_indices = node_indices
        self.tensor_indices = tensor_indices
        self.input_tensors = input_tensors
        self.output_tensors = output_tensors
        self.input_masks = input_masks
        self.output_masks = output_masks
        self.input_shapes = input_shapes
        self.output_shapes = output_shapes
        self.arguments = arguments or {}
        for inbound in inbound_layers:
            if inbound is not None:
                inbound._outbound_nodes.append(self)
        outbound_layer._inbound_nodes.append(self)

    @classmethod
    def of_call(cls, layer, inputs, outputs, input_masks, output_masks, arguments=None):
        """The Node of a call; the tensors know who made them."""
        histories = [history_of(tensor) or History(None, None, None) for tensor in inputs]
        columns = [list(column) for column in zip(*histories)] or [[], [], []]
        return cls(layer, *columns, inputs, outputs, input_masks, output_masks,
                   list(map(K.int_shape, inputs)), list(map(K.int_shape, outputs)), arguments)

    @classmethod
    def of_source(cls, layer, inputs, outputs, output_masks):
        """The Node of an input layer or of a model."""
        return cls(layer, [], [], [], inputs, outputs, [None] * len(inputs), output_masks,
                   list(map(K.int_shape, inputs)), list(map(K.int_shape, outputs)))

    def inbound_nodes(self):
        """The nodes that made the inputs, in their order."""
        return [layer._inbound_nodes[index]
                for layer, index in zip(self.inbound_layers, self.node_indices)
                if layer is not None]

    def get_config(self):
        return {"outbound_layer": self.outbound_layer.name,
                "inbound_layers": [layer.name if layer is not None else None
                                   for layer in self.inbound_layers],
                "node_indices": self.node_indices, "tensor_indices": self.tensor_indices}


class InputSpec:
    """What a layer requires of one input; None requires nothing.

    # Arguments
        dtype: dtype of the input.
        shape: sizes of all axes, None where any will do.
        ndim, max_ndim, min_ndim: number of axes.
        axes: dict from an axis to its size.
    """

    def __init__(self, dtype=None, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None):
        self.dtype = dtype
        self.shape = shape
        self.ndim = len(shape) if shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = axes or {}

    def __repr__(self):
        facts = [(name, getattr(self, name)) for name in
                 ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")]
        return "InputSpec(%s)" % ", ".join("%s=%s" % fact for fact in facts if fact[1])

    def complaint(self, tensor):
        """What is required and not so, as words; or None."""
        return self._axis_count_complaint(tensor.ndim) or self._size_complaint(tensor)

    def _axis_count_complaint(self, ndim):
        if self.ndim is not None and ndim != self.ndim:
            return "%d axes are required" % self.ndim
        if self.max_ndim is not None and ndim > self.max_ndim:
            return "at most %d axes are allowed" % self.max_ndim
        if self.min_ndim is not None and ndim < self.min_ndim:
            return "at least %d axes are required" % self.min_ndim
        return None

    def _size_complaint(self, tensor):
        if self.dtype is not None and tensor.dtype != self.dtype:
            return "dtype %s is required" % self.dtype
        sizes = dict(self.axes)
        if self.shape is not None:
            sizes.update(enumerate(self.shape))
        for axis, size in sizes.items():
            if size is None:
                continue
            if not -tensor.ndim <= axis < tensor.ndim:
                return "an axis %d is required" % axis
            given = tensor.shape[axis]
            if not isinstance(given, dims.Dim) and given != size:
                return "axis %d must have the size %d" % (axis, size)
        return None


def check_inputs(layer, inputs, specs=None):
    """Checks what a layer is called on: tensors, and as its `input_spec` or `specs` say.

    Raises:   ValueError, naming the layer, for what is no tensor, or one of a wrong shape or dtype.
    """
    inputs = to_list(inputs)
    who = 'in layer "%s" (%s)' % (layer.name, type(layer).__name__)
    for tensor in inputs:
        if not K.is_tensor(tensor):
            raise ValueError("%s: [call] symbolic tensors are required; %s was given. Begin with "
                             "Input(shape=...), or use predict for arrays."
                             % (who, _describe(tensor)))
    specs = to_list(specs or layer.input_spec or [])
    if not specs:
        return
    if len(specs) != len(inputs):
        raise ValueError("%s: [call] %d inputs are required; %d were given."
                         % (who, len(specs), len(inputs)))
    for index, (tensor, spec) in enumerate(zip(inputs, specs)):
        complaint = spec.complaint(tensor) if spec is not None else None
        if complaint:
            raise ValueError("%s: [call] %s; input %d is %r."
                             % (who, complaint, index, tensor.type))


def _describe(value):
    shape = getattr(value, "shape", None)
    return "%s of shape %s" % (type(value).__name__, shape) if shape is not None else repr(value)


def shapes_of(tensors):
    """The static shape of one tensor, or the list of the shapes of several."""
    return unpack_singleton([K.int_shape(tensor) for tensor in to_list(tensors)])
