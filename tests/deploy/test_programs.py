"""The programs of examples/deploy, built in each way and run; the headers and the libraries."""
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from symk import layers
from symk.deploy.places import PLACES
from symk.models import Model, Sequential

pytest.importorskip("symk._core", reason="the native runtime is not built")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "examples", "deploy")
# Of the stripped library with three instruction sets, as it is in the tree, by GCC 12: that of a
# wheel is optimised as a whole and smaller (test_wheel.py).
LARGEST_BYTES = 1560000
# The sanitizer keeps memory of its own, and programs that are not built with it cannot load it.
plain = pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="needs a plain build")
pytestmark = plain


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """(path of a model, numbers as text, what the programs must print)"""
    path = tmp_path_factory.mktemp("model") / "digits.symk"
    model = Sequential([layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
                        layers.BatchNormalization(), layers.Flatten(),
                        layers.Dense(10, activation="softmax")], name="digits")
    model.export(path)
    image = np.random.RandomState(0).rand(1, 8, 8, 1).astype("float32")
    expected = "".join("%.9g\n" % value for value in model.predict_on_batch(image)[0])
    return path, " ".join("%.9g" % value for value in image.ravel()), expected


@pytest.mark.parametrize("linked", ["shared", "static"])
def test_the_c_program(sample, tmp_path, compiled, linked):
    path, numbers, expected = sample
    flags = static_flags() if linked == "static" else ()
    program = compiled(os.path.join(EXAMPLES, "predict.c"), tmp_path / "predict", *flags)
    assert run(program, path, input=numbers) == expected
    for arguments, given, message in (((path,), "1 2 3", "64 numbers; 3 were given"),
                                      ((tmp_path / "no",), numbers, "cannot be opened"),
                                      ((program,), numbers, "[plan] a Plan must begin")):
        done = subprocess.run([program, *arguments], input=given, capture_output=True, text=True)
        assert done.returncode == 1 and message in done.stderr


def test_the_c_program_refuses_what_it_does_not_read(tmp_path, compiled):
    program = compiled(os.path.join(EXAMPLES, "predict.c"), tmp_path / "predict")
    words, times = layers.Input((3,), dtype="int32"), layers.Input((None, 2))
    for name, model in (("words", Model(words, layers.Embedding(5, 2)(words))),
                        ("times", Model(times, layers.LSTM(2)(times)))):
        model.export(tmp_path / name)
        done = subprocess.run([program, tmp_path / name], input="1 2 3", capture_output=True,
                              text=True)
        assert done.returncode == 1 and "one float32 input" in done.stderr and done.stdout == ""


def test_the_python_program(sample):
    path, numbers, expected = sample
    assert run(sys.executable, os.path.join(EXAMPLES, "predict.py"), path, input=numbers,
               cwd=ROOT, env=dict(os.environ, PYTHONPATH=ROOT)) == expected


def cmake():
    """The cmake program of the environment, or of the system."""
    found = shutil.which("cmake", path=os.path.dirname(sys.executable)) or shutil.which("cmake")
    return found or pytest.skip("needs cmake")


def test_the_cpp_program_by_cmake(sample, tmp_path):
    path, numbers, expected = sample
    run(cmake(), "-S", EXAMPLES, "-B", tmp_path, "-Dsymk_DIR=" + PLACES["cmakedir"]())
    run(cmake(), "--build", tmp_path)
    for program in ("predict", "predict_static"):
        assert run(tmp_path / program, path, input=numbers) == expected
        for wrong, message in ((tmp_path / "no", "cannot be opened"),
                               (tmp_path / program, "[plan] a Plan must begin")):
            done = subprocess.run([tmp_path / program, wrong], input=numbers, capture_output=True,
                                  text=True)
            assert done.returncode == 1 and message in done.stderr
    needed = run("ldd", tmp_path / "predict_static")
    assert "symk" not in needed


def test_cmake_refuses_another_release(tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.12)\nproject(other CXX)\nfind_package(symk 99 REQUIRED)")
    done = subprocess.run([cmake(), "-S", tmp_path, "-B", tmp_path / "build",
                           "-Dsymk_DIR=" + PLACES["cmakedir"]()], capture_output=True, text=True)
    assert done.returncode != 0 and "not compatible with the version requested" in done.stderr


def test_the_cpp_program_by_pkg_config(sample, tmp_path, compiled):
    if shutil.which("pkg-config") is None:
        pytest.skip("needs pkg-config")
    path, numbers, expected = sample
    places = dict(os.environ, PKG_CONFIG_PATH=PLACES["pkgconfigdir"]())
    flags = run("pkg-config", "--cflags", "--libs", "symk", env=places).split()
    program = compiled(os.path.join(EXAMPLES, "predict.cpp"), tmp_path / "predict", *flags)
    assert run(program, path, input=numbers) == expected


def test_the_command_says_where_things_are():
    for place in ("includedir", "libdir", "cmakedir", "pkgconfigdir"):
        folder = run(sys.executable, "-m", "symk", "config", "--" + place, cwd=ROOT).strip()
        assert os.path.isdir(folder) and folder == PLACES[place]()
    for name in ("symk_runtime.h", "symk_kernel.h", "symk.hpp"):
        assert os.path.exists(os.path.join(PLACES["includedir"](), name))


HEADERS = r"""
#include <cassert>
#include <string>
#include "symk.hpp"

int main(int, char** argv) {
  assert(symk_abi_version() == SYMK_ABI_VERSION && std::string(symk_version()).size() > 4);
  const symk::Model model(argv[1]);
  assert(model.functions() == std::vector<std::string>{"predict"});
  assert(model.metadata("name") == "digits" && model.metadata("nothing").empty());
  const symk::Port input = model.inputs().at(0);
  assert(input.dtype == SYMK_FLOAT32 && input.shape == (std::vector<int64_t>{-1, 8, 8, 1}));
  assert(std::string(symk_output_shape(model.get(), 0)) == "(" + input.name + ".0, 10)");
  std::vector<float> pixels(3 * 64, 0.5f), place(3 * 10);
  const symk::Array images({3, 8, 8, 1}, pixels);
  const symk::Array result = model.run({images}).at(0);
  const symk::Array view = symk::Array::view({3, 10}, place.data());
  model.run({symk::Array::view({3, 8, 8, 1}, pixels.data())}, {view});
  for (size_t i = 0; i < 30; ++i) assert(result.data<float>()[i] == place[i]);
  assert(symk_save_file(model.get(), argv[2]) == SYMK_OK);
  assert(symk::Model(argv[2]).run({images}).at(0).data<float>()[7] == place[7]);
  const auto status_of = [](auto attempt) {
    try {
      attempt();
      return SYMK_OK + 0;
    } catch (const symk::Error& error) {
      assert(std::string(error.what()).size() > 10);
      return error.status();
    }
  };
  assert(status_of([&] { symk::Model("/no/such/file"); }) == SYMK_FILE);
  assert(status_of([&] { symk::Model("SYMKFILE", 8); }) == SYMK_FORMAT);
  assert(status_of([&] { model.function("train"); }) == SYMK_ARGUMENT);
  assert(status_of([&] { model.run({}); }) == SYMK_ARGUMENT);
  assert(status_of([&] { model.run({view}); }) == SYMK_SHAPE);
  assert(status_of([&] { model.run({images}, {images}); }) == SYMK_SHAPE);
  assert(status_of([&] { model.run({view}, {view}); }) == SYMK_SHAPE);
  assert(status_of([&] { model.state(0); }) == SYMK_ARGUMENT);
  assert(status_of([&] { result.data<int>(); }) == SYMK_DTYPE);
  assert(status_of([&] { symk::Array(SYMK_FLOAT32, input.shape); }) == SYMK_SHAPE);
  assert(status_of([&] { symk::Array(9, {2}); }) == SYMK_DTYPE);
  assert(symk_input_name(nullptr, 0) == nullptr && symk_last_status() == SYMK_ARGUMENT);
  assert(symk_load_in_place(place.data() + 1, 8) == nullptr);
  symk_context* const context = symk_context_new(model.get());
  symk_array output{};
  assert(symk_context_output_types(context, &images.raw(), 1, &output, 1) == SYMK_OK);
  output.data = place.data();
  assert(symk_context_run(context, &images.raw(), 1, &output, 1) == SYMK_OK);
  assert(symk_context_arena_bytes(context) >= 0 && place[7] == result.data<float>()[7]);
  symk_context_free(context);
}
"""


def test_the_programs_of_the_page_run(tmp_path, compiled):
    with open(os.path.join(ROOT, "docs", "deploy.md"), encoding="utf-8") as file:
        page = file.read()
    model = Sequential([layers.Dense(3, activation="softmax", input_shape=(4,))])
    model.export(tmp_path / "flowers.symk")
    flower = np.array([[5.1, 3.5, 1.4, 0.2]], "float32")
    expected = "".join("%.9g\n" % value for value in model.predict(flower)[0])
    for language, ending in (("c", "c"), ("cpp", "cpp")):
        source = tmp_path / ("flowers." + ending)
        source.write_text(re.search(r"```%s\n(.*?)```" % language, page, re.S).group(1))
        assert run(compiled(str(source), tmp_path / language), cwd=tmp_path) == expected


def static_flags():
    """What a compiler needs to make the library part of a program."""
    return ("-I" + PLACES["includedir"](), os.path.join(PLACES["libdir"](), "libsymk_runtime.a"),
            "-lstdc++", "-lm", "-pthread", "-ldl")


@pytest.mark.parametrize("flags", [(), static_flags()], ids=["shared", "static"])
def test_the_headers_keep_their_promises(sample, tmp_path, compiled, flags):
    source = tmp_path / "headers.cpp"
    source.write_text(HEADERS)
    run(compiled(str(source), tmp_path / "headers", *flags), sample[0], tmp_path / "copy.symk")


def test_the_library_is_small(tmp_path):
    if shutil.which("strip") is None:
        pytest.skip("needs strip")
    target = tmp_path / "stripped.so"
    run("strip", "-o", target, os.path.join(PLACES["libdir"](), "libsymk_runtime.so"))
    assert target.stat().st_size <= LARGEST_BYTES


def test_the_library_needs_nothing_of_others():
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf")
    text = run("readelf", "-d", os.path.join(PLACES["libdir"](), "libsymk_runtime.so"))
    needed = {line.split("[")[1].split(".so")[0] for line in text.splitlines() if "NEEDED" in line}
    assert needed <= {"libc", "libm", "libstdc++", "libgcc_s", "libpthread", "libdl",
                      "ld-linux-x86-64", "ld-linux-aarch64"}
