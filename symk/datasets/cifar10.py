"""CIFAR-10: 60,000 small colour pictures in 10 classes (Krizhevsky 2009)."""
from .cifar import in_data_format, load_folder

__all__ = ["load_data"]


def load_data():
    """The pictures and their labels.

    Returns:  (x_train, y_train), (x_test, y_test): uint8 arrays (50000 or 10000, 32, 32, 3), or
        channels first as K says, and (n, 1).
    """
    folder = load_folder("cifar-10-batches-py",
                         "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                         "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce")
    training = ["data_batch_%d" % number for number in range(1, 6)]
    return in_data_format(folder, training, "test_batch", "labels")
