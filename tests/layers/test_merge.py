"""Layers of several inputs."""
import json

import numpy as np
import pytest

from symk import backend as K
from symk import layers
from symk.layers import Input, Masking
from symk.models import Model

MEANINGS = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply,
            "average": lambda a, b: (a + b) / 2, "maximum": np.maximum, "minimum": np.minimum,
            "concatenate": lambda a, b: np.concatenate([a, b], axis=-1)}


@pytest.mark.parametrize("name", MEANINGS)
def test_merging_two(name):
    a, b = Input(shape=(3, 4)), Input(shape=(3, 4))
    model = Model([a, b], getattr(layers, name)([a, b]))
    x, y = np.random.normal(size=(2, 5, 3, 4)).astype("float32")
    np.testing.assert_allclose(model.predict([x, y]), MEANINGS[name](x, y), rtol=1e-6)
    again = Model.from_config(json.loads(json.dumps(model.get_config())))
    np.testing.assert_array_equal(again.predict([x, y]), model.predict([x, y]))


@pytest.mark.parametrize("name", sorted(set(MEANINGS) - {"subtract"}))
def test_merging_three(name):
    inputs = [Input(shape=(2,)) for _ in range(3)]
    model = Model(inputs, getattr(layers, name)(inputs))
    data = [np.full((1, 2), value, "float32") for value in (1, 2, 6)]
    expected = {"add": 9, "multiply": 12, "average": 3, "maximum": 6, "minimum": 1}.get(name)
    values = model.predict(data)
    np.testing.assert_allclose(values, [[1, 1, 2, 2, 6, 6]] if expected is None
                               else [[expected] * 2])


def test_sizes_of_one_are_repeated():
    a, b = Input(shape=(3, 4)), Input(shape=(1, 4))
    model = Model([a, b], layers.add([a, b]))
    x, y = np.ones((2, 3, 4)), np.full((2, 1, 4), 2.0)
    assert (model.predict([x, y]) == 3).all()


def test_fewer_axes_get_new_ones_after_the_batch():
    a, b = Input(shape=(3, 4)), Input(shape=(4,))
    model = Model([a, b], layers.multiply([a, b]))
    x, y = np.random.normal(size=(2, 3, 4)), np.random.normal(size=(2, 4))
    np.testing.assert_allclose(model.predict([x, y]), x * y[:, None], rtol=1e-5)


def test_gradients_reach_all_inputs():
    a, b = Input(shape=(3,)), Input(shape=(3,))
    y = layers.multiply([a, b])
    grads = K.function([a, b], K.gradients(K.sum(y), [a, b]))
    x, z = np.random.normal(size=(2, 4, 3)).astype("float32")
    np.testing.assert_allclose(grads([x, z]), [z, x])


def test_a_mask_is_true_where_all_are():
    a, b = Input(shape=(2, 1)), Input(shape=(2, 1))
    y = layers.add([Masking()(a), Masking()(b)])
    mask = y._keras_history.layer.output_mask
    values = K.function([a, b], [K.cast(mask, "float32")])(
        [np.array([[[1.0], [0.0]]]), np.array([[[1.0], [1.0]]])])[0]
    np.testing.assert_array_equal(values, [[1, 0]])


@pytest.mark.parametrize("name, shapes", [
    ("add", [(3,), (4,)]), ("multiply", [(2, 3), (4, 3)]), ("concatenate", [(3, 2), (4, 2)])])
def test_shapes_that_do_not_fit_are_refused(name, shapes):
    with pytest.raises(ValueError, match="required.*; the shapes"):
        getattr(layers, name)([Input(shape=shape) for shape in shapes])


def test_one_input_is_too_few():
    with pytest.raises(ValueError, match="list of at least 2 tensors"):
        layers.add([Input(shape=(2,))])


def test_subtract_takes_two():
    with pytest.raises(ValueError, match="list of 2 tensors"):
        layers.subtract([Input(shape=(2,)) for _ in range(3)])


@pytest.mark.parametrize("layer", [layers.Add(), layers.Concatenate()])
def test_masks_are_one_for_each_input(layer):
    one, other = Input((2, 3)), Input((2, 3))
    for inputs, mask in ([one, other], [None]), (one, [None]), ([one, other], np.ones((2, 2))):
        with pytest.raises(ValueError, match="a list with a mask or None for each input"):
            layer.compute_mask(inputs, mask)
    assert layer.compute_mask([one, other], [None, None]) is None
