"""Rewrites of graphs: graph in, graph out. `stages.py` lists what is done, in order."""
from .specialise import decide, specialise
from .stabilise import stable
from .stages import STAGES, explain, optimize

__all__ = ["STAGES", "decide", "explain", "optimize", "specialise", "stable"]
