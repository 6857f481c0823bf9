"""NaN, infinities and large values in ops that are not elementwise: the same in both modes."""
import numpy as np
import pytest

from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.graph import Placeholder

try:
    import symk._core as core
except ImportError:
    core = None

MODES = [pytest.param("native", marks=pytest.mark.skipif(core is None, reason="not built")),
         "reference"]
INF, NAN = np.inf, np.nan


@pytest.fixture(params=MODES)
def run(request):
    """run(build, *rows): the value of an expression of float32 arrays."""
    def evaluate(build, *rows):
        arrays = [np.array(row, "float32") for row in rows]
        inputs = [Placeholder("float32", a.shape) for a in arrays]
        return function(inputs, build(*inputs), mode=request.param)(*arrays)
    return evaluate


def derivative(build):
    """The gradient of an expression in its first operand."""
    return lambda *inputs: grad(build(*inputs), inputs[:1])[0]


@pytest.mark.parametrize("row, expected", [
    ([1e30, 0, -1e30], [1, 0, 0]), ([1000, 1000], [0.5, 0.5]), ([-INF, 0], [0, 1]),
    ([NAN, 0], [NAN, NAN]), ([-1e4, -1e4], [0.5, 0.5])])
def test_softmax(run, row, expected):
    np.testing.assert_allclose(run(ops.softmax, row), expected, rtol=1e-6)
    with np.errstate(divide="ignore"):
        logarithm = np.log(np.array(expected, "float32"))
    result = run(ops.log_softmax, row)
    finite = np.isfinite(logarithm)
    np.testing.assert_allclose(result[finite], logarithm[finite], rtol=1e-5, atol=1e-6)
    assert not np.isnan(result[~np.isnan(logarithm)]).any()


@pytest.mark.parametrize("row, expected", [
    ([1000, 1000], 1000 + np.log(2)), ([-INF, -INF], -INF), ([INF, 0], INF), ([NAN, 0], NAN),
    ([-INF, 3], 3)])
def test_logsumexp(run, row, expected):
    np.testing.assert_allclose(run(ops.logsumexp, row), expected, rtol=1e-6)


def test_the_extreme_of_nan_is_nan(run):
    rows = [[1, NAN, 3, INF] * 20, [-INF, 2, 3, 4] * 20]
    np.testing.assert_array_equal(run(lambda x: ops.max(x, 1), rows), [NAN, 4])
    np.testing.assert_array_equal(run(lambda x: ops.min(x, 1), rows), [NAN, -INF])
    np.testing.assert_array_equal(run(lambda x: ops.max(x, 0), rows), [1, NAN, 3, INF] * 20)
    assert run(lambda x: ops.argmax(x, 1), rows).tolist() == [1, 3]
    assert run(lambda x: ops.argmin(x, 1), rows).tolist() == [1, 0]


def test_the_pool_of_nan_is_nan(run):
    image = np.zeros((1, 4, 4, 1), "float32")
    image[0, 1, 1] = NAN
    pooled = run(ops.max_pool, image)
    np.testing.assert_array_equal(pooled[0, :, :, 0], [[NAN, 0], [0, 0]])
    lowest = np.full((1, 2, 2, 1), -INF)
    assert run(lambda x: ops.max_pool(x, 3, 1, "same"), lowest).max() == -INF
    # The gradient goes to the NaN, and to the first of equals also where all are -infinity.
    for values in (image, np.full((1, 4, 4, 1), -INF)):
        assert run(derivative(ops.max_pool), values).sum() == 4


def test_products_of_nan_and_zero_are_nan(run):
    a, b = np.zeros((20, 20)), np.ones((20, 20))
    b[3, 4] = NAN
    assert np.isnan(run(ops.matmul, a, b)[:, 4]).all()
    b[3, 4] = INF
    assert np.isnan(run(ops.matmul, a, b)[:, 4]).all()
    image, kernel = np.zeros((1, 4, 4, 1)), np.full((1, 1, 1, 1), NAN)
    assert np.isnan(run(ops.conv, image, kernel)).all()


@pytest.mark.parametrize("logit, target, expected, slope", [
    (1e4, 1, 0, 0), (1e4, 0, 1e4, 1), (-1e4, 1, 1e4, -1), (-1e4, 0, 0, 0), (0, 0.5, np.log(2), 0)])
def test_the_sigmoid_cross_entropy_is_stable(run, logit, target, expected, slope):
    result = run(ops.sigmoid_cross_entropy, logit, target)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    np.testing.assert_allclose(run(derivative(ops.sigmoid_cross_entropy), logit, target), slope,
                               atol=1e-7)


def test_the_softmax_cross_entropies_are_stable(run):
    logits, targets = [[1e4, 0, -1e4], [-1e4, 1e4, 0]], [[1, 0, 0], [1, 0, 0]]
    np.testing.assert_allclose(run(ops.softmax_cross_entropy, logits, targets), [0, 2e4])
    sparse = run(lambda x: ops.sparse_softmax_cross_entropy(x, np.array([0, 0])), logits)
    np.testing.assert_allclose(sparse, [0, 2e4])
    slopes = run(derivative(ops.softmax_cross_entropy), logits, targets)
    np.testing.assert_allclose(slopes, [[0, 0, 0], [-1, 1, 0]], atol=1e-7)


def test_the_normalisation_of_a_constant_is_its_shift(run):
    x = np.full((64, 3), 1e4)
    y = run(lambda x: ops.batch_norm(x, np.ones(3), np.arange(3.0), 1e-3)[0], x)
    np.testing.assert_allclose(y, np.tile(np.arange(3.0), (64, 1)), atol=1e-2)


def test_a_variance_far_from_zero_keeps_its_digits(run):
    generator = np.random.default_rng(0)
    x = (1000 + generator.normal(size=(4096, 2))).astype("float32")
    variance = run(lambda x: ops.batch_norm(x, np.ones(2), np.zeros(2), 1e-3)[2], x)
    np.testing.assert_allclose(variance, x.astype("float64").var(0), rtol=1e-3)


def test_the_mean_of_many_keeps_its_digits(run):
    x = np.full((1, 10 ** 6), 0.1)
    np.testing.assert_allclose(run(lambda x: ops.mean(x, 1), x), [np.float32(0.1)], rtol=1e-6)


@pytest.mark.parametrize("columns", [1, 16, 40])
def test_relu_behind_products_hands_nan_on(run, columns):
    """Also where a kernel does it on its own results, of whole vectors and of some lanes."""
    rows = np.ones((15, 8), "float32")
    rows[3, 0], rows[4, 0], rows[5, 0] = NAN, -INF, INF
    weights = np.ones((8, columns), "float32")
    y = run(lambda a, b: ops.relu(ops.matmul(a, b)), rows, weights)
    expected = np.full((15, columns), 8.0)
    expected[3], expected[4], expected[5] = NAN, 0, INF
    np.testing.assert_array_equal(y, expected)
    image = np.ones((1, 1, 3, columns), "float32")
    image[0, 0, 0], image[0, 0, 1] = NAN, -1
    y = run(lambda x, w: ops.relu(ops.conv(x, w, strides=(1, 1), padding="same", dilation=(1, 1),
                                           groups=columns)),
            image, np.ones((1, 1, 1, columns)))
    np.testing.assert_array_equal(y[0, 0], np.repeat([[NAN], [0], [1]], columns, axis=1))
