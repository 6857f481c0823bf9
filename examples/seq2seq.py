"""Adds numbers that are written as text: one LSTM reads "17+25", another writes "42".

An encoder and a decoder without attention (Sutskever, Vinyals, Le 2014); the decoder writes one
character at a time. Sums of numbers up to 99 that it has never seen are 95 % right.
"""
import argparse

import numpy as np
from drawing import save_curves

from symk.layers import LSTM, Dense, Input
from symk.models import Model

CHARACTERS = "0123456789+ \t\n"       # a tab begins an answer, a line break ends it
QUESTION, ANSWER = 5, 5
SIZE = len(CHARACTERS)


def encode(texts, length):
    """One-hot characters, (texts, length, SIZE); texts are filled with spaces."""
    numbers = [[CHARACTERS.index(character) for character in text.ljust(length)] for text in texts]
    return np.eye(SIZE, dtype="float32")[np.array(numbers)]


def load(seed=0):
    """(questions, answers) of training and of testing: all sums up to 99 + 99."""
    sums = [(a, b) for a in range(100) for b in range(100)]
    np.random.RandomState(seed).shuffle(sums)
    questions = [("%d+%d" % (a, b))[::-1] for a, b in sums]     # backwards, which is easier
    answers = ["\t%d\n" % (a + b) for a, b in sums]
    return (questions[:9000], answers[:9000]), (questions[9000:], answers[9000:])


def build(units=128):
    """(for training, encoder, decoder): the last two share the layers of the first."""
    question, before = Input((None, SIZE)), Input((None, SIZE))
    _, h, c = LSTM(units, return_state=True)(question)
    lstm, dense = LSTM(units, return_sequences=True, return_state=True), Dense(
        SIZE, activation="softmax")
    model = Model([question, before], dense(lstm(before, initial_state=[h, c])[0]))
    states = [Input((units,)), Input((units,))]
    output, h_after, c_after = lstm(before, initial_state=states)
    decoder = Model([before] + states, [dense(output), h_after, c_after])
    return model, Model(question, [h, c]), decoder


def answer(questions, encoder, decoder):
    """What the decoder writes for some questions, a character at a time."""
    states = encoder.predict(encode(questions, QUESTION))
    texts, last = [""] * len(questions), ["\t"] * len(questions)
    for _ in range(ANSWER):
        probabilities, *states = decoder.predict([encode(last, 1)] + states)
        last = [CHARACTERS[number] for number in probabilities[:, 0].argmax(-1)]
        texts = [text + character for text, character in zip(texts, last)]
    return [text.split("\n")[0] for text in texts]


def main(epochs=60, picture="seq2seq.png", verbose=2):
    """Trains; returns the fraction of unseen sums that are right."""
    (questions, answers), (unseen, right) = load()
    model, encoder, decoder = build()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    written = encode(answers, ANSWER)
    history = model.fit([encode(questions, QUESTION), written[:, :-1]], written[:, 1:],
                        batch_size=64, epochs=epochs, verbose=verbose)
    given = answer(unseen, encoder, decoder)
    for question, text in list(zip(unseen, given))[:5]:
        print("%s = %s" % (question[::-1], text))
    result = np.mean([text == wanted.strip() for text, wanted in zip(given, right)])
    print("unseen sums right: %.1f %%" % (100 * result))
    save_curves(picture, history, "sums as text")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    main(parser.parse_args().epochs)
