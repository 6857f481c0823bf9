"""Says where the sizes of a call do not fit, after the call has failed.

The runtime finds out while it evaluates sizes, where no step is known. The types of all nodes are
inferred again with the sizes of the call: the first op that refuses them says it in its own words.
"""
import numpy as np

from ..graph.errors import SymkError
from ..graph.reference import bind_sizes
from ..graph.type import TensorType
from ..graph.walk import nodes_of, with_sizes
from .lower import describe_origin

__all__ = ["locate_shape_error"]


def locate_shape_error(request, arrays):
    """The error of the first node that cannot take the sizes of these arrays, or None.

    None also where the arrays do not fit the inputs: that has been said already.
    """
    if len(arrays) != len(request.inputs):
        return None
    try:
        sizes = bind_sizes(request.inputs, [np.asarray(array) for array in arrays])
    except SymkError:
        return None
    known = {placeholder: TensorType(placeholder.dtype, np.shape(array))
             for placeholder, array in zip(request.inputs, arrays)}
    for node in nodes_of(request.results):
        types = [known.get(variable, variable.type) for variable in node.inputs]
        try:
            inferred = with_sizes(node.op, sizes).infer(*types)
        except SymkError as error:
            origin = describe_origin(node.origin)
            return type(error)("in %s: %s" % (origin, error) if origin else str(error))
        inferred = inferred if isinstance(inferred, tuple) else (inferred,)
        known.update(zip(node.outputs, inferred))
    return None
