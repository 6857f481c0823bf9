"""Times what happens around the kernels: importing, compiling, calling. `python -m bench.compile`.

The medians of several repeats; each import runs in a fresh process, and NumPy's own import is
listed beside it.
"""
import os
import statistics
import subprocess
import sys
import time

import numpy as np

REPEATS = 7
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def median_of(action, repeats=REPEATS):
    """The median seconds of an action."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def import_time(statement):
    """Seconds of a statement in a fresh interpreter, without the interpreter's own start."""
    code = "import time; t = time.perf_counter(); %s; print(time.perf_counter() - t)" % statement
    return statistics.median(
        float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True,
                             stdout=subprocess.PIPE).stdout) for _ in range(REPEATS))


def deep_cnn(depth=50):
    """A CNN of 50 weighted layers: 49 convolutions with batch normalisation, one dense layer."""
    from symk import layers, models
    model = models.Sequential()
    for i in range(depth - 1):
        extra = {"input_shape": (32, 32, 3)} if i == 0 else {}
        stride = 2 if i in (16, 32) else 1
        model.add(layers.Conv2D(32, 3, strides=stride, padding="same", use_bias=False, **extra))
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10, activation="softmax"))
    return model


def resnet50(size=224, classes=1000):
    """ResNet-50: 53 convolutions with batch normalisation. Source: He et al. 2015, table 1."""
    from symk import layers, models

    def normalised(x, filters, kernel, stride=1, activate=True):
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same")(x)
        x = layers.BatchNormalization()(x)
        return layers.Activation("relu")(x) if activate else x

    def block(x, filters, stride, project):
        shortcut = normalised(x, 4 * filters, 1, stride, False) if project else x
        y = normalised(normalised(x, filters, 1, stride), filters, 3)
        y = normalised(y, 4 * filters, 1, activate=False)
        return layers.Activation("relu")(layers.add([y, shortcut]))

    image = layers.Input((size, size, 3))
    x = normalised(image, 64, 7, 2)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, count in enumerate((3, 4, 6, 3)):
        for number in range(count):
            x = block(x, 64 << stage, 2 if stage and not number else 1, not number)
    x = layers.GlobalAveragePooling2D()(x)
    return models.Model(image, layers.Dense(classes, activation="softmax")(x))


def training_function_time(model, optimizer="adam"):
    """Seconds from a built model to a training function that can be called."""
    model.compile(optimizer, loss="categorical_crossentropy")
    start = time.perf_counter()
    model._make_train_function()
    return time.perf_counter() - start


def mnist_cnn():
    """The CNN of Keras's example mnist_cnn.py."""
    from symk import layers, models
    return models.Sequential([
        layers.Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2), layers.Dropout(0.25),
        layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.5),
        layers.Dense(10, activation="softmax")])


def first_step_time(model, shape, classes):
    """How many seconds the first training step, with compilation, takes more than the second."""
    from symk import optimizers
    model.compile(optimizers.SGD(0.01, momentum=0.9), loss="categorical_crossentropy")
    x, y = np.zeros(shape, "float32"), np.zeros((shape[0], classes), "float32")
    times = []
    for _ in range(2):
        start = time.perf_counter()
        model.train_on_batch(x, y)
        times.append(time.perf_counter() - start)
    return times[0] - times[1]


def unrolled_lstm(steps=128, units=64, features=32):
    """An LSTM written by hand with K: the loss and the weights."""
    from symk import backend as K
    draw = np.random.RandomState(1).standard_normal
    w, u, b = (K.variable(0.1 * draw(shape)) for shape in (
        (features, 4 * units), (units, 4 * units), (4 * units,)))
    x = K.placeholder((None, steps, features))
    h = c = K.zeros_like(K.dot(x[:, 0], w)[:, :units])
    for step in range(steps):
        z = K.dot(x[:, step], w) + K.dot(h, u) + b
        i, f, g, o = (z[:, k * units:(k + 1) * units] for k in range(4))
        c = K.sigmoid(f) * c + K.sigmoid(i) * K.tanh(g)
        h = K.sigmoid(o) * K.tanh(c)
    return x, K.mean(K.square(h)), [w, u, b]


def lstm_time():
    """Seconds from an unrolled LSTM's loss to its training function."""
    from symk import backend as K
    x, loss, weights = unrolled_lstm()
    start = time.perf_counter()
    gradients = K.gradients(loss, weights)
    K.function([x], [loss], updates=[(w, w - 0.1 * g) for w, g in zip(weights, gradients)])
    return time.perf_counter() - start


def chain_time(length):
    """Seconds to compile a chain of `length` elementwise nodes."""
    from symk import compile as compiler
    from symk import ops
    from symk.graph import Placeholder
    x = Placeholder("float32", (None,))
    y = x
    for i in range(length):
        y = ops.tanh(y) if i % 2 else y * x
    return median_of(lambda: compiler.function([x], [y]), 3)


def call_time():
    """Seconds of one call of a compiled x + 1."""
    from symk import backend as K
    x = K.placeholder((None,))
    function = K.function([x], [x + 1])
    value = [np.ones(1, "float32")]
    function(value)

    def thousand():
        for _ in range(1000):
            function(value)
    return median_of(thousand) / 1000


def main():
    rows = [("import numpy", import_time("import numpy")),
            ("import symk", import_time("import symk")),
            ("import symk and layers, models, backend",
             import_time("import symk; from symk import layers, models, backend")),
            ("training function of a 50-layer CNN, gradient to Plan",
             statistics.median(training_function_time(deep_cnn()) for _ in range(3))),
            ("training function of ResNet-50, gradient to Plan",
             statistics.median(training_function_time(resnet50()) for _ in range(3))),
            ("training function of a 128-step unrolled LSTM, gradient to Plan",
             statistics.median(lstm_time() for _ in range(3))),
            ("first step of the MNIST CNN, batch 128, over the second",
             statistics.median(first_step_time(mnist_cnn(), (128, 28, 28, 1), 10)
                               for _ in range(3))),
            ("first step of ResNet-50, batch 8, over the second",
             statistics.median(first_step_time(resnet50(), (8, 224, 224, 3), 1000)
                               for _ in range(3))),
            ("call of a compiled x + 1, from Python", call_time())]
    rows += [("compile a chain of %d elementwise nodes" % n, chain_time(n))
             for n in (10, 100, 1000, 10000)]
    print("| what | time |\n|---|---|")
    for what, seconds in rows:
        print("| %s | %s |" % (what, "%.2f us" % (seconds * 1e6) if seconds < 1e-3
                               else "%.1f ms" % (seconds * 1e3)))


if __name__ == "__main__":
    main()
