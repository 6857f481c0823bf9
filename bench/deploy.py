"""Exported models beside ONNX Runtime on this machine: files, loading, latency, throughput, calls.

    python -m bench.deploy [--models mlp,resnet50] [--rounds 9]

Both sides run the same models in one process, in turn, so that a machine whose speed drifts slows
both; a figure is the median of the rounds, the ratio the median of the ratios. The columns of ONNX
Runtime need `onnx` and `onnxruntime`, the figures from C a compiler.
"""
import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from symk import applications, layers
from symk.deploy import export, load, loader, to_onnx
from symk.deploy.places import PLACES
from symk.models import Sequential

__all__ = ["main"]

HERE = os.path.dirname(os.path.abspath(__file__))
REST_SECONDS = 0.02     # threads of the side before still wait for work, and are soon asleep


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
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        _print_calls(folder)
        print("\n%-10s %5s %7s | %9s %9s %6s | %8s %8s | %7s %7s" % (
            "model", "batch", "threads", "symk ms", "ort ms", "ratio", "load ms", "ort ms",
            "MB", "ort MB"))
        for name in options.models.split(","):
            _print_model(name, folder, options.rounds)


def _print_model(name, folder, rounds):
    make, shape, largest, rows = MODELS[name]
    model, path = make(), os.path.join(folder, name + ".symk")
    export(model, path)
    written = _onnx_file(model, os.path.join(folder, name + ".onnx"))
    for batch in (1, rows):
        data = _data((batch,) + shape, largest)
        for threads in (1, 2):
            loader.set_threads(threads)
            loaded, load_s = _timed(lambda: load(path))
            sides = [lambda data=data, loaded=loaded: loaded.run([data])]
            peer_load_s = float("nan")
            if written:
                session, peer_load_s = _timed(lambda threads=threads: _session(written, threads))
                typed = data.astype("float32") if largest is None else data
                feed = {session.get_inputs()[0].name: typed}
                sides.append(lambda session=session, feed=feed: session.run(None, feed))
            times = _in_turn(sides, rounds)
            ours, theirs = (times + [[float("nan")] * rounds])[:2]
            ratio = statistics.median(b / a for a, b in zip(ours, theirs))
            print("%-10s %5d %7d | %9.3f %9.3f %6.2f | %8.1f %8.1f | %7.2f %7.2f" % (
                name, batch, threads, 1e3 * statistics.median(ours),
                1e3 * statistics.median(theirs), ratio, 1e3 * load_s, 1e3 * peer_load_s,
                os.path.getsize(path) / 1e6, os.path.getsize(written) / 1e6 if written else 0))
            sys.stdout.flush()


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


def _in_turn(sides, rounds):
    """Seconds of a call, for each side in each round, which lasts about 50 ms."""
    counts = []
    for side in sides:
        side()
        counts.append(max(1, min(2000, int(0.05 / max(_timed(side)[1], 1e-6)))))
    times = [[] for _ in sides]
    for _ in range(rounds):
        for side, count, taken in zip(sides, counts, times):
            time.sleep(REST_SECONDS)
            start = time.perf_counter()
            for _ in range(count):
                side()
            taken.append((time.perf_counter() - start) / count)
    return times


# --- calls and starts ---

def _print_calls(folder):
    """What a call costs besides its work, and what a process waits for."""
    relu, digits = os.path.join(folder, "relu.symk"), os.path.join(folder, "digits.symk")
    export(Sequential([layers.ReLU(input_shape=(4,))]), relu)
    export(Sequential([layers.Conv2D(32, 3, activation="relu", input_shape=(8, 8, 1)),
                       layers.MaxPooling2D(), layers.Flatten(),
                       layers.Dense(10, activation="softmax")]), digits)
    model, x = load(relu), np.zeros((1, 4), "float32")
    times, = _in_turn([lambda: model.run([x])], 15)
    print("%-52s %8.2f us" % ("call of a ReLU of 4 numbers from Python", 1e6 * min(times)))
    library = os.path.join(PLACES["libdir"](), "libsymk_runtime.so")
    program = os.path.join(folder, "deploy")
    compiler = shutil.which("cc")
    if compiler is None:
        return
    subprocess.run([compiler, "-O2", os.path.join(HERE, "deploy.c"), "-o", program]
                   + PLACES["flags"]().split(), check=True)
    first, call = map(float, _output(program, relu, "20000"))
    print("%-52s %8.2f us" % ("the same from C", call))
    starts = [_timed(lambda: _output(program, digits, "1"))[1] for _ in range(15)]
    first, _ = map(float, _output(program, digits, "1"))
    print("%-52s %8.2f ms" % ("digits in C: load and first prediction", 1e-3 * first))
    print("%-52s %8.2f ms" % ("digits in C: from the start of the process to its end",
                              1e3 * statistics.median(starts)))
    print("%-52s %8.2f MB" % ("the C library, stripped", _stripped_bytes(library, folder) / 1e6))


def _output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def _stripped_bytes(library, folder):
    target = os.path.join(folder, "stripped.so")
    subprocess.run(["strip", "-o", target, library], check=True)
    return os.path.getsize(target)


if __name__ == "__main__":
    main()
