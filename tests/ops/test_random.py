"""Random streams: known answers of Philox, and the moments of the distributions."""
import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.graph import ShapeError
from symk.graph.reference import evaluate
from symk.ops import philox

try:
    import symk._core as core
except ImportError:
    core = None

MODES = [pytest.param("native", marks=pytest.mark.skipif(core is None, reason="not built")),
         "reference"]


def test_philox_gives_its_known_answer():
    # Random123's known-answer test of philox4x32-10 with counter and key 0.
    words = philox.philox(0, np.zeros(1, "uint64"))[0]
    assert [hex(int(word)) for word in words] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c",
                                                  "0x9b00dbd8"]


def draw(make, **arguments):
    return evaluate([make(ops.random_key(7), (20000,), dtype="float64", **arguments)], {})[0]


def test_uniform_numbers_fill_their_interval():
    x = draw(ops.random_uniform, low=-1.0, high=3.0)
    assert -1 <= x.min() < -0.99 and 2.99 < x.max() < 3
    assert abs(x.mean() - 1) < 0.03 and abs(x.var() - 16 / 12) < 0.03


def test_normal_numbers_have_their_moments():
    x = draw(ops.random_normal, mean=2.0, std=3.0)
    assert abs(x.mean() - 2) < 0.1 and abs(x.std() - 3) < 0.1
    assert abs(np.mean(((x - x.mean()) / x.std()) ** 4) - 3) < 0.2


def test_truncated_numbers_stay_within_two_deviations():
    x = draw(ops.random_truncated_normal, mean=1.0, std=2.0)
    assert abs(x - 1).max() <= 4 and abs(x.mean() - 1) < 0.05
    assert abs(x.std() / 2 - 0.8796) < 0.02  # of the normal distribution cut at two deviations


def test_bernoulli_numbers_have_their_probability():
    x = draw(ops.random_bernoulli, p=0.3)
    assert set(np.unique(x)) == {0, 1} and abs(x.mean() - 0.3) < 0.02


def test_integers_are_equally_likely():
    x, = evaluate([ops.random_integers(ops.random_key(3), (30000,), -2, 4)], {})
    values, counts = np.unique(x, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2, 3] and x.dtype == "int32"
    assert abs(counts / 5000 - 1).max() < 0.08


def test_integers_need_a_range():
    with pytest.raises(ShapeError, match="high must be above low"):
        ops.random_integers(ops.random_key(0), (2,), 3, 3)


@pytest.mark.parametrize("mode", MODES)
def test_each_call_moves_the_key_on(mode):
    key = ops.random_key(5)
    run = function([], ops.random_uniform(key, (4,)), mode=mode)
    first, second = run(), run()
    assert not np.array_equal(first, second)
    assert key.get_value().tolist() == [5, 2]
    key.set_value(np.array([5, 0]))
    np.testing.assert_array_equal(run(), first)


def test_a_seed_may_have_64_bits():
    a, b = (evaluate([ops.random_uniform(ops.random_key(seed), (8,))], {})[0]
            for seed in (2 ** 40, 2 ** 41))
    assert not np.array_equal(a, b)


def test_the_first_numbers_do_not_depend_on_how_many_are_drawn():
    key = ops.random_key(11)
    few, many = evaluate([ops.random_normal(key, (5,)), ops.random_normal(key, (50,))], {})
    np.testing.assert_array_equal(few, many[:5])
