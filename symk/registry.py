"""Names to classes and functions, for everything that a saved model may name, and back.

Loading resolves names here and in the caller's `custom_objects`, and nowhere else: a file can
never reach a function that was not registered. Imports nothing of symk.
"""
import difflib
import inspect

__all__ = ["register", "lookup", "names", "table", "custom_objects", "CustomObjectScope",
           "serialize", "deserialize", "accepts", "required_arguments"]

_TABLES = {}          # kind ("layer", "loss", ...) -> {name: class or function}
_CUSTOM_OBJECTS = {}  # the user's own names, valid for every kind


def register(kind, name=None):
    """A decorator that makes a class or function known as `name` among the objects of `kind`."""
    def decorate(thing):
        _TABLES.setdefault(kind, {})[name or thing.__name__] = thing
        return thing
    return decorate


def lookup(kind, name):
    """The object registered as `name`, or None."""
    return _TABLES.get(kind, {}).get(name)


def names(kind):
    """All registered names of a kind, in alphabetical order."""
    return sorted(_TABLES.get(kind, {}))


def table(kind):
    """All objects of a kind: {name: class or function}, a copy."""
    return dict(_TABLES.get(kind, {}))


def custom_objects():
    """The dict of the user's own names, valid everywhere; change it to add or remove one."""
    return _CUSTOM_OBJECTS


class CustomObjectScope:
    """A `with` block in which the names of some dicts are known. On exit they are forgotten."""

    def __init__(self, *dicts):
        self.dicts = dicts
        self.outside = None

    def __enter__(self):
        self.outside = dict(_CUSTOM_OBJECTS)
        for objects in self.dicts:
            _CUSTOM_OBJECTS.update(objects)
        return self

    def __exit__(self, *exception):
        _CUSTOM_OBJECTS.clear()
        _CUSTOM_OBJECTS.update(self.outside)


def serialize(thing):
    """What a saved model keeps of an object: None, its name, or its class and config.

    Raises:   ValueError for an object without `get_config` and without a name.
    """
    if thing is None:
        return None
    if hasattr(thing, "get_config"):
        return {"class_name": type(thing).__name__, "config": thing.get_config()}
    if hasattr(thing, "__name__"):
        return thing.__name__
    raise ValueError("[serialize] an object must have get_config() or a name to be saved; %r has "
                     "neither. Give its class a get_config method." % (thing,))


def deserialize(identifier, known, custom=None, what="object"):
    """The object that a name, or a dict with "class_name" and "config", stands for.

    Args:     known: {name: class or function}, as `table` gives it.
              custom: the caller's own {name: class or function}; it wins over `known`.
              what: the word for messages, such as "loss".
    Returns:  an instance of a class, a function found by its name alone, or what a function that
              was named with a config returns for it. None stays None.
    Raises:   ValueError for an unknown name (the closest known names are listed).
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        found = _find(identifier, known, custom, what)
        return _made(identifier, found, what) if inspect.isclass(found) else found
    if not isinstance(identifier, dict) or not {"class_name", "config"} <= set(identifier):
        raise ValueError('[%s] a name or a dict with the keys "class_name" and "config" is '
                         "required; %r was given." % (what, identifier))
    found = _find(identifier["class_name"], known, custom, what)
    config = identifier["config"]
    if not hasattr(found, "from_config"):
        with CustomObjectScope(custom or {}):
            return found(**config)
    if accepts(found.from_config, "custom_objects"):
        return found.from_config(config, custom_objects=dict(_CUSTOM_OBJECTS, **custom or {}))
    with CustomObjectScope(custom or {}):
        return found.from_config(config)


def required_arguments(cls):
    """The names of the arguments without which a class has no instance."""
    return [parameter.name for parameter in inspect.signature(cls).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind is parameter.POSITIONAL_OR_KEYWORD]


def _made(name, cls, what):
    """An instance of a class that was named without a config."""
    required = required_arguments(cls)
    if required:
        raise ValueError('[%s] %r needs the arguments %s; only its name was given. Give an object, '
                         'or a dict with "class_name" and "config".'
                         % (what, name, ", ".join(required)))
    return cls()


def _find(name, known, custom, what):
    for objects in (custom or {}, _CUSTOM_OBJECTS, known):
        if name in objects:
            return objects[name]
    every = sorted(set(known) | set(_CUSTOM_OBJECTS) | set(custom or {}))
    close = difflib.get_close_matches(str(name), every, n=3) or every
    raise ValueError("[%s] the name of a known %s is required; %r was given. Known names%s: %s. "
                     "Your own go into custom_objects."
                     % (what, what, name, "" if close is every else " close to it",
                        ", ".join(map(repr, close))))


def accepts(function, name, any_keyword=False):
    """Whether a callable takes an argument of this name.

    Args:     any_keyword: whether `**kwargs` counts as taking it.
    """
    parameters = inspect.signature(function).parameters
    if name in parameters:
        return parameters[name].kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD,
                                         inspect.Parameter.KEYWORD_ONLY)
    return any_keyword and any(parameter.kind is inspect.Parameter.VAR_KEYWORD
                               for parameter in parameters.values())
