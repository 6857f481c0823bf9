"""Regularizers: penalties, gradients and configs."""
import numpy as np
import pytest

from symk import backend as K
from symk import regularizers

W = np.array([[1.0, -2.0], [0.0, 3.0]], "float32")


@pytest.mark.parametrize("one, expected, gradient", [
    (regularizers.l1(0.5), 3.0, 0.5 * np.sign(W)),
    (regularizers.l2(0.5), 7.0, W),
    (regularizers.l1_l2(0.1, 0.5), 7.6, 0.1 * np.sign(W) + W)])
def test_penalties(one, expected, gradient):
    w = K.variable(W)
    penalty = one(w)
    np.testing.assert_allclose(K.eval(penalty), expected, rtol=1e-6)
    np.testing.assert_allclose(K.eval(K.gradients(penalty, w)[0]), gradient, rtol=1e-6)
    again = regularizers.deserialize(regularizers.serialize(one))
    assert again.get_config() == one.get_config()


def test_names_and_defaults():
    assert regularizers.get("l2").get_config()["l2"] == pytest.approx(0.01)
    assert regularizers.get("l1_l2").get_config() == regularizers.l1_l2().get_config()
    assert regularizers.get(None) is None
    assert regularizers.L1L2()(K.variable(W)) == 0.0
    with pytest.raises(ValueError, match="known regularizer is required"):
        regularizers.get("l3")
