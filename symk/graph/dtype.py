"""The dtypes of symk and the rule by which two of them meet.

A dtype is its NumPy name ("float32"). The promotion rule, stated once:

* two tensors meet as in NumPy, except that an integer of any width meeting a float keeps the
  float's dtype (a float32 model must not become float64 because of an index);
* a Python number or a NumPy array is not a tensor: it adapts to the tensor that it meets, within
  its kind. A float that meets an integer tensor becomes `floatx`.
"""
import numpy as np

from ..config import settings
from .errors import DtypeError

__all__ = ["DTYPES", "FLOATS", "INTEGERS", "canonical", "is_float", "is_integer", "is_bool",
           "size_bytes", "promote", "floating", "adapt"]

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
DTYPES = FLOATS + INTEGERS + ("bool",)

_SIZE_BYTES = {name: np.dtype(name).itemsize for name in DTYPES}
_KNOWN = {name: name for name in DTYPES}  # what canonical() has seen, to make it one look-up


def canonical(dtype):
    """The name of a dtype given as a name, a NumPy dtype or a Python type."""
    try:
        return _KNOWN[dtype]
    except (KeyError, TypeError):
        pass
    has_one = not isinstance(dtype, type) and isinstance(getattr(dtype, "dtype", None), str)
    try:
        name = str(dtype) if has_one else np.dtype(dtype).name   # a tensor is no dtype
    except (TypeError, ValueError):
        name = str(dtype)
    if name not in _SIZE_BYTES:
        raise DtypeError("[dtype] a dtype must be one of %s; %r was given."
                         % (", ".join(DTYPES), dtype))
    return name


def is_float(dtype):
    return dtype in FLOATS


def is_integer(dtype):
    return dtype in INTEGERS


def is_bool(dtype):
    return dtype == "bool"


def size_bytes(dtype):
    """Bytes of one element."""
    return _SIZE_BYTES[dtype]


def promote(first, *others):
    """The dtype in which tensors of these dtypes meet."""
    result = first
    for other in others:
        if result == other:
            continue
        if is_float(result) != is_float(other):
            result = result if is_float(result) else other
        else:
            result = np.promote_types(result, other).name
    return result


def floating(dtype):
    """The float dtype that a function such as exp computes in: integers use `floatx`."""
    return dtype if is_float(dtype) else settings.floatx


def adapt(value, dtype):
    """The dtype that a NumPy array takes when it meets a tensor of `dtype`."""
    kind = value.dtype.kind
    if kind == "b":
        return dtype if is_bool(dtype) else ("bool" if value.ndim else dtype)
    if kind in "iu":
        return "int32" if is_bool(dtype) else dtype
    return floating(dtype)
