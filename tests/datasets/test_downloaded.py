"""The data sets that are downloaded, read from small files in their real formats."""
import gzip
import json
import pickle

import numpy as np
import pytest

from symk import backend as K
from symk.datasets import (boston_housing, cifar, cifar10, cifar100, fashion_mnist, imdb, mnist,
                           reuters, stored, words)


def as_objects(lists):
    result = np.empty(len(lists), dtype=object)
    result[:] = lists
    return result


@pytest.fixture
def local(monkeypatch, tmp_path):
    """Makes get_file give a file of this folder."""
    def get_file(name, **_):
        return str(tmp_path / name)
    for module in (mnist, fashion_mnist, cifar, boston_housing, imdb, reuters, words):
        monkeypatch.setattr(module, "get_file", get_file)
    return tmp_path


def test_mnist(local):
    arrays = {"x_train": np.ones((3, 28, 28), "uint8"), "y_train": np.arange(3, dtype="uint8"),
              "x_test": np.zeros((2, 28, 28), "uint8"), "y_test": np.arange(2, dtype="uint8")}
    np.savez_compressed(local / "mnist.npz", **arrays)
    (x, y), (x_test, y_test) = mnist.load_data()
    for value, name in ((x, "x_train"), (y, "y_train"), (x_test, "x_test"), (y_test, "y_test")):
        assert np.array_equal(value, arrays[name]) and value.dtype == np.uint8
    x[0] = 7   # arrays of one's own


def test_fashion_mnist(local):
    pictures = np.arange(2 * 28 * 28, dtype="uint8").reshape(2, 28, 28)
    for name, _ in fashion_mnist._FILES:
        array = pictures if "idx3" in name else np.array([3, 4], "uint8")
        with gzip.open(local / name, "wb") as file:
            file.write(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes())
            file.write(array.tobytes())
    (x, y), (x_test, _) = fashion_mnist.load_data()
    assert np.array_equal(x, pictures) and y.tolist() == [3, 4] and x_test.shape == (2, 28, 28)
    with gzip.open(local / "bad.gz", "wb") as file:
        file.write(b"text")
    with pytest.raises(ValueError, match="IDX"):
        fashion_mnist.read_idx(str(local / "bad.gz"))


def write_cifar(path, keys, first):
    data = np.full((2, 3072), first, "uint8")
    content = {b"data": data, b"filenames": [b"a", b"b"]}
    content.update({key.encode(): [first, first + 1] for key in keys})
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def test_cifar10_in_both_data_formats(local):
    folder = local / "cifar-10-batches-py"
    for number in range(1, 6):
        write_cifar(folder / ("data_batch_%d" % number), ["labels"], number)
    write_cifar(folder / "test_batch", ["labels"], 6)
    (x, y), (x_test, y_test) = cifar10.load_data()
    assert x.shape == (10, 32, 32, 3) and x_test.shape == (2, 32, 32, 3)
    assert y.shape == (10, 1) and y_test.ravel().tolist() == [6, 7]
    assert x[:, 0, 0, 0].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    K.set_image_data_format("channels_first")
    try:
        assert cifar10.load_data()[0][0].shape == (10, 3, 32, 32)
    finally:
        K.set_image_data_format("channels_last")


def test_cifar100(local):
    for name in ("train", "test"):
        write_cifar(local / "cifar-100-python" / name, ["fine_labels", "coarse_labels"], 1)
    assert cifar100.load_data("coarse")[0][1].shape == (2, 1)
    with pytest.raises(ValueError, match="label_mode"):
        cifar100.load_data("medium")


def test_boston_housing_is_shuffled_by_its_seed(local):
    np.savez(local / "boston_housing.npz", x=np.arange(20.0).reshape(10, 2), y=np.arange(10.0))
    (x, y), (x_test, y_test) = boston_housing.load_data()
    order = np.arange(10)
    np.random.RandomState(113).shuffle(order)
    assert np.concatenate([y, y_test]).tolist() == order.tolist() and len(y_test) == 2
    assert np.array_equal(x[:, 0], 2 * y)
    with pytest.raises(ValueError, match="test_split"):
        boston_housing.load_data(test_split=1)


@pytest.fixture
def reviews(local):
    sequences = [[1, 2, 3], [4, 5], [6], [1, 9]]
    np.savez(local / "imdb.npz", x_train=as_objects(sequences), y_train=[0, 1, 0, 1],
             x_test=as_objects(sequences), y_test=[0, 1, 0, 1])
    np.savez(local / "reuters.npz", x=as_objects(sequences), y=[3, 4, 5, 6])
    (local / "imdb_word_index.json").write_text(json.dumps({"the": 1}))
    return sequences


def test_imdb_shifts_words_and_marks_starts(reviews):
    (x, y), (x_test, _) = imdb.load_data()
    assert x.dtype == object and len(x) == len(x_test) == 4
    assert sorted(map(len, x)) == [2, 3, 3, 4] and all(sequence[0] == 1 for sequence in x)
    by_length = {len(sequence): label for sequence, label in zip(x, y)}
    assert by_length[4] == 0 and by_length[2] == 0
    plain = imdb.load_data(start_char=None, index_from=0, num_words=100)[0][0]
    assert sorted(plain) == sorted(reviews)


def test_imdb_leaves_words_and_long_reviews_out(reviews):
    x = imdb.load_data(num_words=7, skip_top=5, oov_char=None)[0][0]
    assert {word for sequence in x for word in sequence} == {5, 6}
    x = imdb.load_data(num_words=7)[0][0]
    assert {word for sequence in x for word in sequence} == {1, 2, 4, 5, 6}
    with pytest.warns(UserWarning, match="num_words"):
        imdb.load_data(nb_words=5)
    with pytest.raises(TypeError, match="word_count"):
        imdb.load_data(word_count=5)
    (x, _), (x_test, _) = imdb.load_data(maxlen=4)
    assert len(x) + len(x_test) == 6
    with pytest.raises(ValueError, match="maxlen"):
        imdb.load_data(maxlen=1)


def test_reuters_and_word_indices(reviews):
    (x, y), (x_test, y_test) = reuters.load_data(test_split=0.5)
    assert len(x) == len(x_test) == 2 and sorted([*y, *y_test]) == [3, 4, 5, 6]
    assert imdb.get_word_index() == {"the": 1}


class Harm:
    def __reduce__(self):
        return print, ("this must not run",)


def test_files_run_nothing(tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", x=as_objects([[1], Harm()]))
    with pytest.raises(pickle.UnpicklingError, match="only arrays"):
        stored.read_npz(tmp_path / "bad.npz")
    assert capsys.readouterr().out == ""


def test_arrays_of_any_layout_are_read(tmp_path):
    arrays = {"f": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "s": np.float32(3),
              "e": np.zeros((0, 4), "int8")}
    np.savez(tmp_path / "arrays.npz", **arrays)
    read = stored.read_npz(tmp_path / "arrays.npz")
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
