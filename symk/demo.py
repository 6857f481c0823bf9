"""`symk demo`: one model the whole way, on real data.

It trains a small network on handwritten digits, saves and loads it, compiles it into a file that
runs without symk's Python, and shows that all three give the same bits.
"""
import math
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

from . import callbacks, deploy, layers, models
from .config import settings
from .datasets import digits

__all__ = ["run"]

_WIDTH = 78
_INK = " .:-=+*#%"       # from white to black; two pixel values share a character

# Runs an exported file by the C library alone: loader.py is found by its path, without symk.
_ELSEWHERE = """
import importlib.util, sys
import numpy
spec = importlib.util.spec_from_file_location("loader", sys.argv[1])
loader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(loader)
model = loader.load(sys.argv[2])
numpy.save(sys.argv[4], model(numpy.load(sys.argv[3])))
imported = [name for name in sys.modules if name.split(".")[0] == "symk"]
assert not imported, imported
"""


def run(out="symk_demo", epochs=15, seed=1):
    """Runs the demo and returns the accuracy on the held-out digits.

    Args:     out: folder for digits.h5 and digits.symk; made if it does not exist.
              epochs: rounds of training.
              seed: of weights, dropout and the order of the samples.
    """
    os.makedirs(out, exist_ok=True)
    np.random.seed(seed)
    train, test = _data()
    model = _model()
    _title("The model")
    model.summary()
    _title("Training: %d epochs" % epochs)
    step_times = _train(model, train, epochs)
    accuracy = model.evaluate(*test, verbose=0)[1]
    print("\nAccuracy on %d held-out digits: %.2f %%" % (len(test[0]), 100 * accuracy))
    _title("What it sees")
    _draw(test, model.predict(test[0]))
    _title("The same numbers, wherever it runs")
    _compare(model, test[0], out)
    if settings.mode == "native":
        _title("The compiled training step and prediction")
        _explain(model, train, test, step_times)
    return accuracy


def _title(text):
    print("\n" + text + "\n" + "-" * _WIDTH)


def _data():
    """(x, y) for training and for testing; x are (samples, 8, 8, 1) from 0 to 1."""
    pairs = digits.load_data(test_fraction=0.2)
    return [((x[..., np.newaxis] / 16).astype("float32"), y.astype("int64")) for x, y in pairs]


def _model():
    """Convolution, normalisation, pooling, dropout: a small network of the usual kind."""
    model = models.Sequential([
        layers.Conv2D(32, 3, padding="same", activation="relu", input_shape=(8, 8, 1)),
        layers.BatchNormalization(momentum=0.9),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.3),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax")], name="digits")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class _StepTimes(callbacks.Callback):
    """Seconds from the beginning to the end of each training step."""

    def __init__(self):
        super().__init__()
        self.seconds = []
        self._start = 0.0

    def on_batch_begin(self, batch, logs=None):
        self._start = time.perf_counter()

    def on_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter() - self._start)


def _train(model, train, epochs):
    """Fits the model; returns the seconds of each step."""
    times = _StepTimes()
    slower = callbacks.LearningRateScheduler(    # from 0.002 down to 0, along a cosine
        lambda epoch: 0.001 * (1.0 + math.cos(math.pi * epoch / epochs)))
    start = time.perf_counter()
    model.fit(*train, batch_size=32, epochs=epochs, callbacks=[times, slower])
    print("%.2f s in all, compiling included" % (time.perf_counter() - start))
    return times.seconds


def _draw(test, predictions, count=6):
    """A few digits as text, side by side, with what the model says; a mistake first, if any."""
    images, labels = test
    guesses = predictions.argmax(axis=1)
    places = list(np.flatnonzero(guesses != labels)[:1])
    places += [place for place in range(len(labels)) if place not in places][:count - len(places)]
    for row in range(8):
        print("   ".join("".join(_INK[int(value * 8)] for value in images[place, row, :, 0])
                         for place in places))
    print("   ".join(("%d: %3.0f %%" % (guesses[place], 100 * predictions[place].max())).ljust(8)
                     for place in places))
    print("   ".join(("" if guesses[place] == labels[place] else "is %d" % labels[place]).ljust(8)
                     for place in places).rstrip())


def _compare(model, images, out):
    """Predicts with the model, with the loaded one, and with the file by the C library."""
    model_file = os.path.join(out, "digits.h5")
    model.save(model_file)
    loaded = models.load_model(model_file)
    predictions = [("the trained model", model.predict_on_batch(images)),
                   ("%s, loaded again" % model_file, loaded.predict_on_batch(images))]
    sizes = [model_file]
    if settings.mode == "native":
        compiled_file = os.path.join(out, "digits.symk")
        loaded.export(compiled_file)
        predictions.append(("%s, by the C library in a process without symk" % compiled_file,
                            _predict_elsewhere(compiled_file, images, out)))
        sizes.append(compiled_file)
    reference = predictions[0][1]
    for what, values in predictions:
        same = values.tobytes() == reference.tobytes()
        print("%-66s %s" % (what, "same bits" if same else "DIFFERENT"))
        if not same:
            raise SystemExit("[demo] all predictions must have the same bits; those of %s differ "
                             "by up to %g." % (what, np.abs(values - reference).max()))
    print("\nFiles: " + ", ".join("%s %.0f kB" % (path, os.path.getsize(path) / 1000)
                                  for path in sizes))


def _predict_elsewhere(compiled_file, images, out):
    """What another process computes with the exported file."""
    script = os.path.join(os.path.dirname(deploy.__file__), "loader.py")
    source, target = (os.path.join(out, name) for name in ("images.npy", "predictions.npy"))
    np.save(source, images)
    try:
        subprocess.run([sys.executable, "-I", "-c", _ELSEWHERE, script, compiled_file, source,
                        target], check=True)
        return np.load(target)
    finally:
        for path in (source, target):
            if os.path.exists(path):
                os.unlink(path)


def _explain(model, train, test, step_times):
    """Sizes of the graph by stage, memory, and times."""
    step, predict = model.train_function, model.predict_function
    print("%-16s %22s %22s" % ("nodes after", "training step", "prediction"))
    for before, after in zip(step.reports, predict.reports):
        if before is step.reports[0]:
            print("%-16s %22d %22d" % ("(as built)", before.before, after.before))
        print("%-16s %22d %22d" % (before.name, before.after, after.after))
    one = test[0][:1]
    print()
    _print_memory("a training step of 32", step, lambda: model.train_on_batch(
        train[0][:32], train[1][:32]))
    _print_memory("a prediction of 1", predict, lambda: model.predict_on_batch(one))
    print("%-34s %10.1f MB" % ("whole process, at most", resource.getrusage(
        resource.RUSAGE_SELF).ru_maxrss / 1000))
    print()
    print("%-34s %10.0f us" % ("a training step of 32", 1e6 * statistics.median(step_times)))
    for count in (1, 32):
        images = test[0][:count]
        print("%-34s %10.0f us" % ("a prediction of %d" % count,
                                   1e6 * _median_seconds(lambda: predict.run([images]))))


def _print_memory(what, function, call):
    """Runs a function once and prints the memory that it works in."""
    call()
    memory = function.program.memory()
    print("%-34s %10.1f kB, %.1f kB without sharing; weights and state %.1f kB"
          % ("memory of " + what, memory["arena_bytes"] / 1000, memory["unshared_bytes"] / 1000,
             memory["shared_bytes"] / 1000))


def _median_seconds(call, repeats=200):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
