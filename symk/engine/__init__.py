"""The engine: layers and their edges, networks of layers, and how they are trained."""
from .. import paths
from ..utils.layer_utils import get_source_inputs
from .edges import InputSpec, Node
from .inputs import Input, InputLayer
from .layer import Layer
from .network import Network

__all__ = ["Input", "InputLayer", "InputSpec", "Layer", "Network", "Node", "get_source_inputs"]

__getattr__ = paths.later(__name__)
