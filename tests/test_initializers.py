"""Initializers: distributions, seeds, structure and configs."""
import numpy as np
import pytest

from symk import backend as K
from symk import initializers


@pytest.mark.parametrize("name, scale, fan", [
    ("lecun_uniform", 1.0, 30), ("glorot_uniform", 1.0, 65), ("he_uniform", 2.0, 30),
    ("lecun_normal", 1.0, 30), ("glorot_normal", 1.0, 65), ("he_normal", 2.0, 30)])
def test_variance_follows_the_fans(name, scale, fan):
    values = initializers.get(name)((3, 10, 1000))[:, :, :100]
    fan = {30: 30, 65: (30 + 3000) / 2}[fan]
    assert values.dtype == "float32"
    assert abs(values.var() / (scale / fan) - 1) < 0.06
    assert abs(values.mean()) < 3 * np.sqrt(scale / fan / values.size)


def test_uniform_and_truncated_values_stay_inside():
    limit = np.sqrt(3.0 / 20)
    assert np.abs(initializers.lecun_uniform()((20, 500))).max() <= limit
    assert np.abs(initializers.TruncatedNormal(1.0, 0.5)((20, 500)) - 1.0).max() <= 1.0
    values = initializers.RandomUniform(2.0, 3.0)((20, 500))
    assert values.min() >= 2.0 and values.max() <= 3.0


def test_a_seed_repeats_the_stream_and_each_call_draws_anew():
    first, again = initializers.RandomNormal(seed=3), initializers.RandomNormal(seed=3)
    one, two = first((5, 5)), first((5, 5))
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(again((5, 5)), one)
    np.testing.assert_array_equal(again((5, 5)), two)


def test_without_a_seed_numpys_stream_is_used():
    np.random.seed(1)
    one = initializers.glorot_uniform()((4, 4))
    np.random.seed(1)
    np.testing.assert_array_equal(initializers.glorot_uniform()((4, 4)), one)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3, 2, 5)])
def test_orthogonal(shape):
    values = initializers.Orthogonal(gain=2.0)(shape).reshape(-1, shape[-1]) / 2.0
    product = values @ values.T if values.shape[0] < values.shape[1] else values.T @ values
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-5)


def test_constants():
    np.testing.assert_array_equal(initializers.get("identity")((2, 3)), np.eye(2, 3))
    np.testing.assert_array_equal(initializers.Constant([1, 2])((3, 2)), [[1, 2]] * 3)
    assert initializers.get("ones")((2,), dtype="int32").tolist() == [1, 1]
    assert initializers.get("zeros")((2,)).tolist() == [0.0, 0.0]
    K.set_floatx("float64")
    assert initializers.get("normal")((2,)).dtype == "float64"


@pytest.mark.parametrize("one", [
    initializers.Zeros(), initializers.Ones(), initializers.Constant(3.0),
    initializers.RandomNormal(1.0, 2.0, 3), initializers.RandomUniform(1.0, 2.0, 3),
    initializers.TruncatedNormal(1.0, 2.0, 3), initializers.he_normal(4),
    initializers.Orthogonal(2.0, 3), initializers.Identity(2.0)])
def test_configs_make_the_same_again(one):
    again = initializers.deserialize(initializers.serialize(one))
    assert type(again) is type(one) and again.get_config() == one.get_config()
    np.testing.assert_array_equal(again((3, 3)), one((3, 3)))


def test_names_callables_and_none():
    assert isinstance(initializers.get("random_uniform"), initializers.RandomUniform)
    assert isinstance(initializers.get({"class_name": "uniform", "config": {}}),
                      initializers.RandomUniform)
    assert initializers.get(None) is None
    assert initializers.get(np.zeros) is np.zeros


@pytest.mark.parametrize("make, message", [
    (lambda: initializers.Orthogonal()((3,)), "two axes or more"),
    (lambda: initializers.Identity()((3,)), "two axes is required"),
    (lambda: initializers.glorot_uniform()((None, 3)), "all sizes of the shape must be integers"),
    (lambda: initializers.VarianceScaling(scale=0.0), "scale must be positive"),
    (lambda: initializers.VarianceScaling(mode="fan"), "mode must be"),
    (lambda: initializers.VarianceScaling(distribution="cauchy"), "distribution must be"),
    (lambda: initializers.get("glorot"), "'glorot' was given. Known names close to it")])
def test_mistakes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_configs_of_tf_keras_are_read():
    made = initializers.get({"class_name": "GlorotUniform", "config": {"seed": 3}})
    assert made.get_config() == initializers.glorot_uniform(3).get_config()
    made = initializers.get({"class_name": "Zeros", "config": {"dtype": "float32"}})
    assert isinstance(made, initializers.Zeros)
