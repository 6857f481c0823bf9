"""Serving: exported models behind TensorFlow Serving's REST interface.

`repository.py` loads files and follows new versions, `tensors.py` turns JSON into arrays and back,
`batching.py` runs requests together, `metrics.py` counts, `application.py` is the ASGI application
that joins them, and `server.py` runs it with uvicorn. Of symk it needs the loader of exported files
alone.
"""
from .application import Application, Limits
from .repository import Repository
from .server import serve

__all__ = ["Application", "Limits", "Repository", "serve"]
