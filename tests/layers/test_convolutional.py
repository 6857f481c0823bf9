"""Convolutions, pooling and padding of images, in both layouts."""
import numpy as np
import pytest

from symk.layers import (AveragePooling2D, Conv2D, GlobalAveragePooling2D, GlobalMaxPooling2D,
                         Input, MaxPooling2D, ZeroPadding2D)
from symk.models import Model

FORMATS = ("channels_last", "channels_first")


def image_shape(data_format, batch=2, rows=6, columns=7, channels=3):
    return ((batch, rows, columns, channels) if data_format == "channels_last"
            else (batch, channels, rows, columns))


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("options", [
    {}, {"padding": "same"}, {"strides": 2}, {"strides": (1, 2), "padding": "same"},
    {"dilation_rate": 2}, {"use_bias": False, "activation": "relu"}],
    ids=lambda options: "-".join(options) or "plain")
def test_conv2d(layer_test, data_format, options):
    layer_test(Conv2D(4, (3, 2), data_format=data_format, **options), image_shape(data_format))


def test_conv2d_is_a_sum_over_windows():
    x = np.random.uniform(-1, 1, (1, 4, 5, 2))
    kernel = np.random.uniform(-1, 1, (2, 3, 2, 1))
    start = Input(shape=(4, 5, 2))
    model = Model(start, Conv2D(1, (2, 3), use_bias=False)(start))
    model.set_weights([kernel])
    expected = [[(x[0, r:r + 2, c:c + 3] * kernel[..., 0]).sum() for c in range(3)]
                for r in range(3)]
    np.testing.assert_allclose(model.predict(x)[0, ..., 0], expected, rtol=1e-5)


def test_layouts_give_the_same_numbers():
    x = np.random.uniform(-1, 1, (2, 6, 7, 3))
    weights = None
    values = []
    for data_format in FORMATS:
        start = Input(shape=image_shape(data_format)[1:])
        y = Conv2D(4, 3, padding="same", data_format=data_format)(start)
        y = MaxPooling2D(data_format=data_format)(y)
        model = Model(start, y)
        weights = weights or model.get_weights()
        model.set_weights(weights)
        data = x if data_format == "channels_last" else x.transpose(0, 3, 1, 2)
        values.append(model.predict(data))
    np.testing.assert_allclose(values[0], values[1].transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("cls", [MaxPooling2D, AveragePooling2D])
@pytest.mark.parametrize("options", [{}, {"pool_size": 3, "strides": 1},
                                     {"padding": "same", "pool_size": (2, 3)}],
                         ids=lambda options: "-".join(options) or "plain")
def test_pooling(layer_test, cls, data_format, options):
    layer_test(cls(data_format=data_format, **options), image_shape(data_format),
               training_changes_values=True)


def test_pooling_of_two_by_two():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    start = Input(shape=(4, 4, 1))
    greatest, mean = Model(start, [MaxPooling2D()(start), AveragePooling2D()(start)]).predict(x)
    np.testing.assert_array_equal(greatest[0, ..., 0], [[5, 7], [13, 15]])
    np.testing.assert_array_equal(mean[0, ..., 0], [[2.5, 4.5], [10.5, 12.5]])


@pytest.mark.parametrize("data_format", FORMATS)
def test_global_pooling(layer_test, data_format):
    axes = (1, 2) if data_format == "channels_last" else (2, 3)
    layer_test(GlobalAveragePooling2D(data_format), image_shape(data_format),
               expected=lambda x: x.mean(axis=axes))
    layer_test(GlobalMaxPooling2D(data_format), image_shape(data_format),
               expected=lambda x: x.max(axis=axes), training_changes_values=True)


@pytest.mark.parametrize("padding, sides", [
    (1, ((1, 1), (1, 1))), ((1, 2), ((1, 1), (2, 2))), (((1, 0), (0, 2)), ((1, 0), (0, 2)))])
def test_zero_padding(layer_test, padding, sides):
    layer_test(ZeroPadding2D(padding), (2, 3, 4, 2),
               expected=lambda x: np.pad(x, ((0, 0),) + sides + ((0, 0),)))


@pytest.mark.parametrize("options, word", [
    ({"padding": "full"}, "padding"), ({"data_format": "rows"}, "channels_last"),
    ({"strides": 0}, "strides"), ({"kernel_size": (3, 3, 3)}, "kernel_size"),
    ({"strides": 2, "dilation_rate": 2}, "strides or dilation_rate")])
def test_wrong_arguments_are_named(options, word):
    with pytest.raises(ValueError, match=word):
        Conv2D(**dict({"filters": 2, "kernel_size": 3}, **options))


def test_a_wrong_number_of_axes_names_the_layer():
    with pytest.raises(ValueError, match=r'layer "conv" \(Conv2D\): .*4 axes are required.*'
                                         r"\(batch, 4, 4\) float32"):
        Conv2D(2, 3, name="conv")(Input(shape=(4, 4)))


def test_a_window_larger_than_the_image_names_the_layer():
    with pytest.raises(ValueError, match='layer "conv"'):
        Conv2D(2, 5, name="conv")(Input(shape=(4, 4, 1)))


def test_another_number_of_channels_is_refused():
    layer = Conv2D(2, 3, name="conv")
    layer(Input(shape=(4, 4, 1)))
    with pytest.raises(ValueError, match='layer "conv".*axis -1 must have the size 1'):
        layer(Input(shape=(4, 4, 3)))
