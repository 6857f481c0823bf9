"""A part of a model as a function: from what one layer gives to what another one gives."""
from ..engine.objective import phase_givens
from ..engine.trainer import Trainer
from ..graph import Placeholder, dims, rebuild, sources_of
from ..optimize import specialise

__all__ = ["Part"]


class Part:
    """What a model predicts between two of its layers, over the weights of the model.

    `deploy.export` and `deploy.to_onnx` take it where they take a model.

    # Arguments
        model: a graph of layers, or a Sequential.
        begin: name of the layer whose outputs are given; the inputs of the model by default.
        end: name of the layer whose outputs are wanted; the outputs of the model by default.

    # Raises
        ValueError: for a layer that the model does not have, or calls more than once.
        GraphError: when `end` needs more than what is given, such as a mask made before `begin`.
    """

    def __init__(self, model, begin=None, end=None):
        _check(model, begin=begin, end=end)
        self.name = "%s of %s" % (":".join(name or "" for name in (begin, end)), model.name)
        outputs = model.outputs if end is None else _outputs_of(model, end)
        self.output_names = model.output_names if end is None else [end] * len(outputs)
        between = [] if begin is None else _outputs_of(model, begin)
        updates = model.state_updates
        # In the test phase first: of training, there may be random numbers in sizes of the whole.
        results = [*between, *outputs, *(value for _, value in updates)]
        results = specialise(results, phase_givens(0))
        given = {tensor: _placeholder(tensor, begin) for tensor in results[:len(between)]}
        results = rebuild(results[len(between):], given)
        self.inputs = list(given.values()) or model.inputs
        self.outputs = results[:len(outputs)]
        used = set(sources_of(self.outputs))
        self.state_updates = [(variable, value) for (variable, _), value
                              in zip(updates, results[len(outputs):]) if variable in used]
        self.predict_function = model.prediction_of(self)


def _check(model, **layers):
    """Refuses what is no model with a graph, and what is no name of a layer.

    Raises:   ValueError.
    """
    if not isinstance(model, Trainer) or not hasattr(model, "nodes_by_depth") \
            or model.inputs is None:
        raise ValueError("[part] a model made of inputs and outputs is required; %s was given. A "
                         "Sequential has both once its input shape is known."
                         % (getattr(model, "name", None) or type(model).__name__))
    for what, name in layers.items():
        if name is not None and not isinstance(name, str):
            raise ValueError("[part] %s must be the name of a layer; %r was given." % (what, name))


def _outputs_of(model, name):
    """The tensors that a layer makes in the graph of a model."""
    layer = model.get_layer(name)
    calls = [node for nodes in model.nodes_by_depth.values() for node in nodes
             if node.outbound_layer is layer]
    if len(calls) != 1:
        raise ValueError('[part] a layer that is called once is required; "%s" of "%s" is called '
                         "%d times." % (name, model.name, len(calls)))
    return calls[0].output_tensors


def _placeholder(tensor, name):
    """An input in the place of a tensor; sizes that are those of an input stay so."""
    shape = [size if dims.as_size(size) is not None or not isinstance(size, dims.Dim) else None
             for size in tensor.shape]
    return Placeholder(tensor.dtype, shape, name=name)
