"""Kernels of users: what a shared object may do, and what it is refused, through both doors."""
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import symk
from symk.deploy.loader import load
from symk.graph import CustomOpError, GraphError
from symk.ops.custom import CustomOp, custom_op

pytest.importorskip("symk._core")
COMPILER = os.environ.get("CXX", "c++")
pytestmark = pytest.mark.skipif(shutil.which(COMPILER) is None, reason="there is no C++ compiler")

SOURCE = r"""
#include <cstdio>
#include <cstring>
#include "symk_kernel.h"

// Reports its attributes as numbers: integer, real, length of text, sum of both lists.
static int attributes(const symk_kernel_call* call, char*, size_t) {
  double* y = static_cast<double*>(call->outputs[0].data);
  const int64_t* whole = nullptr;
  const double* parts = nullptr;
  double sum = 0;
  for (int64_t n = call->integers(call, "whole", &whole), i = 0; i < n; ++i) sum += whole[i];
  for (int64_t n = call->reals(call, "parts", &parts), i = 0; i < n; ++i) sum += parts[i];
  y[0] = static_cast<double>(call->integer(call, "count", -1));
  y[1] = call->real(call, "rate", -1);
  y[2] = static_cast<double>(std::strlen(call->text(call, "mode", "")));
  y[3] = sum;
  y[4] = call->real(call, "missing", 42.0);
  return SYMK_OK;
}

static void square(void* context, int64_t part) {
  const symk_kernel_call* call = static_cast<const symk_kernel_call*>(context);
  const double x = static_cast<const double*>(call->inputs[0].data)[part];
  static_cast<double*>(call->outputs[0].data)[part] = x * x;
}

static int squares(const symk_kernel_call* call, char*, size_t) {
  call->parallel(call, symk_count(&call->inputs[0]), square, const_cast<symk_kernel_call*>(call));
  return SYMK_OK;
}

static int failing(const symk_kernel_call* call, char* message, size_t bytes) {
  if (static_cast<const double*>(call->inputs[0].data)[0] < 0) {
    std::snprintf(message, bytes, "the first element must not be negative");
    return SYMK_ARGUMENT;
  }
  std::memcpy(call->outputs[0].data, call->inputs[0].data, 8 * symk_count(&call->inputs[0]));
  return SYMK_OK;
}

SYMK_API int symk_register_kernels(const symk_kernel_registry* registry) {
  if (registry->abi_version < SYMK_KERNEL_ABI_VERSION) return SYMK_FORMAT;
  if (int status = registry->add(registry, "user_attributes", attributes)) return status;
  if (int status = registry->add(registry, "user_squares", squares)) return status;
  return registry->add(registry, "user_failing", failing);
}
"""


def compiled(folder, source, name):
    """The path of a shared object with this source."""
    path = folder / (name + ".cpp")
    path.write_text(source)
    made = folder / (name + ".so")
    subprocess.run([COMPILER, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-I" + symk.get_include(), str(path), "-o", str(made)], check=True)
    return made


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """The kernels above, loaded."""
    path = compiled(tmp_path_factory.mktemp("kernels"), SOURCE, "kernels")
    symk.load_kernels(path)
    return path


@pytest.fixture
def define(own_ops):
    """Makes ops of one operand for one test; called back they fail, so a kernel must have run."""
    def make(name, size=None, **attributes):
        def infer(self, x):
            return x if size is None else x.with_shape((size,))

        def reference(self, x):
            raise AssertionError("the kernel should have run")

        annotations = {key: type(value) for key, value in attributes.items()}
        return custom_op(name)(type("Made", (CustomOp,), dict(
            attributes, __module__=__name__, __annotations__=annotations, infer=infer,
            reference=reference)))()
    return make


def test_a_kernel_gets_its_attributes(kernels, define):
    x = symk.placeholder((2, None), "float64", name="x")
    op = define("user_attributes", size=5, count=7, rate=0.25, mode="fast", whole=(1, 2, 3),
                parts=(0.5, 0.25))
    assert symk.function([x], op(x))(np.zeros((2, 3))).tolist() == [7, 0.25, 4, 6.75, 42]


def test_a_size_that_a_call_tells_is_an_integer(kernels, define):
    x = symk.placeholder((None,), "float64", name="x")
    op = define("user_attributes", size=5, count=0)
    f = symk.function([x], type(op)(count=x.shape[0] * 2)(x))
    assert f(np.zeros(4))[0] == 8 and f(np.zeros(5))[0] == 10


def test_a_kernel_may_use_all_threads(kernels, define):
    x = symk.placeholder((None,), "float64", name="x")
    f = symk.function([x], define("user_squares")(x))
    values = np.arange(1000.0)
    np.testing.assert_array_equal(f(values), values ** 2)
    assert f(np.zeros(0)).shape == (0,)


def test_a_failure_is_an_exception_with_the_kernels_words(kernels, define):
    x, state = symk.placeholder((2,), "float64", name="x"), symk.shared(np.zeros(2))
    f = symk.function([x], [], updates=[(state, state + define("user_failing")(x))])
    f.run([np.ones(2)])
    with pytest.raises(CustomOpError, match=r"^in .*test_user_kernels.py:\d+: \[user_failing\] the "
                                            "kernel must succeed; it gave status 9: the first "
                                            "element must not be negative"):
        f.run([-np.ones(2)])
    assert state.get_value().tolist() == [1, 1]


def test_a_deployed_file_runs_it(kernels, define, tmp_path):
    x = symk.placeholder((None,), "float64", name="x")
    plan = tmp_path / "squares.plan"
    symk.deploy.export(symk.function([x], define("user_squares")(x)), plan)
    assert load(plan, kernels=[kernels])(np.array([2.0, 3.0])).tolist() == [4, 9]


def test_a_deployed_failure_keeps_its_words(kernels, define, tmp_path):
    x = symk.placeholder((2,), "float64", name="x")
    plan = tmp_path / "failing.plan"
    symk.deploy.export(symk.function([x], define("user_failing")(x)), plan)
    with pytest.raises(RuntimeError, match="the first element must not be negative"):
        load(plan, kernels=[kernels])(-np.ones(2))


def test_a_file_whose_kernels_are_missing_says_so(kernels, define, tmp_path):
    x = symk.placeholder((2,), "float64", name="x")
    plan = tmp_path / "lost.plan"
    symk.deploy.export(symk.function([x], define("user_squares")(x)), plan)
    data = plan.read_bytes()
    program = ("import sys; from symk.deploy.loader import load\n"
               "import numpy as np\nload(sys.argv[1])(np.ones(2))")
    run = subprocess.run([sys.executable, "-c", program, str(plan)], capture_output=True,
                         text=True, env=dict(os.environ, PYTHONPATH=":".join(sys.path)))
    assert data and run.returncode == 1 and "no kernel of that name" in run.stderr


NAMED = """#include "symk_kernel.h"
static int nothing(const symk_kernel_call*, char*, size_t) { return SYMK_OK; }
SYMK_API int symk_register_kernels(const symk_kernel_registry* registry) {
  return registry->add(registry, %s, nothing);
}"""


@pytest.mark.parametrize("source, error, message", [
    (NAMED % '"matmul"', GraphError, '"matmul" is one of symk\'s'),
    (NAMED % '""', GraphError, "a name and a function are required"),
    (NAMED % "nullptr", GraphError, "a name and a function are required"),
    ("int other() { return 0; }", OSError, "exports symk_register_kernels"),
    ('#include "symk_kernel.h"\nSYMK_API int symk_register_kernels(const symk_kernel_registry*) '
     "{ return SYMK_MEMORY; }", OSError, "it gave status 6"),
])
def test_a_shared_object_that_does_not_fit_is_refused(source, error, message, tmp_path):
    path = compiled(tmp_path, source, "refused")
    with pytest.raises(error, match=message):
        symk.load_kernels(path)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(OSError, match="nowhere.so"):
        symk.load_kernels(tmp_path / "nowhere.so")
    (tmp_path / "text.so").write_text("no shared object")
    with pytest.raises(OSError, match="text.so"):
        symk.load_kernels(tmp_path / "text.so")


def test_the_headers_are_plain_c(tmp_path):
    source = tmp_path / "kernel.c"
    source.write_text(NAMED.replace("const symk_kernel_call*, char*, size_t",
                                    "const symk_kernel_call* c, char* m, size_t n")
                      .replace("{ return SYMK_OK; }", "{ (void)c; (void)m; (void)n; return 0; }")
                      % '"user_in_c"')
    compiler = os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        pytest.skip("there is no C compiler")
    made = tmp_path / "kernel.so"
    subprocess.run([compiler, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-shared",
                    "-fPIC", "-I" + symk.get_include(), str(source), "-o", str(made)], check=True)
    symk.load_kernels(made)
    assert "user_in_c" in symk.compile.native.kernel_names()
