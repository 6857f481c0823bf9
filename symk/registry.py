"""Names to classes, for everything that a saved model may name. Imports nothing of symk.

Loading a model resolves names here and in the caller's `custom_objects`, and nowhere else: a file
can never reach a function that was not registered.
"""

__all__ = ["register", "lookup", "names"]

_TABLES = {}  # kind ("layer", "loss", ...) -> {name: object}


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
