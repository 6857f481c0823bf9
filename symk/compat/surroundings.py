"""What a script of the time of Keras 1 and 2 found around Keras, and what took it away since.

Keras brought `six`; NumPy, SciPy, scikit-learn and Python have dropped or moved names. The tables
say what stands for each; the first use of a name warns. For scripts alone: `symk run` provides it.
"""
import collections.abc
import contextlib
import functools
import importlib
import importlib.machinery
import itertools
import re
import sys
import time
import types
import warnings

import numpy as np

from . import pictures

__all__ = ["BUILTINS", "provided"]

# Names of Python 2, for the script's own module: others ask by them which Python they are on.
BUILTINS = {"basestring": str, "long": int, "raw_input": input, "reduce": functools.reduce,
            "unichr": chr, "unicode": str, "xrange": range}

_ABSTRACT = ("Callable", "Container", "Hashable", "Iterable", "Iterator", "Mapping",
             "MutableMapping", "MutableSequence", "MutableSet", "Sequence", "Set", "Sized")

# Module -> {a name that it had: what stands for it}.
NAMES = {
    "numpy": {"float": float, "int": int, "bool": bool, "object": object, "str": str,
              "complex": complex, "long": int, "unicode": str, "float_": np.float64,
              "complex_": np.complex128, "unicode_": np.str_, "string_": np.bytes_,
              "Inf": np.inf, "Infinity": np.inf, "infty": np.inf, "PINF": np.inf,
              "NINF": -np.inf, "NaN": np.nan, "NAN": np.nan, "product": np.prod,
              "cumproduct": np.cumprod, "alltrue": np.all, "sometrue": np.any,
              "row_stack": np.vstack, "round_": np.round},
    "collections": {name: getattr(collections.abc, name) for name in _ABSTRACT},
    "time": {"clock": time.process_time},
}

# Module that is gone -> the installed one that has its names.
MOVED = {
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.externals.joblib": "joblib",
}

# Scores that scikit-learn now names by their negative.
_SCORES = {name: "neg_" + name for name in ("log_loss", "mean_absolute_error",
                                            "mean_squared_error", "median_absolute_error")}

# Names of six.moves -> where Python 3 has them: "module" or "module:name".
MOVES = {
    "range": "builtins:range", "xrange": "builtins:range", "zip": "builtins:zip",
    "map": "builtins:map", "filter": "builtins:filter", "input": "builtins:input",
    "reduce": "functools:reduce", "zip_longest": "itertools:zip_longest",
    "reload_module": "importlib:reload", "StringIO": "io:StringIO", "builtins": "builtins",
    "cPickle": "pickle", "queue": "queue", "configparser": "configparser", "urllib": "urllib",
    "urllib.request": "urllib.request", "urllib.parse": "urllib.parse",
    "urllib.error": "urllib.error",
}


@contextlib.contextmanager
def provided():
    """Gives scripts what they found, until the end of the context."""
    with contextlib.ExitStack() as undo:
        for module, names in NAMES.items():
            undo.enter_context(_names(importlib.import_module(module), names))
        finder = _Finder()
        sys.meta_path.insert(0, finder)
        undo.callback(sys.meta_path.remove, finder)
        undo.callback(setattr, re, "split", re.split)
        re.split = _split(re.split)
        yield


@contextlib.contextmanager
def _names(module, names):
    """A module that is asked for a name of a table gives what stands for it."""
    own = vars(module).get("__getattr__")
    told = set()

    def find(name):
        if name in names:
            if name not in told:
                told.add(name)
                value = names[name]
                warnings.warn("[run] %s has no %s any more; %s stands for it."
                              % (module.__name__, name, getattr(value, "__name__", value)),
                              stacklevel=2)
            return names[name]
        if own is not None:
            return own(name)
        raise AttributeError("module %r has no attribute %r" % (module.__name__, name))

    module.__getattr__ = find
    try:
        yield
    finally:
        if own is None:
            del module.__getattr__
        else:
            module.__getattr__ = own


class _Finder:
    """Finds the modules of the tables that no package has; `scipy.misc` always, as newer ones
    have no pictures."""

    def find_spec(self, name, path=None, target=None):
        """The spec of a module of the tables; None for others."""
        if name == "scipy.misc" or _is_known(name) and not self._is_elsewhere(name, path):
            return importlib.machinery.ModuleSpec(name, self, is_package=name.startswith("six"))
        return None

    def _is_elsewhere(self, name, path):
        """Whether a package has the module; all of six is where its top is."""
        if name.startswith("six"):
            name, path = "six", None
        return any(finder.find_spec(name, path) for finder in sys.meta_path if finder is not self)

    def create_module(self, spec):
        """A new module with the names; a module that has moved is itself."""
        return None

    def exec_module(self, module):
        """Fills the module, or puts the one that stands for it in its place."""
        name = module.__name__
        if name in MOVED:
            warnings.warn("[run] %s is gone; %s stands for it." % (name, MOVED[name]), stacklevel=2)
            sys.modules[name] = importlib.import_module(MOVED[name])
        elif name.startswith("six.moves."):
            sys.modules[name] = _of_python_3(MOVES[name[len("six.moves."):]])
        else:
            vars(module).update(_CONTENTS[name]())


def _is_known(name):
    top, _, inner = name.partition("six.moves.")
    return name in MOVED or name in _CONTENTS or not top and inner in MOVES


def _of_python_3(place):
    module, _, name = place.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


def _moves():
    """The names of six.moves; what is a module is imported when it is asked for."""
    def find(name):
        if name in MOVES:
            return _of_python_3(MOVES[name])
        raise AttributeError("module 'six.moves' has no attribute %r" % name)
    return {"__getattr__": find}


def _six():
    """The names of six, as they are on Python 3."""
    return {
        "PY2": False, "PY3": True, "string_types": (str,), "integer_types": (int,),
        "class_types": (type,), "text_type": str, "binary_type": bytes, "MAXSIZE": sys.maxsize,
        "StringIO": _of_python_3("io:StringIO"), "BytesIO": _of_python_3("io:BytesIO"),
        "iterkeys": lambda d, **kw: iter(d.keys(**kw)),
        "itervalues": lambda d, **kw: iter(d.values(**kw)),
        "iteritems": lambda d, **kw: iter(d.items(**kw)),
        "next": next, "u": str, "b": lambda text: text.encode("latin-1"),
        "with_metaclass": lambda meta, *bases: types.new_class(
            "base", bases, {"metaclass": meta}),
        "moves": importlib.import_module("six.moves"),
    }


def _pictures():
    special = importlib.import_module("scipy.special")
    names = {name: getattr(special, name) for name in ("comb", "factorial", "logsumexp")}
    return dict(names, **{name: getattr(pictures, name) for name in pictures.__all__})


def _grid_search():
    """The searches of scikit-learn, which take the old names of scores too."""
    selection = importlib.import_module("sklearn.model_selection")

    def searching(search):
        @functools.wraps(search)
        def make(*args, scoring=None, **options):
            if len(args) > 2:   # it was the third argument
                args, scoring = args[:2], args[2]
            scoring = _SCORES.get(scoring, scoring) if isinstance(scoring, str) else scoring
            return search(*args, scoring=scoring, **options)
        return make
    return {"ParameterGrid": selection.ParameterGrid,
            "ParameterSampler": selection.ParameterSampler,
            "GridSearchCV": searching(selection.GridSearchCV),
            "RandomizedSearchCV": searching(selection.RandomizedSearchCV)}


_CONTENTS = {"six": _six, "six.moves": _moves, "scipy.misc": _pictures,
             "sklearn.grid_search": _grid_search}


def _split(split):
    """`re.split`, but the script's own calls do not split at nothing, as until Python 3.6."""
    def until_3_6(pattern, string, maxsplit=0, flags=0):
        pattern = re.compile(pattern, flags)
        if sys._getframe(1).f_globals.get("__name__") != "__main__" or not pattern.match(""):
            return split(pattern, string, maxsplit=maxsplit)
        found = (one for one in pattern.finditer(string) if one.end() > one.start())
        parts, start = [], 0
        for one in itertools.islice(found, maxsplit or None):
            parts += [string[start:one.start()]] + list(one.groups())
            start = one.end()
        return parts + [string[start:]]
    return until_3_6
