"""Layers of any network."""
import numpy as np
import pytest

from symk import backend as K
from symk.layers import (Activation, ActivityRegularization, Dense, Dropout, Flatten,
                         GlobalAveragePooling1D, Input, Masking, Permute, RepeatVector, Reshape)
from symk.models import Model, Sequential


def test_dense(layer_test):
    layer_test(Dense(3), (4, 5))
    layer_test(Dense(3, activation="relu", use_bias=False), (4, 2, 5))


def test_dense_is_a_product_and_a_bias():
    model = Sequential([Dense(2, input_shape=(3,))])
    kernel, bias = np.arange(6.0).reshape(3, 2), np.array([1.0, -1.0])
    model.set_weights([kernel, bias])
    x = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(model.predict(x), x @ kernel + bias)


def test_dense_takes_its_input_size_as_keras_1_did():
    assert Dense(2, input_dim=3).batch_input_shape == (None, 3)


def test_dense_with_penalties_and_constraints(layer_test):
    layer = Dense(3, kernel_regularizer="l2", bias_regularizer="l1", kernel_constraint="max_norm",
                  bias_constraint="non_neg")
    layer_test(layer, (4, 5), training_changes_values=True)
    assert len(layer.losses) == 2


def test_activation(layer_test):
    layer_test(Activation("tanh"), (2, 3, 4), expected=np.tanh)


def test_dropout_does_nothing_in_prediction(layer_test):
    layer_test(Dropout(0.5), (3, 4), expected=lambda x: x, training_changes_values=True)


def test_dropout_keeps_the_mean_in_training():
    x = Input(batch_shape=(None, 1000))
    y = Dropout(0.25, seed=3)(x)
    values = K.function([x, K.learning_phase()], [y])([np.ones((50, 1000)), 1])[0]
    assert abs(values.mean() - 1) < 0.02
    assert abs((values == 0).mean() - 0.25) < 0.02
    assert set(np.unique(values)) <= {np.float32(0), np.float32(1 / 0.75)}


def test_dropout_shares_its_mask_along_axes_of_size_one():
    x = Input(batch_shape=(None, 6, 5))
    y = Dropout(0.5, noise_shape=(None, 1, 5))(x)
    values = K.function([x, K.learning_phase()], [y])([np.ones((8, 6, 5)), 1])[0]
    assert (values == values[:, :1]).all()


def test_dropout_refuses_a_rate_above_one():
    with pytest.raises(ValueError, match="rate from 0 to 1"):
        Dropout(1.5)


def test_flatten(layer_test):
    layer_test(Flatten(), (2, 3, 4, 5), expected=lambda x: x.reshape(2, 60))
    layer_test(Flatten(data_format="channels_first"), (2, 3, 4, 5),
               expected=lambda x: x.transpose(0, 2, 3, 1).reshape(2, 60))


def test_reshape(layer_test):
    layer_test(Reshape((6, 2)), (3, 3, 4), expected=lambda x: x.reshape(3, 6, 2))
    layer_test(Reshape((-1, 2)), (3, 3, 4), expected=lambda x: x.reshape(3, 6, 2))


def test_reshape_with_an_unknown_size():
    layer = Reshape((-1, 2))
    x = Input(shape=(None, 4))
    model = Model(x, layer(x))
    assert model.output_shape == (None, None, 2)
    assert model.predict(np.zeros((3, 5, 4))).shape == (3, 10, 2)


@pytest.mark.parametrize("target", [(5,), (-1, 3), (2, 2)])
def test_reshape_says_that_the_number_of_elements_must_stay(target):
    with pytest.raises(ValueError, match='layer "r" .*number of elements must stay'):
        Reshape(target, name="r")(Input(shape=(4, 2)))


def test_permute(layer_test):
    layer_test(Permute((2, 1)), (2, 3, 4), expected=lambda x: x.transpose(0, 2, 1))


def test_permute_refuses_what_is_no_order():
    with pytest.raises(ValueError, match="each of the numbers"):
        Permute((1, 1))


def test_repeat_vector(layer_test):
    layer_test(RepeatVector(3), (2, 4), expected=lambda x: np.repeat(x[:, None], 3, axis=1))


def test_masking_sets_steps_to_zero_and_makes_a_mask():
    x = Input(shape=(3, 2))
    layer = Masking(1.0)
    y = layer(x)
    data = np.array([[[1, 1], [1, 2], [3, 1]]])
    values, mask = K.function([x], [y, K.cast(layer.output_mask, "float32")])([data])
    np.testing.assert_array_equal(values, [[[0, 0], [1, 2], [3, 1]]])
    np.testing.assert_array_equal(mask, [[0, 1, 1]])


def test_a_mask_is_refused_by_a_layer_that_takes_none():
    masked = Masking(name="steps")(Input(shape=(3, 2)))
    with pytest.raises(TypeError, match='layer "flat" .*takes no mask.*"steps"'):
        Flatten(name="flat")(masked)


def test_activity_regularization_adds_to_the_loss():
    model = Sequential([ActivityRegularization(l1=0.5, l2=2.0, input_shape=(2,))])
    model.compile("sgd", "mse")
    x = np.array([[1.0, -2.0]])
    assert model.test_on_batch(x, x) == pytest.approx(0.5 * 3 + 2.0 * 5)


@pytest.mark.parametrize("units", [0, -1, 2.5, "many", None, True])
def test_units_must_be_a_positive_integer(units):
    with pytest.raises(ValueError, match="units"):
        Dense(units)


def test_mean_over_steps_leaves_masked_ones_out():
    x = Input(shape=(3, 2))
    model = Model(x, GlobalAveragePooling1D()(Masking()(x)))
    data = np.array([[[1, 2], [3, 4], [0, 0]]])
    np.testing.assert_allclose(model.predict(data), [[2, 3]])
