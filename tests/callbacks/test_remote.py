"""RemoteMonitor: what it sends to a server, and what happens when there is none."""
import json
import sys
import types

import numpy as np
import pytest

from symk.callbacks import RemoteMonitor


@pytest.fixture
def sent(monkeypatch):
    """What the package `requests`, or what stands for it here, was asked to post."""
    calls = []
    module = types.ModuleType("requests")
    module.exceptions = types.SimpleNamespace(RequestException=ConnectionError)

    def post(address, headers=None, **content):
        if "nowhere" in address:
            raise ConnectionError("refused")
        calls.append((address, headers, content))
    module.post = post
    monkeypatch.setitem(sys.modules, "requests", module)
    return calls


def test_values_are_a_field_of_a_form(sent):
    RemoteMonitor(root="http://host", headers={"a": "b"}).on_epoch_end(
        3, {"loss": np.float32(0.5), "acc": np.array([1.0, 2.0])})
    (address, headers, content), = sent
    assert (address, headers) == ("http://host/publish/epoch/end/", {"a": "b"})
    assert json.loads(content["data"]["data"]) == {"epoch": 3, "loss": 0.5, "acc": [1.0, 2.0]}


def test_values_can_be_the_body(sent):
    RemoteMonitor(path="/in", send_as_json=True).on_epoch_end(0, {"loss": 1.0})
    assert sent == [("http://localhost:9000/in", None, {"json": {"loss": 1.0, "epoch": 0}})]


def test_a_server_that_does_not_answer_brings_a_warning(sent):
    with pytest.warns(UserWarning, match="http://nowhere did not: refused"):
        RemoteMonitor(root="http://nowhere").on_epoch_end(0, {})


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(ImportError, match="pip install requests"):
        RemoteMonitor().on_epoch_end(0, {})
