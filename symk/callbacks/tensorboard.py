"""TensorBoard: what training looks like, as event files that TensorBoard reads."""
import os

import numpy as np

from .. import backend as K
from ..utils.events import EventWriter, GraphNode
from ..utils.generic_utils import to_list
from .base import Callback

__all__ = ["TensorBoard"]

_MOST_IMAGES = 3        # of one weight and epoch, as TensorFlow's summaries have


class TensorBoard(Callback):
    """Writes events for TensorBoard (`tensorboard --logdir=...`).

    # Arguments
        log_dir: folder of the event files.
        histogram_freq: epochs between two histograms of the weights, and of the outputs of the
            layers for validation data; 0 is none.
        batch_size: how many samples of the validation data the histograms of outputs and gradients
            are of; and how many of `embeddings_data` are computed at once. 32 by default.
        write_graph: whether the graph of the layers is written.
        write_grads: whether histograms of the gradients are written; they need validation data.
        write_images: whether the weights are written as images.
        embeddings_freq: epochs between two savings of embeddings; 0 is none.
        embeddings_layer_names: layers whose outputs are saved; all Embedding layers by default.
        embeddings_metadata: file with the names of the samples, or dict from layers to files.
        embeddings_data: inputs of the model for which the outputs are saved.
        update_freq: "epoch", "batch", or the number of samples between two values.
    """

    def __init__(self, log_dir="./logs", histogram_freq=0, batch_size=None, write_graph=True,
                 write_grads=False, write_images=False, embeddings_freq=0,
                 embeddings_layer_names=None, embeddings_metadata=None, embeddings_data=None,
                 update_freq="epoch"):
        super().__init__()
        if embeddings_freq and embeddings_data is None:
            raise ValueError("[TensorBoard] embeddings_data is required with embeddings_freq; it "
                             "was not given.")
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.batch_size = 32 if batch_size is None else batch_size
        self.write_graph = write_graph
        self.write_grads = write_grads
        self.write_images = write_images
        self.embeddings_freq = embeddings_freq
        self.embeddings_layer_names = embeddings_layer_names
        self.embeddings_metadata = embeddings_metadata or {}
        self.embeddings_data = embeddings_data
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.samples_seen = 0
        self.samples_seen_at_last_write = 0
        self.writer = None
        self._compute = None

    def set_model(self, model):
        super().set_model(model)
        self._compute = None
        self.writer = EventWriter(self.log_dir)
        if self.write_graph:
            self.writer.graph(graph_of(model))
        self.writer.flush()

    # ---- scalars

    def on_batch_end(self, batch, logs=None):
        if self.update_freq == "epoch":
            return
        self.samples_seen += logs["size"]
        if self.samples_seen - self.samples_seen_at_last_write >= self.update_freq:
            self._write_logs(logs, self.samples_seen)
            self.samples_seen_at_last_write = self.samples_seen

    def on_epoch_end(self, epoch, logs=None):
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
            self._write_tensors(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        self._write_logs(logs or {}, epoch if self.update_freq == "epoch" else self.samples_seen)

    def on_train_end(self, _):
        self.writer.flush()

    def _write_logs(self, logs, step):
        for name, value in logs.items():
            if name not in ("batch", "size"):
                self.writer.scalar(name, value, step)
        self.writer.flush()

    # ---- histograms

    def _write_weights(self, epoch):
        for layer in self.model.layers:
            for weight in layer.weights:
                name, value = weight.name.replace(":", "_"), K.get_value(weight)
                self.writer.histogram(name, value, epoch)
                if self.write_images:
                    for number, image in enumerate(images_of(value)):
                        self.writer.image("%s/image/%d" % (name, number), image, epoch)

    def _write_tensors(self, epoch):
        """Histograms of outputs and gradients, for the first samples of the validation data."""
        if not self.validation_data:
            if self.write_grads:
                raise ValueError("[TensorBoard] validation data, as arrays, are required for "
                                 "histograms of gradients; none were given to fit.")
            return
        if self._compute is None:
            self._compute = self._make_compute()
        function, tags = self._compute
        arrays = [array[:self.batch_size] for array in self.validation_data[:len(function.inputs)]]
        for tag, values in zip(tags, function(arrays)):
            self.writer.histogram(tag, values, epoch)

    def _make_compute(self):
        """(function, tags) of what histograms are made of, besides weights."""
        model = self.model
        tags, tensors = [], []
        for layer in model.layers:
            for number, output in enumerate(_outputs_of(layer)):
                tags.append(layer.name + "_out" + ("_%d" % number if number else ""))
                tensors.append(output)
        inputs = list(model.inputs)
        if self.write_grads:
            weights = [weight for layer in model.layers for weight in layer.trainable_weights]
            tags += [weight.name.replace(":", "_") + "_grad" for weight in weights]
            tensors += K.gradients(model.total_loss, weights)
            inputs += model.targets + model.sample_weights
        return K.function(inputs, tensors), tags

    # ---- embeddings

    def _write_embeddings(self):
        """Saves the embeddings as tables of text, and for the projector where they are."""
        layers = [layer for layer in self.model.layers if self._is_embedded(layer)]
        function = K.function(self.model.inputs, [layer.output for layer in layers])
        data = to_list(self.embeddings_data, allow_tuple=True)
        parts = [function([array[start:start + self.batch_size] for array in data])
                 for start in range(0, len(data[0]), self.batch_size)]
        entries = []
        for layer, outputs in zip(layers, zip(*parts)):
            vectors = np.concatenate(outputs).reshape(len(data[0]), -1)
            table = "%s.tsv" % layer.name.replace("/", "_")
            np.savetxt(os.path.join(self.log_dir, table), vectors, fmt="%.7g", delimiter="\t")
            entries.append(self._projector_entry(layer.name, table))
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w") as file:
            file.write("".join(entries))

    def _is_embedded(self, layer):
        if self.embeddings_layer_names:
            return layer.name in self.embeddings_layer_names
        return type(layer).__name__ == "Embedding"

    def _projector_entry(self, name, table):
        metadata = self.embeddings_metadata
        if isinstance(metadata, dict):
            metadata = metadata.get(name)
        lines = ['  tensor_name: "%s"' % name, '  tensor_path: "%s"' % table]
        if metadata:
            lines.append('  metadata_path: "%s"' % metadata)
        return "embeddings {\n%s\n}\n" % "\n".join(lines)


def images_of(value):
    """The images that show a weight: arrays of two axes; none for more than three axes."""
    value = np.squeeze(value)
    if value.ndim == 1:
        return [value[:, np.newaxis]]
    if value.ndim == 2:
        return [value.T if value.shape[0] > value.shape[1] else value]
    if value.ndim == 3:
        return [value[..., channel] for channel in range(min(value.shape[-1], _MOST_IMAGES))]
    return []


def _outputs_of(layer):
    """The outputs of a layer that has been called once; those of shared layers have no one tag."""
    try:
        return to_list(layer.output, allow_tuple=True)
    except AttributeError:
        return []


def graph_of(model):
    """The GraphNodes of a model: one for each call of a layer, models inside as boxes."""
    if not hasattr(model, "nodes_by_depth") or model.inputs is None:
        return [GraphNode(layer.name, type(layer).__name__) for layer in model.layers]
    nodes = []
    _add_calls(model, "", {}, nodes)
    return nodes


def _add_calls(model, box, names, nodes):
    """Adds the calls of a model's layers. `names`: {tensor: name of the node that made it}."""
    taken = {node.name for node in nodes}
    for depth in sorted(model.nodes_by_depth, reverse=True):
        for call in model.nodes_by_depth[depth]:
            layer = call.outbound_layer
            if all(tensor in names for tensor in call.output_tensors):
                continue    # an input of a model inside: the outer tensor stands for it
            name = _unused(box + layer.name, taken)
            taken.add(name)
            if getattr(layer, "nodes_by_depth", None) is not None:
                inner = dict(zip(layer.inputs, [names[tensor] for tensor in call.input_tensors]))
                _add_calls(layer, name + "/", inner, nodes)
                names.update(zip(call.output_tensors, [inner[one] for one in layer.outputs]))
                continue
            inputs = [names[tensor] for tensor in call.input_tensors if tensor in names]
            nodes.append(GraphNode(name, type(layer).__name__, inputs, call.output_shapes))
            names.update((tensor, name) for tensor in call.output_tensors)


def _unused(name, taken):
    number, result = 0, name
    while result in taken:
        number += 1
        result = "%s_%d" % (name, number)
    return result
