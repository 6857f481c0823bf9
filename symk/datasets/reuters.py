"""Reuters: 11,228 newswires as numbers of words, in 46 topics."""
import numpy as np

from ..utils.downloads import get_file
from .stored import read_npz
from .words import as_objects, number_of_words, prepared, read_word_index

__all__ = ["load_data", "get_word_index"]


def load_data(path="reuters.npz", num_words=None, skip_top=0, maxlen=None, test_split=0.2, seed=113,
              start_char=1, oov_char=2, index_from=3, **kwargs):
    """The newswires and their topics.

    Args:
        test_split: the fraction for testing; the others as in `imdb.load_data`.
    Returns:  (x_train, y_train), (x_test, y_test): arrays of lists, and int64 arrays.
    """
    num_words = number_of_words(num_words, kwargs, "reuters.load_data")
    path = get_file(path, origin="https://s3.amazonaws.com/text-datasets/reuters.npz",
                    file_hash="87aedbeb0cb229e378797a632c1997b6")
    arrays = read_npz(path)
    order = np.arange(len(arrays["x"]))
    np.random.RandomState(seed).shuffle(order)
    sequences, labels = prepared(list(arrays["x"][order]), list(arrays["y"][order]), num_words,
                                 skip_top, maxlen, start_char, oov_char, index_from)
    split = int(len(sequences) * (1 - test_split))
    return ((as_objects(sequences[:split]), np.array(labels[:split])),
            (as_objects(sequences[split:]), np.array(labels[split:])))


def get_word_index(path="reuters_word_index.json"):
    """{word: number}; `load_data` adds `index_from` to the numbers."""
    return read_word_index(path, "https://s3.amazonaws.com/text-datasets/reuters_word_index.json",
                           "4d44cc38712099c9e383dc6e5f11a921")
