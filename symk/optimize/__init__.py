"""Rewrites of graphs: graph in, graph out. `stages.py` lists what is done, in order."""
from .specialise import specialise
from .stages import STAGES, explain, optimize

__all__ = ["STAGES", "explain", "optimize", "specialise"]
