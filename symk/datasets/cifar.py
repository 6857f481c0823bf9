"""Reads the files of CIFAR-10 and CIFAR-100 (Krizhevsky 2009)."""
import os

import numpy as np

from .. import backend as K
from ..utils.downloads import get_file
from .stored import read_pickle

__all__ = ["load_batch", "load_folder", "in_data_format"]


def load_batch(fpath, label_key="labels"):
    """One file.

    Args:     label_key: "labels", "fine_labels" or "coarse_labels".
    Returns:  (uint8 array (n, 3, 32, 32), list of labels).
    """
    with open(fpath, "rb") as file:
        content = {key.decode("utf-8"): value for key, value in read_pickle(file).items()}
    return content["data"].reshape(-1, 3, 32, 32), content[label_key]


def load_folder(name, origin, file_hash):
    """The folder of a downloaded and unpacked data set."""
    return get_file(name, origin=origin, untar=True, file_hash=file_hash)


def in_data_format(folder, training, test, label_key):
    """((x_train, y_train), (x_test, y_test)) of files, in K's data format; labels (n, 1)."""
    parts = []
    for names in (training, [test]):
        batches = [load_batch(os.path.join(folder, name), label_key) for name in names]
        x = np.concatenate([images for images, _ in batches])
        y = np.concatenate([labels for _, labels in batches]).astype("uint8").reshape(-1, 1)
        last = K.image_data_format() == "channels_last"
        parts.append((x.transpose(0, 2, 3, 1) if last else x, y))
    return tuple(parts)
