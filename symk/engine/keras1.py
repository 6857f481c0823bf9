"""What layers had in Keras 1 besides: methods under their old names, penalties and constraints as
attributes. `Layer` derives from it; layers that users wrote for Keras 1 run by it.
"""
from .. import registry
from ..utils.generic_utils import to_list, unpack_singleton

__all__ = ["LayerOfKeras1"]

_PENALTIES = "_regularizer"


class LayerOfKeras1:
    """The methods and attributes of a layer of Keras 1."""

    def get_output_shape_for(self, input_shape):
        """Keras 1's name of `compute_output_shape`."""
        return self.compute_output_shape(input_shape)

    def create_input_layer(self, batch_input_shape, input_dtype=None, name=None):
        """Makes an input of a shape and calls the layer on it.

        # Arguments
            batch_input_shape: with the batch axis.
            input_dtype: dtype of the data; that of the layer by default.
            name: of the input.
        """
        self.batch_input_shape = tuple(batch_input_shape)
        make = registry.lookup("layer", "InputLayer")
        layer = make(batch_input_shape=self.batch_input_shape, dtype=input_dtype or self.dtype,
                     name=name or self.name + "_input")
        return self(layer.output)

    def add_inbound_node(self, inbound_layers, node_indices=None, tensor_indices=None):
        """Calls the layer on the outputs of other layers.

        # Arguments
            inbound_layers: a layer, or a list of them.
            node_indices: the number of the call of each layer, the first by default.
            tensor_indices: the number of the output of each call, the first by default.
        """
        layers = to_list(inbound_layers)
        calls = to_list(node_indices) if node_indices is not None else [0] * len(layers)
        places = to_list(tensor_indices) if tensor_indices is not None else [0] * len(layers)
        return self(unpack_singleton([
            layer.inbound_nodes[call].output_tensors[place]
            for layer, call, place in zip(layers, calls, places)]))

    def add_updates(self, updates, inputs=None):
        """Keras 1's name of `add_update`."""
        self.add_update(updates, inputs)

    # ---- penalties and constraints

    @property
    def regularizers(self):
        """The regularizers of the weights and of the output; a list that was set, if one was."""
        given = self.__dict__.get("_given_regularizers")
        if given is not None:
            return given
        names = [name for name in vars(self) if name.endswith(_PENALTIES)]
        return [vars(self)[name] for name in names if vars(self)[name] is not None]

    @regularizers.setter
    def regularizers(self, regularizers):
        self.__dict__["_given_regularizers"] = regularizers

    @property
    def constraints(self):
        """{weight: its constraint}; a dict that was set, if one was."""
        given = self.__dict__.get("_given_constraints")
        if given is not None:
            return given
        return {weight: weight.constraint for weight in self.weights
                if getattr(weight, "constraint", None) is not None}

    @constraints.setter
    def constraints(self, constraints):
        self.__dict__["_given_constraints"] = constraints

    def _take_given(self):
        """After `build`: what it put into `regularizers` and `constraints` takes effect."""
        for regularizer in self.__dict__.get("_given_regularizers") or ():
            if getattr(regularizer, "p", None) is not None:
                self.add_loss(regularizer(regularizer.p))
        for weight, constraint in (self.__dict__.get("_given_constraints") or {}).items():
            weight.constraint = constraint
