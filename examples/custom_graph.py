"""A graph of one's own: build with K, differentiate, compile, look at what the compiler made of it."""
import numpy as np

from symk import backend as K

x = K.placeholder((None, 3), name="x")
w = K.variable(np.array([[1.0], [-2.0], [0.5]]), name="w")

# The logistic loss, written naively: the compiler finds the stable form.
loss = K.mean(K.log(1 + K.exp(K.dot(x, w))))
gradient, = K.gradients(loss, [w])

step = K.function([x], [loss, gradient], updates=[(w, w - 0.1 * gradient)])

if __name__ == "__main__":
    points = np.random.RandomState(0).standard_normal((1000, 3)).astype("float32")
    for turn in range(5):
        value, slope = step([points])
        print("step %d: loss %.4f, gradient %s" % (turn, value, np.ravel(slope)))
    print("w is now", np.ravel(K.get_value(w)))
    print(step.show("stages"))
    print(step.show("plan"))
