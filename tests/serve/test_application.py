"""The REST interface, without a server: what is answered, refused and counted."""
import ast
import asyncio
import json
import subprocess
import sys

import numpy as np
import pytest

from symk.serve import Application, Limits, Repository
from symk.serve.repository import Servable

PREDICT = "/v1/models/m:predict"


@pytest.fixture
def application(written, dense, tmp_path):
    written(dense, tmp_path / "m" / "7" / "model.symk")
    return Application(Repository([tmp_path / "m"]), Limits(body_bytes=20000))


def test_the_answer_is_that_of_predict(application, dense, with_client):
    data = np.random.RandomState(0).standard_normal((4, 3)).astype("float32")

    async def talk(client):
        rows = await client.json("POST", PREDICT, {"instances": data.tolist()})
        columns = await client.json("POST", "/v1/models/m/versions/7:predict",
                                    {"inputs": data.tolist()}, chunks=5)
        return rows, columns

    (status, rows), (other, columns) = with_client(application, talk)
    assert (status, other) == (200, 200)
    expected = dense.predict_on_batch(data)
    assert np.float32(rows["predictions"]).tobytes() == expected.tobytes()
    assert np.float32(columns["outputs"]).tobytes() == expected.tobytes()


def test_several_inputs_and_outputs(written, mixed, tmp_path, with_client):
    application = Application(Repository([written(mixed, tmp_path / "m.symk")]))
    image, text = np.ones((2, 2, 2, 1), "float32"), np.int32([[0, 4, 1], [2, 2, 2]])
    kind, price = mixed.predict([image, text])

    async def talk(client):
        inputs = {"image": image.tolist(), "text": text.tolist()}
        columns = await client.json("POST", PREDICT, {"inputs": inputs})
        rows = await client.json("POST", PREDICT, {"instances": [
            {"image": image[k].tolist(), "text": text[k].tolist()} for k in range(2)]})
        wrong = await client.json("POST", PREDICT, {"inputs": dict(inputs, text=[[9], [0]])})
        return columns, rows, wrong, await client.json("GET", "/v1/models/m/metadata")

    (_, columns), (_, rows), (status, wrong), (_, metadata) = with_client(application, talk)
    outputs = list(columns["outputs"].values())
    assert np.float32(outputs[0]).tobytes() == kind.tobytes()
    assert np.float32(outputs[1]).tobytes() == price.tobytes()
    assert [list(row.values()) for row in rows["predictions"]] == [
        [kind[k].tolist(), float(price[k])] for k in range(2)]
    assert status == 400 and "an index must be in" in wrong["error"]
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["text"] == {"dtype": "DT_INT32", "name": "text", "tensor_shape": {
        "dim": [{"size": "-1", "name": ""}] * 2, "unknown_rank": False}}
    assert metadata["model_spec"] == {"name": "m", "signature_name": "", "version": "1"}


def test_what_can_be_asked(application, with_client):
    async def talk(client):
        assert await client.json("GET", "/v1/models") == (
            200, {"models": [{"name": "m", "versions": ["7"]}]})
        for path in ("/v1/models/m", "/v1/models/m/versions/7"):
            assert await client.json("GET", path) == (200, {"model_version_status": [{
                "version": "7", "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""}}]})
        assert (await client.ask("GET", "/healthz"))[0] == 200
        assert (await client.ask("GET", "/readyz"))[0] == 200
        status, headers, page = await client.ask("GET", "/")
        assert status == 200 and b"symk serve" in page
        assert b"default-src 'none'" in headers[b"content-security-policy"]
        status, headers, nothing = await client.ask("HEAD", "/healthz")
        assert (status, headers[b"content-length"], nothing) == (200, b"6", b"")
        assert (await client.ask("HEAD", PREDICT))[0] == 405

    with_client(application, talk)


@pytest.mark.parametrize("method, path, body, status, message", [
    ("GET", "/nothing", b"", 404, "nothing at this path"),
    ("GET", "/v1/models/n", b"", 404, "no model of this name; there are m"),
    ("GET", "/v1/models/m/versions/8", b"", 404, "has no version 8"),
    ("GET", "/v1/models/m/versions/8/metadata", b"", 404, "has no version 8"),
    ("POST", "/v1/models/n:predict", b"{}", 404, "no model of this name"),
    ("POST", "/v1/models/m/versions/8:predict", b"{}", 404, "has no version 8"),
    ("POST", "/v1/models/m/versions/%d:predict" % 10 ** 30, b"{}", 404, "nothing at this path"),
    ("GET", PREDICT, b"", 405, "takes POST"), ("POST", "/v1/models/m", b"", 405, "takes GET"),
    ("POST", "/v1/models/m:regress", b"{}", 404, "nothing at this path"),
    ("POST", PREDICT, b"", 400, "must be JSON"),
    ("POST", PREDICT, {"instances": [[1, 2]]}, 400, r"must have the shape (?, 3); it has (1, 2)"),
    ("POST", PREDICT, b"x" * 20001, 413, "may have 20000 bytes; this one has 20001"),
])
def test_what_is_refused(application, method, path, body, status, message, with_client):
    given, answer = with_client(application, lambda client: client.json(method, path, body))
    assert given == status and message in answer["error"]


def test_a_body_of_unknown_size_is_cut_at_the_limit(application, with_client):
    given, answer = with_client(application, lambda client: client.json(
        "POST", PREDICT, b"[" * 30000, headers={}, chunks=10))
    assert given == 413 and "this one has more" in answer["error"]


def test_the_elements_of_a_request_are_bounded(application, with_client):
    application.limits = application.limits._replace(elements=6)

    async def talk(client):
        return [await client.json("POST", PREDICT, {"instances": [[1, 2, 3]] * rows})
                for rows in (2, 3)]

    (good, _), (bad, answer) = with_client(application, talk)
    assert (good, bad) == (200, 413) and "may have 6 elements; they have 9" in answer["error"]


def test_a_client_that_leaves_gets_no_answer(application, with_client):
    async def talk(client):
        scope = {"type": "http", "method": "POST", "path": PREDICT, "headers": []}

        async def receive():
            return {"type": "http.disconnect"}
        await client.application(scope, receive, None)
        return await client.ask("GET", "/metrics")

    assert b"symk_requests_open 1" in with_client(application, talk)[2]     # the one that asks


def test_a_request_has_its_time(application, with_client):
    application.limits = application.limits._replace(timeout_s=0.02)

    async def talk(client):
        async def receive():
            await asyncio.sleep(10)
        sent = []

        async def send(message):
            sent.append(message)
        await client.application({"type": "http", "method": "POST", "path": PREDICT,
                                  "headers": []}, receive, send)
        return sent

    start, body = with_client(application, talk)
    assert start["status"] == 504 and b"no answer within 0.02 seconds" in body["body"]


def test_the_bytes_of_all_open_requests_are_bounded(application, with_client):
    application.limits = application.limits._replace(open_bytes=30000)
    body = b" " * 15000 + b'{"instances": [[1, 2, 3]]}'

    async def talk(client):
        pause = asyncio.Event()

        async def receive():
            await pause.wait()
            return {"type": "http.disconnect"}

        async def begin():      # a client that sends half of its body
            parts = [{"type": "http.request", "body": body, "more_body": True}]
            await application({"type": "http", "method": "POST", "path": PREDICT, "headers": []},
                              lambda: receive() if not parts else _ready(parts.pop()), None)

        slow = asyncio.ensure_future(begin())
        await asyncio.sleep(0.01)
        refused = await client.json("POST", PREDICT, body)
        pause.set()
        await slow
        return refused, await client.json("POST", PREDICT, body)

    (refused, answer), (later, _) = with_client(application, talk)
    assert refused == 503 and "too many large requests are open" in answer["error"]
    assert later == 200


async def _ready(value):
    return value


def test_requests_are_run_together_and_counted(application, dense, with_client):
    data = np.random.RandomState(0).standard_normal((50, 3)).astype("float32")

    async def talk(client):
        answers = await asyncio.gather(*(
            client.json("POST", PREDICT, {"instances": [row.tolist()]}) for row in data))
        await client.json("POST", PREDICT, {"instances": [[]]})
        return answers, (await client.ask("GET", "/metrics"))[2].decode()

    answers, metrics = with_client(application, talk)
    got = np.float32([answer["predictions"][0] for _, answer in answers])
    np.testing.assert_allclose(got, dense.predict(data), rtol=1e-6, atol=1e-7)
    lines = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line[0] != "#")
    assert lines['symk_requests_total{model="m",status="200"}'] == "50"
    assert lines['symk_requests_total{model="m",status="400"}'] == "1"
    assert lines['symk_request_seconds_count{model="m"}'] == "51"
    assert lines['symk_batch_rows_sum{model="m"}'] == "50.0"
    assert float(lines['symk_batch_rows_count{model="m"}']) < 20
    assert lines['symk_model_version{model="m",version="7"}'] == "1"
    assert lines["symk_waiting_rows"] == "0" and lines["symk_requests_open"] == "1"


def test_a_mistake_inside_is_a_500_and_says_nothing_of_the_inside(application, with_client, caplog):
    class Broken:
        inputs = [("x", np.dtype("float32"), (None, 3))]
        outputs = [("y", np.dtype("float32"), (None, 3))]

        def run(self, arrays):
            raise RuntimeError("secret")

    async def talk(client):
        version = client.application.repository.find("m")
        version.servable = Servable({"predict": Broken()}, frozenset())
        return await client.json("POST", PREDICT, {"instances": [[1, 2, 3]]})

    status, answer = with_client(application, talk)
    assert status == 500 and "secret" not in json.dumps(answer)
    assert "secret" in caplog.text


def test_a_new_version_is_seen_while_requests_run(written, dense, tmp_path, with_client):
    written(dense, tmp_path / "m" / "1" / "model.symk")
    application = Application(Repository([tmp_path / "m"]), Limits(poll_s=0.02))

    async def talk(client):
        seen = []
        for number in range(200):
            if number == 20:
                written(dense, tmp_path / "m" / "2" / "model.symk")
            status, _ = await client.json("POST", PREDICT, {"instances": [[1, 2, 3]]})
            assert status == 200
            versions = (await client.json("GET", "/v1/models"))[1]["models"][0]["versions"]
            seen.append(versions)
            if versions == ["2"]:
                return seen
            await asyncio.sleep(0.01)

    seen = with_client(application, talk)
    assert seen[0] == ["1"] and seen[-1] == ["2"]


def test_before_a_model_answers_it_is_not_ready(tmp_path, with_client):
    (tmp_path / "m.symk").write_bytes(b"nothing")
    application = Application(Repository([tmp_path / "m.symk"]))

    async def talk(client):
        assert (await client.ask("GET", "/readyz"))[0] == 503
        status, answer = await client.json("POST", PREDICT, {"instances": []})
        assert status == 404 and "no version that answers" in answer["error"]
        _, answer = await client.json("GET", "/v1/models/m")
        return answer["model_version_status"][0]

    entry = with_client(application, talk)
    assert entry["state"] == "END" and entry["status"]["error_code"] == "INVALID_ARGUMENT"
    assert entry["status"]["error_message"]


def test_the_server_needs_the_loader_of_symk_alone():
    code = ("import sys, symk.serve\n"
            "print([name for name in sys.modules if name.startswith('symk.')"
            " and not name.startswith('symk.serve')])")
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            check=True).stdout
    assert set(ast.literal_eval(listed)) <= {
        "symk.deploy", "symk.deploy.loader", "symk.extras", "symk.paths"}
