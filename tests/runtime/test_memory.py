"""Memory: laid out once and used again, nothing allocated in the steady state, nothing lost."""
import os
import resource
import shutil
import subprocess

import numpy as np
import pytest

import symk
from symk import ops
from symk.compile import function
from symk.deploy import export
from symk.graph import Placeholder, Shared

PACKAGE = os.path.dirname(symk.__file__)
SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "csrc")
# The sanitizer keeps freed memory for a while, and counts as an allocator of its own.
exact = pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""),
                           reason="memory is not exact under the address sanitizer")


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def overlapping(rows):
    """Pairs of rows of a memory map that are alive together and share bytes."""
    return [(a["name"], b["name"]) for i, a in enumerate(rows) for b in rows[:i]
            if a["first_step"] <= b["last_step"] and b["first_step"] <= a["last_step"]
            and a["offset"] < b["offset"] + b["bytes"] and b["offset"] < a["offset"] + a["bytes"]]


def buffers(rows):
    return [row for row in rows if row["name"].startswith("buffer")]


def test_a_chain_needs_two_buffers(plans):
    program = plans.chain(20).program()
    program.run([np.zeros(100000)])
    memory = program.memory()
    assert len(buffers(memory["map"])) == 19        # the last is written to the caller
    assert overlapping(memory["map"]) == []
    assert memory["arena_bytes"] < 2.2 * 400000 < memory["unshared_bytes"]


def test_results_of_old_sizes_make_room_for_new_ones(plans):
    """Memory of freed results is used again, whatever was freed before."""
    program = plans.chain(1).program()
    results = [program.run([np.zeros(count << 18)])[0] for count in range(10, 30)]  # 10 to 29 MB
    del results
    x = np.zeros(9 << 18, "float32")
    program.run([x])
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        program.run([x])
    # A fresh result would take one per page, of 2 MB at most.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults < 20


def test_a_chain_in_place_needs_none(plans):
    program = plans.chain(20, in_place=True).program()
    y, = program.run([np.zeros(100000)])
    assert (y == 20).all()
    assert buffers(program.memory()["map"]) == []   # all of it lies in the caller's memory


def test_in_place_waits_for_the_last_reader(plans):
    b = plans.Builder()
    x = b.input("x", (None,))
    first = b.apply("neg", x)
    second = b.apply("exp", first, in_place=((0, 0),))     # first is read again below
    third = b.apply("add", first, second, in_place=((0, 0), (0, 1)))
    b.output(b.apply("mul", third, x))
    x = np.linspace(-1, 1, 50, dtype="float32")
    y, = b.program().run([x])
    np.testing.assert_allclose(y, (-x + np.exp(-x)) * x, rtol=1e-6)


def test_in_place_needs_equal_sizes_at_these_shapes(plans):
    """(n,) + (m, n): in place only where m is 1."""
    b = plans.Builder()
    x, z = b.input("x", (None,)), b.input("z", (None, None))
    rows, columns = map(plans.SizeRef, b.plan.buffers[z].shape)
    small = b.apply("neg", x)
    large = b.buffer("float32", "temporary", (rows, columns))
    b.apply("add", small, z, out=large, in_place=((0, 0),))
    b.output(b.apply("exp", large))
    program = b.program()
    for rows in (1, 4, 1):
        x, z = np.ones(8, "float32"), np.full((rows, 8), 2, "float32")
        np.testing.assert_allclose(program.run([x, z])[0], np.full((rows, 8), np.e), rtol=1e-6)


def test_an_alias_keeps_its_buffer_alive(plans):
    b = plans.Builder()
    x = b.input("x", (64,))
    first = b.apply("neg", x)
    view = b.alias(first, (8, 8))
    other = b.apply("exp", x)
    for _ in range(3):
        other = b.apply("exp", other)     # would take the memory of `first` were it free
    total = b.apply("add", view, b.constant(1.0))
    b.output(b.apply("mul", total, b.constant(2.0)))
    b.output(other, "other")
    value = np.linspace(-3, -1, 64, dtype="float32")
    y, _ = b.program().run([value])
    np.testing.assert_allclose(y, 2 * (1 - value.reshape(8, 8)), rtol=1e-6)


def test_random_programs_never_share_live_memory(plans):
    generator = np.random.RandomState(3)
    for _ in range(40):
        b = plans.Builder()
        values = [b.input("x", (None,))]
        expected = [np.linspace(0, 1, 37, dtype="float32")]
        for _ in range(generator.randint(5, 40)):
            first, second = generator.randint(len(values), size=2)
            name = ["add", "mul", "maximum"][generator.randint(3)]
            pairs = ((0, 0), (0, 1)) if generator.rand() < 0.5 else ()
            values.append(b.apply(name, values[first], values[second], in_place=pairs))
            result = {"add": np.add, "mul": np.multiply, "maximum": np.maximum}[name](
                expected[first], expected[second])
            half = result * np.float32(0.5)
            values.append(b.apply("mul", values[-1], b.constant(0.5), in_place=((0, 0),)))
            expected += [result, half]
        chosen = generator.randint(1, len(values), size=3)
        for number in chosen:
            b.output(values[number])
        program = b.program()
        for result, number in zip(program.run([expected[0]]), chosen):
            np.testing.assert_array_equal(result, expected[number])
        assert overlapping(program.memory()["map"]) == []


@exact
def test_ten_thousand_calls_keep_memory_flat(plans):
    tensor = plans.core.Tensor(np.zeros(4, "float32"))
    training, program = plans.counter().program(tensor), plans.chain(5).program()
    x, small = np.zeros(5000, "float32"), np.ones(4, "float32")

    def calls(count):
        for number in range(count):
            program.run([x[:5000 - number % 50]])
            training.run([small])
            if number % 50 == 0:
                plans.plus_one().program().run([np.zeros((2, 3), "float32")])

    calls(1000)
    before = resident_bytes()
    calls(10000)
    assert resident_bytes() - before < 1 << 20


@exact
def test_errors_leak_nothing(plans):
    program = plans.plus_one().program()
    good = plans.plus_one().encode()

    def fail(count):
        for number in range(count):
            for attempt in (lambda: program.run([np.zeros((2, 4))]), lambda: program.run(["x"]),
                            lambda n=number: plans.core.Program(good[:n % len(good)], [])):
                with pytest.raises((ValueError, TypeError)):
                    attempt()

    fail(200)
    before = resident_bytes()
    fail(2000)
    assert resident_bytes() - before < 1 << 20


def network():
    """A small convolutional network, as a function without updates."""
    generator = np.random.RandomState(0)

    def weights(*shape):
        return Shared(generator.standard_normal(shape).astype("float32") * 0.1)

    x = Placeholder("float32", (None, 8, 8, 1), name="x")
    hidden = ops.tanh(ops.conv(x, weights(3, 3, 1, 8), padding="same"))
    hidden = ops.max_pool(hidden, (2, 2), (2, 2), "valid")
    flat = ops.reshape(hidden, (ops.size_of(hidden.shape[0]), 128))
    return function([x], ops.softmax(ops.matmul(flat, weights(128, 10))), mode="native")


def loop(plans):
    """The bytes of a loop over the rows of (n, 40, 32): h <- tanh(x + h w)."""
    body = plans.Builder()
    x, h, w = body.input("x", (40, 32)), body.input("h", (40, 32)), body.input("w", (32, 32))
    product = body.temporary(h)
    body.step("matmul", (h, w), (product,))
    body.output(body.apply("tanh", body.apply("add", x, product)))
    b = plans.Builder()
    x, h, w = b.input("x", (None, 40, 32)), b.constant(np.zeros((40, 32))), b.constant(np.eye(32))
    final, = b.scan(body, [x], [h], [w])
    b.output(final)
    return b.encode()


def compiled(plans, what, source, folder):
    """A C++ program on the C library, and the file of a Plan for it."""
    compiler = os.environ.get("CXX") or shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    if what == "network":
        export(network(), folder / "model.plan")
    else:
        (folder / "model.plan").write_bytes(loop(plans))
    source = os.path.join(os.path.dirname(__file__), source)
    subprocess.run([compiler, "-std=c++17", "-O1", "-I", SOURCES, source, "-o", folder / "program",
                    "-L", PACKAGE, "-lsymk_runtime", "-ldl", "-Wl,-rpath," + PACKAGE], check=True)
    return [folder / "program", folder / "model.plan"]


@exact
@pytest.mark.parametrize("what", ["network", "loop"])
def test_a_call_in_the_steady_state_allocates_nothing(plans, what, tmp_path):
    program = compiled(plans, what, "allocations.cpp", tmp_path)
    for threads in ("1", "3"):
        done = subprocess.run(program + ["32"], capture_output=True, text=True,
                              env=dict(os.environ, SYMK_NUM_THREADS=threads))
        assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr


@exact
@pytest.mark.parametrize("what", ["network", "loop"])
def test_every_allocation_may_fail(plans, what, tmp_path):
    program = compiled(plans, what, "allocation_failures.cpp", tmp_path)
    done = subprocess.run(program + ["3"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def _flags_of(address):
    """The flags of the mapping that an address lies in, as the system lists them."""
    inside = False
    with open("/proc/self/smaps") as file:
        for line in file:
            bounds = line.split(" ", 1)[0].split("-")
            if len(bounds) == 2:
                inside = int(bounds[0], 16) <= address < int(bounds[1], 16)
            elif inside and line.startswith("VmFlags:"):
                return line.split()[1:]
    return []


@exact
def test_large_blocks_lie_on_huge_pages(plans):
    """They begin on one and ask for them; what is small begins on a line of the cache."""
    if not os.path.exists("/sys/kernel/mm/transparent_hugepage"):
        pytest.skip("needs a kernel with huge pages")
    large = plans.core.Tensor(np.zeros(3 << 20, "float32")).array()
    small = plans.core.Tensor(np.zeros(1000, "float32")).array()
    assert large.ctypes.data % (2 << 20) == 0 and "hg" in _flags_of(large.ctypes.data)
    assert small.ctypes.data % 64 == 0
