"""The ASGI application: TensorFlow Serving's REST interface, health, metrics, and a page.

    POST /v1/models/NAME[/versions/V]:predict     run (`tensors.py` has the format)
    GET  /v1/models/NAME[/versions/V]             status of the versions
    GET  /v1/models/NAME[/versions/V]/metadata    inputs and outputs
    GET  /v1/models                               names, and the versions that answer
    GET  /healthz, /readyz                        alive; every model answers
    GET  /metrics                                 Prometheus' text format
    GET  /                                        a page for people

What a client sends is bounded in size and time before it is looked at. Every refusal is a status
and {"error": message}; what is wrong inside is a 500 and a line in the log.
"""
import asyncio
import concurrent.futures
import json
import logging
import pathlib
import re
import time
import typing

from . import tensors
from .batching import Batcher
from .errors import RequestError
from .metrics import Metrics

__all__ = ["Application", "Limits"]

_log = logging.getLogger("symk.serve")
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"
_PAGE = pathlib.Path(__file__).with_name("page.html")
_LARGE_BYTES = 64 * 1024    # of a body that is read outside of the event loop
_DTYPES = {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF", "int8": "DT_INT8",
           "int16": "DT_INT16", "int32": "DT_INT32", "int64": "DT_INT64", "uint8": "DT_UINT8",
           "bool": "DT_BOOL"}
_CLOSE = (b"connection", b"close")     # the rest of a body is not read
# What a model may raise that is about the values of a request.
_OF_THE_REQUEST = (ValueError, TypeError, IndexError, FloatingPointError)


class Limits(typing.NamedTuple):
    """What a request may ask for, and how requests are run together."""

    body_bytes: int = 32 * 1024 * 1024
    elements: int = 4 * 1024 * 1024          # of the inputs of one request
    open_bytes: int = 256 * 1024 * 1024      # of all bodies that are being read or answered
    timeout_s: float = 30.0
    batch_rows: int = 32
    batch_delay_s: float = 0.0
    waiting_rows: int = 1024
    runners: int = 2
    poll_s: float = 1.0


class _Answer(typing.NamedTuple):
    body: bytes
    kind: str = _JSON
    status: int = 200
    headers: tuple = ()


class Application:
    """An ASGI application over a Repository."""

    def __init__(self, repository, limits=None):
        self.repository, self.limits = repository, limits or Limits()
        self.metrics = Metrics()
        self._batchers = {}          # (id of servable, function name) -> (servable, Batcher)
        self._executor = self._watcher = None
        self._open_bytes = 0
        self._is_closing = False
        self._routes = [(re.compile(pattern), method, handler) for pattern, method, handler in (
            (r"/", "GET", self._page),
            (r"/healthz", "GET", self._alive),
            (r"/readyz", "GET", self._ready),
            (r"/metrics", "GET", self._metrics),
            (r"/v1/models", "GET", self._models),
            (r"/v1/models/([^/:]+)(?:/versions/(\d{1,18}))?", "GET", self._status),
            (r"/v1/models/([^/:]+)(?:/versions/(\d{1,18}))?/metadata", "GET", self._metadata),
            (r"/v1/models/([^/:]+)(?:/versions/(\d{1,18}))?:predict", "POST", self._predict),
        )]

    # --- ASGI ---

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})

    async def _live(self, receive, send):
        """Starts and ends what runs beside the requests, when the server says so."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def start(self):
        """Loads the models, and looks for new versions from then on."""
        self._executor = concurrent.futures.ThreadPoolExecutor(
            self.limits.runners + 2, thread_name_prefix="symk-serve")
        await self._refresh()
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self):
        """Ends the threads when what they run is done."""
        self._is_closing = True
        if self._watcher is not None:
            self._watcher.cancel()
        if self._executor is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)

    async def _watch(self):
        while True:
            await asyncio.sleep(self.limits.poll_s)
            try:
                await self._refresh()
            except Exception:     # the folder may be half moved; what answers goes on answering
                _log.exception("looking for new versions failed")

    async def _refresh(self):
        tried = await asyncio.get_running_loop().run_in_executor(
            self._executor, self.repository.refresh)
        for name, version in tried:
            result = "failed" if version.error else "loaded"
            self.metrics.add("symk_model_loads_total", model=name, result=result)
            _log.log(logging.ERROR if version.error else logging.INFO, "%s version %d of %s: %s%s",
                     result, version.number, name, version.path,
                     " (%s)" % version.error if version.error else "")
        self._forget_old()

    def _forget_old(self):
        """Drops the lines of servables that answer no more, once nobody stands in them."""
        answering = {id(version.servable): (name, version) for name in self.repository.names
                     for version in self.repository.versions(name) if version.servable}
        self._batchers = {key: entry for key, entry in self._batchers.items()
                          if key[0] in answering or entry[1].waiting}
        self.metrics.clear("symk_model_version")
        for name, version in answering.values():
            self.metrics.set("symk_model_version", 1, model=name, version=version.number)

    # --- requests ---

    async def _respond(self, scope, receive, send):
        """Answers one request, whatever happens."""
        start, labels = time.perf_counter(), {"model": ""}
        self.metrics.add("symk_requests_open")
        try:
            answer = await self._answered(scope, receive, labels)
        except _Gone:
            return
        finally:
            self.metrics.add("symk_requests_open", -1)
        self.metrics.add("symk_requests_total", status=answer.status, **labels)
        if labels["model"]:
            self.metrics.observe("symk_request_seconds", time.perf_counter() - start, **labels)
        await send({"type": "http.response.start", "status": answer.status, "headers": [
            (b"content-type", answer.kind.encode()),
            (b"content-length", str(len(answer.body)).encode()), *answer.headers]})
        await send({"type": "http.response.body",
                    "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def _answered(self, scope, receive, labels):
        """The answer to a request, or to what is wrong with it."""
        try:
            handler, groups = self._route(scope)
            return await handler(groups, scope, receive, labels)
        except RequestError as error:
            return _refused(error.status, str(error), error.headers)
        except asyncio.TimeoutError:
            return _refused(504, "no answer within %g seconds." % self.limits.timeout_s)
        except MemoryError:
            return _refused(503, "not enough memory for this request. Send fewer rows.")
        except _Gone:
            raise
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            return _refused(500, "the request failed inside of the server; its log says why.")

    def _route(self, scope):
        allowed = set()
        wanted = "GET" if scope["method"] == "HEAD" else scope["method"]
        for pattern, method, handler in self._routes:
            match = pattern.fullmatch(scope["path"])
            if match and wanted == method:
                return handler, match.groups()
            if match:
                allowed.add(method)
        if allowed:
            raise RequestError(405, "this path takes %s." % ", ".join(sorted(allowed)),
                               [(b"allow", ", ".join(sorted(allowed)).encode())])
        raise RequestError(404, "there is nothing at this path.")

    async def _chunks(self, scope, receive):
        """The parts of a body, within the limit of its size."""
        limit, size, more = self.limits.body_bytes, 0, True
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            raise RequestError(413, "a body may have %d bytes; this one has %d."
                               % (limit, int(declared)), [_CLOSE])
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size > limit:
                raise RequestError(413, "a body may have %d bytes; this one has more." % limit,
                                   [_CLOSE])
            yield chunk

    async def _predict(self, groups, scope, receive, labels):
        version = self._version(groups)
        labels["model"] = groups[0]
        return await asyncio.wait_for(self._computed(version, scope, receive, labels),
                                      self.limits.timeout_s)

    async def _computed(self, version, scope, receive, labels):
        """The answer of a version; what it takes of `open_bytes` is given back at the end."""
        servable, chunks = version.servable, []
        try:
            async for chunk in self._chunks(scope, receive):
                if self._open_bytes + len(chunk) > self.limits.open_bytes:
                    raise RequestError(503, "too many large requests are open. Try again later.",
                                       [(b"retry-after", b"1"), _CLOSE])
                self._open_bytes += len(chunk)
                chunks.append(chunk)
            body = b"".join(chunks)
            name, arrays, by_rows = await self._aside(
                len(body), tensors.decode, body, servable.functions)
            self._check_elements(arrays)
            outputs = await self._run(servable, name, arrays, labels["model"])
            return _Answer(await self._aside(
                sum(output.nbytes for output in outputs), tensors.encode, outputs,
                servable.functions[name], by_rows))
        finally:
            self._open_bytes -= sum(map(len, chunks))

    def _check_elements(self, arrays):
        size = sum(array.size for array in arrays)
        if size > self.limits.elements:
            raise RequestError(413, "the inputs may have %d elements; they have %d."
                               % (self.limits.elements, size))

    async def _run(self, servable, name, arrays, model):
        """The outputs of a function; what it says about the values is told to the client."""
        try:
            return await self._batcher(servable, name, model).run(arrays)
        except _OF_THE_REQUEST as error:
            raise RequestError(400, str(error)) from None

    async def _aside(self, size_bytes, function, *arguments):
        """Calls a function; for much data in a thread, so that small requests need not wait."""
        if size_bytes < _LARGE_BYTES:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, function, *arguments)

    def _batcher(self, servable, name, model):
        key = (id(servable), name)
        if key not in self._batchers:
            limits = self.limits

            def observe(rows, seconds):
                self.metrics.observe("symk_batch_rows", rows, model=model)
                self.metrics.observe("symk_run_seconds", seconds, model=model)
            self._batchers[key] = servable, Batcher(
                servable.functions[name], self._executor, name in servable.batchable,
                limits.batch_rows, limits.batch_delay_s, limits.runners, limits.waiting_rows,
                observe)
        return self._batchers[key][1]

    def _version(self, groups):
        """The version that a path names, which must answer."""
        name, number = groups
        version = self.repository.find(name, None if number is None else int(number))
        if version is not None:
            return version
        self._known_versions(groups)
        raise RequestError(404, "model %s has no version that answers%s." % (
            name, "" if number is None else " with the number " + number))

    def _known_versions(self, groups):
        """The versions that a path names, whatever their states."""
        name, number = groups
        versions = self.repository.versions(name)
        if versions is None:
            raise RequestError(404, "there is no model of this name; there are %s."
                               % ", ".join(self.repository.names))
        chosen = [version for version in versions
                  if number is None or version.number == int(number)]
        if not chosen:
            raise RequestError(404, "model %s has no version %s." % (name, number))
        return chosen

    # --- what can be asked ---

    async def _status(self, groups, *_):
        return _answer({"model_version_status": [{
            "version": str(version.number), "state": version.state,
            "status": {"error_code": "INVALID_ARGUMENT" if version.error else "OK",
                       "error_message": version.error}}
            for version in self._known_versions(groups)]})

    async def _metadata(self, groups, *_):
        version = self._version(groups)
        signatures = {name: _signature(function)
                      for name, function in version.servable.functions.items()}
        first = next(iter(signatures))
        return _answer({
            "model_spec": {"name": groups[0], "signature_name": "", "version": str(version.number)},
            "metadata": {"signature_def": {"signature_def": {
                "serving_default": signatures[first], **signatures}}}})

    async def _models(self, *_):
        found = []
        for name in self.repository.names:
            numbers = [str(version.number) for version in self.repository.versions(name)
                       if version.state == "AVAILABLE"]
            found.append({"name": name, "versions": numbers})
        return _answer({"models": found})

    async def _alive(self, *_):
        return _Answer(b"alive\n", _TEXT)

    async def _ready(self, *_):
        if self._is_closing or not self.repository.is_ready:
            return _Answer(b"not ready\n", _TEXT, 503)
        return _Answer(b"ready\n", _TEXT)

    async def _metrics(self, *_):
        self.metrics.set("symk_waiting_rows",
                         sum(batcher.waiting for _, batcher in self._batchers.values()))
        return _Answer(self.metrics.text().encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _page(self, *_):
        policy = b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " \
                 b"connect-src 'self'; img-src data:"
        return _Answer(_PAGE.read_bytes(), "text/html; charset=utf-8", 200,
                       ((b"content-security-policy", policy),))


class _Gone(Exception):
    """The client has left."""


def _answer(value):
    return _Answer(json.dumps(value).encode())


def _refused(status, message, headers=()):
    return _Answer(json.dumps({"error": message}).encode(), _JSON, status, tuple(headers))


def _signature(function):
    """A function as TensorFlow's SignatureDef in JSON."""
    return {"inputs": dict(map(_tensor_info, function.inputs)),
            "outputs": dict(map(_tensor_info, function.outputs)),
            "method_name": "tensorflow/serving/predict"}


def _tensor_info(entry):
    name, dtype, shape = entry
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in shape]
    return name, {"dtype": _DTYPES[dtype.name], "name": name,
                  "tensor_shape": {"dim": sizes, "unknown_rank": False}}
