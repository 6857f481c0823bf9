"""Modules under every path that Keras 1 and 2 had: a table of old paths, and their import.

A path of the table is imported like a file: `import symk.objectives`, or `keras.objectives` where
`symk.compat` answers for keras. It is the module of symk that has its content, or a module that
collects names of several. Imports nothing of symk, as symk itself imports this.
"""
import importlib
import importlib.machinery
import sys
import types

__all__ = ["ALIASES", "COLLECTIONS", "NAMES", "Collection", "install", "later"]

# Old path -> the module that it is.
ALIASES = {
    "objectives": "losses",
    "callbacks.callbacks": "callbacks",
    "callbacks.tensorboard_v1": "callbacks.tensorboard",
    "callbacks.tensorboard_v2": "callbacks.tensorboard",
    "datasets.data_utils": "utils.data_utils",
    "utils.visualize_util": "utils.vis_utils",
    "utils.multi_gpu_utils": "models.replicas",
    "utils.training_utils": "models.replicas",
    "backend.cntk_backend": "backend",
    "backend.tensorflow_backend": "backend",
    "backend.theano_backend": "backend",
    "utils.metrics_utils": "metrics",
}

# Old path -> the modules whose names it has; the first that has a name gives it.
COLLECTIONS = {
    "engine.base_layer": ("engine",),
    "engine.input_layer": ("engine",),
    "engine.topology": ("engine", "models.weights", "utils.generic_utils"),
    "engine.training": ("models", "engine", "engine.trainer", "utils.generic_utils",
                        "utils.data_utils"),
    "engine.saving": ("models", "models.files", "models.weights"),
    "engine.sequential": ("models", "engine"),
    "engine.training_arrays": ("engine.run",),
    "engine.training_generator": ("engine.run",),
    "engine.training_utils": ("engine.data", "engine.arguments"),
    "layers.containers": ("models",),
}

# Module -> {name that Keras has there: the module that defines it, further down in the order}.
NAMES = {
    "engine": {"Model": "models", "Sequential": "models", "Merge": "layers", "merge": "layers",
               "Container": "models.model"},
    "utils": {"multi_gpu_model": "models.replicas"},
    "utils.layer_utils": {"layer_from_config": "layers.keras1"},
}


class Collection(types.ModuleType):
    """A module whose names are those of others, looked up when they are asked for."""

    def __init__(self, name, sources):
        super().__init__(name, "Names of %s." % ", ".join(sources))
        self.__path__ = []
        self._sources = sources

    def __getattr__(self, name):
        if not name.startswith("__"):
            for source in self._sources:
                try:
                    value = getattr(importlib.import_module(source), name)
                except (AttributeError, ModuleNotFoundError):
                    continue
                setattr(self, name, value)
                return value
        raise AttributeError("module %r has no attribute %r" % (self.__name__, name))

    def __dir__(self):
        names = set(vars(self))
        for source in self._sources:
            names.update(getattr(importlib.import_module(source), "__all__", ()))
        return sorted(names)


def later(module):
    """A `__getattr__` for a module: what `NAMES` says, and the modules of the other tables."""
    package, _, inner = module.partition(".")

    def find(name):
        path = "%s.%s" % (inner, name)
        if path in ALIASES or path in COLLECTIONS:
            return importlib.import_module("%s.%s" % (package, path))
        if name in NAMES.get(inner, ()):
            source = importlib.import_module("%s.%s" % (package, NAMES[inner][name]))
            return getattr(source, name)
        raise AttributeError("module %r has no attribute %r" % (module, name))
    return find


class _Finder:
    """Finds and loads the modules of the table, when no file has their path."""

    def __init__(self, package):
        self.package = package

    def find_spec(self, name, path=None, target=None):
        """The spec of a module of the table; None for others."""
        top, _, inner = name.partition(".")
        if top != self.package or inner not in ALIASES and inner not in COLLECTIONS:
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        """The collection, or a place for the alias."""
        inner = spec.name.partition(".")[2]
        sources = COLLECTIONS.get(inner, ())
        return Collection(spec.name, ["%s.%s" % (self.package, source) for source in sources])

    def exec_module(self, module):
        """An alias is the module itself, under both paths."""
        inner = module.__name__.partition(".")[2]
        if inner in ALIASES:
            target = importlib.import_module("%s.%s" % (self.package, ALIASES[inner]))
            sys.modules[module.__name__] = target


def install(package):
    """Makes the paths of the table importable in a package."""
    if not any(isinstance(finder, _Finder) and finder.package == package
               for finder in sys.meta_path):
        sys.meta_path.append(_Finder(package))
