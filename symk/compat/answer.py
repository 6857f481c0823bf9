"""Makes `import keras` mean symk, for Keras 2 or for Keras 1.

`keras.anything` is `symk.anything`, the same module. Only the top is a module of its own: it has
Keras's version. For Keras 1 every module is shown through the table of `keras1.py`.
"""
import importlib
import importlib.machinery
import sys
import types

from .. import backend as K
from .. import layers
from ..backend import common
from . import keras1

__all__ = ["VERSIONS", "install", "uninstall"]

# The versions of Keras that symk can answer as.
VERSIONS = {2: "2.3.1", 1: "1.2.2"}

_DATA_FORMATS = {"tf": "channels_last", "th": "channels_first", "channels_last": "channels_last",
                 "channels_first": "channels_first"}

# Names that K and its `common` had before 2.3; scripts of then find them under `import keras`.
_EARLIER = {
    K: {"image_dim_ordering": lambda backend: common.image_dim_ordering,
        "set_image_dim_ordering": lambda backend: common.set_image_dim_ordering,
        "_BACKEND": lambda backend: backend or K.backend()},
    common: {"_EPSILON": lambda backend: K.epsilon(), "_FLOATX": lambda backend: K.floatx()},
}
_BACKENDS = ("tensorflow", "theano", "cntk", "symk")


class _Keras(types.ModuleType):
    """The module `keras`: symk with another name and version."""

    def __init__(self, version):
        super().__init__("keras", "Keras %s, answered by symk." % version)
        self.__version__ = version
        self.__path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError("module 'keras' has no attribute %r" % name)
        try:
            return importlib.import_module("keras." + name)
        except ModuleNotFoundError:
            value = getattr(importlib.import_module("symk"), name)
            return keras1.REPLACED.get(value, value) if self.__version__ == VERSIONS[1] else value

    def __dir__(self):
        return dir(importlib.import_module("symk"))


class _Shown(types.ModuleType):
    """A module of symk, whose names mean what they mean in Keras 1."""

    def __init__(self, name, source):
        super().__init__(name, source.__doc__)
        self.__path__ = []
        self._source = source
        if hasattr(source, "__all__"):
            self.__all__ = list(source.__all__)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError("module %r has no attribute %r" % (self.__name__, name))
        value = getattr(self._source, name)
        if isinstance(value, types.ModuleType) and value.__name__.startswith("symk.") \
                and not callable(value):
            return importlib.import_module("keras" + value.__name__[len("symk"):])
        try:
            return keras1.REPLACED.get(value, value)
        except TypeError:       # a value that is no key
            return value

    def __dir__(self):
        return dir(self._source)


class _Finder:
    """Finds `keras` and its modules before any installed Keras."""

    def __init__(self, version):
        self.version = version

    def find_spec(self, name, path=None, target=None):
        """The spec of keras or of one of its modules; None for others."""
        if name == "keras":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        if not name.startswith("keras."):
            return None
        try:
            importlib.import_module("symk." + name[len("keras."):])
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("symk."):
                raise
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        """The module keras, or one shown as Keras 1's; None, for an empty one, elsewhere."""
        if spec.name == "keras":
            return _Keras(self.version)
        if self.version != VERSIONS[1]:
            return None
        source = importlib.import_module("symk." + spec.name[len("keras."):])
        return None if callable(source) else _Shown(spec.name, source)

    def exec_module(self, module):
        """keras.x is symk.x itself, but for a module that is shown."""
        name = module.__name__
        if name != "keras" and not isinstance(module, _Shown):
            sys.modules[name] = importlib.import_module("symk." + name[len("keras."):])


def install(keras=2, backend=None, image_dim_ordering=None):
    """Lets `import keras` give symk.

    Args:
        keras: 2 or 1, the version whose meaning names have where the two differ.
        backend: what K.backend() says, for scripts that ask: "tensorflow", "theano", ...; None
            leaves "tensorflow". With Keras 1 and "theano", convolutions of K turn their kernels.
        image_dim_ordering: "tf" or "th"; None leaves the data format as it is.
    Raises:   ValueError for other values; RuntimeError when another keras is imported already.
    """
    if keras not in VERSIONS:
        raise ValueError("[install] keras must be 1 or 2; %r was given." % (keras,))
    other = sys.modules.get("keras")
    if other is not None and not isinstance(other, _Keras):
        raise RuntimeError("[install] symk must answer before keras is imported; %r is imported "
                           "already. Call install() first." % other)
    if image_dim_ordering is not None:
        if image_dim_ordering not in _DATA_FORMATS:
            raise ValueError('[install] image_dim_ordering must be "tf" or "th"; %r was given.'
                             % (image_dim_ordering,))
        K.set_image_data_format(_DATA_FORMATS[image_dim_ordering])
    if backend not in (None,) + _BACKENDS:
        raise ValueError("[install] backend must be one of %s; %r was given."
                         % (", ".join(_BACKENDS), backend))
    uninstall()
    for module, names in _EARLIER.items():
        for name, value in names.items():
            setattr(module, name, value(backend))
    if backend is not None:
        K.backend = lambda: backend
    layers.Layer.array_layout = keras1.ArrayLayout if keras == 1 else None
    sys.meta_path.insert(0, _Finder(VERSIONS[keras]))


def uninstall():
    """Lets `import keras` mean what it did before; modules that were imported stay usable."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in [name for name in sys.modules if name == "keras" or name.startswith("keras.")]:
        del sys.modules[name]
    for module, names in _EARLIER.items():
        for name in names:
            vars(module).pop(name, None)
    K.backend = common.backend
    layers.Layer.array_layout = None
