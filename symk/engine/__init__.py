"""The engine: layers and their edges, networks of layers, and how they are trained."""
from .edges import InputSpec, Node
from .inputs import Input, InputLayer
from .layer import Layer
from .network import Network

__all__ = ["Input", "InputLayer", "InputSpec", "Layer", "Network", "Node"]
