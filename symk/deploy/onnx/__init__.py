"""ONNX: `to_onnx` writes what a function or a model computes as a file that others run.

`export.py` prepares the graph, `writer.py` holds the one that is being written, and a rule per op
says how it is put (`elementwise.py`, `moves.py`, `products.py`, `reductions.py`, `loops.py`,
`sequences.py`); `definitions.py` has those that are said by other ops of symk.
"""
from .export import OPSET, to_onnx

__all__ = ["OPSET", "to_onnx"]
