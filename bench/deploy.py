"""Exported models beside ONNX Runtime on this machine: files, loading, latency, throughput, calls.

    python -m bench.deploy [--models mlp,resnet50] [--rounds 5]

Both sides run the same models in one process, in turn, so that a machine whose speed drifts slows
both; a figure is the median of the rounds, the ratio the median of the ratios. The columns of ONNX
Runtime need `onnx` and `onnxruntime`, the figures from C a compiler.
"""
import argparse
import datetime
import importlib.util
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from symk import applications, layers
from symk.deploy import export, load, loader, to_onnx
from symk.deploy.places import PLACES
from symk.models import Sequential

__all__ = ["main"]

HERE = os.path.dirname(os.path.abspath(__file__))
# Threads of the side before still look for work, those of onnxruntime for some 0.1 s.
REST_SECONDS = {1: 0.02, 2: 0.2}    # by the number of threads
THREADS, CALLS = 8, 10000


def mlp():
    return Sequential([layers.Dense(512, activation="relu", input_shape=(784,)),
                       layers.Dense(512, activation="relu"),
                       layers.Dense(10, activation="softmax")])


def mnist_cnn():
    return Sequential([
        layers.Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Dropout(0.25),
        layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.5),
        layers.Dense(10, activation="softmax")])


def lstm():
    return Sequential([layers.Embedding(20000, 128, input_length=80), layers.LSTM(128),
                       layers.Dense(1, activation="sigmoid")])


# name: (makes the model, shape of a sample, largest integer or None, a batch)
MODELS = {
    "mlp": (mlp, (784,), None, 64),
    "mnist_cnn": (mnist_cnn, (28, 28, 1), None, 32),
    "lstm": (lstm, (80,), 20000, 32),
    "mobilenet": (lambda: applications.MobileNet(weights=None), (224, 224, 3), None, 4),
    "resnet50": (lambda: applications.ResNet50(weights=None), (224, 224, 3), None, 4),
}


def main(arguments=None):
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="bench.deploy")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    print("%s, %s\n" % (datetime.date.today(), platform.processor() or platform.machine()))
    with tempfile.TemporaryDirectory() as folder:
        _print_rows(("what", "result"), _calls(folder))
        print()
        _print_rows(("model", "batch", "threads", "symk", "onnxruntime", "onnxruntime / symk",
                     "loading", "its loading", "file", "its file"),
                    (row for name in options.models.split(",")
                     for row in _model_rows(name, folder, options.rounds)))


def _print_rows(titles, rows):
    """A table in Markdown, line by line."""
    print("| %s |\n%s|" % (" | ".join(titles), "|---" * len(titles)))
    for row in rows:
        print("| %s |" % " | ".join(map(str, row)), flush=True)


# --- models ---

def _model_rows(name, folder, rounds):
    """The rows of a model: one prediction, and a batch, by one thread and by two."""
    make, shape, largest, rows = MODELS[name]
    model, path = make(), os.path.join(folder, name + ".symk")
    export(model, path)
    written = _onnx_file(model, os.path.join(folder, name + ".onnx"))
    for batch in (1, rows):
        data = _data((batch,) + shape, largest)
        for threads in (1, 2):
            yield (name, batch, threads) + _compared(path, written, data, threads, rounds)


def _compared(path, written, data, threads, rounds):
    """The cells of both sides; those of the peer are "-" where it is not there."""
    loader.set_threads(threads)
    loaded, load_s = _timed(lambda: load(path))
    sides, peer_load_s = [lambda: loaded.run([data])], None
    if written:
        session, peer_load_s = _timed(lambda: _session(written, threads))
        feed = {session.get_inputs()[0].name: data}
        sides.append(lambda: session.run(None, feed))
    times = _in_turn(sides, rounds, threads)
    ratio = ("%.2f" % statistics.median(peer / own for own, peer in zip(*times)) if written
             else "-")
    medians = [_shown(statistics.median(taken)) for taken in times] + ["-"] * (not written)
    return (*medians, ratio, _shown(load_s), _shown(peer_load_s), _megabytes(path),
            _megabytes(written))


def _shown(seconds):
    if seconds is None:
        return "-"
    return "%.1f us" % (1e6 * seconds) if seconds < 1e-3 else "%.2f ms" % (1e3 * seconds)


def _megabytes(path):
    return "%.2f MB" % (os.path.getsize(path) / 1e6) if path else "-"


def _data(shape, largest):
    generator = np.random.RandomState(0)
    if largest is not None:
        return generator.randint(0, largest, shape).astype("float32")
    return generator.rand(*shape).astype("float32")


def _onnx_file(model, path):
    """The model for ONNX Runtime, or None where it is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    to_onnx(model, path)
    return path


def _session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def _in_turn(sides, rounds, threads=1):
    """Seconds of a call, for each side in each round, which lasts about 50 ms."""
    counts = []
    for side in sides:
        side()
        counts.append(max(1, min(2000, int(0.05 / max(_timed(side)[1], 1e-6)))))
    times = [[] for _ in sides]
    for _ in range(rounds):
        for side, count, taken in zip(sides, counts, times):
            time.sleep(REST_SECONDS[threads])
            start = time.perf_counter()
            for _ in range(count):
                side()
            taken.append((time.perf_counter() - start) / count)
    return times


# --- calls and starts ---

def _calls(folder):
    """What a call costs besides its work, and what a process waits for: rows."""
    relu, digits, large = (os.path.join(folder, name + ".symk")
                           for name in ("relu", "digits", "resnet50"))
    export(Sequential([layers.ReLU(input_shape=(4,))]), relu)
    export(Sequential([layers.Conv2D(32, 3, activation="relu", input_shape=(8, 8, 1)),
                       layers.MaxPooling2D(), layers.Flatten(),
                       layers.Dense(10, activation="softmax")]), digits)
    export(applications.ResNet50(weights=None), large)
    model, x = load(relu), np.zeros((1, 4), "float32")
    times, = _in_turn([lambda: model.run([x])], 15)
    yield "call of a ReLU of 4 numbers, from Python", _shown(statistics.median(times))
    yield from _calls_from_c(folder, relu, digits, large)
    yield ("`import symk.deploy`, and loading the digits model, besides cffi and NumPy",
           _shown(_import_time(digits)))
    wrong, grown = _many_calls(digits)
    yield ("%d threads, %d calls of the digits model each: other results, memory more"
           % (THREADS, CALLS), "%d, %d kB" % (wrong, grown / 1e3))
    yield "the C library, stripped", "%.2f MB" % (_stripped_bytes(folder) / 1e6)


def _calls_from_c(folder, relu, digits, large):
    compiler, program = shutil.which("cc"), os.path.join(folder, "deploy")
    if compiler is None:
        return
    subprocess.run([compiler, "-O2", os.path.join(HERE, "deploy.c"), "-o", program]
                   + PLACES["flags"]().split(), check=True)
    yield "the same from C", _shown(_medians(program, relu, calls=20000)[2])
    yield "digits in C: loading and the first prediction", _shown(_medians(program, digits)[1])
    starts = [_timed(lambda: _output(program, digits, "1"))[1] for _ in range(15)]
    yield ("digits in C: from the start of the process to its end",
           _shown(statistics.median(starts)))
    loaded, first, call = _medians(program, large, calls=5)
    yield "ResNet-50 in C: loading", _shown(loaded)
    yield ("ResNet-50 in C: loading and the first prediction, of which a later one takes %s"
           % _shown(call), _shown(first))


def _medians(program, path, calls=1):
    """Seconds until loaded, until the first prediction, and of a call, over some processes."""
    runs = [map(float, _output(program, path, str(calls))) for _ in range(7)]
    return [1e-6 * statistics.median(times) for times in zip(*runs)]


def _output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def _import_time(path):
    """Seconds of importing the loader and loading a model, in a process that has cffi and NumPy."""
    program = ("import sys, time, cffi, numpy; start = time.perf_counter(); import symk.deploy; "
               "symk.deploy.load(sys.argv[1]); print(time.perf_counter() - start)")
    return statistics.median(float(_output(sys.executable, "-c", program, path)[0])
                             for _ in range(7))


def _many_calls(path):
    """How many results differ when threads share a model, and how much the process grows."""
    model = load(path)
    data = [_data((1 + number % 3, 8, 8, 1), None) for number in range(THREADS)]
    expected = [model(x).tobytes() for x in data]
    wrong = []

    def work(number, calls):
        wrong.extend(number for _ in range(calls)
                     if model(data[number]).tobytes() != expected[number])

    def work_all(calls):
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS), [calls] * THREADS))

    work_all(CALLS // 10)       # threads get memory of the system for themselves
    before = _resident_bytes()
    work_all(CALLS)
    return len(wrong), _resident_bytes() - before


def _resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _stripped_bytes(folder):
    target = os.path.join(folder, "stripped.so")
    subprocess.run(["strip", "-o", target, os.path.join(PLACES["libdir"](),
                                                        "libsymk_runtime.so")], check=True)
    return os.path.getsize(target)


if __name__ == "__main__":
    main()
