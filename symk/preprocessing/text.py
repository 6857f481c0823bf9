"""Text as sequences of numbers: words, hashes, and a Tokenizer that learns a vocabulary.

Names and numbers are those of Keras 2.3 (keras_preprocessing 1.1).
"""
import collections
import hashlib
import json
import math
import warnings

import numpy as np

__all__ = ["text_to_word_sequence", "one_hot", "hashing_trick", "Tokenizer", "tokenizer_from_json",
           "base_filter"]

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_LEARNT = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
_MODES = ("binary", "count", "tfidf", "freq")


def base_filter():
    """The characters that part words by default, as Keras 1 gave them."""
    return FILTERS


def text_to_word_sequence(text, filters=FILTERS, lower=True, split=" "):
    """The words of a text as a list.

    Args:
        filters: characters that part words.
        lower: whether capitals become small letters.
        split: what parts the words.
    """
    if lower:
        text = text.lower()
    text = text.translate(str.maketrans(dict.fromkeys(filters, split)))
    return [word for word in text.split(split) if word]


def one_hot(text, n, filters=FILTERS, lower=True, split=" "):
    """The words of a text as numbers from 1 to n - 1 by Python's `hash`: see `hashing_trick`."""
    return hashing_trick(text, n, hash, filters, lower, split)


def hashing_trick(text, n, hash_function=None, filters=FILTERS, lower=True, split=" "):
    """The words of a text as numbers from 1 to n - 1; two words may share a number.

    Args:
        n: the size of the space; 0 is kept free.
        hash_function: None for Python's `hash`, which differs from one process to the next; "md5",
            which does not; or a function from a word to an integer.
    """
    if n < 2:
        raise ValueError("[hashing_trick] n must be at least 2, as 0 is kept free; %r was given."
                         % (n,))
    if hash_function is None:
        hash_function = hash
    elif hash_function == "md5":
        hash_function = _md5
    words = text_to_word_sequence(text, filters, lower, split)
    return [hash_function(word) % (n - 1) + 1 for word in words]


def _md5(word):
    return int(hashlib.md5(word.encode("utf-8")).hexdigest(), 16)


class Tokenizer:
    """Learns the words of texts and turns texts into sequences of their numbers, and back.

    Number 1 is the most frequent word (or the token for unknown words, where there is one);
    0 is kept free for padding.

    Args:
        num_words: only numbers below this are used; None for all.
        filters, lower, split: as in `text_to_word_sequence`.
        char_level: whether every character is a token.
        oov_token: stands for words that are unknown or too rare; None leaves them out.
        document_count: documents already counted.
    Attributes: word_counts, word_docs (in how many texts), word_index, index_word, index_docs.
    """

    def __init__(self, num_words=None, filters=FILTERS, lower=True, split=" ", char_level=False,
                 oov_token=None, document_count=0, **kwargs):
        if "nb_words" in kwargs:
            warnings.warn("Tokenizer's argument nb_words is num_words in Keras 2.", stacklevel=2)
            num_words = kwargs.pop("nb_words")
        if kwargs:
            raise TypeError("[Tokenizer] the arguments of Keras 2.3 are required; %s were given."
                            % sorted(kwargs))
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.document_count = document_count
        self.word_counts = collections.OrderedDict()
        self.word_docs = collections.defaultdict(int)
        self.word_index = {}
        self.index_word = {}
        self.index_docs = collections.defaultdict(int)

    def fit_on_texts(self, texts):
        """Counts the words of some texts and numbers all words anew.

        Args:     texts: strings, or lists of tokens; any iterable.
        """
        for text in texts:
            self.document_count += 1
            tokens = self._tokens(text)
            for token in tokens:
                self.word_counts[token] = self.word_counts.get(token, 0) + 1
            for token in set(tokens):
                self.word_docs[token] += 1
        words = sorted(self.word_counts, key=self.word_counts.get, reverse=True)
        if self.oov_token is not None:
            words.insert(0, self.oov_token)
        self.word_index = {word: number for number, word in enumerate(words, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, documents in self.word_docs.items():
            self.index_docs[self.word_index[word]] = documents

    def fit_on_sequences(self, sequences):
        """Counts in how many sequences each number stands; enough for `sequences_to_matrix`."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in set(sequence):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts):
        """A list of numbers for each text."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts):
        """Yields a list of numbers for each text."""
        unknown = self.word_index.get(self.oov_token)
        for text in texts:
            numbers = (self.word_index.get(token) for token in self._tokens(text))
            yield self._known(numbers, unknown, lambda number: number)

    def sequences_to_texts(self, sequences):
        """A text for each list of numbers, its words with spaces between."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences):
        """Yields a text for each list of numbers."""
        unknown = self.word_index.get(self.oov_token)
        for sequence in sequences:
            numbers = (number if number in self.index_word else None for number in sequence)
            yield " ".join(self._known(numbers, unknown, self.index_word.get))

    def texts_to_matrix(self, texts, mode="binary"):
        """An array (texts, num_words): see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode=mode)

    def sequences_to_matrix(self, sequences, mode="binary"):
        """An array (sequences, num_words) that says of each number how it stands in a sequence.

        Args:
            mode: "binary" (there or not), "count", "freq" (count / length), or "tfidf":
                (1 + log count) log(1 + documents / (1 + documents with the number)).
        Returns:  a float64 array.
        """
        if mode not in _MODES:
            raise ValueError("[Tokenizer] the mode must be one of %s; %r was given."
                             % (", ".join(_MODES), mode))
        size = self.num_words or (len(self.word_index) + 1 if self.word_index else None)
        if size is None:
            raise ValueError("[Tokenizer] num_words or known words are required; there are "
                             "neither. Give num_words or call fit_on_texts first.")
        if mode == "tfidf" and not self.document_count:
            raise ValueError('[Tokenizer] mode "tfidf" needs counted documents; there are none. '
                             "Call fit_on_texts or fit_on_sequences first.")
        matrix = np.zeros((len(sequences), size))
        for row, sequence in zip(matrix, sequences):
            for number, count in collections.Counter(sequence).items():
                if number < size:
                    row[number] = self._weight(mode, number, count, len(sequence))
        return matrix

    def get_config(self):
        """The settings, and all that was learnt as JSON texts; for `to_json`."""
        learnt = {name: json.dumps(getattr(self, name)) for name in _LEARNT}
        return dict({"num_words": self.num_words, "filters": self.filters, "lower": self.lower,
                     "split": self.split, "char_level": self.char_level,
                     "oov_token": self.oov_token, "document_count": self.document_count}, **learnt)

    def to_json(self, **kwargs):
        """A JSON text for `tokenizer_from_json`.

        Args:     kwargs: go to json.dumps.
        """
        description = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(description, **kwargs)

    def _tokens(self, text):
        if not self.char_level and isinstance(text, str):
            return text_to_word_sequence(text, self.filters, self.lower, self.split)
        if not self.lower:
            return text
        return text.lower() if isinstance(text, str) else [token.lower() for token in text]

    def _known(self, numbers, unknown, say):
        """What to `say` of each number; `unknown` stands for None and for numbers too large."""
        result = []
        for number in numbers:
            if number is None or (self.num_words and number >= self.num_words):
                number = unknown
            if number is not None:
                result.append(say(number))
        return result

    def _weight(self, mode, number, count, length):
        if mode == "tfidf":
            documents = self.index_docs.get(number, 0)
            return (1 + math.log(count)) * math.log(1 + self.document_count / (1 + documents))
        return {"binary": 1, "count": count, "freq": count / length}[mode]


def tokenizer_from_json(json_string):
    """The Tokenizer that `to_json` described."""
    try:
        config = json.loads(json_string)["config"]
        learnt = {name: json.loads(config.pop(name)) for name in _LEARNT}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("[tokenizer_from_json] what Tokenizer.to_json wrote is required; the text "
                         "cannot be read: %s: %s" % (type(error).__name__, error)) from None
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts.update(learnt["word_counts"])
    tokenizer.word_docs.update(learnt["word_docs"])
    tokenizer.word_index = learnt["word_index"]
    tokenizer.index_docs.update((int(k), v) for k, v in learnt["index_docs"].items())
    tokenizer.index_word = {int(k): v for k, v in learnt["index_word"].items()}
    return tokenizer
