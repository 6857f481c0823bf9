"""Are two digits the same? One network looks at both (Hadsell, Chopra, LeCun 2006).

A distance below 0.5 means "the same"; 95 % of held-out pairs are judged right.
"""
import argparse

import numpy as np
from drawing import save_curves

from symk import backend as K
from symk.datasets import digits
from symk.layers import Dense, Dropout, Flatten, Input, Lambda
from symk.models import Model, Sequential


def pairs_of(x, y, random):
    """For each image one of the same class (1) and one of another class (0)."""
    places = [np.flatnonzero(y == label) for label in range(10)]
    pairs, labels = [], []
    for number, label in enumerate(y):
        other = (label + random.randint(1, 10)) % 10
        for same, partner in ((1, random.choice(places[label])), (0, random.choice(places[other]))):
            pairs.append((x[number], x[partner]))
            labels.append(same)
    pairs = np.array(pairs)
    return [pairs[:, 0], pairs[:, 1]], np.array(labels, "float32")


def distance(points):
    """The Euclidean distance, kept away from 0, where it has no gradient."""
    a, b = points
    return K.sqrt(K.maximum(K.sum(K.square(a - b), axis=1, keepdims=True), K.epsilon()))


def contrastive_loss(same, distances):
    """Near for equal pairs; at least 1 apart for others."""
    apart = K.square(K.maximum(1 - distances, 0))
    return K.mean(same * K.square(distances) + (1 - same) * apart)


def accuracy(same, distances):
    """How often a distance below 0.5 is right."""
    return K.mean(K.equal(same, K.cast(distances < 0.5, K.dtype(same))))


def build():
    """The network that is used twice, and the distance of its outputs."""
    network = Sequential([Flatten(input_shape=(8, 8)), Dense(128, activation="relu"), Dropout(0.1),
                          Dense(128, activation="relu"), Dropout(0.1), Dense(64)])
    left, right = Input((8, 8)), Input((8, 8))
    model = Model([left, right], Lambda(distance, output_shape=(1,))(
        [network(left), network(right)]))
    model.compile("rmsprop", contrastive_loss, metrics=[accuracy])
    return model


def main(epochs=20, picture="siamese.png", verbose=2):
    """Trains; returns the held-out accuracy."""
    random = np.random.RandomState(0)
    (x, y), (x_test, y_test) = digits.load_data()
    pairs, same = pairs_of(x / 16.0, y, random)
    test = pairs_of(x_test / 16.0, y_test, random)
    model = build()
    history = model.fit(pairs, same, batch_size=64, epochs=epochs, verbose=verbose,
                        validation_data=test)
    result = model.evaluate(*test, verbose=0)[1]
    print("held-out accuracy: %.1f %%" % (100 * result))
    save_curves(picture, history, "same or not")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    main(parser.parse_args().epochs)
