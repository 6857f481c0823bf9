"""CTC of K: the shapes of Keras, gradients through a softmax, results as long as they need be."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import OutOfRangeError, ShapeError


def test_probabilities_learn_to_spell():
    labels = np.array([[0, 1], [1, 2], [2, 2], [0, 0]])
    w = K.variable(np.zeros((4, 8 * 5)))
    y = K.softmax(K.reshape(w, (4, 8, 5)))
    cost = K.ctc_batch_cost(K.constant(labels), y, K.constant([[8]] * 4), K.constant([[2]] * 4))
    assert K.int_shape(cost) == (4, 1)
    loss = K.mean(cost)
    step = K.function([], [loss], updates=[(w, w - 5.0 * K.gradients(loss, w)[0])])
    losses = [float(step([])[0]) for _ in range(100)]
    assert losses[-1] < 0.1 < losses[0]
    decoded, _ = K.ctc_decode(y, K.constant([8] * 4, dtype="int32"))
    assert K.eval(decoded[0]).tolist() == labels.tolist()
    searched, scores = K.ctc_decode(y, K.constant([[8]] * 4), greedy=False, beam_width=20,
                                    top_paths=3)
    assert K.eval(searched[0]).tolist() == labels.tolist()
    assert len(searched) == 3 and K.int_shape(scores) == (4, 3)


def test_results_are_as_long_as_the_longest_row():
    best = np.array([[0, 0, 2, 1], [2, 1, 2, 2]])
    y = K.constant(np.eye(3)[best] * 0.8 + 0.1)
    (labels,), score = K.ctc_decode(y, K.constant([4, 4]))
    assert K.eval(labels).tolist() == [[0, 1], [1, -1]]
    assert K.int_shape(labels) == (2, 4) and K.int_shape(score) == (2, 1)
    assert K.eval(labels + 0).tolist() == [[0, 1, -1, -1], [1, -1, -1, -1]]
    nothing = K.ctc_decode(K.constant(np.eye(3)[[[2, 2]]]), K.constant([2]))[0][0]
    assert K.eval(nothing).shape == (1, 0)


def test_lengths_have_one_number_per_sample():
    y = K.constant(np.full((2, 4, 3), 1 / 3))
    with pytest.raises(ShapeError, match="lengths of the shape"):
        K.ctc_batch_cost(K.constant([[0], [1]]), y, K.constant([[4, 4]]), K.constant([[1], [1]]))
    with pytest.raises(ShapeError, match="lengths of the shape"):
        K.ctc_decode(y, K.constant(4))


def test_blanks_at_the_end_are_no_labels():
    y = K.constant(np.full((3, 6, 4), 0.25))

    def cost(labels, counts):
        return K.eval(K.ctc_batch_cost(K.constant(labels), y, K.constant([[6]] * 3),
                                       K.constant(counts))).ravel()

    np.testing.assert_allclose(cost([[0, 1, 3], [3, 3, 3], [0, 1, 2]], [[3], [1], [2]]),
                               cost([[0, 1, 0], [0, 0, 0], [0, 1, 0]], [[2], [0], [2]]))
    for labels, counts, given in (([3, 1, 3], 3, "3 was"), ([0, 4, 3], 3, "4 was"),
                                  ([0, 1, 2], 4, "4 was"), ([0, 1, 2], -1, "-1 was")):
        with pytest.raises(OutOfRangeError, match=given):
            cost([labels] * 3, [[counts]] * 3)
