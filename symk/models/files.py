"""Whole models as HDF5 files, in the layout of Keras 2.3.1."""
import io
import json
import warnings

from .. import losses, metrics, optimizers, registry
from ..utils import hdf5
from .legacy import modern_state
from .text import KERAS_VERSION, description, jsonable, model_from_config
from .weights import read_weights, save_weights_to_hdf5_group, saved_names, writer_of

__all__ = ["custom_classes", "load_model", "reduced", "save_model"]


def save_model(model, filepath, overwrite=True, include_optimizer=True):
    """Saves a model: architecture, weights, and what it is trained for with the optimizer's state.

    The file is written beside the old one and takes its place when it is whole.

    # Arguments
        model: the model.
        filepath: path of the file; or a binary file object, an h5py.Group or a dict.
        overwrite: whether an existing file may be replaced.
        include_optimizer: whether to save the state of training.
    """
    model._require_built("save_model")
    with hdf5.open_to_write(filepath, overwrite) as file:
        hdf5.write_text(file, "keras_version", KERAS_VERSION)
        about = description(model)
        hdf5.write_text(file, "backend", about["backend"])
        hdf5.write_text(file, "model_config", json.dumps(
            {key: about[key] for key in ("class_name", "config")}, default=jsonable))
        save_weights_to_hdf5_group(file.create_group("model_weights"), model.layers)
        if include_optimizer and model._objective is not None:
            _write_training(file, model)


def _write_training(file, model):
    optimizer = model.optimizer
    hdf5.write_text(file, "training_config", json.dumps({
        "optimizer_config": {"class_name": type(optimizer).__name__,
                             "config": optimizer.get_config()},
        **model._objective.given}, default=jsonable))
    if optimizer.weights:
        hdf5.write_arrays(file.create_group("optimizer_weights"),
                          zip([weight.name for weight in optimizer.weights],
                              optimizer.get_weights()))


def load_model(filepath, custom_objects=None, compile=True):
    """The model that a file holds, compiled as it was if that was saved.

    # Arguments
        filepath: path of the file; or a binary file object, an h5py.Group or a dict that was saved
            into.
        custom_objects: dict from names in the file to classes or functions of your own.
        compile: whether to compile the model.

    # Raises
        OSError: for a file that is missing, damaged or no HDF5.
        ValueError: for a file that holds no model, or one with unknown classes.
    """
    with hdf5.open_to_read(filepath) as file, registry.CustomObjectScope(custom_objects or {}):
        model = model_from_config(_json(file, "model_config", filepath), custom_objects)
        if "model_weights" not in file:
            raise ValueError("[load_model] the file must have the group model_weights; %s has none."
                             % hdf5.name_of(filepath))
        read_weights(file["model_weights"], model.layers)
        if compile:
            _restore_training(file, model, filepath)
    return model


def _json(file, name, filepath):
    """A JSON attribute as a dict."""
    text = hdf5.read_text(file, name)
    if text is None:
        raise ValueError("[load_model] a file of a whole model is required; %s has no %s. If it "
                         "holds weights alone, build the model and call load_weights."
                         % (hdf5.name_of(filepath), name))
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError("[load_model] %s of %s must be JSON; it is not: %s"
                         % (name, hdf5.name_of(filepath), error)) from None


def _restore_training(file, model, filepath):
    """Compiles a model as it was saved, and gives the optimizer its state back."""
    if hdf5.read_text(file, "training_config") is None:
        warnings.warn("[load_model] %s has no training_config, so the model is not compiled; call "
                      "compile to train it." % hdf5.name_of(filepath), stacklevel=3)
        return
    config = _json(file, "training_config", filepath)
    model.compile(optimizer=optimizers.deserialize(config["optimizer_config"]),
                  loss=_objects(config.get("loss"), losses.deserialize, model.output_names),
                  metrics=_objects(config.get("metrics"), metrics.deserialize, model.output_names),
                  weighted_metrics=_objects(config.get("weighted_metrics"), metrics.deserialize,
                                            model.output_names),
                  loss_weights=config.get("loss_weights"),
                  sample_weight_mode=config.get("sample_weight_mode"))
    if "optimizer_weights" in file:
        _restore_optimizer(file, model)


def _restore_optimizer(file, model):
    model._make_train_function()
    group, weights = file["optimizer_weights"], file["model_weights"]
    names = _by_slot(hdf5.names(group, "weight_names") or [])
    values = [hdf5.dataset(group, name)[()] for name in names]
    if writer_of(weights).is_keras_1:
        values = modern_state(saved_names(weights, model.layers), values) or values
    try:
        model.optimizer.set_weights(values)
    except ValueError as error:
        warnings.warn("[load_model] the state of the optimizer does not fit, so it begins anew: %s"
                      % error, stacklevel=4)


def _by_slot(names):
    """The names of an optimizer's state, slot by slot. The newer tf.keras goes variable by
    variable and calls them Adam/m/dense/kernel:0, Adam/v/dense/kernel:0, ..."""
    parts = [name.split("/") for name in names]
    slots = list(dict.fromkeys(part[1] for part in parts if len(part) > 2))
    place = {name: slots.index(part[1]) if len(part) > 2 else -1
             for name, part in zip(names, parts)}
    return sorted(names, key=place.get)


def _objects(value, deserialize, output_names):
    """Objects for what a training config holds: names stay names, configs become objects."""
    if isinstance(value, dict) and {"class_name", "config"} <= set(value):
        return deserialize(value)
    if isinstance(value, dict):
        return {key: _objects(one, deserialize, output_names) for key, one in value.items()}
    if isinstance(value, list):
        return [_objects(one, deserialize, output_names) for one in value]
    return value


# ---- pickles

def reduced(model):
    """What `pickle` and `copy` keep of a model: a file in memory, and the classes of its layers
    that are not symk's own."""
    content = io.BytesIO()
    save_model(model, content)
    return _unpickled, (content.getvalue(), custom_classes(model))


def _unpickled(content, custom_objects):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has no training_config")
        return load_model(io.BytesIO(content), dict(registry.custom_objects(), **custom_objects))


def custom_classes(layer):
    """{name: class} of the layers inside of a model that loading could not find by their names."""
    found = {}
    for part in layer._sublayers:
        name = type(part).__name__
        if registry.lookup("layer", name) is not type(part):
            found[name] = type(part)
        found.update(custom_classes(part))
    return found
