"""Runs requests for one function together: dynamic batching with a bound on the delay.

Requests with equal sizes but for the rows wait in one line. A line is run when a runner is free and
either its oldest request has waited for the delay, or it has the rows of a whole batch. With a
delay of 0 a request waits only while all runners are busy, so what came meanwhile runs together.

Rows are run together only if that changes no row: a function is tried when it is loaded.
"""
import asyncio
import time
import typing

import numpy as np

from .errors import RequestError

__all__ = ["Batcher", "keeps_rows_apart", "trial"]


class _Request(typing.NamedTuple):
    arrays: list
    rows: int
    arrived: float
    answer: asyncio.Future


class Batcher:
    """The lines of one function.

    Args:
        function: has `run(arrays)`, which may be called by several threads.
        executor: the threads that run it.
        batchable: whether rows of several requests may be run together.
        max_rows: of a batch. delay_s: how long a request may wait for others.
        runners: runs at a time. max_waiting: rows that may wait; more are refused.
        observe: called with (rows, seconds) after each run.
    """

    def __init__(self, function, executor, batchable, max_rows=32, delay_s=0.0, runners=2,
                 max_waiting=1024, observe=lambda rows, seconds: None):
        self._function, self._executor, self._batchable = function, executor, batchable
        self._max_rows, self._delay_s = max_rows if batchable else 1, delay_s
        self._free, self._max_waiting, self._observe = runners, max_waiting, observe
        self._lines = {}         # sizes but for the rows -> requests
        self._timer = None
        self.waiting = 0         # rows

    async def run(self, arrays):
        """The outputs for arrays that fit the function's inputs.

        Raises:   RequestError 503 when too many wait; what the function raises.
        """
        rows = max(1, len(arrays[0])) if self._batchable else 1
        if self.waiting + rows > max(self._max_waiting, rows):
            raise RequestError(503, "too many requests wait. Try again later.",
                               [(b"retry-after", b"1")])
        request = _Request(arrays, rows, time.monotonic(),
                           asyncio.get_running_loop().create_future())
        key = tuple(array.shape[1:] if self._batchable else array.shape for array in arrays)
        self._lines.setdefault(key, []).append(request)
        self.waiting += rows
        self._start()
        try:
            return await request.answer
        finally:
            self._leave(key, request)

    def _leave(self, key, request):
        """Takes a request that gave up out of its line."""
        line = self._lines.get(key, [])
        if any(other is request for other in line):
            self._lines[key] = [other for other in line if other is not request]
            self.waiting -= request.rows

    def _start(self):
        """Starts what is due, as far as runners are free."""
        while self._free:
            due = self._due()
            if due is None:
                return
            batch = self._take(due)
            self._free -= 1
            asyncio.get_running_loop().create_task(self._run(batch))

    def _due(self):
        """The key of the line whose turn it is; None if none is due, and then a timer is set."""
        lines = [(line[0].arrived, key) for key, line in self._lines.items() if line]
        if not lines:
            return None
        oldest, key = min(lines, key=lambda entry: entry[0])
        for _, other in lines:
            if sum(request.rows for request in self._lines[other]) >= self._max_rows:
                return other
        left = oldest + self._delay_s - time.monotonic()
        if left <= 0:
            return key
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(left, self._start)
        return None

    def _take(self, key):
        """The requests at the head of a line that make up a batch: at least one."""
        line, batch, rows = self._lines[key], [], 0
        while line and (not batch or rows + line[0].rows <= self._max_rows):
            rows += line[0].rows
            batch.append(line.pop(0))
        if not line:
            del self._lines[key]
        self.waiting -= rows
        return batch

    async def _run(self, batch):
        """Runs a batch and gives the answers."""
        loop = asyncio.get_running_loop()
        batch = [request for request in batch if not request.answer.done()]
        try:
            answers, seconds = await loop.run_in_executor(self._executor, self._answers, batch)
            self._observe(sum(request.rows for request in batch), seconds)
            for request, answer in zip(batch, answers):
                if request.answer.done():
                    continue
                if isinstance(answer, Exception):
                    request.answer.set_exception(answer)
                else:
                    request.answer.set_result(answer)
        finally:
            self._free += 1
            self._start()

    def _answers(self, batch):
        """For each request its outputs or its error, and the seconds of all; in a thread."""
        start = time.perf_counter()
        answers = self._together(batch) if len(batch) > 1 else None
        if answers is None:
            answers = [self._alone(request) for request in batch]
        return answers, time.perf_counter() - start

    def _alone(self, request):
        try:
            return self._function.run(request.arrays)
        except Exception as error:   # it belongs to this request: see answers in application.py
            return error

    def _together(self, batch):
        """The outputs of requests that are run as one; None if one of them spoils it."""
        columns = zip(*(request.arrays for request in batch))
        try:
            outputs = self._function.run([np.concatenate(column) for column in columns])
        except Exception:
            return None       # each alone, so that only the one that is wrong hears of it
        ends = np.cumsum([len(request.arrays[0]) for request in batch])
        if any(len(output) != ends[-1] for output in outputs):
            return None
        return [list(parts) for parts in zip(*(np.split(output, ends[:-1]) for output in outputs))]


def keeps_rows_apart(function):
    """Whether a function gives the same rows for samples alone and together, as far as a trial with
    two samples shows. Inputs and outputs must have rows, whose number is open."""
    shapes = [shape for _, _, shape in (*function.inputs, *function.outputs)]
    if not function.inputs or any(not shape or shape[0] is not None for shape in shapes):
        return False
    arrays = trial(function)
    try:
        together = function.run(arrays)
        alone = [function.run([array[row:row + 1] for array in arrays]) for row in (0, 1)]
    except Exception:
        return False          # what it refuses cannot be tried
    joined = [np.concatenate(rows) for rows in zip(*alone)]
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-5, equal_nan=True)
               for a, b in zip(together, joined))


def trial(function):
    """Arrays to try a function with: 2 for open rows, 4 for other open sizes, integers 0 and 1."""
    generator, arrays = np.random.RandomState(0), []
    for _, dtype, shape in function.inputs:
        sizes = [(4 if axis else 2) if size is None else size for axis, size in enumerate(shape)]
        drawn = (generator.uniform(0, 1, sizes) if dtype.kind == "f"
                 else generator.randint(0, 2, sizes))
        arrays.append(np.ascontiguousarray(np.asarray(drawn).astype(dtype)))
    return arrays
