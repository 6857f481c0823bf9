"""ONNX: `to_onnx` writes what a function or a model computes as a file that others run, `from_onnx`
makes a function of such a file.

`export.py` prepares the graph, `writer.py` holds the one that is being written, and a rule per op
says how it is put (`elementwise.py`, `moves.py`, `products.py`, `reductions.py`, `loops.py`,
`sequences.py`); `definitions.py` has those that are said by other ops of symk, `idioms.py` the
single ops of ONNX for what takes several. The other way is `importer.py`, by the functions of
`meanings.py` and `layer_meanings.py`.
"""
from .export import OPSET, to_onnx
from .importer import from_onnx

__all__ = ["OPSET", "from_onnx", "to_onnx"]
