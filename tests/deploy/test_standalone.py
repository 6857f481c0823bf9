"""Projects of their own: which files they have, and that a compiler alone builds and runs them."""
import collections
import os
import re
import shutil
import subprocess
import sys

import pytest

import symk
from symk import layers
from symk.deploy import project, standalone
from symk.deploy.places import PLACES
from symk.graph.errors import GraphError
from symk.models import Sequential

pytest.importorskip("symk._core", reason="the native runtime is not built")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ISAS = ("avx2",)     # besides plain code: what most machines have; each takes its time to compile


def mlp():
    return Sequential([layers.Dense(8, activation="relu", input_shape=(4,)),
                       layers.BatchNormalization(), layers.Dropout(0.5),
                       layers.Dense(3, activation="softmax")])


def cnn():
    return Sequential([layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
                       layers.MaxPooling2D(), layers.Flatten(),
                       layers.Dense(3, activation="softmax")])


def lstm():
    return Sequential([layers.Embedding(9, 4, input_length=3), layers.LSTM(5), layers.Dense(2)])


def names(folder):
    return {os.path.join(os.path.relpath(path, folder), name)
            for path, _, files in os.walk(folder) for name in files}


def test_a_project_has_the_kernels_of_the_model_and_no_others(tmp_path):
    standalone(mlp(), tmp_path / "mlp", {"author": "a test"})
    files = names(tmp_path / "mlp")
    assert {"./Makefile", "./main.c", "./model.h", "./model.S", "./model.symk", "./VERSION",
            "source/capi/symk_runtime.h", "source/cpu/matmul.cpp"} <= files
    assert not [name for name in files if "conv" in name or "recurrent" in name or "pool" in name]
    standalone(lstm(), tmp_path / "lstm")
    files = names(tmp_path / "lstm")
    assert {"source/cpu/recurrent_step.cpp", "source/cpu/index.cpp"} <= files
    assert "source/cpu/conv.cpp" not in files
    assert (tmp_path / "lstm" / "VERSION").read_text().strip() == symk.__version__


def test_every_kernel_is_found_in_the_sources():
    source = PLACES["sourcedir"]()
    found = project._registered(os.path.join(source, "runtime", "loop.cpp"))
    for name in os.listdir(os.path.join(source, "cpu")):
        found |= project._registered(os.path.join(source, "cpu", name))
    names = "from symk.compile.native import kernel_names; print(*kernel_names())"
    own = subprocess.run([sys.executable, "-c", names], check=True, text=True,
                         stdout=subprocess.PIPE).stdout.split()    # without those of other tests
    assert found == set(own) - {"callback"}    # which runs Python


@pytest.fixture(scope="module")
def symbols():
    """({file: the symbols it defines}, {file: those it uses}) of the static library's parts."""
    library = os.path.join(ROOT, "build", "libsymk_parts.a")
    if shutil.which("nm") is None or not os.path.exists(library):
        pytest.skip("needs nm and the folder of a build")
    listed = subprocess.run(["nm", "-A", library], check=True, capture_output=True, text=True)
    defined, used = collections.defaultdict(set), collections.defaultdict(set)
    for line in listed.stdout.splitlines():
        found = re.match(r".*:(\w+)\.cpp\.o:\s*\w*\s+(\w) (\S+)$", line)
        if found:
            file, kind, symbol = found.groups()
            (used if kind == "U" else defined)[file].add(symbol)
    return defined, used


@pytest.mark.parametrize("kernel", sorted(set().union(*(
    project._registered(os.path.join(PLACES["sourcedir"](), "cpu", name))
    for name in os.listdir(os.path.join(PLACES["sourcedir"](), "cpu"))))))
def test_a_project_of_one_kernel_would_link(kernel, symbols):
    """Each function that its files call is in one of them. If one is not: what X.cpp or X_step.cpp
    defines for others must be declared in X.h."""
    defined, used = symbols
    files = [os.path.basename(name)[:-len(".cpp")]
             for name in project._needed(PLACES["sourcedir"](), {kernel}) if name.endswith(".cpp")]
    called = set().union(*(used[file] for file in files)) & set().union(*defined.values())
    assert called <= set().union(*(defined[file] for file in files))


def test_the_makefile_defines_what_the_sources_take_from_their_build(tmp_path):
    standalone(cnn(), tmp_path / "project")
    text = "\n".join(path.read_text() for path in (tmp_path / "project" / "source").rglob("*.*"))
    code = re.sub(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"', "", text, flags=re.S)
    known = set(re.findall(r"#define (SYMK_\w+)|^ +(SYMK_\w+) =", text, flags=re.M))
    taken = set(re.findall(r"\bSYMK_[A-Z0-9_]+\b", code)) - set(sum(known, ()))
    makefile = (tmp_path / "project" / "Makefile").read_text()
    assert "SYMK_VERSION" in taken
    assert taken <= set(re.findall(r"-D(SYMK_\w+)=", makefile))


def test_folders_in_use_and_kernels_of_others_are_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="empty or not there is required"):
        standalone(mlp(), tmp_path)
    monkeypatch.setattr(project, "_kernels", lambda functions: {"matmul", "soft_threshold"})
    with pytest.raises(GraphError, match="soft_threshold of this model are of others"):
        standalone(mlp(), tmp_path / "new")
    assert os.listdir(tmp_path) == ["file"]


def wide():
    """Weights enough to be stored in less."""
    return Sequential([layers.Dense(40, activation="relu", input_shape=(16,)), layers.Dense(20)])


@pytest.mark.slow
@pytest.mark.parametrize("make_model, numbers, options", [
    (mlp, "0.5 -1 2 0.25", {}), (cnn, " ".join(str(i / 64) for i in range(64)), {}),
    (lstm, "3 1 4", {}), (wide, " ".join(str(i / 16) for i in range(16)), {"weights": "int8"}),
    (wide, " ".join(str(i / 16) for i in range(16)), {"weights": "float16"})],
    ids=["mlp", "cnn", "lstm", "int8", "float16"])
def test_a_compiler_alone_builds_and_runs_it(make_model, numbers, options, tmp_path):
    if shutil.which("make") is None or shutil.which("c++") is None:
        pytest.skip("needs make and a compiler")
    model = make_model()
    standalone(model, tmp_path / "project", **options)
    model.export(tmp_path / "model.symk", **options)
    made = subprocess.run(["make", "-j2", "CC=cc", "CXX=c++", "ISAS=" + " ".join(ISAS)],
                          cwd=tmp_path / "project", capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"]})
    assert made.returncode == 0, made.stderr
    (tmp_path / "project" / "model.symk").unlink()      # it is part of the program
    shutil.rmtree(tmp_path / "project" / "source")

    def run(*command, **options):
        return subprocess.run(command, check=True, input=numbers, capture_output=True, text=True,
                              **options).stdout

    assert run(tmp_path / "project" / "predict", env={"SYMK_ISA": ISAS[0]}) == run(
        sys.executable, os.path.join(ROOT, "examples", "deploy", "predict.py"),
        tmp_path / "model.symk", env=dict(os.environ, SYMK_ISA=ISAS[0], PYTHONPATH=ROOT))
