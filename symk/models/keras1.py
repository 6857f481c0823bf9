"""What models had in Keras 1 besides."""
from . import weights

__all__ = ["ModelOfKeras1"]


class ModelOfKeras1:
    """The methods and attributes of a model of Keras 1. `Model` derives from it."""

    # What fit was given is kept by nobody; Keras 1 began with None.
    training_data = None
    validation_data = None

    @property
    def regularizers(self):
        """The regularizers of all layers."""
        return [regularizer for layer in self.layers for regularizer in layer.regularizers]

    @property
    def constraints(self):
        """{weight: its constraint} of all layers."""
        return {weight: constraint for layer in self.layers
                for weight, constraint in layer.constraints.items()}

    @property
    def flattened_layers(self):
        """The layers, with those of the models that are joined in the place of their Merge."""
        return [flat for layer in self.layers for flat in getattr(layer, "flattened", [layer])]

    def save_weights_to_hdf5_group(self, f):
        """Writes the weights into an HDF5 group."""
        weights.save_weights_to_hdf5_group(f, self.layers)

    def load_weights_from_hdf5_group(self, f):
        """Sets the weights from an HDF5 group, in the order of the layers."""
        weights.load_weights_from_hdf5_group(f, self.layers)

    def load_weights_from_hdf5_group_by_name(self, f):
        """Sets the weights of the layers that an HDF5 group has by their names."""
        weights.load_weights_from_hdf5_group_by_name(f, self.layers)
