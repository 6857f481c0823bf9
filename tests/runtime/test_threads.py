"""Thread counts, many callers at once, and forks: the same bits, and always an end."""
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import symk
from symk import ops
from symk.graph.errors import GraphError

ROWS = 600


@pytest.fixture(autouse=True)
def thread_count(plans):
    """Puts the number of threads back after each test."""
    before = plans.core.threads()
    yield
    plans.core.set_threads(before)


def mixed(plans):
    """Steps that are cut into parts: a product, elementwise steps and a sum, over (n, 96)."""
    b = plans.Builder()
    x = b.input("x", (None, 96))
    rows = plans.SizeRef(b.plan.buffers[x].shape[0])
    weights = np.random.RandomState(0).standard_normal((96, 96))
    product = b.buffer("float32", "temporary", (rows, 96))
    b.step("matmul", (x, b.constant(weights)), (product,), transpose_a=0, transpose_b=0,
           activation="")
    value = b.apply("tanh", product)
    total = b.buffer("float32", "temporary", (96,))
    b.step("sum", (value,), (total,), axes=(0,), keepdims=0)
    b.output(value)
    b.output(total)
    return b


def batch(seed=1):
    return np.random.RandomState(seed).standard_normal((ROWS, 96)).astype("float32")


def same_bits(first, second):
    return all(a.tobytes() == b.tobytes() for a, b in zip(first, second))


def test_the_number_of_threads_does_not_change_a_bit(plans):
    program = mixed(plans).program()
    results = []
    for count in (1, 2, 3, 4, 7):
        plans.core.set_threads(count)
        assert plans.core.threads() == count
        results.append(program.run([batch()]))
    assert all(same_bits(results[0], other) for other in results[1:])


@pytest.mark.parametrize("count", [0, -1, 100000])
def test_a_number_of_threads_must_be_possible(plans, count):
    with pytest.raises(GraphError, match="must be 1 to 1024; %d was given" % count):
        plans.core.set_threads(count)


def test_many_callers_get_the_bits_of_one(plans):
    plans.core.set_threads(3)
    program = mixed(plans).program()
    batches = [batch(seed) for seed in range(8)]
    expected = [program.run([x]) for x in batches]
    wrong = []

    def call(first):
        for number in range(20):
            which = (first + number) % len(batches)
            rows = ROWS if number % 3 else ROWS // 2   # callers change shapes, too
            result = program.run([batches[which][:rows]])
            if rows == ROWS and not same_bits(result, expected[which]):
                wrong.append(which)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(32)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


def test_callers_are_inside_of_one_function_at_the_same_time(plans):
    """Each call waits in its middle for all the others: calls one after the other would not end."""
    callers, arrived = 4, threading.Barrier(4)

    @symk.custom_op("wait_for_others")
    class WaitForOthers(symk.CustomOp):
        """x, when all callers have come."""

        def infer(self, x):
            return x

        def reference(self, x):
            arrived.wait(timeout=60)
            return x

    x = symk.placeholder((ROWS, 96))
    f = symk.function([x], ops.sum(ops.exp(WaitForOthers()(ops.tanh(x))), (0,)))
    expected, results = np.exp(np.tanh(batch())).sum(0), []
    threads = [threading.Thread(target=lambda: results.append(f(batch()))) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == callers
    for result in results:
        np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_updates_of_many_callers_are_all_made(plans):
    tensor = plans.core.Tensor(np.zeros(4, "float32"))
    adding, reading = plans.counter().program(tensor), plans.counter()
    reading.plan.updates.clear()
    reading = reading.program(tensor)
    torn = []

    def add():
        for _ in range(200):
            adding.run([np.ones(4, "float32")])

    def read():
        for _ in range(200):
            y, = reading.run([np.ones(4, "float32")])
            if len(set(y)) != 1:
                torn.append(y)

    callers = [threading.Thread(target=target) for target in (add, read) * 4]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert (tensor.read() == 800).all() and torn == []


def test_python_runs_while_a_program_does(plans):
    """The lock of the interpreter is free during a call: another thread counts meanwhile."""
    program = mixed(plans).program()
    x = np.zeros((200000, 96), "float32")
    counts, done = [], threading.Event()

    def count():
        while not done.is_set():
            counts.append(time.perf_counter())
            time.sleep(0)

    counter = threading.Thread(target=count)
    counter.start()
    start = time.perf_counter()
    try:
        program.run([x])
    finally:   # a thread that goes on counting would keep the process alive
        end = time.perf_counter()
        done.set()
        counter.join()
    inside = [t for t in counts if start < t < end]
    assert len(inside) > 10, "%d counts in %.3f s" % (len(inside), end - start)


def _in_child(work, seconds=30):
    """The exit status of a forked child that does `work`; kills one that does not end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    for _ in range(seconds * 100):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "no end"


pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def test_a_child_computes_the_same(plans):
    plans.core.set_threads(4)
    program = mixed(plans).program()
    expected = program.run([batch()])
    assert _in_child(lambda: same_bits(program.run([batch()]), expected)) == 0
    assert _in_child(lambda: plans.core.set_threads(2) or
                     same_bits(program.run([batch()]), expected)) == 0
    assert same_bits(program.run([batch()]), expected)


def test_a_fork_in_the_middle_of_other_calls_is_safe(plans):
    """Threads of the parent hold the pool, contexts and tensors at the moment of the fork."""
    plans.core.set_threads(3)
    tensor = plans.core.Tensor(np.zeros(4, "float32"))
    program, adding = mixed(plans).program(), plans.counter().program(tensor)
    expected = program.run([batch()])
    done = threading.Event()

    def work():
        while not done.is_set():
            program.run([batch(2)])
            adding.run([np.ones(4, "float32")])

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(10):
            assert _in_child(lambda: same_bits(program.run([batch()]), expected)
                             and len(adding.run([np.ones(4, "float32")])) == 1) == 0
    finally:
        done.set()
        for caller in callers:
            caller.join()


def _count_threads():
    """As the system counts them: a listing of them may miss some while others end."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Threads:"))


def test_calls_start_no_threads(plans):
    plans.core.set_threads(4)
    program = mixed(plans).program()
    program.run([batch()])
    before = _count_threads()
    for _ in range(50):
        program.run([batch()])
    assert _count_threads() <= before   # those of an earlier pool may be ending


def test_idle_threads_sleep(plans):
    """They stay awake for a quarter of a millisecond after the last call."""
    plans.core.set_threads(4)
    program = mixed(plans).program()
    for _ in range(5):
        program.run([batch()])
        time.sleep(0.02)
        before = time.process_time()
        time.sleep(0.2)
        idle = time.process_time() - before
        if idle < 0.01:
            return
    assert idle < 0.01


def test_small_work_stays_on_the_calling_thread(plans):
    """A pool starts its threads with the first work that is cut into parts."""
    plans.core.set_threads(1)
    program = mixed(plans).program()
    program.run([batch()])
    before = _settled_threads(2)
    plans.core.set_threads(7)
    for _ in range(20):
        program.run([batch()[:8]])
    assert _count_threads() <= before
    program.run([batch()])
    assert _count_threads() > before


def _settled_threads(wanted):
    """How many threads there are, once they are as few as wanted or two seconds have passed."""
    for _ in range(200):
        if _count_threads() <= wanted:
            break
        time.sleep(0.01)
    return _count_threads()


def test_replaced_pools_end_their_threads(plans):
    program = mixed(plans).program()
    plans.core.set_threads(1)
    program.run([batch()])
    of_others = _settled_threads(2)     # NumPy's, pytest's, those of the C library's own pool
    for count in (4, 2, 3, 1) * 5:
        plans.core.set_threads(count)
        program.run([batch()])
    assert _settled_threads(of_others) <= of_others


SCRIPT = """
import numpy as np
from symk import _core
from symk.compile import function
from symk.graph import Placeholder
from symk import ops
x = Placeholder("float32", (None, 64))
f = function([x], ops.exp(ops.matmul(x, x, transpose_b=True) * 0.01), mode="native")
f(np.ones((500, 64), "float32"))
print(_core.threads(), _core.isa())
"""


def _run_script(**environment):
    environment["PYTHONPATH"] = os.path.dirname(os.path.dirname(symk.__file__))
    return subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True,
                          timeout=60, env=dict(os.environ, **environment))


def test_the_environment_sets_the_number_and_the_process_ends(plans):
    for count in ("1", "3"):
        done = _run_script(SYMK_NUM_THREADS=count)
        assert done.returncode == 0 and done.stdout.split()[0] == count, done.stderr
    done = _run_script(SYMK_NUM_THREADS="many")
    assert "SYMK_NUM_THREADS must be an integer of 1 to 1024; it is 'many'" in done.stderr


@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_the_environment_chooses_the_instruction_set(plans, isa):
    done = _run_script(SYMK_ISA=isa)
    if done.returncode != 0:
        assert "one that this machine and build have" in done.stderr
        pytest.skip("this machine cannot run %s" % isa)
    assert done.stdout.split()[1] == isa
