"""What an expression is. Knows no op by name; `symk.ops` is the vocabulary.

The names below are what the other parts use. `check`, `show` and `reference` are imported as
modules by those who need them.
"""
from . import dims
from .errors import (CustomOpError, DeviceError, DtypeError, GraphError, NotFiniteError,
                     OutOfRangeError, ShapeError, SymkError)
from .inner import InnerGraph
from .node import (Constant, Node, Op, Placeholder, Shared, Storage, Variable, apply, op,
                   registered_ops)
from .origin import Origin, current_layer, layer_scope
from .type import TensorType
from .walk import clients_of, depends_on, nodes_of, rebuild, sources_of

__all__ = ["Variable", "Placeholder", "Constant", "Shared", "Storage", "Op", "Node", "apply", "op",
           "registered_ops", "InnerGraph", "TensorType", "dims", "layer_scope", "current_layer",
           "Origin", "clients_of", "depends_on", "nodes_of", "rebuild", "sources_of", "SymkError",
           "ShapeError", "DtypeError", "GraphError", "DeviceError", "OutOfRangeError",
           "NotFiniteError", "CustomOpError"]
