"""What the data sets of texts share: how sequences of word numbers are cut and shifted."""
import json
import warnings

import numpy as np

from ..utils.downloads import get_file

__all__ = ["prepared", "number_of_words", "read_word_index", "as_objects"]


def number_of_words(num_words, old_arguments, who):
    """num_words, or Keras 1's nb_words."""
    old_arguments = dict(old_arguments)
    if "nb_words" in old_arguments:
        warnings.warn("%s's argument nb_words is num_words in Keras 2." % who, stacklevel=3)
        num_words = old_arguments.pop("nb_words")
    if old_arguments:
        raise TypeError("[%s] the arguments of Keras 2.3 are required; %s were given."
                        % (who, sorted(old_arguments)))
    return num_words


def prepared(sequences, labels, num_words, skip_top, maxlen, start_char, oov_char, index_from):
    """(sequences, labels) with numbers shifted, long sequences and rare words left out."""
    start = [] if start_char is None else [start_char]
    shift = index_from or 0
    sequences = [start + [word + shift for word in sequence] for sequence in sequences]
    if maxlen:
        kept = [(sequence, label) for sequence, label in zip(sequences, labels)
                if len(sequence) < maxlen]
        if not kept:
            raise ValueError("[datasets] some sequence must be shorter than maxlen = %d; none is. "
                             "Use a larger maxlen." % maxlen)
        sequences, labels = (list(column) for column in zip(*kept))
    if not num_words:
        num_words = max(max(sequence) for sequence in sequences)   # as in Keras: the rarest is out
    if oov_char is None:
        sequences = [[word for word in sequence if skip_top <= word < num_words]
                     for sequence in sequences]
    else:
        sequences = [[word if skip_top <= word < num_words else oov_char for word in sequence]
                     for sequence in sequences]
    return sequences, labels


def as_objects(sequences):
    """An array of lists, whatever their lengths."""
    result = np.empty(len(sequences), dtype=object)
    result[:] = sequences
    return result


def read_word_index(path, origin, file_hash):
    """{word: number} from a JSON file of the cache."""
    with open(get_file(path, origin=origin, file_hash=file_hash), encoding="utf-8") as file:
        return json.load(file)
