"""Runs a request by the NumPy meaning of every op: the plain truth, without any C++ build."""
import threading

import numpy as np

from ..graph.dtype import is_bool, is_float
from ..graph.errors import DtypeError, GraphError
from ..graph.reference import evaluate
from .finite import need_finite

__all__ = ["ReferenceProgram", "convert_input"]


class ReferenceProgram:
    """The counterpart of the native program: `run` gives the outputs and does the updates."""

    prefetch = None     # arrays are used where they are

    def __init__(self, request, check_nan=False):
        self._request = request
        self._inspect = need_finite if check_nan else None
        self._lock = threading.Lock()

    def run(self, arrays):
        """The outputs as fresh arrays.

        Raises:   GraphError for a wrong number of arrays; ShapeError, DtypeError for a wrong one.
        """
        request = self._request
        _check_count(request, arrays)
        feeds = {placeholder: convert_input(value, placeholder)
                 for placeholder, value in zip(request.inputs, arrays)}
        with self._lock:
            values = evaluate(request.results, feeds, self._inspect)
            for (shared, _), value in zip(request.updates, values[len(request.outputs):]):
                shared.set_value(value)
        return [np.array(value) for value in values[:len(request.outputs)]]

    def run_batch(self, batch):
        """Raises:   GraphError, since this program prefetches none."""
        raise GraphError("[%s] a prefetched batch must be run by the function that it was "
                         "prefetched for; one of another function was given."
                         % self._request.label)


def _check_count(request, arrays):
    """A call must give one array for each input."""
    if len(arrays) != len(request.inputs):
        raise GraphError("[%s] the inputs are %s: %d arrays are required; %d were given."
                         % (request.label, ", ".join(p.name for p in request.inputs) or "none",
                            len(request.inputs), len(arrays)))


def convert_input(value, placeholder):
    """The array that is fed for a placeholder: converted if no value changes its kind.

    Dtypes: bool, int, float -> float; bool, int -> int; a float -> int only if all values are
            integers; anything else must be of the placeholder's kind.
    Raises: DtypeError.
    """
    array = np.asarray(value)
    if array.dtype == placeholder.dtype:
        return array
    kind = array.dtype.kind
    if kind not in "biuf":
        raise DtypeError("[input %s] an array of %s is required; one of dtype %s was given."
                         % (placeholder.name, placeholder.dtype, array.dtype))
    with np.errstate(all="ignore"):
        converted = array.astype(placeholder.dtype)
    exact = is_float(placeholder.dtype) or (kind in "b" and not is_bool(placeholder.dtype))
    if not exact and not np.array_equal(converted.astype(array.dtype), array):
        raise DtypeError("[input %s] an array of %s is required; the array given is %s and holds "
                         "values that are none." % (placeholder.name, placeholder.dtype,
                                                    array.dtype))
    return converted
