"""`symk serve` as people run it: a process that is asked with curl, loaded, abused, and ended."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from symk import layers
from symk.models import Sequential

pytest.importorskip("uvicorn")
pytest.importorskip("symk._core")
ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "serve"
PREDICT = "/v1/models/m:predict"


@contextlib.contextmanager
def served_file(path):
    """(process, port) of `symk serve` with a file."""
    log = path.with_suffix(".log")
    with open(log, "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "symk", "serve", str(path), "--port", "0", "--body-bytes",
             "100000", "--timeout-s", "2"], stderr=errors, cwd=ROOT,
            env=dict(os.environ, PYTHONPATH=str(ROOT)))
        try:
            yield process, _port(log, process)
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def served(written, dense, tmp_path):
    """(process, port) of a server of the model m."""
    with served_file(written(dense, tmp_path / "m.symk")) as found:
        yield found


def until(condition, seconds=20):
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _port(log, process):
    """The port that the log of a server tells."""
    for _ in range(200):
        found = re.search(r"running on http://[\d.]+:(\d+)", log.read_text())
        if found:
            return int(found.group(1))
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError("the server did not start: " + log.read_text())


def ask(connection, method, path, body=None):
    """(status, body) over one connection."""
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def connected(port):
    return contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20))


def test_the_example_with_curl_gets_the_bits_of_predict(tmp_path, written):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    model = Sequential([layers.Flatten(input_shape=(8, 8, 1)), layers.Dense(10, "softmax")])
    with served_file(written(model, tmp_path / "digits.symk")) as (_, port):
        output = subprocess.run(
            ["sh", str(EXAMPLE / "request.sh"), "http://127.0.0.1:%d" % port],
            capture_output=True, check=True).stdout
    status, metadata, answer = map(json.loads, output.splitlines())
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert metadata["model_spec"]["name"] == "digits"
    picture = json.loads((EXAMPLE / "digit.json").read_text())["instances"]
    assert np.float32(answer["predictions"]).tobytes() == (
        model.predict_on_batch(np.float32(picture)).tobytes())


def test_right_answers_among_wrong_huge_and_malformed_requests(served, dense):
    process, port = served
    stop, failures, times = threading.Event(), [], []

    def abuse(kind):
        once = False
        while not (once and stop.is_set()):
            once = True
            with contextlib.suppress(OSError), socket.create_connection(
                    ("127.0.0.1", port), timeout=5) as client:
                client.sendall(kind)
                client.settimeout(0.2)
                while client.recv(65536):
                    pass

    def work(seed):
        generator = np.random.RandomState(seed)
        with connected(port) as connection:
            for _ in range(60):
                data = generator.standard_normal((generator.randint(1, 4), 3)).astype("float32")
                start = time.perf_counter()
                status, body = ask(connection, "POST", PREDICT,
                                   json.dumps({"instances": data.tolist()}))
                times.append(time.perf_counter() - start)
                if status != 200 or not np.allclose(json.loads(body)["predictions"],
                                                    expected(data), rtol=1e-5, atol=1e-6):
                    failures.append((status, body))

    weights = dense.get_weights()

    def expected(data):
        return np.tanh(data @ weights[0] + weights[1]) @ weights[2] + weights[3]

    head = b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nHost: x\r\n"
    abuses = [threading.Thread(target=abuse, args=(kind,)) for kind in (
        b"\x00\xff nonsense\r\n\r\n", head + b"Content-Length: 999999999999\r\n\r\n" + b"[" * 50000,
        head + b"Content-Length: -5\r\n\r\n", head + b"Content-Length: 5000\r\n\r\nshort",
        head + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n", b"GET /" + b"a" * 70000,
        head + b"Content-Length: 60000\r\n\r\n" + b"[" * 60000)]
    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in abuses + workers:
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    for thread in abuses:
        thread.join()
    assert not failures and len(times) == 240
    assert np.median(times) < 1 and process.poll() is None
    with connected(port) as connection:
        status, metrics = ask(connection, "GET", "/metrics")
    assert status == 200 and b'symk_requests_total{model="m",status="200"} 240' in metrics
    assert b'status="413"' in metrics and b'status="400"' in metrics
    assert b'status="500"' not in metrics


def test_at_the_end_open_requests_are_answered(served):
    process, port = served
    body = json.dumps({"instances": [[1, 2, 3]]}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                       % (PREDICT.encode(), len(body)) + body[:10])
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert until(lambda: not is_open(port))
        assert process.poll() is None
        client.sendall(body[10:])
        answer = b""
        while b"predictions" not in answer:
            part = client.recv(65536)
            assert part, answer
            answer += part
        assert answer.startswith(b"HTTP/1.1 200")
    assert process.wait(10) in (0, -signal.SIGTERM)
