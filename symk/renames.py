"""Arguments that Keras 1 named otherwise: one table for everything but layers and K, one wrapper.

`accepts(key)` lets a function take the old names of a row too; each use warns, saying the new
name. Layers have their table in `engine/legacy.py`, K in `backend/keras1.py`. Imports nothing of
symk.
"""
import functools
import inspect
import math
import sys
import typing
import warnings

__all__ = ["ARGUMENTS", "New", "Samples", "accepts", "in_either_order", "told"]

_FORMATS = {"tf": "channels_last", "th": "channels_first", "default": None}


class New(typing.NamedTuple):
    """What an old argument is now: a name, and how the value becomes one of the new arguments.

    `put(values, value)` changes the dict of all arguments; None keeps the value under the name.
    """

    name: str
    put: typing.Optional[typing.Callable] = None


def _data_format(values, value):
    values["data_format"] = _FORMATS.get(value, value)


class Samples(int):
    """A number of samples where Keras 2 counts batches: an epoch goes on until all were seen."""


def _samples(name):
    """A number of samples stands where one of batches is."""
    def put(values, samples):
        if samples is not None:
            values[name] = Samples(math.ceil(samples))
    return New(name, put)


def _constraints(values, constraints):
    for weight, constraint in (constraints or {}).items():
        weight.constraint = constraint


_ACCURACY = {"show_accuracy": New('metrics=["accuracy"] of compile', lambda values, value: None)}
_WORKERS = {"max_q_size": "max_queue_size", "nb_worker": "workers",
            "pickle_safe": "use_multiprocessing"}
_AXES = {"row_index": "row_axis", "col_index": "col_axis", "channel_index": "channel_axis"}
_ORDERING = {"dim_ordering": New("data_format", _data_format)}

ARGUMENTS = {   # function: {argument of Keras 1: argument of Keras 2, or New(...)}
    "Model": {"input": "inputs", "output": "outputs"},
    "fit": dict(_ACCURACY, nb_epoch="epochs"),
    "evaluate": _ACCURACY,
    "fit_generator": dict(_WORKERS, **_ACCURACY, nb_epoch="epochs",
                          samples_per_epoch=_samples("steps_per_epoch"),
                          nb_val_samples=_samples("validation_steps")),
    "evaluate_generator": dict(_WORKERS, **_ACCURACY, val_samples=_samples("steps")),
    "predict_generator": dict(_WORKERS, val_samples=_samples("steps")),
    "Layer.call": {"x": "inputs"},
    "Network.call": {"x": "inputs", "input": "inputs"},
    "compute_mask": {"input": "inputs", "input_mask": "mask"},
    "assert_input_compatibility": {"input": "inputs"},
    "Recurrent": {"x": "inputs"},
    "InputLayer": {"input_dtype": "dtype"},
    "get_updates": {"constraints": New("the constraint of each parameter", _constraints)},
    "MaxNorm": {"m": "max_value"},
    "MinMaxNorm": {"low": "min_value", "high": "max_value"},
    "set_param": {"_": "p"},
    "set_layer": {"_": "layer"},
    "ImageDataGenerator": _ORDERING,
    "images": {"X": "x"},
    "NumpyArrayIterator": dict(_ORDERING, X="x"),
    "Iterator": {"N": "n"},
    "image file": _ORDERING,
    "affine": _AXES,
    "random_channel_shift": {"intensity": "intensity_range", "channel_index": "channel_axis"},
    "to_categorical": {"nb_classes": "num_classes"},
    "normalize": {"a": "x"},
    "validate_file": {"md5_hash": "file_hash"},
    "Progbar.update": {"force": "finished"},
    "multiclass_logloss": {"P": "p", "Y": "y"},
    "print_summary": {"layers": "model"},
}


def told(where, old, new):
    """Warns, at the user's line, that an old name was used, and says the new one."""
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "symk":
        level, frame = level + 1, frame.f_back
    warnings.warn("[%s] %s is Keras 1's name; use %s." % (where, old, new), stacklevel=level)


def accepts(key):
    """A decorator: the function takes the old names of a row of the table too.

    Raises:   TypeError when an argument is given under both of its names.
    """
    renamed = {old: new if isinstance(new, New) else New(new)
               for old, new in ARGUMENTS[key].items()}

    def decorate(function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args, **kwargs):
            if renamed.keys().isdisjoint(kwargs):
                return function(*args, **kwargs)
            given = {old: kwargs.pop(old) for old in renamed if old in kwargs}
            bound = signature.bind_partial(*args, **kwargs)
            for old, value in given.items():
                _put(function.__name__, bound.arguments, old, renamed[old], value)
            return function(*bound.args, **bound.kwargs)
        call.__signature__ = _with_old_names(signature, renamed)
        return call
    return decorate


def in_either_order(get_updates):
    """A decorator: the method takes Keras 1's (params, constraints, loss) too, in any form."""
    get_updates = accepts("get_updates")(get_updates)

    @functools.wraps(get_updates)
    def call(self, *args, **kwargs):
        if len(args) == 3 or len(args) == 2 and "loss" in kwargs:
            given = dict(zip(("params", "constraints", "loss"), args))
            if not given["constraints"]:
                del given["constraints"]
            return get_updates(self, **given, **kwargs)
        return get_updates(self, *args, **kwargs)
    return call


def _put(function, values, old, new, value):
    if new.name in values:
        raise TypeError("[%s] an argument must be given once; %s and %s, which mean the same, were "
                        "given." % (function, old, new.name))
    told(function, old, new.name)
    if new.put is None:
        values[new.name] = value
    else:
        new.put(values, value)


def _with_old_names(signature, renamed):
    """A signature that has the old names too, by keyword."""
    parameters = list(signature.parameters.values())
    last = [one for one in parameters if one.kind is one.VAR_KEYWORD]
    known = parameters[:len(parameters) - len(last)]
    old = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
           for name in renamed]
    return signature.replace(parameters=known + old + last)
