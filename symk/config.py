"""Every setting of symk in one table, with its environment variable and its default.

A value comes from the environment, else from Keras's own file `keras.json`, else it is the default.
It is checked here, once; later it is changed by assignment: `symk.config.settings.floatx =
"float64"`. The number of threads is also `symk.config.threads`. Imports nothing of symk, so every
part may read it.
"""
import contextlib
import contextvars
import json
import operator
import os
import re
import sys
import types
import typing

__all__ = ["TABLE", "Settings", "settings", "device", "default_device", "scoped_device",
           "current_device", "numbered_device"]


class Row(typing.NamedTuple):
    """A setting: how it is called, what text it may be read from, what that means."""

    name: str
    variable: str                         # in the environment
    choices: typing.Optional[object]      # its texts, the default first; a pattern; a range
    default: object
    of_keras: typing.Optional[str]        # its key in keras.json, if Keras has it
    meaning: str

    def read(self, value, source):
        """The value that a text or a value of JSON stands for.

        Raises:   ValueError, naming where it was read.
        """
        if self.choices is None:
            return self._number(value, source)
        if isinstance(self.choices, range):
            return self._count(value, source)
        if isinstance(self.choices, re.Pattern):
            return self._matching(value, source)
        if value not in self.choices:
            raise ValueError("[config] %s must be one of %s; it is %r."
                             % (source, ", ".join(self.choices), value))
        return value == "1" if self.choices == _SWITCH else value

    def _matching(self, value, source):
        if not isinstance(value, str) or not self.choices.fullmatch(value):
            raise ValueError("[config] %s must be %s; it is %r." % (source, self.meaning, value))
        return value

    def _number(self, value, source):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = 0.0
        if not 0 < number < float("inf"):
            raise ValueError("[config] %s must be a positive number; it is %r." % (source, value))
        return number

    def _count(self, value, source):
        if value == "":
            return None           # as the runtime takes it: not set
        try:
            number = int(value) if isinstance(value, str) else operator.index(value)
        except (TypeError, ValueError):
            number = None
        if number not in self.choices or isinstance(value, bool):
            raise ValueError("[config] %s must be an integer of %d to %d; it is %r."
                             % (source, self.choices[0], self.choices[-1], value))
        return number


_SWITCH = ("0", "1")
_THREADS_ROW = Row("threads", "SYMK_NUM_THREADS", range(1, 1025), None, None,
                   "threads of the runtime, by default one for each core; no bit depends on them")
_FORMATS = ("channels_last", "channels_first")

TABLE = (
    Row("floatx", "SYMK_FLOATX", ("float32", "float16", "float64"), "float32", "floatx",
        "dtype of new floating tensors"),
    Row("epsilon", "SYMK_EPSILON", None, None, "epsilon",
        "the fuzz factor of Keras's losses and optimizers; by default 1e-7, for float16 1e-4"),
    Row("image_data_format", "SYMK_IMAGE_DATA_FORMAT", _FORMATS, _FORMATS[0], "image_data_format",
        "where the channels of images are"),
    Row("products", "SYMK_PRODUCTS", ("float32", "bfloat16", "float16", "tf32", "winograd"),
        "float32", None,
        "how matrix products and convolutions of float32 are computed; see docs/precision.md"),
    Row("mode", "SYMK_MODE", ("native", "reference"), "native", None,
        '"native" runs Plans in the C++ runtime, "reference" runs expressions in NumPy'),
    Row("device", "SYMK_DEVICE", re.compile(r"cpu|cuda(-host)?(:\d{1,3})?"), "cpu", None,
        "cpu, cuda or cuda:N: where functions that are compiled from now on run"),
    Row("replay", "SYMK_REPLAY", _SWITCH, True, None,
        "a device records the steps of a call and does them again as one; see docs/cuda.md"),
    Row("branches", "SYMK_BRANCHES", _SWITCH, True, None,
        "what is recorded may run beside other steps that it does not depend on; see docs/cuda.md"),
    Row("nvrtc", "SYMK_NVRTC", re.compile(r"0|1|.*libnvrtc.*"), "1", None,
        "0, 1 or the path of libnvrtc: whether programs are compiled for a GPU; see docs/cuda.md"),
    Row("wgmma", "SYMK_WGMMA", _SWITCH, False, None,
        "matrix products and convolutions on GPUs of compute capability 9.0 by wgmma, which no "
        "GPU has run yet; see docs/cuda.md"),
    Row("check", "SYMK_CHECK", _SWITCH, False, None,
        "verify the graph between the stages of the optimiser; slow"),
    Row("check_nan", "SYMK_CHECK_NAN", _SWITCH, False, None,
        "functions stop at the first NaN or infinity, unless they are asked otherwise"),
    _THREADS_ROW,
)


# 1 / epsilon and its products with gradients must stay below 65504, the largest float16.
_EPSILON = {"float16": 1e-4, "float32": 1e-7, "float64": 1e-7}


class Settings:
    """The settings of this process, an attribute for each row of TABLE.

    Args:     environment: the variables. of_keras: what keras.json holds; `place` is its name.
    Raises:   ValueError for a value that its setting cannot have.
    """

    def __init__(self, environment, of_keras=None, place="keras.json"):
        of_keras = of_keras or {}
        self._threads, self._runtime = None, None
        for row in TABLE:
            value = row.default
            if row.variable in environment:
                value = row.read(environment[row.variable], row.variable)
            elif row.of_keras in of_keras:
                value = row.read(of_keras[row.of_keras], '"%s" in %s' % (row.of_keras, place))
            setattr(self, row.name, value)

    @property
    def epsilon(self):
        return _EPSILON[self.floatx] if self._epsilon is None else self._epsilon

    @epsilon.setter
    def epsilon(self, value):
        self._epsilon = value

    @property
    def threads(self):
        return self._threads if self._runtime is None else self._runtime.threads()

    @threads.setter
    def threads(self, value):
        if self._runtime is not None:
            self._runtime.set_threads(_THREADS_ROW.read(value, "threads"))
        else:
            self._threads = None if value is None else _THREADS_ROW.read(value, "threads")

    def use_runtime(self, runtime):
        """From now on the number of threads is that of the runtime, which gets what was set."""
        if self._threads is not None:
            runtime.set_threads(self._threads)
        self._runtime = runtime


def keras_file(environment):
    """Where Keras keeps its settings; "" if they are not to be read."""
    home = environment.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    return environment.get("SYMK_KERAS_JSON", os.path.join(home, "keras.json"))


def read_keras_file(place):
    """The settings of Keras, {} if there is no such file. The file is never written.

    `image_dim_ordering` of Keras 1 becomes `image_data_format`; the backend has no meaning here.
    Raises:   ValueError when the file is none of JSON.
    """
    try:
        with open(place, encoding="utf-8") as stream:
            found = json.load(stream)
    except OSError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError("[config] %s must hold a JSON object; it does not. Repair it, or set "
                         "SYMK_KERAS_JSON to another file or to nothing." % place)
    ordering = {"tf": _FORMATS[0], "th": _FORMATS[1]}.get(found.get("image_dim_ordering"))
    if ordering is not None:
        found.setdefault("image_data_format", ordering)
    return found


def _settings(environment):
    place = keras_file(environment)
    return Settings(environment, read_keras_file(place), place)


settings = _settings(os.environ)


# What scopes say, for each thread on its own: where expressions run that are made now, and where
# functions that are compiled now do the rest.
_scoped = contextvars.ContextVar("scoped device", default=None)
_current = contextvars.ContextVar("device of functions", default=None)


@contextlib.contextmanager
def device(name):
    """What is built inside of the scope runs on this device: `with device("cuda:1"):`.

    Layers that are called and expressions that are made inside run there, whatever function they
    become part of. Functions that are compiled inside do there what was built outside of all
    scopes; so does a model that is built or compiled inside, wherever its functions are compiled,
    unless in another scope. The values of variables follow to where they are used. A scope is that
    of its thread.
    Args:     name: "cpu", "cuda" or "cuda:N", or as TensorFlow writes it: "/gpu:1",
              "/device:GPU:1".
    Raises:   ValueError for another name.
    """
    with default_device(name):
        before = _scoped.set(_current.get())
        try:
            yield
        finally:
            _scoped.reset(before)


@contextlib.contextmanager
def default_device(name):
    """Functions that are compiled inside do there what was built outside of all scopes."""
    row = next(row for row in TABLE if row.name == "device")
    before = _current.set(row.read(_own_name(name), "device"))
    try:
        yield
    finally:
        _current.reset(before)


def scoped_device():
    """The device of the innermost scope, or None outside of all."""
    return _scoped.get()


def current_device():
    """Where a function that is compiled now does what was built outside of all scopes."""
    return _current.get() or settings.device


def numbered_device(name):
    """The name of a device with its number: "cuda" -> "cuda:0"; one name for each device."""
    return name if name == "cpu" or ":" in name else name + ":0"


def _own_name(name):
    """The name of a device, given as TensorFlow writes it; others stay as they are."""
    found = isinstance(name, str) and re.fullmatch(r"/?(?:device:)?(cpu|gpu)(?::(\d{1,3}))?", name,
                                                   re.IGNORECASE)
    if not found:
        return name
    kind, number = found.groups()
    return "cpu" if kind.lower() == "cpu" else "cuda:" + (number or "0")


class _Config(types.ModuleType):
    """This module with the number of threads as an attribute, so that assigning to it counts."""

    @property
    def threads(self):
        return settings.threads

    @threads.setter
    def threads(self, value):
        settings.threads = value


sys.modules[__name__].__class__ = _Config
