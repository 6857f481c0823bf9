"""Padding, skip-grams and windows over time series."""
import numpy as np
import pytest

from symk.preprocessing import sequence


def test_padding_and_truncating_on_either_side():
    ragged = [[1, 2, 3], [4], []]
    assert sequence.pad_sequences(ragged).tolist() == [[1, 2, 3], [0, 0, 4], [0, 0, 0]]
    assert sequence.pad_sequences(ragged, 2, padding="post", truncating="post",
                                  value=9).tolist() == [[1, 2], [4, 9], [9, 9]]
    assert sequence.pad_sequences(ragged, 0).shape == (3, 0)
    assert sequence.pad_sequences([]).shape == (0, 0)


def test_items_may_be_arrays_or_strings():
    padded = sequence.pad_sequences([np.ones((2, 3)), np.zeros((0, 3))], dtype="float32")
    assert padded.shape == (2, 2, 3) and padded.dtype == np.float32
    assert sequence.pad_sequences([["a"], ["b", "c"]], dtype=object,
                                  value="-").tolist() == [["-", "a"], ["b", "c"]]


@pytest.mark.parametrize("arguments, message", [
    (dict(sequences=[1, 2]), "each item must be a sequence"),
    (dict(sequences=iter([])), "a list of sequences"),
    (dict(sequences=[[1]], padding="left"), "padding must be"),
    (dict(sequences=[[1]], value="x"), "must fit the dtype"),
    (dict(sequences=[np.ones((1, 2)), np.ones((1, 3))]), "must have one shape"),
])
def test_bad_sequences(arguments, message):
    with pytest.raises(ValueError, match=message):
        sequence.pad_sequences(**arguments)


def test_sampling_table_grows_to_one():
    table = sequence.make_sampling_table(1000, sampling_factor=1e-3)
    assert table.shape == (1000,) and np.all(np.diff(table) >= 0) and table[-1] == 1
    assert sequence.make_sampling_table(0).shape == (0,)


def test_skipgrams_are_neighbours_and_the_seed_fixes_the_order():
    words = [1, 2, 0, 3, 4]
    couples, labels = sequence.skipgrams(words, 5, window_size=1, negative_samples=0, shuffle=False)
    assert couples == [[1, 2], [2, 1], [3, 4], [4, 3]] and labels == [1] * 4
    couples, labels = sequence.skipgrams(words, 5, window_size=2, categorical=True, seed=1)
    assert labels.count([0, 1]) == labels.count([1, 0]) == 6
    assert all(1 <= other < 5 for _, other in couples)
    assert sequence.skipgrams([0], 5) == ([], [])
    first = sequence.skipgrams(words, 5, negative_samples=0, seed=7)
    assert first == sequence.skipgrams(words, 5, negative_samples=0, seed=7)


def test_thinning_leaves_words_out():
    table = np.array([0.0, 0.0, 1.1])
    couples, _ = sequence.skipgrams([1, 2, 1], 3, negative_samples=0, sampling_table=table)
    assert {word for word, _ in couples} == {2}


def test_windows_end_before_their_target():
    data = np.arange(20).reshape(10, 2)
    batches = sequence.TimeseriesGenerator(data, np.arange(10), length=3, batch_size=4)
    assert len(batches) == 2
    x, y = batches[0]
    assert x.shape == (4, 3, 2) and y.tolist() == [3, 4, 5, 6]
    assert np.array_equal(x[0], data[:3])
    assert batches[1][1].tolist() == [7, 8, 9]


def test_windows_with_steps_reversed_and_shuffled():
    data = np.arange(30)
    batches = sequence.TimeseriesGenerator(data, data, 6, sampling_rate=2, stride=3, reverse=True,
                                           start_index=2, end_index=20, batch_size=2)
    x, y = batches[0]
    assert y.tolist() == [8, 11] and x[0].tolist() == [6, 4, 2]
    shuffled = sequence.TimeseriesGenerator(data, data, 6, shuffle=True, batch_size=50)
    x, y = shuffled[0]
    assert np.array_equal(x[:, -1] + 1, y) and y.min() >= 6


def test_generator_round_trip_and_errors():
    data = [1.0, 2.0, 3.0, 4.0, 5.0]
    made = sequence.TimeseriesGenerator(data, np.array(data), 2, start_index=1, batch_size=2)
    again = sequence.timeseries_generator_from_json(made.to_json())
    assert len(again) == len(made)
    for number in range(len(made)):
        for ours, theirs in zip(made[number], again[number]):
            assert np.array_equal(ours, theirs)
    with pytest.raises(ValueError, match="equally long"):
        sequence.TimeseriesGenerator(data, [1], 2)
    with pytest.raises(ValueError, match="must not pass end_index"):
        sequence.TimeseriesGenerator(data, data, 5)
