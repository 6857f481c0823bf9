"""RemoteMonitor: sends the values of each epoch to a server."""
import json
import warnings

import numpy as np

from ..extras import extra
from .base import Callback

__all__ = ["RemoteMonitor"]


class RemoteMonitor(Callback):
    """Posts the values of each epoch to a server. Needs the package `requests`.

    # Arguments
        root: address of the server.
        path: path on the server.
        field: field of the form that holds the values as JSON.
        headers: dict of HTTP headers.
        send_as_json: whether the values are the body itself, as application/json.
    """

    def __init__(self, root="http://localhost:9000", path="/publish/epoch/end/", field="data",
                 headers=None, send_as_json=False):
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch, logs=None):
        requests = extra("requests", "RemoteMonitor")
        values = {name: _plain(value) for name, value in (logs or {}).items()}
        values["epoch"] = epoch
        content = {"json": values} if self.send_as_json \
            else {"data": {self.field: json.dumps(values)}}
        try:
            requests.post(self.root + self.path, headers=self.headers, **content)
        except requests.exceptions.RequestException as error:
            warnings.warn("[RemoteMonitor] the server must answer; %s did not: %s"
                          % (self.root, error), stacklevel=2)


def _plain(value):
    """A number or a list that JSON can hold."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
