"""Boston housing: 506 districts, 13 properties, the median price (Harrison, Rubinfeld 1978)."""
import numpy as np

from ..utils.downloads import get_file
from .stored import read_npz

__all__ = ["load_data"]


def load_data(path="boston_housing.npz", test_split=0.2, seed=113):
    """The properties and the prices in 1000 dollars.

    Args:
        path: the file's name in the cache, or an absolute path.
        test_split: the fraction for testing.
        seed: of the order.
    Returns:  (x_train, y_train), (x_test, y_test): float64 arrays (n, 13) and (n,).
    """
    if not 0 <= test_split < 1:
        raise ValueError("[boston_housing] test_split must be in [0, 1); %r was given."
                         % (test_split,))
    path = get_file(path, origin="https://s3.amazonaws.com/keras-datasets/boston_housing.npz",
                    file_hash="f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5")
    arrays = read_npz(path)
    order = np.arange(len(arrays["x"]))
    np.random.RandomState(seed).shuffle(order)
    x, y = arrays["x"][order], arrays["y"][order]
    split = int(len(x) * (1 - test_split))
    return (x[:split], y[:split]), (x[split:], y[split:])
