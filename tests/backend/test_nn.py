"""Activations, cross-entropies, normalisation and biases of K against their formulas."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import ShapeError

X = np.linspace(-3, 3, 24).reshape(4, 6).astype("float32")


def close(tensor, expected, tolerance=1e-5):
    np.testing.assert_allclose(K.eval(tensor), expected, rtol=tolerance, atol=tolerance)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("alpha, max_value, threshold", [
    (0.0, None, 0.0), (0.2, None, 0.0), (0.0, 1.0, 0.0), (0.0, None, 1.0), (0.1, 2.0, 0.5),
    (0.1, None, -0.5), (0.1, 2.0, -0.5)])
def test_relu(alpha, max_value, threshold):
    above = X if max_value is None else np.clip(X, 0.0, max_value)
    expected = np.where(X > threshold, above, 0.0)
    expected = expected + alpha * np.minimum(X - threshold, 0.0)
    close(K.relu(K.constant(X), alpha, max_value, threshold), expected)


@pytest.mark.parametrize("name, meaning", [
    ("elu", lambda x: np.where(x > 0, x, np.expm1(x))),
    ("softplus", lambda x: np.log1p(np.exp(x))),
    ("softsign", lambda x: x / (1 + np.abs(x))),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ("hard_sigmoid", lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    ("tanh", np.tanh),
    ("softmax", softmax)])
def test_activations(name, meaning):
    close(getattr(K, name)(K.constant(X)), meaning(X))


def test_softmax_along_another_axis():
    close(K.softmax(K.constant(X), axis=0), softmax(X, 0))


PROBABILITIES = softmax(X)
TARGETS = np.eye(6, dtype="float32")[[1, 5, 0, 1]]


def test_categorical_crossentropy_scales_to_the_sum_one():
    expected = -np.log(PROBABILITIES[range(4), [1, 5, 0, 1]])
    close(K.categorical_crossentropy(TARGETS, K.constant(PROBABILITIES * 3.0)), expected)
    close(K.categorical_crossentropy(TARGETS, K.constant(X), from_logits=True), expected)


@pytest.mark.parametrize("loss, target", [
    (K.categorical_crossentropy, np.array([[0.0, 1.0]], "float32")),
    (K.sparse_categorical_crossentropy, np.array([1]))])
def test_crossentropy_of_a_softmax_does_not_end_at_epsilon(loss, target):
    # 200 e^-200 is no float32 but 0; of clipped probabilities the loss is 16 and has no gradient.
    x = K.variable([[200.0, 0.0]])
    value = loss(target, K.softmax(x))
    close(value, [200.0])
    close(K.gradients(value, [x])[0], [[1.0, -1.0]])
    along_rows = loss(target, K.softmax(x, axis=0))
    assert np.all(K.eval(along_rows) < 17)


def test_categorical_crossentropy_along_another_axis():
    expected = -np.log(PROBABILITIES[range(4), [1, 5, 0, 1]])
    for from_logits, output in ((False, PROBABILITIES), (True, X)):
        close(K.categorical_crossentropy(TARGETS.T, K.constant(output.T), from_logits, axis=0),
              expected)
    with pytest.raises(ShapeError, match="axis 2 is outside rank 2"):
        K.categorical_crossentropy(TARGETS, K.constant(X), axis=2)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_sparse_categorical_crossentropy_takes_a_last_axis_of_one(shape, dtype):
    labels = K.constant(np.reshape([1, 5, 0, 1], shape), dtype=dtype)
    expected = -np.log(PROBABILITIES[range(4), [1, 5, 0, 1]])
    close(K.sparse_categorical_crossentropy(labels, K.constant(PROBABILITIES)), expected)
    close(K.sparse_categorical_crossentropy(labels, K.constant(X), from_logits=True), expected)


def test_sparse_categorical_crossentropy_keeps_inner_axes():
    labels = K.constant(np.zeros((2, 2)), dtype="int32")
    output = K.constant(PROBABILITIES.reshape(2, 2, 6))
    expected = -np.log(PROBABILITIES[:, 0]).reshape(2, 2)
    close(K.sparse_categorical_crossentropy(labels, output), expected)
    first = K.constant(PROBABILITIES.reshape(2, 2, 6).transpose(0, 2, 1))
    close(K.sparse_categorical_crossentropy(labels, first, axis=1), expected)


def test_a_label_outside_of_the_classes_is_an_error():
    labels = K.placeholder((None,), dtype="int32")
    f = K.function([labels], [K.sparse_categorical_crossentropy(labels, K.constant(PROBABILITIES))])
    with pytest.raises(IndexError, match="6"):
        f([[0, 1, 2, 6]])


def test_binary_crossentropy():
    p = 1 / (1 + np.exp(-X))
    targets = (X > 0.5).astype("float32")
    expected = -(targets * np.log(p) + (1 - targets) * np.log(1 - p))
    close(K.binary_crossentropy(targets, K.constant(p)), expected)
    close(K.binary_crossentropy(targets, K.constant(X), from_logits=True), expected)


def test_crossentropies_are_finite_for_certain_predictions():
    wrong = K.constant([[0.0, 1.0]])
    for loss in (K.categorical_crossentropy, K.binary_crossentropy):
        value = K.eval(loss(np.array([[1.0, 0.0]]), wrong))
        assert np.isfinite(value).all() and value.max() > 10
    assert np.isfinite(K.eval(K.sparse_categorical_crossentropy(np.array([0]), wrong))).all()


def test_in_top_k_counts_only_greater_predictions():
    predictions = K.constant([[0.1, 0.3, 0.3, 0.3], [0.4, 0.3, 0.2, 0.1]])
    for targets, k, expected in (([3, 2], 1, [True, False]), ([0, 1], 2, [False, True]),
                                 ([0, 3], 4, [True, True])):
        result = K.eval(K.in_top_k(predictions, K.constant(targets, dtype="int32"), k))
        assert result.tolist() == expected


IMAGES = np.random.RandomState(1).normal(2.0, 3.0, size=(3, 4, 5, 2)).astype("float32")


@pytest.mark.parametrize("shape, axes", [
    ((3, 4, 5, 2), (0, 1, 2)), ((3, 2, 4, 5), (0, 2, 3)), ((6, 2), (0,)), ((3, 4, 5, 2), (0, 3)),
    ((3, 4, 5, 2), (0, -2))])
def test_normalize_batch_in_training(shape, axes):
    x = np.random.normal(2.0, 3.0, size=shape).astype("float32")
    others = [size for axis, size in enumerate(shape) if axis not in {a % len(shape) for a in axes}]
    gamma, beta = (np.random.normal(size=others).astype("float32") for _ in range(2))
    y, mean, variance = K.normalize_batch_in_training(
        K.constant(x), K.constant(gamma), K.constant(beta), axes, epsilon=1e-2)
    wide = [1 if axis in {a % len(shape) for a in axes} else size
            for axis, size in enumerate(shape)]
    centred = x - x.mean(axes, keepdims=True)
    close(mean, x.mean(axes), 1e-4)
    close(variance, x.var(axes), 1e-4)
    close(y, centred / np.sqrt(x.var(axes, keepdims=True) + 1e-2) * gamma.reshape(wide)
          + beta.reshape(wide), 1e-4)


def test_normalize_batch_without_scale_and_shift():
    y, _, _ = K.normalize_batch_in_training(K.constant(IMAGES), None, None, [0, 1, 2], 0.0)
    np.testing.assert_allclose(K.eval(K.mean(y, axis=[0, 1, 2])), [0, 0], atol=1e-5)
    np.testing.assert_allclose(K.eval(K.var(y, axis=[0, 1, 2])), [1, 1], atol=1e-4)


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalization_on_any_axis(axis):
    size = IMAGES.shape[axis]
    mean, var, beta, gamma = (np.linspace(0.5, 1.5, size).astype("float32") + k for k in range(4))
    wide = [1, 1, 1, size] if axis == -1 else [1, size, 1, 1]
    expected = ((IMAGES - mean.reshape(wide)) / np.sqrt(var.reshape(wide) + 1e-3)
                * gamma.reshape(wide) + beta.reshape(wide))
    close(K.batch_normalization(K.constant(IMAGES), mean, var, beta, gamma, axis=axis), expected,
          1e-4)
    plain = (IMAGES - mean.reshape(wide)) / np.sqrt(var.reshape(wide) + 1e-3)
    close(K.batch_normalization(K.constant(IMAGES), mean, var, None, None, axis=axis), plain, 1e-4)


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_bias_add_for_every_rank_and_format(rank):
    x = np.random.normal(size=(2, 3, 4, 5, 6)[:rank]).astype("float32")
    last = np.random.normal(size=x.shape[-1:]).astype("float32")
    close(K.bias_add(K.constant(x), K.constant(last)), x + last)
    first = np.random.normal(size=x.shape[1:2]).astype("float32")
    close(K.bias_add(K.constant(x), K.constant(first), "channels_first"),
          x + first.reshape((-1,) + (1,) * (rank - 2)))


def test_bias_of_a_whole_sample():
    bias = np.random.normal(size=(4, 5, 3)).astype("float32")
    x = np.random.normal(size=(2, 4, 5, 3)).astype("float32")
    close(K.bias_add(K.constant(x), K.constant(bias)), x + bias)
    first = x.transpose(0, 3, 1, 2)
    close(K.bias_add(K.constant(first), K.constant(bias), "channels_first"),
          first + bias.reshape(3, 4, 5))


def test_bias_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="one value per channel, 3 of"):
        K.bias_add(K.zeros((2, 4, 3)), K.zeros((4,)))
    with pytest.raises(ShapeError, match="1 axis or one less than the tensor"):
        K.bias_add(K.zeros((2, 4, 4, 3)), K.zeros((4, 3)))
    with pytest.raises(ValueError, match="must be 'channels_last' or 'channels_first'"):
        K.bias_add(K.zeros((2, 3)), K.zeros((3,)), "channels_middle")


def test_the_cross_entropy_of_a_sigmoid_is_that_of_its_input():
    """So that it is exact where the probability is 0 or 1 by rounding, as in Keras."""
    x, target = K.constant([-40.0, 0.5, 40.0]), K.constant([1.0, 0.0, 0.0])
    close(K.binary_crossentropy(target, K.sigmoid(x)), [40.0, np.log1p(np.exp(0.5)), 40.0])
    close(K.binary_crossentropy(target, K.constant([0.0, 0.5, 1.0])),
          -np.log([2e-7, 0.5 + 1e-7, 2e-7]), 1e-2)
