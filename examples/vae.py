"""A variational autoencoder (Kingma, Welling 2013) of digits with two hidden numbers.

Draws the digits in the plane of the two numbers, and the digits that points of the plane stand for.
"""
import argparse

import numpy as np
from drawing import save_images, save_points

from symk import backend as K
from symk.datasets import digits
from symk.layers import Dense, Input, Lambda
from symk.losses import binary_crossentropy
from symk.models import Model

PIXELS, HIDDEN = 64, 2


def draw_hidden(arguments):
    """A sample of the normal distribution that the encoder describes."""
    mean, log_variance = arguments
    noise = K.random_normal(K.shape(mean))
    return mean + K.exp(0.5 * log_variance) * noise


def build():
    """(whole, encoder, decoder): the loss is part of the whole."""
    image = Input((PIXELS,))
    x = Dense(128, activation="relu")(image)
    mean, log_variance = Dense(HIDDEN, name="mean")(x), Dense(HIDDEN, name="log_variance")(x)
    hidden = Lambda(draw_hidden, output_shape=(HIDDEN,))([mean, log_variance])
    point = Input((HIDDEN,))
    decoder = Model(point, Dense(PIXELS, activation="sigmoid")(
        Dense(128, activation="relu")(point)), name="decoder")
    output = decoder(hidden)
    whole = Model(image, output, name="vae")
    reconstruction = PIXELS * binary_crossentropy(image, output)
    divergence = -0.5 * K.sum(1 + log_variance - K.square(mean) - K.exp(log_variance), axis=-1)
    whole.add_loss(K.mean(reconstruction + divergence))
    whole.compile("adam")
    return whole, Model(image, mean, name="encoder"), decoder


def main(epochs=100, pictures=("vae_plane.png", "vae_digits.png"), verbose=2):
    """Trains; returns the losses of the first and of the last epoch."""
    (x, _), (x_test, y_test) = digits.load_data()
    x, x_test = x.reshape(-1, PIXELS) / 16.0, x_test.reshape(-1, PIXELS) / 16.0
    whole, encoder, decoder = build()
    history = whole.fit(x, batch_size=32, epochs=epochs, verbose=verbose,
                        validation_data=(x_test, None))
    save_points(pictures[0], encoder.predict(x_test), y_test, "digits in the hidden plane")
    line = np.linspace(-2, 2, 12)
    grid = decoder.predict(np.array([(column, -row) for row in line for column in line]))
    save_images(pictures[1], grid.reshape(12, 12, 8, 8))
    losses = history.history["loss"]
    print("loss: %.2f, then %.2f" % (losses[0], losses[-1]))
    return losses[0], losses[-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=100)
    main(parser.parse_args().epochs)
