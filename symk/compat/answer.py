"""Makes `import keras` mean symk, for Keras 2 or for Keras 1.

`keras.anything` is `symk.anything`, the same module. Only the top is a module of its own: it has
Keras's version.
"""
import importlib
import importlib.machinery
import sys
import types

from ..backend import set_image_data_format

__all__ = ["VERSIONS", "install", "uninstall"]

# The versions of Keras that symk can answer as.
VERSIONS = {2: "2.3.1", 1: "1.2.2"}

_DATA_FORMATS = {"tf": "channels_last", "th": "channels_first", "channels_last": "channels_last",
                 "channels_first": "channels_first"}


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
            return getattr(importlib.import_module("symk"), name)

    def __dir__(self):
        return dir(importlib.import_module("symk"))


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
        """The module keras; None, for an empty one, elsewhere."""
        return _Keras(self.version) if spec.name == "keras" else None

    def exec_module(self, module):
        """keras.x is symk.x itself."""
        name = module.__name__
        if name != "keras":
            sys.modules[name] = importlib.import_module("symk." + name[len("keras."):])


def install(keras=2, backend=None, image_dim_ordering=None):
    """Lets `import keras` give symk.

    Args:
        keras: 2 or 1, the version whose meaning names have where the two differ.
        backend: what K.backend() says: "tensorflow", "theano"; None leaves "symk".
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
        set_image_data_format(_DATA_FORMATS[image_dim_ordering])
    uninstall()
    sys.meta_path.insert(0, _Finder(VERSIONS[keras]))


def uninstall():
    """Lets `import keras` mean what it did before; modules that were imported stay usable."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in [name for name in sys.modules if name == "keras" or name.startswith("keras.")]:
        del sys.modules[name]
