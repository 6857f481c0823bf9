"""Holds Python's garbage collector while many objects are made that stay alive.

Each of its passes would walk the whole graph that is being built, and find nothing: compiling would
take longer than in proportion to the size of the graph.
"""
import functools
import gc

__all__ = ["without_collection"]


def without_collection(function):
    """Decorator: no garbage is collected while the function runs; then the collector is as it was.

    Of two threads inside, the one that found the collector running switches it on again.
    """
    @functools.wraps(function)
    def run(*args, **kwargs):
        running = gc.isenabled()
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            if running:
                gc.enable()
    return run
