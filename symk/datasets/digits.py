"""1,797 handwritten digits of 8 x 8 pixels, inside the package: no download. See digits.txt."""
import os

import numpy as np

__all__ = ["load_data"]


def load_data(test_fraction=0.2, seed=0):
    """The digits as (x_train, y_train), (x_test, y_test).

    # Arguments
        test_fraction: the part of each digit's images that is held out.
        seed: of the split and of the order; one seed always gives the same arrays.

    # Returns
        x are (samples, 8, 8), uint8, from 0 (white) to 16 (black); y are (samples,), uint8.
    """
    if not 0.0 <= test_fraction < 1.0:
        raise ValueError("[digits] a test_fraction from 0 to below 1 is required; %r was given."
                         % (test_fraction,))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "digits.npz")
    with np.load(path, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    train, test = _split(labels, test_fraction, np.random.RandomState(seed))
    return (images[train], labels[train]), (images[test], labels[test])


def _split(labels, fraction, random):
    """Indices for training and for testing, with the same part of every digit in both."""
    train, test = [], []
    for digit in range(10):
        places = random.permutation(np.flatnonzero(labels == digit))
        border = int(round(len(places) * fraction))
        test.append(places[:border])
        train.append(places[border:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))
