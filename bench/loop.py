"""Times the loop around the compiled step, `python -m bench.loop`: what a batch costs besides it.

The step is a tiny model's, called alone and then by fit, evaluate and predict, with the progress
bar off. The difference is the loop's: slicing or gathering samples, callbacks, logs. The medians of
several repeats.
"""
import statistics
import time

import numpy as np

from symk.layers import Dense
from symk.models import Sequential
from symk.utils import Sequence

REPEATS, BATCHES, SIZE = 5, 2000, 32


class Batches(Sequence):
    """Slices of arrays, as a Sequence."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return BATCHES

    def __getitem__(self, index):
        rows = slice(index * SIZE, (index + 1) * SIZE)
        return self.x[rows], self.y[rows]


def per_batch(action):
    """The median microseconds of an action for one of its batches."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) / BATCHES * 1e6)
    return statistics.median(times)


def main():
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.zeros((BATCHES * SIZE, 4), "float32"), np.zeros((BATCHES * SIZE, 1), "float32")
    model.fit(x[:SIZE], y[:SIZE], verbose=0)
    step, batch = model.train_function, [x[:SIZE], y[:SIZE]]
    rows = [
        ("the step alone", lambda: [step.run(batch) for _ in range(BATCHES)]),
        ("fit", lambda: model.fit(x, y, shuffle=False, verbose=0)),
        ("fit, shuffled", lambda: model.fit(x, y, verbose=0)),
        ("fit, a Sequence read by one thread", lambda: model.fit(Batches(x, y), shuffle=False,
                                                                 verbose=0)),
        ("fit, a Sequence read between the steps", lambda: model.fit(
            Batches(x, y), shuffle=False, verbose=0, workers=0)),
        ("evaluate", lambda: model.evaluate(x, y, verbose=0)),
        ("predict", lambda: model.predict(x)),
        ("train_on_batch", lambda: [model.train_on_batch(*batch) for _ in range(BATCHES)])]
    for name, action in rows:
        action()
        print("%-40s %7.1f us per batch" % (name, per_batch(action)))


if __name__ == "__main__":
    main()
