"""Batches that are made ready in a thread of their own while the step before them runs."""
import queue
import threading

__all__ = ["ahead"]

_END = object()


def ahead(items, depth=2):
    """The items of an iterator, each computed before it is asked for.

    What the iterator raises is raised where its item would be. When the generator is closed the
    thread has ended.

    Args:     depth: how many items may wait.
    """
    ready = queue.Queue(depth)
    stop = threading.Event()
    thread = threading.Thread(target=_work, args=(items, ready, stop), daemon=True,
                              name="symk-ahead")
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stop.set()
        _drain(ready)
        thread.join()


def _work(items, ready, stop):
    try:
        for item in items:
            ready.put((item, None))
            if stop.is_set():
                return
        ready.put((_END, None))
    except BaseException as error:  # it belongs to whoever waits for the item
        ready.put((None, error))


def _drain(ready):
    """Takes what waits away, so that the thread can put its last item and see that it is over."""
    try:
        while True:
            ready.get_nowait()
    except queue.Empty:
        pass
