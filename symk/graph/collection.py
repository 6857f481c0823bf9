"""Holds Python's garbage collector while many objects are made that stay alive.

Each of its passes would walk the whole graph that is being built, and find nothing: compiling would
take longer than in proportion to the size of the graph.
"""
import contextlib
import gc

__all__ = ["without_collection"]


@contextlib.contextmanager
def without_collection():
    """No garbage is collected inside; afterwards the collector is as it was.

    Of two threads inside, the one that found the collector running switches it on again.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
