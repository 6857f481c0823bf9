"""Rewrites of graphs: graph in, graph out. `stages.py` lists what is done, in order."""
