"""Random tensors of K."""
import numpy as np
import pytest

from symk import backend as K

DRAWS = [lambda seed: K.random_normal((1000,), 2.0, 0.5, seed=seed),
         lambda seed: K.random_uniform((1000,), -1.0, 3.0, seed=seed),
         lambda seed: K.random_binomial((1000,), 0.3, seed=seed),
         lambda seed: K.truncated_normal((1000,), 1.0, 2.0, seed=seed),
         lambda seed: K.dropout(K.ones((1000,)), 0.4, seed=seed)]


@pytest.mark.parametrize("draw", DRAWS)
def test_each_call_draws_anew_and_a_seed_repeats_the_stream(draw):
    first, again = (K.function([], [draw(7)]) for _ in range(2))
    one, two = first([])[0], first([])[0]
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(again([])[0], one)
    np.testing.assert_array_equal(again([])[0], two)


@pytest.mark.parametrize("draw", DRAWS)
def test_numpys_seed_makes_streams_repeatable(draw):
    np.random.seed(3)
    one = K.eval(draw(None))
    other = K.eval(draw(None))
    np.random.seed(3)
    np.testing.assert_array_equal(K.eval(draw(None)), one)
    assert not np.array_equal(one, other)


def test_distributions():
    shape = (200, 100)
    normal = K.eval(K.random_normal(shape, 2.0, 0.5, seed=1))
    assert abs(normal.mean() - 2.0) < 0.02 and abs(normal.std() - 0.5) < 0.02
    uniform = K.eval(K.random_uniform(shape, -1.0, 3.0, seed=1))
    assert uniform.min() >= -1.0 and uniform.max() < 3.0 and abs(uniform.mean() - 1.0) < 0.05
    binomial = K.eval(K.random_binomial(shape, 0.3, seed=1))
    assert set(np.unique(binomial)) == {0.0, 1.0} and abs(binomial.mean() - 0.3) < 0.02
    truncated = K.eval(K.truncated_normal(shape, 1.0, 2.0, seed=1))
    assert np.abs(truncated - 1.0).max() <= 4.0 and abs(truncated.std() - 1.76) < 0.05


def test_shape_may_be_symbolic():
    x = K.placeholder((None, 3))
    f = K.function([x], [K.random_normal(K.shape(x), dtype="float64")])
    result, = f([np.zeros((4, 3))])
    assert result.shape == (4, 3) and result.dtype == "float64"


def test_random_variables_keep_their_value():
    v = K.random_normal_variable((50,), 1.0, 0.1, seed=5)
    np.testing.assert_array_equal(K.eval(v), K.eval(v))
    np.testing.assert_array_equal(K.eval(v), K.eval(K.random_normal_variable((50,), 1.0, 0.1,
                                                                             seed=5)))
    u = K.eval(K.random_uniform_variable((50,), 2.0, 3.0))
    assert u.min() >= 2.0 and u.max() < 3.0


def test_dropout_keeps_the_mean_and_drops_whole_axes():
    y = K.eval(K.dropout(K.ones((200, 100)), 0.25, seed=2))
    assert set(np.unique(y).round(5)) == {0.0, np.float32(1 / 0.75).round(5)}
    assert abs(y.mean() - 1.0) < 0.02
    x = K.placeholder((None, 5, 4))
    f = K.function([x], [K.dropout(x, 0.5, noise_shape=(None, 1, 4), seed=2)])
    y, = f([np.ones((6, 5, 4))])
    np.testing.assert_array_equal(y, np.repeat(y[:, :1], 5, axis=1))
    with pytest.raises(ValueError, match=r"level must be in \[0, 1\)"):
        K.dropout(x, 1.0)
    with pytest.raises(ValueError, match="a size for each axis"):
        K.dropout(x, 0.5, noise_shape=(1, 4))
