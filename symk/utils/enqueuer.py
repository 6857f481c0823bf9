"""Batches that are read ahead by threads or processes, always in order.

A scheduler hands out numbers of items and puts a promise for each into a queue; workers keep the
promises. A worker is a thread; with processes, each thread asks a process of its own. What a
worker raises is raised where its item is taken. Threads and processes end with the program.
"""
import concurrent.futures
import queue
import signal
import threading
import time
import traceback
import warnings

import numpy as np

from .sequence import Sequence

__all__ = ["GeneratorEnqueuer", "OrderedEnqueuer", "SequenceEnqueuer"]

_LONGEST_WAIT = 0.1     # seconds between two looks whether reading has been stopped

_making = threading.Lock()  # a process must not inherit the pipe of one that is being made


class SequenceEnqueuer:
    """Reads items ahead; the base of the two kinds.

    # Arguments
        sequence: what is read.
        use_multiprocessing: whether processes read, in place of threads.
    """

    def __init__(self, sequence, use_multiprocessing=False):
        self.sequence = sequence
        self.use_multiprocessing = use_multiprocessing
        self.queue = None
        self._stop = threading.Event()
        self._tasks = queue.SimpleQueue()
        self._readers = []
        self._threads = []
        self._scheduler = None

    def is_running(self):
        """Whether items are read or wait to be taken."""
        return self._scheduler is not None and not self._stop.is_set()

    def start(self, workers=1, max_queue_size=10, items=None):
        """Begins to read.

        # Arguments
            workers: number of threads or processes.
            max_queue_size: how many items may wait.
            items: how many are read in all; no end by default.
        """
        if self.is_running():
            raise RuntimeError("[enqueuer] start must be called once; it reads already.")
        self.queue = queue.Queue(max_queue_size)
        self._stop.clear()
        workers = self._checked_workers(workers)
        self._readers = [self._reader(number) for number in range(workers)]
        self._threads = [threading.Thread(target=self._work, args=(reader,), daemon=True,
                                          name="symk-reader-%d" % number)
                         for number, reader in enumerate(self._readers)]
        self._scheduler = threading.Thread(target=self._schedule, args=(items,), daemon=True,
                                           name="symk-scheduler")
        for thread in self._threads + [self._scheduler]:
            thread.start()

    def _checked_workers(self, workers):
        return max(1, workers)

    def stop(self, timeout=None):
        """Ends reading; items that wait are lost.

        # Arguments
            timeout: seconds to wait for items that threads are making; no limit by default.
        """
        if self._scheduler is None:
            return
        self._stop.set()
        for reader in self._readers:
            self._tasks.put(None)
            reader.stop()
        deadline = None if timeout is None else time.monotonic() + timeout
        for thread in [self._scheduler] + self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        self._readers, self._threads, self._scheduler = [], [], None

    def get(self):
        """A generator of the items, in order; it ends where the sequence does."""
        while self.is_running():
            promise = self._next_promise()
            if promise is None:
                return
            try:
                item = promise.result()
            except StopIteration:
                return
            yield item

    def _next_promise(self):
        while self.is_running():
            try:
                return self.queue.get(timeout=_LONGEST_WAIT)
            except queue.Empty:
                continue
        return None

    def _put(self, promise):
        """Puts a promise into the queue, unless reading is stopped while that is full."""
        while not self._stop.is_set():
            try:
                self.queue.put(promise, timeout=_LONGEST_WAIT)
                return
            except queue.Full:
                continue

    def _promise(self, *task):
        """Hands out a task; returns the promise of its item."""
        promise = concurrent.futures.Future()
        self._put(promise)
        self._tasks.put(task + (promise,))
        return promise

    def _schedule(self, items):
        """Hands out the tasks; in a thread."""
        try:
            self._hand_out(items)
            self._put(None)
        except BaseException as error:  # it belongs to whoever takes the next item
            promise = concurrent.futures.Future()
            promise.set_exception(error)
            self._put(promise)

    def _hand_out(self, items):
        raise NotImplementedError

    def _reader(self, number):
        """What makes items of tasks: a `_Reader`."""
        raise NotImplementedError

    def _work(self, reader):
        """Keeps promises until reading is stopped; in a thread."""
        try:
            while True:
                task = self._tasks.get()
                if task is None or self._stop.is_set():
                    return
                promise = task[-1]
                try:
                    promise.set_result(reader.read(*task[:-1]))
                except BaseException as error:  # it belongs to whoever takes the item
                    promise.set_exception(error)
        finally:
            reader.close()


class OrderedEnqueuer(SequenceEnqueuer):
    """Reads the batches of a `Sequence` ahead, over and over, always in order.

    # Arguments
        sequence: a Sequence.
        use_multiprocessing: whether processes read, in place of threads. They are begun anew after
            each epoch, so that they see what `on_epoch_end` has changed.
        shuffle: whether each epoch is read in a new order.
    """

    def __init__(self, sequence, use_multiprocessing=False, shuffle=False):
        super().__init__(sequence, use_multiprocessing)
        self.shuffle = shuffle
        self._epoch = 0

    def _reader(self, number):
        kind = _SequenceProcess if self.use_multiprocessing else _SequenceReader
        return kind(self.sequence)

    def _hand_out(self, items):
        left = float("inf") if items is None else items
        while left > 0 and not self._stop.is_set():
            places = np.arange(len(self.sequence))
            if self.shuffle:
                np.random.shuffle(places)
            seed = int(np.random.randint(1 << 31)) if self.use_multiprocessing else 0
            promises = [self._promise((self._epoch, seed), int(place))
                        for place in places[:min(left, len(places))]]
            if not promises:
                raise ValueError("[Sequence] at least one batch is required; its length is 0.")
            left -= len(promises)
            if len(promises) == len(places) and self._all_done(promises):
                self._end_epoch()

    def join_end_of_epoch(self):
        """Waits until everything that has been read is taken."""
        while self.is_running() and not self.queue.empty():
            time.sleep(_LONGEST_WAIT)

    def _end_epoch(self):
        """Tells the sequence, if it wants to know; then processes need its new state."""
        hook = getattr(self.sequence, "on_epoch_end", None)
        if hook is not None and getattr(hook, "__func__", None) is not Sequence.on_epoch_end:
            hook()
            self._epoch += 1

    def _all_done(self, promises):
        """Waits for the batches of an epoch; False if reading was stopped."""
        for promise in promises:
            while not promise.done():
                if self._stop.is_set():
                    return False
                concurrent.futures.wait([promise], timeout=_LONGEST_WAIT)
        return not self._stop.is_set()


class GeneratorEnqueuer(SequenceEnqueuer):
    """Reads what a generator yields ahead.

    A generator can run in one thread alone, so there is one whatever the number of workers. Several
    processes each run a copy of it, and give its items as often.

    # Arguments
        sequence: the generator.
        use_multiprocessing: whether processes read, in place of a thread.
        wait_time: has no meaning any more.
        random_seed: the random numbers of process i begin with random_seed + i.
    """

    def __init__(self, sequence, use_multiprocessing=False, wait_time=None, random_seed=None):
        super().__init__(sequence, use_multiprocessing)
        if wait_time is not None:
            warnings.warn("[GeneratorEnqueuer] wait_time has no meaning any more, as in Keras "
                          "2.3; %r was given." % (wait_time,), DeprecationWarning, stacklevel=2)
        self.random_seed = random_seed

    def _checked_workers(self, workers):
        if not self.use_multiprocessing:
            return 1
        if workers > 1:
            warnings.warn("[generator] %d processes each run a copy of the generator, so its "
                          "batches come several times. Use a Sequence." % workers, stacklevel=6)
        return max(1, workers)

    def _reader(self, number):
        if not self.use_multiprocessing:
            return _GeneratorReader(self.sequence)
        seed = None if self.random_seed is None else self.random_seed + number
        return _GeneratorProcess(self.sequence, seed)

    def _hand_out(self, items):
        handed = 0
        while (items is None or handed < items) and not self._stop.is_set():
            self._promise()
            handed += 1


class _Reader:
    """Makes items in the thread that asks."""

    def __init__(self, sequence):
        self.sequence = sequence

    def read(self, *task):
        """The item of a task."""
        raise NotImplementedError

    def stop(self):
        """Lets a read that is going on fail, if it can be; called in another thread."""

    def close(self):
        """Frees what reading needs; called after the last read."""


class _SequenceReader(_Reader):
    """Reads batches of a sequence."""

    def read(self, epoch, index):
        return self.sequence[index]


class _GeneratorReader(_Reader):
    """Reads what a generator yields."""

    def read(self):
        return next(self.sequence)


class _ProcessReader(_Reader):
    """Asks a process for the items. `answer` is the function that the process runs."""

    answer = None

    def __init__(self, sequence, *arguments):
        super().__init__(sequence)
        self.arguments = arguments
        self._begin()

    def _begin(self):
        import multiprocessing  # only those who use processes wait for it
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("fork" if "fork" in methods else None)
        with _making, warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads; the child runs the user's code alone.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pipe, other = context.Pipe()
            self._process = context.Process(
                target=_answer, daemon=True,
                args=(self._pipe, other, type(self).answer, self.sequence) + self.arguments)
            self._process.start()
            other.close()

    def ask(self, question):
        """The answer, or the exception that the process had, with its traceback as cause."""
        answered = self._answered(question)
        if answered is None:
            self._process.join(1.0)
            raise RuntimeError("[worker] a process must live until all batches are read; one ended "
                               "with the exit code %s." % self._process.exitcode)
        item, error, trace = answered
        if error is not None:
            raise error from WorkerTraceback(trace)
        return item

    def _answered(self, question):
        """What the process says, or None if it has ended. The error of the pipe, and with it the
        buffers of its frames, ends here.
        """
        try:
            self._pipe.send(question)
            return self._pipe.recv()
        except (EOFError, OSError):
            return None

    def stop(self):
        self._process.terminate()

    def close(self):
        self._process.terminate()
        self._process.join()
        self._pipe.close()


class WorkerTraceback(Exception):
    """Where an exception was raised in another process, as text."""

    def __str__(self):
        return "\n" + self.args[0]


def _answer(theirs, pipe, answer, *arguments):
    """Answers questions until the other end is closed; in a process."""
    theirs.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # Ctrl-C is for the process that asks
    if hasattr(np.random, "set_bit_generator"):     # NumPy 1.24
        # The old one may have been locked by a thread that does not exist here.
        np.random.set_bit_generator(np.random.MT19937())
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((answer(question, *arguments), None, None))
        except Exception as error:  # it belongs to whoever takes the item
            trace = traceback.format_exc()
            try:
                pipe.send((None, error, trace))
            except Exception:  # an exception that cannot be pickled goes as text
                pipe.send((None, RuntimeError(repr(error)), trace))


def _batch(question, sequence):
    """A batch of a sequence. Each draws its own random numbers, whichever process makes it."""
    index, seed = question
    np.random.seed([seed, index])
    return sequence[index]


def _next_item(question, generator, seed):
    """What a generator yields next."""
    if seed is not None and question == 0:
        np.random.seed(seed)
    return next(generator)


class _SequenceProcess(_ProcessReader):
    """Reads batches of a sequence in a process, which is begun anew when the sequence changes."""

    answer = staticmethod(_batch)
    epoch = 0

    def read(self, epoch, index):
        number, seed = epoch
        if number != self.epoch:
            self.close()
            self._begin()
            self.epoch = number
        return self.ask((index, seed))


class _GeneratorProcess(_ProcessReader):
    """Reads what a copy of a generator yields in a process."""

    answer = staticmethod(_next_item)
    asked = 0

    def read(self):
        self.asked += 1
        return self.ask(self.asked - 1)
