"""The JSON of requests and answers, as TensorFlow Serving defines it.

Row format: {"instances": [...]}, one value, or one {input: value}, per sample; the answer is
{"predictions": [...]}. Column format: {"inputs": value or {input: value}}; the answer is
{"outputs": value or {output: value}}. Numbers keep their bits: JSON's numbers are float64, of which
every float32 is one. NaN and Infinity are written by these words, as TensorFlow Serving does.
"""
import json

import numpy as np

from .errors import RequestError

__all__ = ["decode", "encode"]

_KEYS = {"instances", "inputs", "signature_name"}


def decode(body, functions):
    """The request in a body.

    Args:     functions: {signature name: its function}, of which each has `inputs`: lists of (name,
              dtype, shape with None for unknown sizes).
    Returns:  (name of the function, arrays in the order of its inputs, whether in row format).
    Raises:   RequestError with status 400.
    """
    request = _parsed(body)
    unknown = sorted(set(request) - _KEYS)
    if unknown:
        raise _refusal("a request has instances or inputs, and signature_name; %s was given"
                       % ", ".join(unknown))
    name = _function(request.get("signature_name"), functions)
    signature = functions[name].inputs
    by_rows = "instances" in request
    if by_rows == ("inputs" in request):
        raise _refusal("either instances (row format) or inputs (column format) is required")
    values = (_columns_of_rows(request["instances"], signature) if by_rows
              else _columns(request["inputs"], signature))
    arrays = [_array(values[name], name, dtype, shape) for name, dtype, shape in signature]
    if by_rows:
        _check_rows(arrays, signature, len(request["instances"]))
    return name, arrays, by_rows


def encode(arrays, function, by_rows):
    """The body of an answer, for the outputs of a function."""
    names = [name for name, _, _ in function.outputs]
    values = [array.tolist() for array in arrays]
    if not by_rows:
        outputs = values[0] if len(values) == 1 else dict(zip(names, values))
        return json.dumps({"outputs": outputs}).encode()
    rows = {array.shape[:1] for array in arrays}
    if len(rows) != 1 or () in rows:
        raise _refusal("row format needs outputs with one row per instance; they have the shapes "
                       "%s. Use inputs (column format)"
                       % ", ".join(str(array.shape) for array in arrays))
    if len(values) == 1:
        return json.dumps({"predictions": values[0]}).encode()
    return json.dumps({"predictions": [dict(zip(names, row)) for row in zip(*values)]}).encode()


def _refusal(message):
    return RequestError(400, message + ".")


def _parsed(body):
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refusal("the body must be JSON; it is not: %s" % error) from None
    if not isinstance(request, dict):
        raise _refusal("the body must be a JSON object; it is a %s" % type(request).__name__)
    return request


def _function(wanted, functions):
    """The function of a signature name; "serving_default" is the first one."""
    first = next(iter(functions))
    if wanted in (None, "", "serving_default"):
        return first
    if not isinstance(wanted, str) or wanted not in functions:
        raise _refusal("signature_name must be one of %s; %r was given"
                       % (", ".join(["serving_default", *functions]), wanted))
    return wanted


def _columns_of_rows(instances, signature):
    """{input: list of values} of a list of instances."""
    if not isinstance(instances, list):
        raise _refusal("instances must be a list; it is a %s" % type(instances).__name__)
    names = [name for name, _, _ in signature]
    named = [isinstance(row, dict) and "b64" not in row for row in instances]
    if not any(named) and (len(names) == 1):
        return {names[0]: instances}
    if not all(named):
        number = named.index(False)
        raise _refusal("each instance must be an object with the inputs %s; instance %d is none"
                       % (", ".join(names), number))
    for number, row in enumerate(instances):
        _check_names(row, names, "instance %d" % number)
    return {name: [row[name] for row in instances] for name in names}


def _columns(inputs, signature):
    """{input: value} of the inputs of a request."""
    names = [name for name, _, _ in signature]
    if isinstance(inputs, dict) and "b64" not in inputs:
        _check_names(inputs, names, "inputs")
        return inputs
    if len(names) != 1:
        raise _refusal("inputs must be an object with the inputs %s" % ", ".join(names))
    return {names[0]: inputs}


def _check_names(values, names, where):
    if set(values) != set(names):
        raise _refusal("%s must have the inputs %s; %s were given"
                       % (where, ", ".join(names), ", ".join(map(str, values)) or "none"))


def _array(value, name, dtype, shape):
    """A value as an array of the dtype and shape that an input has."""
    array = _numbers(value, name)
    if array.size == 0 and array.ndim < len(shape):
        array = array.reshape((0,) + tuple(size or 0 for size in shape[1:]))
    fits = array.ndim == len(shape) and all(
        size is None or size == given for size, given in zip(shape, array.shape))
    if not fits:
        raise _refusal("input %s must have the shape %s; it has %s"
                       % (name, _shown(shape), _shown(array.shape)))
    with np.errstate(all="ignore"):
        result = np.ascontiguousarray(array.astype(dtype, copy=False))
    kept = (np.isfinite(result) == np.isfinite(array) if dtype.kind == "f" else result == array)
    if not np.all(kept):
        raise _refusal("input %s must have values of %s; there are others" % (name, dtype))
    return result


def _numbers(value, name):
    """A value as an array of numbers, whatever it is."""
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        raise _refusal("input %s must be numbers in lists of equal lengths; it is not" % name) \
            from None
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "O" and _holds_bytes(value):
        raise _refusal('input %s must be numbers; {"b64": ...} is for texts and bytes, which no '
                       "model here takes" % name)
    raise _refusal("input %s must be numbers in lists of equal lengths; it has other things"
                   % name)


def _holds_bytes(value):
    """Whether the first thing in nested lists is {"b64": ...}."""
    while isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, dict) and "b64" in value


def _check_rows(arrays, signature, count):
    for array, (name, _, _) in zip(arrays, signature):
        if array.shape[:1] != (count,):
            raise _refusal("input %s has no axis of instances. Use inputs (column format)" % name)


def _shown(shape):
    return "(%s)" % ", ".join("?" if size is None else str(size) for size in shape)
