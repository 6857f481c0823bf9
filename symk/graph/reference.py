"""Runs an expression node by node with the NumPy meaning of each op.

The plain truth that everything else is compared with; it needs no C++ build.
"""
import numpy as np

from . import dims
from .errors import GraphError, ShapeError
from .node import Constant, Shared
from .walk import nodes_of, sources_of, with_sizes

__all__ = ["evaluate", "bind_sizes"]


def bind_sizes(placeholders, arrays):
    """The unknown sizes of the placeholders from the arrays fed: {Size: int}; checks the rest."""
    sizes = {}
    for placeholder, array in zip(placeholders, arrays):
        for declared, given in zip(placeholder.shape, array.shape):
            atoms = dims.sizes_in(declared)
            if len(atoms) == 1 and not atoms & set(sizes):
                atom, = atoms
                if declared == dims.Dim((((atom,), 1),)):
                    sizes[atom] = given
    for placeholder, array in zip(placeholders, arrays):
        if array.ndim != placeholder.ndim or any(
                dims.evaluate(declared, sizes) != given
                for declared, given in zip(placeholder.shape, array.shape)):
            raise ShapeError("[input %s] the shape must be %r; an array of shape %s was given."
                             % (placeholder.name, placeholder.type, array.shape))
    return sizes


def evaluate(outputs, feeds, inspect=None):
    """The values of `outputs`.

    Args:     feeds: {placeholder: array}. Placeholders with a default may be missing.
              inspect: inspect(variable, array, arrays of its node's inputs) sees each result.
    Returns:  a list of arrays.
    """
    arrays = {}
    for source in sources_of(outputs):
        if source in feeds:
            arrays[source] = np.asarray(feeds[source], dtype=source.dtype)
        elif isinstance(source, Constant):
            arrays[source] = source.value
        elif isinstance(source, Shared):
            arrays[source] = source.get_value()
        elif getattr(source, "default", None) is not None:
            arrays[source] = source.default
        else:
            raise GraphError("[function] a value is required for the placeholder %r, which the "
                             "outputs use; it is not among the inputs." % (source,))
    placeholders = list(feeds)
    sizes = bind_sizes(placeholders, [np.asarray(feeds[p]) for p in placeholders])
    with np.errstate(all="ignore"):
        for node in nodes_of(outputs):
            values = with_sizes(node.op, sizes).reference(*(arrays[v] for v in node.inputs))
            if not isinstance(values, tuple):
                values = (values,)
            for variable, value in zip(node.outputs, values):
                arrays[variable] = np.asarray(value, dtype=variable.dtype)
                if inspect is not None:
                    inspect(variable, arrays[variable], [arrays[v] for v in node.inputs])
    return [arrays[v] for v in outputs]
