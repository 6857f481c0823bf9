"""IMDB: 50,000 film reviews as numbers of words, good or bad (Maas et al. 2011)."""
import numpy as np

from ..utils.downloads import get_file
from .stored import read_npz
from .words import as_objects, number_of_words, prepared, read_word_index

__all__ = ["load_data", "get_word_index"]


def load_data(path="imdb.npz", num_words=None, skip_top=0, maxlen=None, seed=113, start_char=1,
              oov_char=2, index_from=3, **kwargs):
    """The reviews and their labels (1 is good).

    Args:
        path: the file's name in the cache, or an absolute path.
        num_words: only words with numbers below this are kept; None for all but the largest.
        skip_top: words with numbers below this are left out.
        maxlen: only reviews shorter than this are kept. As in Keras 2.3.1 the first 25,000 of
            those that are left are for training.
        seed: of the order.
        start_char: the number before each review; None for none.
        oov_char: stands for words that are left out; None drops them.
        index_from: added to all numbers of words.
    Returns:  (x_train, y_train), (x_test, y_test): arrays of lists, and int64 arrays.
    """
    num_words = number_of_words(num_words, kwargs, "imdb.load_data")
    path = get_file(path, origin="https://s3.amazonaws.com/text-datasets/imdb.npz",
                    file_hash="599dadb1135973df5b59232a0e9a887c")
    arrays = read_npz(path)
    random = np.random.RandomState(seed)
    sequences, labels = [], []
    for part in ("train", "test"):
        order = np.arange(len(arrays["x_" + part]))
        random.shuffle(order)
        sequences += list(arrays["x_" + part][order])
        labels += list(arrays["y_" + part][order])
    sequences, labels = prepared(sequences, labels, num_words, skip_top, maxlen, start_char,
                                 oov_char, index_from)
    split = len(arrays["x_train"])
    return ((as_objects(sequences[:split]), np.array(labels[:split])),
            (as_objects(sequences[split:]), np.array(labels[split:])))


def get_word_index(path="imdb_word_index.json"):
    """{word: number}; `load_data` adds `index_from` to the numbers."""
    return read_word_index(path, "https://s3.amazonaws.com/text-datasets/imdb_word_index.json",
                           "bfafd718b763782e994055a2d397834f")
