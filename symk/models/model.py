"""Model: a graph of layers with everything that users do with it."""
import contextlib

from .. import config, deploy
from ..engine.trainer import Trainer
from ..registry import register
from . import files, text, weights
from .keras1 import ModelOfKeras1

__all__ = ["Container", "Model"]


@register("layer")
class Model(ModelOfKeras1, Trainer):
    """The layers between inputs and outputs, to be trained, saved and used as a layer.

    # Arguments
        inputs: an `Input`, or a list of them.
        outputs: a tensor made by layers from the inputs, or a list of them.
        name: name of the model.
    """

    def __reduce_ex__(self, protocol):
        """Pickles and copies have the architecture, the weights and the state of training."""
        return files.reduced(self)

    def __deepcopy__(self, memo=None):
        """A copy has the place of the model too. Pickles have none: other machines have other
        devices."""
        make, arguments = files.reduced(self)
        with config.device(self._device) if self._device else contextlib.nullcontext():
            return make(*arguments)

    __copy__ = __deepcopy__

    def save(self, filepath, overwrite=True, include_optimizer=True):
        """Saves architecture, weights and the state of training as one HDF5 file.

        # Arguments
            filepath: path of the file; or a binary file object, an h5py.Group or a dict.
            overwrite: whether an existing file may be replaced.
            include_optimizer: whether to save the state of training.
        """
        files.save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath, overwrite=True):
        """Saves the weights as an HDF5 file, or as NAME.safetensors."""
        weights.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath, by_name=False, skip_mismatch=False, reshape=False):
        """Loads weights from a file of `save_weights` or `save`.

        # Arguments
            filepath: path of the file; NAME.safetensors is read as such.
            by_name: whether layers are found by their names, in place of their order.
            skip_mismatch: by name, whether layers with other shapes are left as they are.
            reshape: whether an array of the right number of elements is reshaped.
        """
        weights.load_weights(self, filepath, by_name, skip_mismatch, reshape)

    def export(self, filepath, metadata=None, train=False, weights="float32"):
        """Writes the compiled model as one file that runs without Python (`docs/deploy.md`).

        # Arguments
            filepath: path of the file, by custom with the ending ".symk".
            metadata: a dict of texts that the file carries along.
            train: whether the training step is there too.
            weights: "float32", or how the weights of layers are stored: "float16" or "int8".
        """
        deploy.export(self, filepath, metadata, train, weights)

    def to_json(self, **kwargs):
        """The architecture as JSON; the arguments are those of `json.dumps`."""
        return text.to_json(self, **kwargs)

    def to_yaml(self, **kwargs):
        """The architecture as YAML; the arguments are those of `yaml.dump`."""
        return text.to_yaml(self, **kwargs)


Container = Model                          # its name before it was trained, in Keras 1
register("layer", "Functional")(Model)     # its name in tf.keras
