"""Batches that are made ready in a thread of their own while the step before them runs."""
import queue
import threading

__all__ = ["Ahead"]

_END = object()


class Ahead:
    """An iterator of the items of another, each computed before it is asked for.

    What the other iterator raises is raised where its item would be.

    Args:     depth: how many items may wait.
    """

    def __init__(self, items, depth=2):
        self._ready = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(items,), daemon=True,
                                        name="symk-ahead")
        self._thread.start()

    def _work(self, items):
        """Computes items until the end; in the thread."""
        try:
            for item in items:
                self._ready.put((item, None))
                if self._stop.is_set():
                    return
            self._ready.put((_END, None))
        except BaseException as error:  # it belongs to whoever waits for the item
            self._ready.put((_END, error))

    def __iter__(self):
        return self

    def __next__(self):
        if self._stop.is_set():
            raise StopIteration
        item, error = self._ready.get()
        if item is not _END:
            return item
        self._stop.set()
        if error is not None:
            raise error
        raise StopIteration

    def close(self, timeout=None):
        """Ends the thread.

        Args:     timeout: seconds to wait for an item in the making; no limit by default.
        """
        self._stop.set()
        try:
            while True:     # so that the thread can put its last item and see that it is over
                self._ready.get_nowait()
        except queue.Empty:
            pass
        self._thread.join(timeout)
