"""Exported models for the tests of serving, and a client for applications in the same process."""
import asyncio
import json

import numpy as np
import pytest

from symk import backend as K
from symk import layers
from symk.models import Model, Sequential


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """written(model, path) exports a model, each only once."""
    pytest.importorskip("symk._core")
    from symk.deploy import export

    def write(model, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        export(model, path)
        return path
    return write


@pytest.fixture
def dense():
    """A model of one input, (any, 3), and one output, (any, 2)."""
    np.random.seed(3)
    return Sequential([layers.Dense(4, activation="tanh", input_shape=(3,)), layers.Dense(2)])


@pytest.fixture
def mixed():
    """A model of an image and a text of any length, with two outputs."""
    np.random.seed(4)
    image, text = layers.Input((2, 2, 1), name="image"), layers.Input((None,), dtype="int32",
                                                                      name="text")
    read = layers.GlobalAveragePooling1D()(layers.Embedding(5, 3)(text))
    both = layers.concatenate([layers.Flatten()(image), read])
    return Model([image, text], [layers.Dense(2, name="kind")(both),
                                 layers.Lambda(lambda x: K.sum(x, 1), name="price")(both)])


class Client:
    """Talks to an ASGI application without a server."""

    def __init__(self, application):
        self.application = application

    async def ask(self, method, path, body=b"", headers=None, chunks=1):
        """(status, headers, body) of the answer."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"content-length": str(len(body))} if headers is None else headers
        step = max(1, -(-len(body) // chunks))
        parts = [body[start:start + step] for start in range(0, len(body), step)] or [b""]
        scope = {"type": "http", "method": method, "path": path, "headers": [
            (name.encode(), value.encode()) for name, value in headers.items()]}
        sent = []

        async def receive():
            if not parts:
                return {"type": "http.disconnect"}
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message):
            sent.append(message)

        await self.application(scope, receive, send)
        if not sent:
            return None
        return (sent[0]["status"], dict(sent[0]["headers"]),
                b"".join(message["body"] for message in sent[1:]))

    async def json(self, method, path, body=b"", **more):
        """(status, value) of an answer in JSON."""
        status, headers, content = await self.ask(method, path, body, **more)
        assert headers[b"content-type"] == b"application/json"
        assert int(headers[b"content-length"]) == len(content)
        return status, json.loads(content)


@pytest.fixture
def with_client():
    """with_client(application, talk) runs `await talk(client)` while the application is up."""
    def run(application, talk):
        async def whole():
            await application.start()
            try:
                return await talk(Client(application))
            finally:
                await application.stop()
        return asyncio.run(whole())
    return run
