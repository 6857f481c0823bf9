"""The names and arguments of Keras 1 mean what their successors mean."""
import numpy as np
import pytest

from symk import backend as K
from symk.backend import common
from symk.graph import GraphError, ShapeError

X = np.random.RandomState(0).normal(size=(2, 5, 6, 3)).astype("float32")
KERNEL = np.random.RandomState(1).normal(size=(3, 3, 3, 4)).astype("float32")
FIRST = X.transpose(0, 3, 1, 2)
TH_KERNEL = KERNEL.transpose(3, 2, 0, 1)


def same(a, b):
    np.testing.assert_allclose(K.eval(a), K.eval(b), rtol=1e-5, atol=1e-6)


def test_convolution_of_images():
    new = K.conv2d(X, KERNEL, padding="same", dilation_rate=(2, 2))
    same(K.conv2d(X, KERNEL, border_mode="same", dim_ordering="tf", filter_dilation=(2, 2),
                  image_shape=(None, 5, 6, 3), filter_shape=(3, 3, 3, 4)), new)
    same(K.atrous_conv2d(X, KERNEL, rate=2, border_mode="same"), new)
    same(K.conv2d(FIRST, TH_KERNEL, border_mode="same", dim_ordering="th",
                  filter_dilation=(2, 2)), K.permute_dimensions(new, (0, 3, 1, 2)))


def test_the_shapes_that_were_told_are_compared():
    with pytest.raises(ShapeError, match="filter_shape must be the shape of the tensor"):
        K.conv2d(X, KERNEL, filter_shape=(4, 3, 3, 3))
    with pytest.raises(ShapeError, match="image_shape"):
        K.deconv2d(X, KERNEL, (2, 5, 6, 4), image_shape=(2, 3, 5, 6))


def test_transposed_convolution_takes_kernels_as_convolution_does():
    kernel = KERNEL.transpose(0, 1, 3, 2)
    new = K.conv2d_transpose(X, kernel, (2, 10, 12, 4), (2, 2), "same")
    same(K.deconv2d(X, KERNEL, (2, 10, 12, 4), (2, 2), "same"), new)
    same(K.deconv2d(FIRST, TH_KERNEL, (2, 4, 10, 12), (2, 2), "same", "th"),
         K.permute_dimensions(new, (0, 3, 1, 2)))


def test_convolution_of_volumes_and_sequences():
    volumes = np.random.RandomState(2).normal(size=(1, 3, 4, 5, 2)).astype("float32")
    kernel = np.random.RandomState(3).normal(size=(2, 2, 2, 2, 3)).astype("float32")
    new = K.conv3d(volumes, kernel)
    same(K.conv3d(volumes.transpose(0, 4, 1, 2, 3), kernel.transpose(4, 3, 0, 1, 2),
                  border_mode="valid", dim_ordering="th"),
         K.permute_dimensions(new, (0, 4, 1, 2, 3)))
    steps, line = X[:, 0], KERNEL[0]
    same(K.conv1d(steps, line, stride=2, border_mode="same"),
         K.conv1d(steps, line, strides=2, padding="same"))


def test_pooling_and_resizing():
    same(K.pool2d(FIRST, (2, 2), border_mode="same", dim_ordering="th", pool_mode="avg"),
         K.pool2d(FIRST, (2, 2), padding="same", data_format="channels_first", pool_mode="avg"))
    same(K.resize_images(FIRST, 2, 3, "th"), K.resize_images(FIRST, 2, 3, "channels_first"))
    same(K.resize_images(X=X, height_factor=2, width_factor=1, dim_ordering="default"),
         K.resize_images(X, 2, 1, "channels_last"))


def test_padding_by_single_numbers():
    same(K.spatial_2d_padding(X, padding=(1, 2), dim_ordering="tf"),
         K.spatial_2d_padding(X, ((1, 1), (2, 2))))
    same(K.temporal_padding(X[0], padding=2), K.temporal_padding(X[0], (2, 2)))
    same(K.spatial_3d_padding(X[None], (1, 0, 2)),
         K.spatial_3d_padding(X[None], ((1, 1), (0, 0), (2, 2))))
    same(K.asymmetric_temporal_padding(X[0], 1, 2), K.temporal_padding(X[0], (1, 2)))
    same(K.asymmetric_spatial_2d_padding(FIRST, 1, 0, 2, 0, dim_ordering="th"),
         K.spatial_2d_padding(FIRST, ((1, 0), (2, 0)), "channels_first"))


def test_renamed_functions_and_arguments():
    a, b = K.constant([1.0, 2.0]), K.constant([2.0, 2.0])
    assert K.eval(K.lesser(a, b)).tolist() == [True, False]
    assert K.eval(K.lesser_equal(a, b)).tolist() == [True, True]
    same(K.pack([a, b]), K.stack([a, b]))
    assert K.get_variable_shape(a) == (2,)
    assert K.int_shape(K.expand_dims(a, dim=0)) == (1, 2)
    assert K.int_shape(K.one_hot(np.array([0, 2]), nb_classes=3)) == (2, 3)
    same(K.random_uniform((3,), low=2.0, high=3.0, seed=1),
         K.random_uniform((3,), 2.0, 3.0, seed=1))
    same(K.random_normal((3,), std=2.0, seed=1), K.random_normal((3,), stddev=2.0, seed=1))
    v = K.variable([1.0])
    assert K.batch_get_value(xs=[v])[0].tolist() == [1.0]
    assert K.moving_average_update(variable=v, value=K.constant([2.0]), momentum=0.5)[0] is v


def test_an_argument_under_both_names_is_refused():
    with pytest.raises(GraphError, match="border_mode and padding, which mean the same"):
        K.conv2d(X, KERNEL, padding="same", border_mode="same")
    with pytest.raises(TypeError):
        K.conv2d(X, KERNEL, nothing=1)


def test_the_order_of_weights_is_that_of_keras_2():
    assert K.legacy_weight_ordering() is False
    K.set_legacy_weight_ordering(False)
    with pytest.raises(GraphError, match="order of Keras 2"):
        K.set_legacy_weight_ordering(True)


def test_dim_ordering():
    try:
        common.set_image_dim_ordering("th")
        assert K.image_data_format() == "channels_first" and common.image_dim_ordering() == "th"
        same(K.spatial_2d_padding(FIRST, (1, 1), dim_ordering="default"),
             K.spatial_2d_padding(FIRST, ((1, 1), (1, 1)), "channels_first"))
    finally:
        common.set_image_dim_ordering("tf")
    with pytest.raises(ValueError, match="'tf' or 'th'"):
        common.set_image_dim_ordering("channels_last")
    assert not hasattr(K, "image_dim_ordering"), "scripts tell Keras 1 by it"
