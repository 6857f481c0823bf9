"""Connectionist temporal classification: its loss and searches against all paths there are."""
import itertools

import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.graph import GraphError, OutOfRangeError, Placeholder, ShapeError

MODES = ["reference", "native"]


@pytest.fixture(autouse=True, params=MODES)
def mode(request):
    if request.param == "native":
        pytest.importorskip("symk._core")
    return request.param


def labels_of(path, blank):
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def probabilities(logits):
    """{labels: probability} over all paths."""
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    steps, classes = logits.shape
    found = {}
    for path in itertools.product(range(classes), repeat=steps):
        labels = labels_of(path, classes - 1)
        found[labels] = found.get(labels, 0) + np.prod([softmax[t, c] for t, c in enumerate(path)])
    return found


def arrays(shape, dtype="float64"):
    return np.random.RandomState(sum(shape)).normal(size=shape).astype(dtype)


def run(build, *values, mode):
    inputs = [Placeholder(np.asarray(v).dtype, (None,) * np.ndim(v)) for v in values]
    outputs = build(*inputs)
    many = list(outputs) if isinstance(outputs, tuple) else [outputs]
    return function(inputs, many, mode=mode).run([np.asarray(v) for v in values])


@pytest.mark.parametrize("labels", [(), (0,), (0, 0), (1, 0), (0, 1, 0), (1, 1, 0)])
def test_the_loss_is_that_of_all_paths(labels, mode):
    logits = arrays((1, 5, 3))
    padded = np.full((1, 4), -7)
    padded[0, :len(labels)] = labels
    loss, = run(ops.ctc_loss, logits, padded, [5], [len(labels)], mode=mode)
    np.testing.assert_allclose(loss, [-np.log(probabilities(logits[0])[labels])])


def test_rows_end_at_their_own_length(mode):
    logits, labels = arrays((3, 6, 4)), np.array([[0, 1, 2], [2, 2, 9], [1, -1, -1]])
    together, = run(ops.ctc_loss, logits, labels, [6, 4, 2], [3, 2, 1], mode=mode)
    for row, (steps, count) in enumerate([(6, 3), (4, 2), (2, 1)]):
        alone, = run(ops.ctc_loss, logits[row:row + 1, :steps], labels[row:row + 1, :count],
                     [steps], [count], mode=mode)
        np.testing.assert_allclose(together[row], alone[0])


def test_large_logits_do_no_harm(mode):
    logits = 1e4 * arrays((2, 8, 5), "float32")
    loss, = run(ops.ctc_loss, logits, [[0, 1], [3, 3]], [8, 8], [2, 2], mode=mode)
    assert np.isfinite(loss).all()


@pytest.mark.parametrize("labels, steps, counts, message", [
    ([[0, 3]], [5], [2], "3 was given at position 1"), ([[-1, 0]], [5], [2], "-1 was given"),
    ([[0, 1]], [6], [2], "6 was given"), ([[0, 1]], [-1], [0], "-1 was given"),
    ([[0, 1]], [5], [3], "3 was given"), ([[1, 1]], [2], [2], "3 was given")])
def test_what_does_not_fit_is_refused_in_the_call(labels, steps, counts, message, mode):
    with pytest.raises(OutOfRangeError, match=message):
        run(ops.ctc_loss, arrays((1, 5, 4)), labels, steps, counts, mode=mode)


@pytest.mark.parametrize("width, paths", [(1, 1), (3, 2), (40, 5), (400, 60)])
def test_a_wide_search_finds_the_most_probable_labels(width, paths, mode):
    logits = arrays((1, 4, 4))
    labels, scores = run(lambda x, n: ops.ctc_beam_search(x, n, width, paths), logits, [4],
                         mode=mode)
    known = probabilities(logits[0])
    order = sorted(known, key=known.get, reverse=True)
    found = [tuple(row[row >= 0]) for row in labels[0]]
    if width >= len(known):
        assert found == order[:paths]
        np.testing.assert_allclose(np.exp(scores[0]), [known[path] for path in found])
    else:
        assert len(set(found)) == paths
        assert (np.exp(scores[0]) <= [known[path] + 1e-12 for path in found]).all()
        assert (np.diff(scores[0]) <= 0).all()


def test_fewer_results_than_asked_for_are_empty_and_improbable(mode):
    labels, scores = run(lambda x, n: ops.ctc_beam_search(x, n, 9, 5), arrays((1, 1, 2)), [1],
                         mode=mode)
    assert sorted(labels[0, :2, 0].tolist()) == [-1, 0] and (labels[0, 2:] == -1).all()
    assert np.isfinite(scores[0, :2]).all() and (scores[0, 2:] == -np.inf).all()


def test_searches_refuse_what_does_not_fit(mode):
    with pytest.raises(GraphError, match="top_paths must be from 1 to beam_width"):
        ops.ctc_beam_search(Placeholder("float32", (1, 2, 3)), np.array([2]), 3, 4)
    with pytest.raises(ShapeError, match="the batch sizes must agree"):
        ops.ctc_greedy_decode(Placeholder("float32", (1, 2, 3)), np.array([2, 2]))
    for decode in (ops.ctc_greedy_decode, ops.ctc_beam_search):
        with pytest.raises(OutOfRangeError, match="3 was given at position 1"):
            run(decode, arrays((2, 2, 3)), [2, 3], mode=mode)


def test_a_row_does_not_depend_on_the_others(mode):
    logits = arrays((40, 30, 12), "float32")
    labels = np.random.RandomState(1).randint(0, 11, (40, 10))
    steps, counts = np.full(40, 30), np.arange(40) % 10

    def together(rows):
        return run(ops.ctc_loss, logits[rows], labels[rows], steps[rows], counts[rows],
                   mode=mode)[0]
    alone = np.concatenate([together(slice(row, row + 1)) for row in range(40)])
    np.testing.assert_array_equal(together(slice(None)), alone)
