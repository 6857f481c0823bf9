"""Sequential: a chain of layers."""
import copy

import numpy as np

from ..engine import Input, InputLayer, Layer
from ..engine.network import Network, layer_from_config
from ..registry import register
from .model import Model

__all__ = ["Sequential"]


@register("layer")
class Sequential(Model):
    """Layers, each applied to the output of the one before.

    The first layer says the shape of the input (`input_shape=...`), or the model is built by the
    first data that it gets.

    # Arguments
        layers: list of layers.
        name: name of the model.
    """

    def __init__(self, layers=None, name=None):
        Layer.__init__(self, name=name)
        self._chain = []
        self._ends = None             # (input tensor, output tensor) once the shape is known
        self._build_input_shape = None
        self.inputs = self.outputs = None
        for layer in layers or []:
            self._append(layer)
        self._join()

    # ---- chain

    @property
    def layers(self):
        return [layer for layer in self._chain if not isinstance(layer, InputLayer)]

    @property
    def model(self):
        """The model itself: Sequential was a wrapper around another model once."""
        return self

    def add(self, layer):
        """Adds a layer at the end."""
        self._append(layer)
        self._join()

    def pop(self):
        """Removes the last layer."""
        if not self.layers:
            raise TypeError("[pop] a model with layers is required; this one has none.")
        removed = self._chain.pop()
        removed._outbound_nodes = []
        if self._ends is not None and self.layers:
            before = self._chain[-1]._inbound_nodes[-1].output_tensors[0]
            self._ends = self._ends[0], before
            self._chain[-1]._outbound_nodes = []
        else:
            self._ends = None
            self.built = False
            self.inputs = self.outputs = None
        self._join()

    def _append(self, layer):
        if not isinstance(layer, Layer):
            raise TypeError("[add] a layer is required; %r was given." % (layer,))
        if any(layer.name == other.name for other in self._chain):
            raise ValueError('[add] each layer must have a name of its own; "%s" is in the model '
                             "already. Pass name=... to the layer." % layer.name)
        if self._ends is not None:
            self._ends = self._ends[0], _called(layer, self._ends[1])
        elif isinstance(layer, InputLayer):
            tensor = layer.output
            self._ends = tensor, tensor
        elif not self._chain:
            self._ends = _begin_with(layer)
        self._chain.append(layer)

    def _join(self):
        """Makes the chain a graph, if the shape of its input is known."""
        if self._ends is None or not self.layers:
            self._sublayers = list(self._chain)
            return
        self._connect_graph(*self._ends)
        self._compile_waiting()

    def build(self, input_shape=None):
        """Makes the weights for a shape of the input, with the batch axis.

        # Raises
            ValueError: if the shape is not given and no layer has said it.
        """
        if self._ends is not None:
            return
        if input_shape is None or not self._chain:
            raise ValueError('[build] layers and the shape of the input are required; "%s" has %d '
                             "layers and the shape %s."
                             % (self.name, len(self._chain), input_shape))
        self._build_input_shape = tuple(input_shape)
        start = Input(batch_shape=self._build_input_shape, name=self._chain[0].name + "_input")
        tensor = start
        for layer in self._chain:
            tensor = _called(layer, tensor)
        self._ends = start, tensor
        self._join()

    def _build_from(self, x):
        first = x[0] if isinstance(x, (list, tuple)) and np.ndim(x[0]) > 0 else x
        self.build((None,) + (np.shape(first)[1:] or (1,)))

    def _require_built(self, what):
        if self._ends is None:
            raise ValueError('[%s] a built model is required; "%s" does not know the shape of its '
                             "input. Pass input_shape=... to its first layer, or call build."
                             % (what, self.name))

    # ---- as of a Model

    def set_weights(self, weights):
        self._require_built("set_weights")
        super().set_weights(weights)

    def get_config(self):
        config = {"name": self.name,
                  "layers": [{"class_name": type(layer).__name__, "config": layer.get_config()}
                             for layer in self.layers]}
        if self._build_input_shape is not None:
            config["build_input_shape"] = self._build_input_shape
        return copy.deepcopy(config)

    @classmethod
    def from_config(cls, config, custom_objects=None, layer_cache=None):
        """The model that a config describes: a dict, or (before Keras 2.2.3) a list of layers.

        # Arguments
            layer_cache: {name: layer}, filled by Keras 1: layers of one name are one layer.
        """
        if isinstance(config, list):
            config = {"name": None, "layers": config}
        layers = [_cached(layer, custom_objects, layer_cache) for layer in config["layers"]]
        model = cls(layers, name=config.get("name"))
        if model._ends is None and config.get("build_input_shape") is not None:
            model.build(config["build_input_shape"])
        return model

    def predict_proba(self, x, batch_size=None, verbose=0):
        """The outputs for all samples, as `predict`."""
        return self.predict(x, batch_size, verbose)

    def predict_classes(self, x, batch_size=32, verbose=0):
        """The number of the greatest output; for a single output whether it is above 0.5."""
        outputs = self.predict(x, batch_size=batch_size, verbose=verbose)
        if outputs.shape[-1] > 1:
            return outputs.argmax(axis=-1)
        return (outputs > 0.5).astype("int32")


def _cached(config, custom_objects, cache):
    """The layer of a config, or that of the same name in a cache."""
    name = config["config"].get("name") if isinstance(config["config"], dict) else None
    if cache is None or name is None:
        return layer_from_config(config, custom_objects)
    if name not in cache:
        cache[name] = layer_from_config(config, custom_objects)
    return cache[name]


def _begin_with(layer):
    """(input, output) of a first layer that knows the shape of its input, else None."""
    if hasattr(layer, "make_inputs"):
        start = layer.make_inputs()
        return start, _called(layer, start)
    shape, dtype = getattr(layer, "batch_input_shape", None), layer.dtype
    if isinstance(layer, Network) and layer.inputs:
        shape, dtype = layer.inputs[0].shape, layer.inputs[0].dtype
        shape = tuple(size if isinstance(size, int) else None for size in shape)
    if shape is None:
        return None
    start = Input(batch_shape=shape, dtype=dtype, name=layer.name + "_input")
    return start, _called(layer, start)


def _called(layer, tensor):
    output = layer(tensor)
    if isinstance(output, (list, tuple)):
        raise ValueError('[add] layers of a Sequential must have one output; "%s" has %d. Use '
                         "Model." % (layer.name, len(output)))
    return output
