"""Where an installed symk has its C library, for compilers and their tools."""
import os

__all__ = ["PLACES"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _folder(name):
    return os.path.join(_PACKAGE, name)


def _sources():
    """Where the C++ sources are: in the package, or in the tree that it is run from."""
    installed = _folder("source")
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(_PACKAGE),
                                                                   "csrc")


def _flags():
    """What a compiler needs, in one line."""
    return "-I%s -L%s -lsymk_runtime -Wl,-rpath,%s" % (_folder("include"), _PACKAGE, _PACKAGE)


# What `symk config --NAME` says.
PLACES = {
    "includedir": lambda: _folder("include"),
    "libdir": lambda: _PACKAGE,
    "cmakedir": lambda: _folder("cmake"),
    "pkgconfigdir": lambda: _folder("pkgconfig"),
    "sourcedir": _sources,
    "flags": _flags,
}
