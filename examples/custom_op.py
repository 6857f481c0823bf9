"""An op of one's own, in Python: the soft threshold, and a network that trains through it.

It runs by its NumPy meaning, called back from the runtime. `custom_kernel/` gives it a C++ kernel.
"""
import numpy as np

import symk
from symk import ops
from symk.autodiff import verify
from symk.layers import Dense, Lambda
from symk.models import Sequential


@symk.custom_op("soft_threshold")
class SoftThreshold(symk.CustomOp):
    """sign(x) * max(|x| - width, 0): what is small becomes 0, the rest moves towards 0.

    Shapes: x -> same.  Dtypes: floats -> same.
    """

    width: float = 0.5

    def infer(self, x):
        return x

    def reference(self, x):
        return np.sign(x) * np.maximum(np.abs(x) - self.width, 0)

    def grad(self, x, y, g):
        return ops.where(ops.not_equal(y, 0), g, 0)


def gradient_error():
    """The difference between the gradient and a slope measured by differences."""
    x = symk.placeholder((4,), "float64")
    return verify.check(SoftThreshold(width=0.5)(x), {x: np.array([-2.0, -0.3, 0.2, 1.5])})


def train(epochs=200):
    """The losses of a network that learns which of its inputs are noise."""
    np.random.seed(0)
    x = np.random.standard_normal((256, 8)).astype("float32")
    y = x[:, :1] - 2 * x[:, 1:2]
    model = Sequential([Dense(8, input_shape=(8,)), Lambda(SoftThreshold(width=0.1)), Dense(1)])
    model.compile("adam", "mse")
    return model.fit(x, y, epochs=epochs, batch_size=64, verbose=0).history["loss"]


if __name__ == "__main__":
    print("error of the gradient: %.1e" % gradient_error())
    losses = train()
    print("loss %.3f -> %.3f" % (losses[0], losses[-1]))
