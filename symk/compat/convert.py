"""Old model files: what is in them, and as files of Keras 2.3."""
import json

from ..engine import legacy
from ..models import load_model
from ..models.weights import saved_layers, writer_of
from ..utils import hdf5

__all__ = ["convert", "described"]


def described(path):
    """Lines that say what is in an HDF5 file of a model or of weights; nothing of it is run."""
    with hdf5.open_to_read(path) as file:
        whole = "model_config" in file.attrs
        group = file["model_weights"] if "model_weights" in file else file
        writer = writer_of(group)
        yield "%s of Keras %s on %s" % ("model" if whole else "weights", writer.version,
                                        writer.backend or "an unnamed backend")
        if whole:
            yield from ("layer %s (%s)" % pair for pair in _layers(_config(file)))
            training = hdf5.read_text(file, "training_config")
            if training is not None:
                yield "optimizer %s" % json.loads(training)["optimizer_config"]["class_name"]
        for layer, names in saved_layers(group).items():
            for name in names:
                data = hdf5.dataset(group[layer], name)
                yield "weight %s/%s %s %s" % (layer, name, tuple(data.shape), data.dtype)


def convert(source, target):
    """Writes a model's file of any era as one of Keras 2.3; returns lines that say what changed.

    Raises:   ValueError for a file without an architecture; the target is then left as it is.
    """
    with hdf5.open_to_read(source) as file:
        if "model_config" not in file.attrs:
            raise ValueError("[convert] a file of a whole model is required; %r has weights alone. "
                             "Make the model in a program, load_weights, and save it." % source)
        before = _config(file)
        group = file["model_weights"]
        writer = writer_of(group)
        old_names = _weight_names(group)
    model = load_model(source)
    model.save(target)
    with hdf5.open_to_read(target) as file:
        after, new_names = _config(file), _weight_names(file["model_weights"])
    lines = ["Keras %s on %s -> Keras 2.3.1 on tensorflow" % (writer.version, writer.backend)]
    lines += _changes(before, after)
    if old_names != new_names:
        lines.append("weights: %d arrays -> %d arrays" % (len(old_names), len(new_names)))
    return lines


def _config(file):
    return json.loads(hdf5.read_text(file, "model_config"))


def _weight_names(group):
    return [name for names in saved_layers(group).values() for name in names]


def _entries(config):
    """The configs of the layers of a model, in their order."""
    inner = config["config"]
    return inner if isinstance(inner, list) else inner.get("layers", [])


def _layers(config):
    """(name, class name) of the layers of a model."""
    return [(entry["config"].get("name", entry.get("name")), entry["class_name"])
            for entry in _entries(config) if isinstance(entry["config"], dict)]


def _changes(before, after):
    """What happened to the layers, one line for each that changed."""
    for old, new in zip(_entries(before), _entries(after)):
        if not isinstance(old["config"], dict):
            continue
        name = old["config"].get("name", old.get("name"))
        if old["class_name"] != new["class_name"]:
            yield "layer %s: %s -> %s" % (name, old["class_name"], new["class_name"])
        gone = sorted(set(old["config"]) - set(new["config"]))
        table = legacy.ARGUMENTS.get(legacy.modern_name(old["class_name"]), {})
        if gone:
            yield "layer %s: %s" % (name, ", ".join(
                "%s -> %s" % (word, table[word]) if word in table else "%s (dropped)" % word
                for word in gone))
