"""Runs the application with uvicorn."""
import logging

from ..extras import extra
from .application import Application, Limits
from .repository import Repository

__all__ = ["serve"]


def serve(paths, host="127.0.0.1", port=8501, keep=1, kernels=(), limits=None, grace_s=10,
          connections=1000):
    """Serves exported models until the process is told to end (SIGTERM or SIGINT).

    Then it takes no new connections, answers what is open, and returns.

    Args:
        paths: files of `symk export`, folders NAME/VERSION/model.symk, or folders of such folders;
            each also as NAME=PATH.
        host, port: where to listen; port 0 takes a free one.
        keep: how many versions of a model answer. kernels: shared objects with custom kernels.
        limits: a Limits. grace_s: how long open requests may take at the end.
        connections: at a time; more are refused with status 503.
    Raises:   ImportError without uvicorn; ValueError, OSError when a path holds no model.
    """
    uvicorn = extra("uvicorn", "serve")
    application = Application(Repository(paths, keep, kernels), limits or Limits())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    uvicorn.run(application, host=host, port=port, log_level="info", access_log=False,
                server_header=False, lifespan="on", limit_concurrency=connections,
                timeout_graceful_shutdown=grace_s)
