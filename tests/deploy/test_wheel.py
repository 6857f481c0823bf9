"""An installed wheel, made from the source distribution: what has to be in both of them, and that
programs find the library there. Packages come from the index that pip is set to.
"""
import os
import shutil
import subprocess
import sys
import venv

import numpy as np
import pytest

from symk import layers
from symk.deploy import standalone
from symk.models import Sequential

pytest.importorskip("symk._core", reason="the native runtime is not built")
pytestmark = pytest.mark.slow
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "examples", "deploy")
LARGEST_BYTES = 1500000      # of its library, stripped, with three instruction sets
LOADS = """
import sys
import symk.deploy
model = symk.deploy.load(sys.argv[1])
for name in ("h5py", "yaml"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit("%s must not be there" % name)
"""


def run(*command, **options):
    """The output of a program that knows nothing of the tree."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("PYTHON", "SYMK"))}
    environment.update(options.pop("env", {}))
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env=environment, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel that was made from the source distribution alone."""
    folder = tmp_path_factory.mktemp("dist")
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(
        ".*", "build", "dist", "tests", "bench", "*.so", "*.a", "*.egg-info", "__pycache__"))
    run(sys.executable, "-c", "import sys; from setuptools.build_meta import build_sdist; "
        "build_sdist(sys.argv[1])", folder, cwd=tree)
    source, = folder.glob("*.tar.gz")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w",
        folder, source, cwd=folder, env={"SYMK_CMAKE_ARGS": "-DSYMK_CUDA=OFF"})
    made, = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def loading(wheel, tmp_path_factory):
    """The bin folder of an environment with the wheel, NumPy and cffi, and nothing else."""
    return environment(tmp_path_factory.mktemp("loading"), wheel, "--no-deps")


@pytest.fixture(scope="module")
def whole(wheel, tmp_path_factory):
    """The bin folder of an environment with the wheel and what it asks for."""
    return environment(tmp_path_factory.mktemp("whole"), wheel)


def environment(folder, wheel, *options):
    venv.create(folder, with_pip=True)
    pip = (folder / "bin" / "python", "-m", "pip", "install", "-q")
    run(*pip, "numpy", "cffi")
    run(*pip, *options, wheel)
    return folder / "bin"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """(path of a model, numbers as text, what the programs must print)"""
    path = tmp_path_factory.mktemp("model") / "digits.symk"
    model = Sequential([layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
                        layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.export(path)
    image = np.random.RandomState(0).rand(1, 8, 8, 1).astype("float32")
    expected = "".join("%.9g\n" % value for value in model.predict_on_batch(image)[0])
    return path, " ".join("%.9g" % value for value in image.ravel()), expected


def test_loading_needs_numpy_and_cffi_alone(loading, sample, tmp_path):
    path, numbers, expected = sample
    run(loading / "python", "-c", LOADS, path, cwd=tmp_path)
    assert run(loading / "python", os.path.join(EXAMPLES, "predict.py"), path, input=numbers,
               cwd=tmp_path) == expected


def test_its_library_is_small(loading, tmp_path):
    if shutil.which("strip") is None:
        pytest.skip("needs strip")
    folder = run(loading / "symk", "config", "--libdir").strip()
    run("strip", "-o", tmp_path / "stripped.so", os.path.join(folder, "libsymk_runtime.so"))
    assert (tmp_path / "stripped.so").stat().st_size <= LARGEST_BYTES


def test_the_demo_runs_and_its_model_is_loaded(whole, loading, tmp_path):
    said = run(whole / "symk", "demo", "--epochs", "1", "--out", tmp_path / "demo", cwd=tmp_path)
    assert "digits.symk" in said
    run(whole / "symk", "export", tmp_path / "demo" / "digits.h5", tmp_path / "again.symk")
    exported = (tmp_path / "demo" / "digits.symk").read_bytes()
    assert len((tmp_path / "again.symk").read_bytes()) > 0.9 * len(exported)
    run(loading / "python", "-c", LOADS, tmp_path / "demo" / "digits.symk", cwd=tmp_path)


def test_cmake_and_pkg_config_find_the_library(loading, sample, tmp_path):
    path, numbers, expected = sample
    cmake = shutil.which("cmake", path=os.path.dirname(sys.executable)) or shutil.which("cmake")
    if cmake is None or shutil.which("pkg-config") is None:
        pytest.skip("needs cmake and pkg-config")
    places = {name: run(loading / "symk", "config", "--" + name).strip()
              for name in ("cmakedir", "pkgconfigdir")}
    run(cmake, "-S", EXAMPLES, "-B", tmp_path, "-Dsymk_DIR=" + places["cmakedir"])
    run(cmake, "--build", tmp_path)
    flags = run("pkg-config", "--cflags", "--libs", "symk",
                env={"PKG_CONFIG_PATH": places["pkgconfigdir"]}).split()
    run("cc", "-std=c99", os.path.join(EXAMPLES, "predict.c"), "-o", tmp_path / "by_pkg_config",
        *flags)
    for program in ("predict", "predict_static", "by_pkg_config"):
        assert run(tmp_path / program, path, input=numbers) == expected


def test_it_has_the_sources_of_projects(whole, tmp_path):
    model = Sequential([layers.Conv2D(2, 3, input_shape=(8, 8, 1))])
    model.save(tmp_path / "model.h5")
    run(whole / "symk", "export", "--standalone", tmp_path / "model.h5", tmp_path / "installed")
    standalone(model, tmp_path / "tree")
    for path in (tmp_path / "tree").rglob("*"):
        if path.is_file() and path.suffix != ".symk":
            other = tmp_path / "installed" / path.relative_to(tmp_path / "tree")
            assert other.read_bytes() == path.read_bytes()
