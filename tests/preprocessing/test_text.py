"""Words, hashes and the Tokenizer."""
import json

import numpy as np
import pytest

from symk.preprocessing import text

TEXTS = ["The cat sat on the mat.", "The dog, the cat!", "A dog\tran"]


@pytest.fixture
def tokenizer():
    made = text.Tokenizer()
    made.fit_on_texts(TEXTS)
    return made


def test_words_part_at_filters_and_spaces():
    assert text.text_to_word_sequence("Hello,  World!") == ["hello", "world"]
    assert text.text_to_word_sequence("A-b c", filters="", lower=False) == ["A-b", "c"]
    assert text.text_to_word_sequence("a,b;c d", split=";") == ["a", "b", "c d"]


def test_hashes_are_from_1_to_n_minus_1_and_md5_is_stable():
    numbers = text.hashing_trick("one two three one", 10, "md5")
    assert numbers[0] == numbers[3] and all(1 <= number < 10 for number in numbers)
    assert all(1 <= number < 5 for number in text.one_hot("a b c d e f g", 5))
    with pytest.raises(ValueError, match="n must be at least 2"):
        text.hashing_trick("a", 1)


def test_frequent_words_come_first_and_ties_in_order_of_appearance(tokenizer):
    assert list(tokenizer.word_index) == ["the", "cat", "dog", "sat", "on", "mat", "a", "ran"]
    assert tokenizer.document_count == 3 and tokenizer.word_docs["the"] == 2
    assert tokenizer.texts_to_sequences(["the dog flew"]) == [[1, 3]]
    assert tokenizer.sequences_to_texts([[1, 3, 99]]) == ["the dog"]


def test_unknown_and_rare_words_become_the_token():
    tokenizer = text.Tokenizer(num_words=3, oov_token="<?>")
    tokenizer.fit_on_texts(TEXTS)
    assert tokenizer.texts_to_sequences(["the cat flew"]) == [[2, 1, 1]]
    assert tokenizer.sequences_to_texts([[2, 3, 99]]) == ["the <?> <?>"]


def test_characters_and_lists_of_tokens():
    tokenizer = text.Tokenizer(char_level=True)
    tokenizer.fit_on_texts(["AAb"])
    assert tokenizer.word_index == {"a": 1, "b": 2}
    tokenizer = text.Tokenizer(lower=False)
    tokenizer.fit_on_texts([["A", "b c"]])
    assert tokenizer.texts_to_sequences([["b c"]]) == [[2]]


def test_matrices_of_every_mode(tokenizer):
    sequences = [[1, 1, 2], []]
    matrix = {mode: tokenizer.sequences_to_matrix(sequences, mode)
              for mode in ("binary", "count", "freq", "tfidf")}
    assert matrix["binary"].shape == (2, 9) and matrix["binary"][0, 1] == 1
    assert matrix["count"][0, 1] == 2 and matrix["freq"][0, 2] == pytest.approx(1 / 3)
    assert matrix["tfidf"][0, 1] == pytest.approx((1 + np.log(2)) * np.log(1 + 3 / 3))
    assert not any(values[1].any() for values in matrix.values())


def test_what_has_not_been_learnt_is_an_error(tokenizer):
    with pytest.raises(ValueError, match="num_words or known words"):
        text.Tokenizer().sequences_to_matrix([[1]])
    with pytest.raises(ValueError, match="counted documents"):
        text.Tokenizer(num_words=4).sequences_to_matrix([[1]], mode="tfidf")
    with pytest.raises(ValueError, match="the mode must be one of"):
        tokenizer.sequences_to_matrix([[1]], mode="sum")
    with pytest.raises(TypeError, match="nb_word"):
        text.Tokenizer(nb_word=3)


def test_json_round_trip(tokenizer):
    again = text.tokenizer_from_json(tokenizer.to_json(indent=1))
    assert json.loads(again.to_json()) == json.loads(tokenizer.to_json())
    assert again.texts_to_sequences(TEXTS) == tokenizer.texts_to_sequences(TEXTS)
    assert again.sequences_to_texts([[1, 2]]) == ["the cat"]
    with pytest.raises(ValueError, match="cannot be read"):
        text.tokenizer_from_json('{"config": {}}')
