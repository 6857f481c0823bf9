"""Keras's small tools: objects by name, lists and single things, slices of arrays."""
import base64
import marshal
import types

import numpy as np

from .. import registry
from .progress import Progbar

__all__ = ["Progbar", "get_custom_objects", "CustomObjectScope", "custom_object_scope",
           "serialize_keras_object", "deserialize_keras_object", "has_arg", "to_list",
           "unpack_singleton", "is_all_none", "object_list_uid", "slice_arrays",
           "transpose_shape", "check_for_unexpected_keys", "func_dump", "func_load",
           "get_from_module", "slice_X"]

get_custom_objects = registry.custom_objects
CustomObjectScope = registry.CustomObjectScope


def serialize_keras_object(instance):
    """What a saved model keeps of an object: None, its name, or its class and config."""
    return registry.serialize(instance)


def get_from_module(identifier, module_params, module_name, instantiate=False, kwargs=None):
    """What a name stands for, as Keras 1 asked for it; anything but a name is itself.

    Args:     module_params: {name: class or function}. module_name: the word for messages.
              instantiate: whether a class is called, with kwargs.
    """
    if not isinstance(identifier, str):
        return identifier
    known = dict(module_params, **registry.custom_objects())
    if identifier not in known:
        raise ValueError("[%s] one of the names %s is required; %r was given."
                         % (module_name, ", ".join(sorted(map(repr, known))), identifier))
    return known[identifier](**kwargs or {}) if instantiate else known[identifier]


def custom_object_scope(*args):
    """A `with` block in which the names of some dicts are known when a model is loaded."""
    return CustomObjectScope(*args)


def deserialize_keras_object(identifier, module_objects=None, custom_objects=None,
                             printable_module_name="object"):
    """The object that a name, or a dict with "class_name" and "config", stands for.

    Args:     module_objects: {name: class or function}, searched after the custom objects.
    """
    return registry.deserialize(identifier, module_objects or {}, custom_objects,
                                printable_module_name)


def has_arg(fn, name, accept_all=False):
    """Whether a callable takes an argument of this name.

    Args:     accept_all: whether `**kwargs` counts as taking it.
    """
    return registry.accepts(fn, name, accept_all)


def to_list(x, allow_tuple=False):
    """x if it is a list, else [x]; with allow_tuple a tuple becomes a list."""
    if isinstance(x, list):
        return x
    return list(x) if allow_tuple and isinstance(x, tuple) else [x]


def unpack_singleton(x):
    """The only item of a list or tuple of one; anything else itself."""
    return x[0] if isinstance(x, (list, tuple)) and len(x) == 1 else x


def is_all_none(iterable_or_element):
    """Whether there is nothing but None."""
    items = (iterable_or_element if isinstance(iterable_or_element, (list, tuple))
             else [iterable_or_element])
    return all(item is None for item in items)


def object_list_uid(object_list):
    """A text that tells lists of other objects apart."""
    return ", ".join(str(id(item)) for item in to_list(object_list))


def slice_arrays(arrays, start=None, stop=None):
    """The rows from start to stop of each array; `start` may be an array of row numbers.

    A list gives a list, an array an array, None stays None.
    """
    if arrays is None:
        return [None]
    if hasattr(start, "__len__"):
        if stop is not None:
            raise ValueError("[slice_arrays] stop must be None when start is a list of rows; %r "
                             "was given." % (stop,))
        rows = start.tolist() if isinstance(start, np.ndarray) else start
    else:
        rows = slice(start, stop)
    if isinstance(arrays, list):
        return [None if array is None else array[rows] for array in arrays]
    return arrays[rows]


slice_X = slice_arrays      # Keras 1's name


def transpose_shape(shape, target_format, spatial_axes):
    """A shape with the channels last in another data format.

    Args:     spatial_axes: the positions of the image's axes; channels come after them.
    """
    if target_format == "channels_first":
        first = shape[:spatial_axes[0]] + (shape[-1],)
        return first + tuple(shape[axis] for axis in spatial_axes)
    if target_format == "channels_last":
        return shape
    raise ValueError("[transpose_shape] 'channels_first' or 'channels_last' is required; %r was "
                     "given." % (target_format,))


def check_for_unexpected_keys(name, input_dict, expected_values):
    """Raises ValueError for keys of a dict that are not among the expected ones."""
    unknown = sorted(set(input_dict) - set(expected_values))
    if unknown:
        raise ValueError("[%s] the keys must be among %s; %s were given."
                         % (name, sorted(expected_values), unknown))


# ---- functions as bytecode, which is no exchange format: only the version of Python that wrote it
# can read it

def func_dump(func):
    """(bytecode as text, default arguments, values of the closure) of a Python function."""
    code = base64.b64encode(marshal.dumps(func.__code__)).decode("ascii")
    closure = tuple(cell.cell_contents for cell in func.__closure__ or ()) or None
    return code, func.__defaults__, closure


def func_load(code, defaults=None, closure=None, globs=None):
    """The function that `func_dump` wrote. It runs whatever was written: only for trusted text.

    Args:     code: the bytecode as text, or all that `func_dump` gave.
              globs: the names that the function sees, none by default.
    Raises:   ValueError for text that is no bytecode of this version of Python.
    """
    if isinstance(code, (tuple, list)):
        code, defaults, closure = code
        defaults = tuple(defaults) if isinstance(defaults, list) else defaults
    try:
        code = marshal.loads(base64.b64decode(code.encode("ascii")))
    except (ValueError, EOFError, TypeError) as error:
        raise ValueError("[func_load] bytecode of this version of Python is required; the text is "
                         "none: %s" % error) from None
    if not isinstance(code, types.CodeType):
        raise ValueError("[func_load] the bytecode of a function is required; that of %r was given."
                         % type(code).__name__)
    cells = tuple(map(types.CellType, closure)) if closure else None
    return types.FunctionType(code, {} if globs is None else globs, name=code.co_name,
                              argdefs=defaults, closure=cells)
