"""A graph of one's own: build it, differentiate it in both directions, compile it, look at it.

Logistic regression by Newton's method. The Hessian is never formed: conjugate gradients need only
its products with vectors, which are a derivative of a derivative.
"""
import sys

import numpy as np

import symk
from symk import ops

x = symk.placeholder((None, 3), name="x")
t = symk.placeholder((x.shape[0],), name="t")       # +1 or -1, as many as x has rows
v = symk.placeholder((3, 1), name="v")
w = symk.shared(np.zeros((3, 1), "float32"), name="w")

# The logistic loss, written naively: the compiler finds the stable form.
score = ops.reshape(x @ w, (-1,))
loss = ops.mean(ops.log(1 + ops.exp(-t * score))) + 0.001 * ops.sum(ops.square(w))
gradient = symk.grad(loss, w)

evaluate = symk.function([x, t], [loss, gradient], name="loss and gradient")
curvature = symk.function([x, t, v], symk.hessian_vector(loss, w, v), name="Hessian times v")
move = symk.function([v], [], updates={w: w + v}, name="step")


def newton_direction(points, labels, slope):
    """-H^-1 g by three rounds of conjugate gradients: as many as there are weights."""
    direction, rest = np.zeros_like(slope), -slope
    search = rest
    for _ in range(3):
        bent = curvature(points, labels, search)
        length = np.sum(rest * rest) / np.sum(search * bent)
        direction, after = direction + length * search, rest - length * bent
        search, rest = after + np.sum(after * after) / np.sum(rest * rest) * search, after
    return direction


def main(picture=None):
    """Fits noisy labels; returns the losses. `picture`: where to draw the graph."""
    random = np.random.RandomState(0)
    points = random.standard_normal((1000, 3)).astype("float32")
    labels = np.sign(points @ [1, -2, 0.5] + random.standard_normal(1000)).astype("float32")
    losses = []
    for turn in range(6):
        value, slope = evaluate(points, labels)
        losses.append(float(value))
        print("Newton step %d: loss %.6f, largest slope %.2e" % (turn, value, np.abs(slope).max()))
        move.run([newton_direction(points, labels, slope)])
    print("w is now", np.ravel(w.get_value()))
    print(curvature.show("stages"))
    print(curvature.show("plan"))
    if picture:
        symk.draw(curvature, picture)
    return losses


if __name__ == "__main__":
    main(*sys.argv[1:2])
