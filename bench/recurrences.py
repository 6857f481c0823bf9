"""What loops cost: a step, the memory of a gradient, and steps written out.

    python -m bench.recurrences

Times are the least processor seconds of several calls, on one thread, so that other work on the
machine matters little.
"""
import os
import time

os.environ.setdefault("SYMK_NUM_THREADS", "1")

import numpy as np

from symk import backend as K
from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.graph import Placeholder

REPEATS = 7
BATCH, TIME, FEATURES, UNITS = 32, 200, 64, 128


def least(action, repeats=REPEATS):
    """The least processor seconds of an action, after one call."""
    action()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def step_cost(with_product, steps=20000):
    """Nanoseconds of one step on 8 numbers: an elementwise pass, maybe with a product before it."""
    x, w = Placeholder("float32", (None, 1, 8)), Placeholder("float32", (8, 8))

    def step(rows, states):
        before = ops.matmul(states[0], w) if with_product else states[0] * 0.5
        return [ops.tanh(before + rows[0])], []

    (last,), _ = ops.scan(step, [x], [np.zeros((1, 8), "float32")])
    compiled = function([x, w], [last])
    arrays = [np.zeros((steps, 1, 8), "float32"), np.zeros((8, 8), "float32")]
    return least(lambda: compiled.run(arrays)) / steps * 1e9


class Lstm:
    """An LSTM written with K, and the weights of which gradients are taken."""

    def __init__(self, features=FEATURES, units=UNITS):
        draw = np.random.default_rng(0).normal
        self.units = units
        self.weights = [K.variable(draw(size=shape) * 0.1) for shape in (
            (features, 4 * units), (units, 4 * units), (4 * units,))]

    def step(self, rows, states):
        w, u, b = self.weights
        z = K.dot(rows[0], w) + K.dot(states[0], u) + b
        i, f, g, o = (z[:, k * self.units:(k + 1) * self.units] for k in range(4))
        c = K.sigmoid(f) * states[1] + K.sigmoid(i) * K.tanh(g)
        h = K.sigmoid(o) * K.tanh(c)
        return [h, c], []


def gradient(length, **options):
    """The compiled gradient of an LSTM's last output, and the seconds from step to function."""
    start = time.process_time()
    cell = Lstm()
    x = Placeholder("float32", (length, BATCH, FEATURES))
    (last, _), _ = ops.scan(cell.step, [x], [K.zeros((BATCH, UNITS))] * 2, **options)
    compiled = function([x], grad(ops.sum(ops.square(last)), cell.weights))
    return compiled, time.process_time() - start


def main():
    print("| what | result |\n|---|---|")
    for product in (False, True):
        print("| one step of %s8 numbers | %.0f ns |"
              % ("a product and a pass over " if product else "a pass over ", step_cost(product)))
    x = np.random.default_rng(1).normal(size=(TIME, BATCH, FEATURES)).astype("float32")
    for recompute in (False, True):
        compiled, _ = gradient(None, recompute=recompute)
        seconds = least(lambda: compiled.run([x]))
        print("| gradient of an LSTM (%d steps, batch %d, %d units), %s | %.1f ms, arena %.1f MB |"
              % (TIME, BATCH, UNITS, "recomputed" if recompute else "values kept", seconds * 1e3,
                 compiled.program.memory()["arena_bytes"] / 1e6))
    print("| compile that gradient as a loop | %.0f ms |" % (gradient(None)[1] * 1e3))
    for length in (16, 32, 64, 128, 256):
        print("| compile it written out, %d steps | %.0f ms |"
              % (length, gradient(length, unroll=True)[1] * 1e3))


if __name__ == "__main__":
    main()
