"""The engine: layers and their edges, networks of layers, and how they are trained."""
import importlib

from ..utils.layer_utils import get_source_inputs
from .edges import InputSpec, Node
from .inputs import Input, InputLayer
from .layer import Layer
from .network import Network

__all__ = ["Input", "InputLayer", "InputSpec", "Layer", "Network", "Node", "get_source_inputs"]


def __getattr__(name):
    """Keras has Model here too; it stands below the engine, so it is found when it is asked for."""
    if name == "Model":
        return importlib.import_module("..models", __name__).Model
    raise AttributeError("module %r has no attribute %r" % (__name__, name))
