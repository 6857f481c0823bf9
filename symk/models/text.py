"""Architectures as text: JSON and YAML, as Keras 2.3.1 writes and reads them."""
import difflib
import json

import numpy as np

from .. import layers, registry
from ..backend.common import backend
from ..engine import legacy

__all__ = ["KERAS_VERSION", "check_classes", "jsonable", "model_from_config", "model_from_json",
           "model_from_yaml", "to_json", "to_yaml"]

KERAS_VERSION = "2.3.1"     # whose files symk writes

# What a value of a wrong kind or size in a config can lead to, besides ValueError and TypeError.
_BROKEN = (AttributeError, KeyError, IndexError, OverflowError, MemoryError, RecursionError)

_MOST_ALIASES = 10000       # of a YAML text: far more than a model has, few enough to expand


def jsonable(value):
    """A plain value for what a config may hold: arrays, functions, objects with a config."""
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__name__"):
        return value.__name__
    raise TypeError("[to_json] a config must hold numbers, texts, lists, dicts and named objects; "
                    "%r was found." % (value,))


def description(model):
    """What a file keeps of a model's architecture."""
    return {"class_name": type(model).__name__, "config": model.get_config(),
            "keras_version": KERAS_VERSION, "backend": backend()}


def to_json(model, **kwargs):
    return json.dumps(description(model), default=jsonable, **kwargs)


def to_yaml(model, **kwargs):
    import yaml  # only those who write YAML wait for it
    plain = _plain(description(model))
    return yaml.dump(plain, **kwargs)


def _plain(value):
    """Dicts, lists, tuples and numbers only; tuples stay tuples, as Keras writes them."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(one) for one in value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return _plain(jsonable(value))


def model_from_json(json_string, custom_objects=None):
    """The model that a JSON text describes, with new weights.

    # Arguments
        custom_objects: dict from names in the text to classes or functions of your own.
    """
    try:
        config = json.loads(json_string)
    except ValueError as error:
        raise ValueError("[model_from_json] JSON is required; the text is none: %s" % error) \
            from None
    return model_from_config(config, custom_objects)


def model_from_yaml(yaml_string, custom_objects=None):
    """The model that a YAML text describes, with new weights. No text can run code."""
    return model_from_config(_load_yaml(yaml_string), custom_objects)


def _load_yaml(text):
    import yaml  # only those who read YAML wait for it

    class Loader(yaml.SafeLoader):
        """Plain values, and the tuples that Keras writes."""

    Loader.add_constructor("tag:yaml.org,2002:python/tuple",
                           lambda loader, node: tuple(loader.construct_sequence(node, deep=True)))
    Loader.add_constructor("tag:yaml.org,2002:python/unicode",
                           lambda loader, node: loader.construct_scalar(node))
    try:
        aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader))
        if aliases > _MOST_ALIASES:
            raise ValueError("[model_from_yaml] at most %d aliases are read; the text has %d."
                             % (_MOST_ALIASES, aliases))
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ValueError("[model_from_yaml] YAML of plain values is required; the text is not: %s"
                         % error) from None


def model_from_config(config, custom_objects=None):
    """The model of a dict with "class_name" and "config".

    # Raises
        ValueError: naming all unknown classes at once; for a config that no model has.
    """
    if not isinstance(config, dict) or not {"class_name", "config"} <= set(config):
        raise ValueError('[model_from_config] a dict with "class_name" and "config" is required; '
                         "%s was given. A Sequential's config goes to Sequential.from_config."
                         % type(config).__name__)
    check_classes(config, custom_objects)
    try:
        return layers.deserialize(config, custom_objects)
    except _BROKEN as error:
        raise ValueError("[model_from_config] a config as Keras writes it is required; this one "
                         "cannot be used: %s: %s" % (type(error).__name__, error)) from error


def check_classes(config, custom_objects=None):
    """Raises ValueError with every layer class in a config that is not known."""
    known = dict(registry.table("layer"), **registry.custom_objects())
    known.update(custom_objects or {})
    unknown = sorted({name for name in _class_names(config) if name not in known})
    if unknown:
        raise ValueError("[load] every layer must be known; unknown: %s. Your own classes go into "
                         "custom_objects." % "; ".join(_with_close_names(name, known)
                                                       for name in unknown))


def _with_close_names(name, known):
    close = difflib.get_close_matches(str(name), list(known), n=3)
    return "%r (close to it: %s)" % (name, ", ".join(close)) if close else repr(name)


def _modern_name(entry):
    """The class of a layer, under the name of Keras 2; its own name if nothing is known of it."""
    try:
        return legacy.modern(entry["class_name"], entry.get("config"))[0]
    except _BROKEN:
        return entry["class_name"]


def _class_names(entry):
    """The class names of a layer and of the layers inside of it."""
    waiting, names = [entry], []
    while waiting:
        entry = waiting.pop()
        if not isinstance(entry, dict) or "class_name" not in entry:
            continue
        names.append(_modern_name(entry))
        inner = entry.get("config")
        if isinstance(inner, dict):
            for key in ("layers", "cells"):
                waiting += inner[key] if isinstance(inner.get(key), list) else []
            waiting += [inner[key] for key in ("layer", "forward_layer", "backward_layer", "cell")
                        if key in inner]
        elif isinstance(inner, list):
            waiting += inner
    return names
