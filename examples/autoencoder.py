"""Takes noise out of digits: a convolutional autoencoder. Draws digits, with noise, and cleaned.

The mean squared error of the cleaned images is at most 0.4 times that of the noisy ones.
"""
import argparse

import numpy as np
from drawing import save_images

from symk.datasets import digits
from symk.layers import Conv2D, Input, MaxPooling2D, UpSampling2D
from symk.models import Model


def build():
    """8x8 to 2x2 and back."""
    image = Input((8, 8, 1))
    x = image
    for filters in (32, 32):
        x = Conv2D(filters, 3, activation="relu", padding="same")(x)
        x = MaxPooling2D()(x)
    for filters in (32, 32):
        x = Conv2D(filters, 3, activation="relu", padding="same")(x)
        x = UpSampling2D()(x)
    return Model(image, Conv2D(1, 3, activation="sigmoid", padding="same")(x))


def main(epochs=60, picture="autoencoder.png", verbose=2):
    """Trains; returns (mean squared error of noisy, of cleaned images)."""
    (x, _), (x_test, _) = digits.load_data()
    x, x_test = x[..., None] / 16.0, x_test[..., None] / 16.0
    random = np.random.RandomState(0)
    noisy, noisy_test = (np.clip(clean + 0.4 * random.standard_normal(clean.shape), 0, 1)
                         for clean in (x, x_test))
    model = build()
    model.compile("adam", "binary_crossentropy")
    model.fit(noisy, x, batch_size=32, epochs=epochs, verbose=verbose,
              validation_data=(noisy_test, x_test))
    cleaned = model.predict(noisy_test)
    errors = [float(np.mean((images - x_test) ** 2)) for images in (noisy_test, cleaned)]
    print("mean squared error: %.4f with noise, %.4f cleaned" % tuple(errors))
    save_images(picture, [x_test[:12], noisy_test[:12], cleaned[:12]],
                ["digits", "with noise", "cleaned"])
    return errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    main(parser.parse_args().epochs)
