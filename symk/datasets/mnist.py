"""MNIST: 70,000 handwritten digits (LeCun, Cortes, Burges)."""
from ..utils.downloads import get_file
from .stored import read_npz

__all__ = ["load_data"]


def load_data(path="mnist.npz"):
    """The digits and their labels.

    Args:     path: the file's name in the cache, or an absolute path.
    Returns:  (x_train, y_train), (x_test, y_test): uint8 arrays (60000 or 10000, 28, 28) and (n,).
    """
    path = get_file(path, origin="https://s3.amazonaws.com/img-datasets/mnist.npz",
                    file_hash="8a61469f7ea1b51cbae51d4f78837e45")
    arrays = read_npz(path)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
