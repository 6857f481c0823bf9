"""Batches read ahead by threads and processes: order, errors, ends; nothing hangs."""
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pytest

from symk.utils import GeneratorEnqueuer, OrderedEnqueuer, Sequence

KINDS = pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])


class Numbers(Sequence):
    """Batches that say their number, the epoch and the process that made them."""

    def __init__(self, count=6):
        self.count = count
        self.epoch = 0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        time.sleep(0.002 * (self.count - index))    # the last ones are ready first
        return index, self.epoch, os.getpid()

    def on_epoch_end(self):
        self.epoch += 1


def taken(enqueuer, count, workers=3, **options):
    enqueuer.start(workers=workers, **options)
    items = enqueuer.get()
    try:
        return [next(items) for _ in range(count)]
    finally:
        enqueuer.stop()


@KINDS
def test_batches_come_in_order_and_see_the_changes_between_epochs(processes):
    got = taken(OrderedEnqueuer(Numbers(), processes), 15)
    assert [item[0] for item in got] == list(range(6)) * 2 + [0, 1, 2]
    assert [item[1] for item in got] == [0] * 6 + [1] * 6 + [2] * 3
    assert all((item[2] == os.getpid()) != processes for item in got)


def test_shuffled_epochs_have_every_batch_once():
    np.random.seed(0)
    got = [item[0] for item in taken(OrderedEnqueuer(Numbers(8), shuffle=True), 16)]
    assert sorted(got[:8]) == sorted(got[8:]) == list(range(8))
    assert got[:8] != list(range(8)) and got[:8] != got[8:]


def test_no_more_batches_are_read_than_asked_for():
    read = []

    def numbers():
        for number in range(100):
            read.append(number)
            yield number
    enqueuer = GeneratorEnqueuer(numbers())
    enqueuer.start(items=4)
    assert list(enqueuer.get()) == [0, 1, 2, 3]
    enqueuer.stop()
    assert read == [0, 1, 2, 3]


def test_not_more_batches_wait_than_allowed():
    read = []

    def numbers():
        for number in range(100):
            read.append(number)
            yield number
    enqueuer = GeneratorEnqueuer(numbers())
    enqueuer.start(max_queue_size=3)
    time.sleep(0.2)
    enqueuer.stop()
    assert 3 <= len(read) <= 5


@KINDS
def test_a_generator_that_ends_ends_what_is_read(processes):
    enqueuer = GeneratorEnqueuer((number for number in range(5)), processes)
    enqueuer.start(workers=1)
    assert list(enqueuer.get()) == [0, 1, 2, 3, 4]
    enqueuer.stop()


class Broken(Numbers):
    def __getitem__(self, index):
        if index == 2:
            return self.fail()
        return index

    def fail(self):
        raise LookupError("no batch 2")


@KINDS
def test_the_exception_of_a_worker_arrives_with_its_traceback(processes):
    enqueuer = OrderedEnqueuer(Broken(), processes)
    enqueuer.start(workers=2)
    items = enqueuer.get()
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(LookupError, match="no batch 2") as caught:
        next(items)
    enqueuer.stop()
    text = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert "in fail" in text


class Killed(Numbers):
    def __getitem__(self, index):
        if index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


def test_a_killed_process_is_an_error_and_no_hang():
    enqueuer = OrderedEnqueuer(Killed(), use_multiprocessing=True)
    enqueuer.start(workers=1)
    items = enqueuer.get()
    assert next(items) == 0
    with pytest.raises(RuntimeError, match="one ended with the exit code -9"):
        next(items)
    enqueuer.stop()


def test_an_exception_that_cannot_be_pickled_arrives_as_text():
    class Inner(Exception):
        pass

    def numbers():
        yield 0
        raise Inner("inside")
    enqueuer = GeneratorEnqueuer(numbers(), use_multiprocessing=True)
    enqueuer.start()
    items = enqueuer.get()
    assert next(items) == 0
    with pytest.raises(RuntimeError, match="inside"):
        next(items)
    enqueuer.stop()


class Noise(Numbers):
    def __getitem__(self, index):
        return np.random.uniform()


def test_random_numbers_of_processes_depend_on_the_seed_alone():
    def draw(workers):
        np.random.seed(5)
        return taken(OrderedEnqueuer(Noise(), use_multiprocessing=True), 12, workers)
    one, many = draw(1), draw(3)
    assert one == many
    assert len(set(one)) == 12


def test_an_empty_sequence_is_refused():
    enqueuer = OrderedEnqueuer(Numbers(0))
    enqueuer.start()
    with pytest.raises(ValueError, match="its length is 0"):
        next(enqueuer.get())
    enqueuer.stop()


def test_many_processes_of_a_generator_bring_a_warning():
    enqueuer = GeneratorEnqueuer(iter(range(3)), use_multiprocessing=True)
    with pytest.warns(UserWarning, match="several times"):
        enqueuer.start(workers=2)
    enqueuer.stop()


def test_stopping_ends_threads_and_processes():
    before = set(threading.enumerate())
    enqueuer = OrderedEnqueuer(Numbers(), use_multiprocessing=True)
    enqueuer.start(workers=2)
    processes = [reader._process for reader in enqueuer._readers]
    next(enqueuer.get())
    enqueuer.stop()
    assert set(threading.enumerate()) <= before
    assert not any(process.is_alive() for process in processes)
    assert not enqueuer.is_running()


@KINDS
def test_a_program_ends_while_batches_are_read(processes):
    """Nobody stops the enqueuer, and its readers are busy or wait."""
    program = ("import sys, time\n"
               "from symk.utils import OrderedEnqueuer, Sequence\n"
               "class Slow(Sequence):\n"
               "    def __len__(self): return 100\n"
               "    def __getitem__(self, index):\n"
               "        if index > 2: time.sleep(1000)\n"
               "        return index\n"
               "enqueuer = OrderedEnqueuer(Slow(), %r)\n"
               "enqueuer.start(workers=2)\n"
               "items = enqueuer.get()\n"
               "print([next(items) for _ in range(3)])\n" % processes)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[0, 1, 2]\n"
