"""Embedding."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import SymkError
from symk.layers import Dense, Embedding, Flatten, Input
from symk.models import Model, Sequential


def test_rows_are_looked_up():
    model = Sequential([Embedding(5, 3)])
    words = np.array([[0, 4], [2, 2]])
    model.predict(words)
    np.testing.assert_array_equal(model.predict(words), model.get_weights()[0][words])


def test_rows_that_are_not_used_stay_in_training():
    model = Sequential([Embedding(5, 3, input_length=2), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    model.train_on_batch(np.array([[1, 3]]), np.array([[5.0]]))
    changed = (model.get_weights()[0] != before).any(axis=1)
    np.testing.assert_array_equal(changed, [False, True, False, True, False])


def test_zero_may_be_padding():
    layer = Embedding(5, 3, mask_zero=True)
    x = Input((3,), dtype="int32")
    layer(x)
    mask, = K.function([x], [K.cast(layer.output_mask, "int32")])([np.array([[1, 0, 4]])])
    np.testing.assert_array_equal(mask, [[1, 0, 1]])
    plain = Embedding(5, 3)
    plain(x)
    assert plain.output_mask is None


def test_the_length_of_the_input():
    assert Embedding(5, 3, input_length=7).batch_input_shape == (None, 7)
    assert Embedding(5, 3).batch_input_shape == (None, None)
    layer = Embedding(5, 3, input_length=(None, 4))
    assert K.int_shape(layer(Input((6, 4)))) == (None, 6, 4, 3)
    with pytest.raises(ValueError, match=r'layer "words" \(Embedding\): .*input_length is 7'):
        Embedding(5, 3, input_length=7, name="words")(Input((6,)))


def test_floats_of_whole_numbers_are_indices():
    x = Input((2,))
    model = Model(x, Embedding(5, 3)(x))
    np.testing.assert_array_equal(model.predict(np.array([[1.0, 4.0]])),
                                  model.get_weights()[0][[[1, 4]]])


@pytest.mark.parametrize("word", [5, -6])
def test_a_word_outside_of_the_table_is_named(word):
    x = Input((1,), dtype="int32")
    model = Model(x, Embedding(5, 3, name="words")(x))
    with pytest.raises((SymkError, IndexError), match='layer "words".*%d' % word):
        model.predict(np.array([[word]]))


def test_penalties_and_constraints_of_the_vectors():
    layer = Embedding(5, 3, embeddings_regularizer="l2", activity_regularizer="l1",
                      embeddings_constraint="max_norm")
    layer(Input((2,)))
    assert len(layer.losses) == 2 and layer.embeddings.constraint is not None
