"""Writes small model files of many kinds, for the fuzz target: python seeds.py FOLDER."""
import os
import sys

import numpy as np

from symk import backend as K
from symk import layers
from symk.deploy import export
from symk.models import Model, Sequential


def image_classifier():
    return Sequential([
        layers.Conv2D(3, 3, activation="relu", input_shape=(7, 7, 2)), layers.BatchNormalization(),
        layers.DepthwiseConv2D(2, padding="same"), layers.MaxPooling2D(), layers.Dropout(0.5),
        layers.Conv2DTranspose(2, 2, strides=2), layers.AveragePooling2D(), layers.Flatten(),
        layers.Dense(3, activation="softmax")], name="images")


def text_classifier():
    return Sequential([
        layers.Embedding(7, 3, mask_zero=True), layers.LSTM(3, return_sequences=True),
        layers.Bidirectional(layers.GRU(2)), layers.Dense(1, activation="sigmoid")], name="texts")


def merging():
    x, y = layers.Input((4,)), layers.Input((4,))
    parts = [layers.Add()([x, y]), layers.Dot(axes=1)([x, y]), layers.Concatenate()([x, y])]
    return Model([x, y], [layers.Softmax()(part) for part in parts], name="merging")


def loop():
    """A loop with a branch in it, and reductions, sorting and indices besides."""
    x, index = K.placeholder((None, None, 3)), K.placeholder((None,), dtype="int32")
    w = K.variable(np.linspace(-1, 1, 9).reshape(3, 3))

    def step(row, states):
        h = K.tanh(K.dot(states[0], w) + row)
        return h, [K.switch(K.sum(h) > 0, lambda: h * 0.5, lambda: K.exp(h))]

    last, outputs, _ = K.rnn(step, x, [K.zeros_like(x[:, 0])])
    best = K.argmax(last, axis=-1)
    return K.function([x, index], [outputs, best, K.gather(w, index), K.cumsum(last, axis=0),
                                   K.reverse(last, 0), K.one_hot(index, 4)])


def main(folder):
    os.makedirs(folder, exist_ok=True)

    def path(name):
        return os.path.join(folder, name + ".symk")

    model = image_classifier()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.export(path("trained"), {"task": "fuzzing"}, train=True)
    image_classifier().export(path("images"))
    text_classifier().export(path("texts"))
    for weights in ("float16", "int8"):
        wide = Sequential([layers.Embedding(20, 16), layers.LSTM(16), layers.Dense(20)])
        wide.export(path(weights), weights=weights)
    model = image_classifier()
    model.compile("sgd", "sparse_categorical_crossentropy", products="bfloat16")
    model.export(path("bfloat16"), train=True)
    merging().export(path("merging"))
    x = K.placeholder((2,))
    export({"loop": loop(), "sum": K.function([x], [K.sum(x)])}, path("loop"))


if __name__ == "__main__":
    main(sys.argv[1])
