"""Noise: it is there in training alone, and has the right size."""
import numpy as np
import pytest

from symk import backend as K
from symk.layers import (AlphaDropout, GaussianDropout, GaussianNoise, Input, SpatialDropout1D,
                         SpatialDropout2D, SpatialDropout3D)


def in_training(layer, data):
    x = Input(batch_shape=(None,) + data.shape[1:])
    return K.function([x, K.learning_phase()], [layer(x)])([data, 1])[0]


@pytest.mark.parametrize("layer", [GaussianNoise(0.3), GaussianDropout(0.2), AlphaDropout(0.2)],
                         ids=lambda layer: type(layer).__name__)
def test_nothing_happens_in_testing(layer_test, layer):
    layer_test(layer, (3, 4), lambda x: x, True)


def test_gaussian_noise():
    noise = in_training(GaussianNoise(0.5), np.ones((100, 200))) - 1
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 0.5) < 0.02


def test_gaussian_dropout():
    values = in_training(GaussianDropout(0.2), np.ones((100, 200)))
    assert abs(values.mean() - 1) < 0.02
    assert abs(values.std() - 0.5) < 0.02


def test_alpha_dropout_keeps_mean_and_variance():
    data = np.random.normal(size=(200, 300)).astype("float32")
    values = in_training(AlphaDropout(0.3), data)
    assert abs(values.mean() - data.mean()) < 0.05
    assert abs(values.std() - data.std()) < 0.05


@pytest.mark.parametrize("cls, shape", [(SpatialDropout1D, (20, 5, 30)),
                                        (SpatialDropout2D, (20, 3, 4, 30)),
                                        (SpatialDropout3D, (20, 2, 3, 2, 30))])
def test_whole_channels_are_dropped(cls, shape):
    values = in_training(cls(0.5), np.ones(shape))
    flat = values.reshape(20, -1, 30)
    assert (flat == flat[:, :1]).all()
    assert 0.35 < (flat == 0).mean() < 0.65


def test_channels_may_come_first():
    values = in_training(SpatialDropout2D(0.5, data_format="channels_first"), np.ones((8, 6, 3, 4)))
    assert (values == values[:, :, :1, :1]).all()


def test_a_rate_of_one_is_refused():
    with pytest.raises(ValueError, match="rate from 0 to below 1"):
        GaussianDropout(1.0)
