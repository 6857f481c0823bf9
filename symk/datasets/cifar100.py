"""CIFAR-100: 60,000 small colour pictures in 100 classes, or 20 coarse ones (Krizhevsky 2009)."""
from .cifar import in_data_format, load_folder

__all__ = ["load_data"]


def load_data(label_mode="fine"):
    """The pictures and their labels.

    Args:     label_mode: "fine" (100 classes) or "coarse" (20).
    Returns:  as `cifar10.load_data`.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError('[cifar100] label_mode must be "fine" or "coarse"; %r was given.'
                         % (label_mode,))
    folder = load_folder("cifar-100-python",
                         "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                         "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7")
    return in_data_format(folder, ["train"], "test", label_mode + "_labels")
