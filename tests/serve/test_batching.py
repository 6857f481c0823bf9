"""What is run together, when, and what a wrong request does to the others."""
import asyncio
import concurrent.futures
import threading
import time
import types

import numpy as np
import pytest

from symk.serve.batching import Batcher, keeps_rows_apart
from symk.serve.errors import RequestError

FLOAT = np.dtype("float32")


class Doubling:
    """Doubles x, (any, any), slowly; refuses what is negative. Counts its runs."""

    inputs = [("x", FLOAT, (None, None))]
    outputs = [("y", FLOAT, (None, None))]

    def __init__(self, seconds=0.02):
        self.batches, self.seconds, self.gate = [], seconds, threading.Event()
        self.gate.set()

    def run(self, arrays):
        self.gate.wait()
        time.sleep(self.seconds)
        self.batches.append(len(arrays[0]))
        if (arrays[0] < 0).any():
            raise IndexError("negative")
        return [arrays[0] * 2]


def open_gate(function):
    if isinstance(function, Doubling):
        function.gate.set()


def rows(*values):
    return [np.float32(values).reshape(-1, 1)]


def together(function, talk, **options):
    """Runs talk(batcher) in a loop with two threads."""
    async def whole():
        with concurrent.futures.ThreadPoolExecutor(2) as executor:
            try:
                return await talk(Batcher(function, executor, True, **options))
            finally:
                open_gate(function)     # a thread that waits at it would keep the executor
    return asyncio.run(whole())


def test_what_comes_while_all_runners_are_busy_runs_together():
    function = Doubling()

    async def talk(batcher):
        return await asyncio.gather(*(batcher.run(rows(n)) for n in range(9)))

    answers = together(function, talk, runners=1, max_rows=32)
    assert [answer[0].tolist() for answer in answers] == [[[2 * n]] for n in range(9)]
    assert function.batches == [1, 8]


def test_a_batch_has_at_most_so_many_rows():
    function = Doubling()

    async def talk(batcher):
        await asyncio.gather(*(batcher.run(rows(n, n, n)) for n in range(5)))

    together(function, talk, runners=1, max_rows=7)
    assert function.batches == [3, 6, 6]


def test_a_large_request_runs_alone():
    function = Doubling()
    answer, = together(function, lambda batcher: batcher.run(rows(*range(50))), max_rows=7)
    assert len(answer) == 50 and function.batches == [50]


def test_a_request_waits_for_others_no_longer_than_the_delay():
    function = Doubling(0)

    async def talk(batcher):
        start = time.monotonic()
        await asyncio.gather(*(batcher.run(rows(n)) for n in range(3)))
        return time.monotonic() - start

    assert 0.1 <= together(function, talk, delay_s=0.1) < 5
    assert function.batches == [3]
    assert together(function, talk, delay_s=60, max_rows=3) < 30   # a whole batch does not wait


def test_only_equal_sizes_run_together():
    function = Doubling()

    async def talk(batcher):
        arrays = [[np.zeros((1, size), "float32")] for size in (2, 3, 2, 3, 2)]
        answers = await asyncio.gather(*map(batcher.run, arrays))
        return [answer[0].shape for answer in answers]

    assert together(function, talk, runners=1) == [(1, 2), (1, 3), (1, 2), (1, 3), (1, 2)]
    assert sorted(function.batches) == [1, 2, 2]


def test_the_error_of_one_request_is_not_that_of_others():
    async def talk(batcher):
        return await asyncio.gather(*(batcher.run(rows(n)) for n in (5, 1, -2, 3)),
                                    return_exceptions=True)

    answers = together(Doubling(), talk, runners=1)
    assert isinstance(answers.pop(2), IndexError)
    assert [answer[0].tolist() for answer in answers] == [[[10]], [[2]], [[6]]]


def test_more_than_may_wait_is_refused():
    function = Doubling()
    function.gate.clear()

    async def talk(batcher):
        tasks = [asyncio.ensure_future(batcher.run(rows(n))) for n in range(5)]
        await asyncio.sleep(0.02)
        waiting = batcher.waiting
        with pytest.raises(RequestError, match="too many requests wait") as refusal:
            await batcher.run(rows(9))
        assert refusal.value.status == 503
        function.gate.set()
        await asyncio.gather(*tasks)
        assert batcher.waiting == 0
        return waiting

    assert together(function, talk, runners=1, max_rows=1, max_waiting=4) == 4


def test_who_gives_up_leaves_the_line():
    function = Doubling()
    function.gate.clear()

    async def talk(batcher):
        first = asyncio.ensure_future(batcher.run(rows(1)))
        await asyncio.sleep(0)      # it is the one that runs
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(batcher.run(rows(2)), 0.02)
        assert batcher.waiting == 0
        function.gate.set()
        await first
        await batcher.run(rows(3))

    together(function, talk, runners=1)
    assert function.batches == [1, 1]


@pytest.mark.parametrize("run, expected", [
    (lambda x: [x * 2], True), (lambda x: [x - x.mean()], False),
    (lambda x: [x.sum(keepdims=True)], False), (lambda x: [x[:1]], False),
    (lambda x: 1 / 0, False)])
def test_functions_that_mix_rows_are_found(run, expected):
    function = types.SimpleNamespace(inputs=Doubling.inputs, outputs=Doubling.outputs,
                                     run=lambda arrays: run(arrays[0]))
    assert keeps_rows_apart(function) is expected


def test_a_function_without_rows_is_not_batched():
    function = types.SimpleNamespace(inputs=[("x", FLOAT, (3,))], outputs=Doubling.outputs)
    assert not keeps_rows_apart(function)
