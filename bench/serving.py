"""The server under load on this machine: times of requests, without and with malformed ones.

    python -m bench.serving [--seconds 5] [--clients 8] [--model MODEL.symk]

Clients keep their connections and ask one after the other, one row at a time; without a model, for
a digit of a small convolutional network. The clients run in this process, so on a small machine
they take a part of the processor that they measure.
"""
import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

from symk import layers
from symk.deploy import export, load
from symk.models import Sequential

__all__ = ["main"]

_MALFORMED = (
    b"\x00\xff nonsense\r\n\r\n", b"GET /" + b"a" * 70000,
    b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n" + b"[" * 50000,
    b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100000,
    b'POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 22\r\n\r\n{"instances": [["a"]]}')


def main(arguments=None):
    """Prints a row for each number of clients, alone and among malformed requests."""
    parser = argparse.ArgumentParser(prog="bench.serving")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--model", help="a file of `symk export`")
    options = parser.parse_args(arguments)
    print("%s, %s\n" % (datetime.date.today(), platform.processor() or platform.machine()))
    with tempfile.TemporaryDirectory() as folder:
        path = options.model or _digits(os.path.join(folder, "digits.symk"))
        print("| clients | p50 | p99 | longest | requests per second |\n|---|---|---|---|---|")
        for clients in (1, options.clients):
            for malformed in (False, True):
                with _served(path, folder) as port:
                    times = _load(path, port, clients, options.seconds, malformed)
                label = "%d%s" % (clients, ", and malformed requests between" * malformed)
                print("| %s | %.2f ms | %.2f ms | %.1f ms | %.0f |" % (
                    label, 1e3 * np.percentile(times, 50), 1e3 * np.percentile(times, 99),
                    1e3 * max(times), len(times) / options.seconds), flush=True)


def _digits(path):
    """Exports an untrained network for pictures of 8 x 8."""
    model = Sequential([
        layers.Conv2D(32, 3, activation="relu", input_shape=(8, 8, 1)), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu", padding="same"), layers.Flatten(),
        layers.Dense(10, activation="softmax")])
    export(model, path)
    return path


@contextlib.contextmanager
def _served(path, folder):
    """The port of `symk serve` with a model."""
    log = os.path.join(folder, "log")
    with open(log, "w") as errors:
        process = subprocess.Popen([sys.executable, "-m", "symk", "serve", "m=" + path, "--port",
                                    "0"], stderr=errors)
    try:
        while True:
            with open(log) as lines:
                found = re.search(r"running on http://[\d.]+:(\d+)", lines.read())
            if found:
                yield int(found.group(1))
                return
            if process.poll() is not None:
                raise SystemExit("[bench] the server did not start; %s says why." % log)
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait()


def _load(path, port, clients, seconds, malformed):
    """The seconds of all requests."""
    shape = [1 if size is None else size for size in load(path).inputs[0][2]]
    body = json.dumps({"instances": np.random.rand(*shape).round(4).tolist()}).encode()
    request = (b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
               % len(body)) + body
    times, wrong, stop = [], [], threading.Event()
    threads = [threading.Thread(target=_ask, args=(port, request, times, wrong, stop))
               for _ in range(clients)]
    if malformed:
        threads.append(threading.Thread(target=_abuse, args=(port, stop)))
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit("[bench] every request must be answered; one got %r." % wrong[0])
    return times


def _ask(port, request, times, wrong, stop):
    """Sends one request after the other over one connection, until one is not answered."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not (stop.is_set() or wrong):
            start = time.perf_counter()
            client.sendall(request)
            answer = part = client.recv(65536)
            while part and not answer.endswith((b"]]}", b'"}')):
                part = client.recv(65536)
                answer += part
            times.append(time.perf_counter() - start)
            if not answer.startswith(b"HTTP/1.1 200"):
                wrong.append(answer[:200])


def _abuse(port, stop):
    """Sends what is no request, about a hundred times a second."""
    while not stop.is_set():
        for content in _MALFORMED:
            with contextlib.suppress(OSError), socket.create_connection(
                    ("127.0.0.1", port), timeout=1) as client:
                client.sendall(content.replace(b"%s", b"/v1/models/m:predict"))
                client.recv(1000)
            time.sleep(0.01)


if __name__ == "__main__":
    main()
