"""Fashion-MNIST: 70,000 pictures of clothes in 10 classes (Xiao, Rasul, Vollgraf 2017)."""
import gzip
import os

import numpy as np

from ..utils.downloads import get_file

__all__ = ["load_data"]

_BASE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_FILES = (("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
          ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
          ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
          ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"))


def load_data():
    """The pictures and their labels.

    Returns:  (x_train, y_train), (x_test, y_test): uint8 arrays (60000 or 10000, 28, 28) and (n,).
    """
    folder = os.path.join("datasets", "fashion-mnist")
    x_train, y_train, x_test, y_test = (
        read_idx(get_file(name, origin=_BASE + name, file_hash=digest, cache_subdir=folder))
        for name, digest in _FILES)
    return (x_train, y_train), (x_test, y_test)


def read_idx(path):
    """The uint8 array in a gzipped IDX file, the format of MNIST."""
    with gzip.open(path, "rb") as file:
        header = file.read(4)
        if len(header) < 4 or header[:3] != b"\x00\x00\x08":
            raise ValueError("[read_idx] an IDX file of bytes is required; %s is none." % path)
        shape = np.frombuffer(file.read(4 * header[3]), ">u4").astype(int)
        return np.frombuffer(file.read(), np.uint8).reshape(shape).copy()
