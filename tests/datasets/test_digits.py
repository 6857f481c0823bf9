"""The digits inside the package."""
import numpy as np
import pytest

from symk.datasets import digits


def test_the_digits_are_all_there():
    (x, y), (x_test, y_test) = digits.load_data()
    assert x.shape == (1438, 8, 8)
    assert x_test.shape == (359, 8, 8)
    assert x.dtype == np.uint8
    assert int(x.max()) == 16
    assert np.bincount(np.concatenate([y, y_test])).tolist() == [178, 182, 177, 183, 181, 182,
                                                                181, 179, 174, 180]


def test_every_digit_is_held_out_in_the_same_part():
    _, (_, y) = digits.load_data(test_fraction=0.5)
    assert np.ptp(np.bincount(y)) <= 5


def test_one_seed_gives_one_split():
    (x, _), _ = digits.load_data(seed=5)
    (again, _), _ = digits.load_data(seed=5)
    (other, _), _ = digits.load_data(seed=6)
    assert np.array_equal(x, again)
    assert not np.array_equal(x, other)


def test_no_sample_is_on_both_sides():
    (x, _), (x_test, _) = digits.load_data(0.3)
    rows = {image.tobytes() for image in x} & {image.tobytes() for image in x_test}
    everything = np.concatenate([x, x_test])
    repeated = len(everything) - len(np.unique(everything, axis=0))
    assert len(rows) <= repeated


def test_a_wrong_fraction_is_refused():
    with pytest.raises(ValueError, match="test_fraction from 0 to below 1"):
        digits.load_data(1.0)
