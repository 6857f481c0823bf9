"""Learns the sonnets letter by letter, and writes on: an LSTM that predicts the next character.

The text is short, so what it writes looks like English from afar only.
"""
import argparse
import pathlib

import numpy as np
from drawing import save_curves

from symk.callbacks import LambdaCallback
from symk.layers import LSTM, Dense
from symk.models import Sequential

TEXT = pathlib.Path(__file__).with_name("data") / "sonnets.txt"
LENGTH = 30


def sample(probabilities, temperature):
    """A number drawn from sharpened (below 1) or flattened probabilities."""
    logits = np.log(probabilities.astype("float64") + 1e-12) / temperature
    weights = np.exp(logits - logits.max())
    return np.random.choice(len(weights), p=weights / weights.sum())


def write_on(model, start, characters, count=200, temperature=0.5):
    """The text that a model writes after a beginning of LENGTH characters."""
    index = {character: number for number, character in enumerate(characters)}
    text = start
    for _ in range(count):
        x = np.zeros((1, LENGTH, len(characters)), "bool")
        for place, character in enumerate(text[-LENGTH:]):
            x[0, place, index[character]] = True
        text += characters[sample(model.predict(x)[0], temperature)]
    return text


def main(epochs=60, picture="text_generation.png", verbose=2, written=200):
    """Trains; returns (accuracy on the text, a text of its own)."""
    text = TEXT.read_text(encoding="utf-8").lower()
    characters = sorted(set(text))
    numbers = np.array([characters.index(character) for character in text])
    starts = np.arange(0, len(text) - LENGTH, 2)
    x = np.eye(len(characters), dtype="bool")[numbers[starts[:, None] + np.arange(LENGTH)]]
    y = numbers[starts + LENGTH]
    model = Sequential([LSTM(128, input_shape=(LENGTH, len(characters))),
                        Dense(len(characters), activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def show(epoch, logs):
        if epoch % 20 == 19:
            print(write_on(model, text[:LENGTH], characters, written))

    history = model.fit(x, y, batch_size=64, epochs=epochs, verbose=verbose,
                        callbacks=[LambdaCallback(on_epoch_end=show)])
    save_curves(picture, history, "the next character")
    return (history.history["accuracy"][-1],
            write_on(model, text[:LENGTH], characters, written))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    print(main(parser.parse_args().epochs)[1])
