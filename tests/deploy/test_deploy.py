"""Exported files through the C library: the same bits, without symk's Python, and safe."""
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

import symk
from symk import ops
from symk.compile import function
from symk.deploy import export
from symk.deploy import loader as load_module
from symk.deploy.loader import load
from symk.graph import Placeholder, Shared
from symk.graph.errors import GraphError

pytest.importorskip("symk._core", reason="the native runtime is not built")
HEADER = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "csrc", "capi",
                      "symk_runtime.h")


def network():
    """(probabilities, hidden sum) of an image, and an index that picks rows of a table."""
    generator = np.random.RandomState(0)

    def weights(name, *shape):
        return Shared(generator.standard_normal(shape).astype("float32"), name=name)

    x = Placeholder("float32", (None, 6, 6, 2), name="x")
    index = Placeholder("int64", (None,), name="index")
    hidden = ops.tanh(ops.conv(x, weights("filters", 3, 3, 2, 4), padding="same"))
    flat = ops.reshape(hidden, (-1, 144))
    probabilities = ops.softmax(ops.matmul(flat, weights("units", 144, 5)))
    rows = ops.gather(weights("table", 7, 3), index)
    return function([x, index], [probabilities, ops.sum(flat, axes=(1,)), rows], mode="native")


def arrays(rows=5):
    generator = np.random.RandomState(1)
    return [generator.standard_normal((rows, 6, 6, 2)).astype("float32"), np.array([0, 6, -1])]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(function, path of its file)"""
    path = tmp_path_factory.mktemp("exported") / "model.symk"
    f = network()
    export(f, path, metadata={"author": "symk's tests"})
    return f, path


def recurrent_network():
    """A loop, with a branch in its step, over sequences of any length, and an LSTM."""
    generator = np.random.RandomState(0)

    def weights(*shape):
        return Shared(generator.standard_normal(shape).astype("float32"))

    x = Placeholder("float32", (None, None, 3), name="x")
    w, u, kernel, recurrent = weights(3, 4), weights(4, 4), weights(3, 16), weights(4, 16)
    zeros = ops.full((x.shape[0], 4), 0, "float32")

    def step(rows, states):
        h = ops.tanh(ops.matmul(rows[0], w) + ops.matmul(states[0], u))
        h = ops.cond(ops.sum(h) > 0.0, lambda: h * 0.5, lambda: ops.exp(h))
        return [h], [h]

    _, (outputs,) = ops.scan(step, [ops.transpose(x, (1, 0, 2))], [zeros])
    every, last, _ = ops.lstm_sequence(ops.matmul(x, kernel), recurrent, zeros, zeros, reverse=True)
    return function([x], [outputs, every, last], mode="native")


def test_loops_and_branches_are_exported(tmp_path):
    f, path = recurrent_network(), tmp_path / "recurrent.symk"
    export(f, path)
    model = load(path)
    for batch, steps in ((2, 5), (1, 1), (3, 0), (40, 7)):
        x = np.random.RandomState(steps).standard_normal((batch, steps, 3)).astype("float32")
        for expected, result in zip(f.run([x]), model.run([x])):
            assert result.shape == expected.shape
            np.testing.assert_array_equal(result, expected)


def test_the_file_computes_the_same_bits(exported):
    f, path = exported
    model = load(path)
    for rows in (5, 1, 0, 64, 5):
        for expected, result in zip(f.run(arrays(rows)), model.run(arrays(rows))):
            assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
            assert result.tobytes() == expected.tobytes()
    assert model.arena_bytes > 0


def test_the_file_describes_itself(exported):
    model = load(exported[1])
    assert model.inputs == [("x", np.dtype("float32"), (None, 6, 6, 2)),
                            ("index", np.dtype("int64"), (None,))]
    assert [(dtype.name, shape) for _, dtype, shape in model.outputs] == [
        ("float32", (None, 5)), ("float32", (None,)), ("float32", (None, 3))]
    assert model.metadata("author") == "symk's tests"
    assert model.metadata("no such key") is None


def test_later_changes_of_weights_do_not_reach_the_file(exported, tmp_path):
    x, w = Placeholder("float32", (2,), name="x"), Shared(np.ones(2, "float32"), name="w")
    f = function([x], x * w, mode="native")
    export(f, tmp_path / "model.symk")
    w.set_value(np.zeros(2, "float32"))
    np.testing.assert_array_equal(load(tmp_path / "model.symk")([3, 4]), [3, 4])


def test_a_process_without_symk_runs_the_file(exported, tmp_path):
    """The loader is run by its path, isolated and from another folder."""
    f, path = exported
    x, index = arrays()
    np.savez(tmp_path / "in.npz", x=x, index=index)
    script = ("import runpy, sys; sys.argv = ['loader.py'] + sys.argv[1:];"
              "runpy.run_path(%r, run_name='__main__');"
              "assert not [m for m in sys.modules if m.split('.')[0] == 'symk']"
              % load_module.__file__)
    subprocess.run([sys.executable, "-I", "-c", script, path, tmp_path / "in.npz",
                    tmp_path / "out.npz"], check=True, cwd=tmp_path)
    with np.load(tmp_path / "out.npz") as results:
        for (name, _, _), expected in zip(load(path).outputs, f.run(arrays())):
            assert results[name].tobytes() == expected.tobytes()


@pytest.mark.parametrize("change, error, message", [
    (lambda x, i: [x], ValueError, r"2 arrays are required \(x, index\); 1 were given"),
    (lambda x, i: [x[0], i], ValueError, r"\[input x\] the shape must be \(None, 6, 6, 2\)"),
    (lambda x, i: [x.astype("complex64"), i], TypeError, r"\[input x\] the dtype must be float32"),
    (lambda x, i: [x, i + 0.5], TypeError, r"\[input index\] the dtype must be int64"),
    (lambda x, i: [x, i + 10], IndexError, r"\[gather\].*axis of size 7; 10 was given at posit"),
    (lambda x, i: [x.reshape((1,) * 5 + x.shape), i], ValueError, "at most 8 axes"),
], ids=["count", "shape", "complex", "fraction", "index", "axes"])
def test_wrong_arrays_are_errors(exported, change, error, message):
    model = load(exported[1])
    with pytest.raises(error, match=message):
        model.run(change(*arrays()))
    assert len(model.run(arrays())) == 3


def test_arrays_of_other_dtypes_and_layouts_are_converted(exported):
    f, path = exported
    x, index = arrays()
    expected = f.run([x, index])
    strided = np.repeat(x, 2, axis=0)[::2].astype("float64")
    for result, wanted in zip(load(path).run([strided, index.astype("int8")]), expected):
        assert result.tobytes() == wanted.tobytes()


def test_many_threads_share_one_model(exported):
    f, path = exported
    model, wrong = load(path), []
    expected = f.run(arrays())

    def call():
        for _ in range(50):
            results = model.run(arrays())
            if any(a.tobytes() != b.tobytes() for a, b in zip(results, expected)):
                wrong.append(results)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_missing_and_damaged_files_are_errors(exported, tmp_path):
    with pytest.raises(OSError, match="cannot be opened"):
        load(tmp_path / "nothing.symk")
    data = exported[1].read_bytes()
    for name, damaged in (("empty", b""), ("half", data[:len(data) // 2]), ("text", b"hello" * 99)):
        path = tmp_path / name
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^\[plan\] "):
            load(path)


@pytest.mark.parametrize("what, message", [
    (lambda: function([], Shared(np.ones(2)) * 2.0, mode="reference"), 'mode "native" is required'),
    (lambda: "model", "a compiled function or a model is required for 'predict'; 'str' was given"),
    (lambda: {}, "names of functions as its keys"),
], ids=["mode", "kind", "empty"])
def test_what_cannot_be_exported_is_refused(what, message, tmp_path):
    with pytest.raises(GraphError, match=message):
        export(what(), tmp_path / "model.symk")
    assert os.listdir(tmp_path) == []


def test_a_failed_write_keeps_the_old_file(exported, tmp_path, monkeypatch):
    path = tmp_path / "model.symk"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        export(exported[0], path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["model.symk"]


def _prototypes(text):
    """The functions declared in C text: {name: declaration in one line}."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("SYMK_API ", "")
    found = re.findall(r"^[a-z][\w\s*]*?\b(symk_\w+)\(([^)]*)\);", text, flags=re.M)
    return {name: " ".join(arguments.split()) for name, arguments in found}


def test_the_loader_declares_what_the_header_declares():
    with open(HEADER) as file:
        header = _prototypes(file.read())
    assert len(header) > 30
    assert _prototypes(load_module._DECLARATIONS) == header


def test_the_library_exports_its_interface_and_nothing_else():
    library = os.path.join(os.path.dirname(symk.__file__), "libsymk_runtime.so")
    done = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("needs nm")
    with open(HEADER) as file:
        assert {line.split()[-1] for line in done.stdout.splitlines()} == set(
            _prototypes(file.read()))
