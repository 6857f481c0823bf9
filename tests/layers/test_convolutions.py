"""Convolutions, pooling and resizing of sequences and volumes, against sums over windows."""
import itertools

import numpy as np
import pytest

from symk import backend as K
from symk.layers import (AveragePooling1D, AveragePooling3D, Conv1D, Conv2D, Conv2DTranspose,
                         Conv3D, Conv3DTranspose, Cropping1D, Cropping2D, Cropping3D,
                         DepthwiseConv2D, GlobalAveragePooling3D, GlobalMaxPooling3D, Input,
                         LocallyConnected1D, LocallyConnected2D, MaxPooling1D, MaxPooling3D,
                         SeparableConv1D, SeparableConv2D, UpSampling1D, UpSampling2D,
                         UpSampling3D, ZeroPadding1D, ZeroPadding3D)
from symk.models import Model
from symk.utils.conv_utils import (conv_input_length, conv_output_length, convert_kernel,
                                   deconv_length, normalize_padding)


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(19)


def run(layer, values):
    """The output, and the weights, which are far from 0."""
    x = Input(values.shape[1:])
    model = Model(x, layer(x))
    layer.set_weights([np.random.uniform(-1, 1, w.shape) for w in layer.weights])
    return model.predict(values), layer.get_weights()


def data(*shape):
    return np.random.uniform(-1, 1, shape).astype("float32")


def windows(values, size, strides=None, dilation=None):
    """The windows of a tensor with channels last: (batch, *positions, *size, channels)."""
    rank = len(size)
    strides, dilation = strides or (1,) * rank, dilation or (1,) * rank
    counts = [(have - (want - 1) * rate - 1) // stride + 1 for have, want, stride, rate in zip(
        values.shape[1:-1], size, strides, dilation)]
    result = np.empty((len(values), *counts, *size, values.shape[-1]))
    for place in itertools.product(*map(range, counts)):
        region = tuple(slice(at * stride, at * stride + (want - 1) * rate + 1, rate)
                       for at, stride, want, rate in zip(place, strides, size, dilation))
        result[(slice(None),) + place] = values[(slice(None),) + region]
    return result


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


# ---- convolutions

@pytest.mark.parametrize("cls, shape, size", [
    (Conv1D, (2, 7, 3), (3,)), (Conv2D, (2, 6, 5, 3), (2, 3)),
    (Conv3D, (2, 4, 5, 3, 2), (2, 3, 2))])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("rate", [1, 2])
def test_a_convolution_is_a_sum_over_windows(cls, shape, size, step, rate):
    if step > 1 and rate > 1 or rate > 1 and shape[-2] < 5:
        size = size[:-1] + (1,)
        step = 1
    values = data(*shape)
    found, (kernel, bias) = run(cls(4, size, strides=step, dilation_rate=rate), values)
    rank = len(size)
    seen = windows(values, size, (step,) * rank, (rate,) * rank)
    close(found, np.tensordot(seen, kernel, axes=rank + 1) + bias)


def test_causal_padding_looks_back_only():
    values = data(2, 6, 3)
    layer = Conv1D(4, 3, padding="causal", dilation_rate=2)
    found, _ = run(layer, values)
    later = values.copy()
    later[:, 4:] += 1
    x = Input((6, 3))
    again = Model(x, layer(x)).predict(later)
    np.testing.assert_array_equal(found[:, :4], again[:, :4])
    assert np.abs(found[:, 4:] - again[:, 4:]).max() > 1e-3


@pytest.mark.parametrize("cls, convolution, shape, options", [
    (Conv2DTranspose, Conv2D, (2, 3, 4, 2), {"strides": 2}),
    (Conv2DTranspose, Conv2D, (2, 3, 4, 2), {"strides": 2, "padding": "same"}),
    (Conv2DTranspose, Conv2D, (2, 3, 4, 2), {"dilation_rate": 2}),
    (Conv3DTranspose, Conv3D, (2, 2, 3, 2, 2), {"strides": 2}),
    (Conv3DTranspose, Conv3D, (2, 2, 3, 2, 2), {"padding": "same"})])
def test_a_transposed_convolution_is_a_gradient(cls, convolution, shape, options):
    """sum(y * conv(x)) = sum(x * transposed(y)) for all x and y."""
    y = data(*shape)
    layer = cls(3, 2, use_bias=False, **options)
    found, (kernel,) = run(layer, y)
    x = data(*found.shape)
    start = Input(x.shape[1:])
    forward = convolution(shape[-1], 2, use_bias=False, **options)
    model = Model(start, forward(start))
    forward.set_weights([kernel])
    assert (model.predict(x) * y).sum() == pytest.approx((x * found).sum(), rel=1e-3)


@pytest.mark.parametrize("more, size", [(None, 6), (0, 5), (1, 6)])
def test_output_padding_says_the_size(more, size):
    layer = Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=more)
    assert K.int_shape(layer(Input((3, 3, 1))))[1:3] == (size, size)
    assert layer.compute_output_shape((None, 3, 3, 1)) == (None, size, size, 2)


def test_output_padding_must_be_below_strides():
    with pytest.raises(ValueError, match="output_padding must be less than strides"):
        Conv2DTranspose(2, 3, strides=2, output_padding=2)


def test_depthwise_works_on_each_channel():
    values = data(2, 5, 6, 3)
    found, (kernel, bias) = run(DepthwiseConv2D(2, depth_multiplier=2), values)
    seen = windows(values, (2, 2))
    close(found, np.einsum("byxrcd,rcdm->byxdm", seen, kernel).reshape(2, 4, 5, 6) + bias)


@pytest.mark.parametrize("cls, shape, size", [(SeparableConv1D, (2, 6, 3), (3,)),
                                              (SeparableConv2D, (2, 5, 6, 3), (2, 3))])
def test_separable_is_depthwise_then_pointwise(cls, shape, size):
    values = data(*shape)
    found, (depthwise, pointwise, bias) = run(cls(4, size, depth_multiplier=2), values)
    seen = windows(values, size)
    letters = "rc"[:len(size)]
    places = "yx"[:len(size)]
    middle = np.einsum("b%s%sd,%sdm->b%sdm" % (places, letters, letters, places), seen, depthwise)
    middle = middle.reshape(middle.shape[:-2] + (-1,))
    close(found, middle @ pointwise.reshape(pointwise.shape[-2:]) + bias)


@pytest.mark.parametrize("cls, shape, size", [(LocallyConnected1D, (2, 6, 3), (3,)),
                                              (LocallyConnected2D, (2, 5, 6, 3), (2, 3))])
def test_local_layers_have_a_kernel_for_each_position(cls, shape, size):
    values = data(*shape)
    found, (kernel, bias) = run(cls(4, size, strides=2), values)
    seen = windows(values, size, (2,) * len(size))
    rows = seen.reshape(2, kernel.shape[0], -1)
    expected = np.einsum("bpi,pio->bpo", rows, kernel)
    close(found, expected.reshape(found.shape) + bias)


@pytest.mark.parametrize("make, text", [
    (lambda: LocallyConnected1D(2, 3)(Input((None, 3))), "all sizes but the batch must be known"),
    (lambda: LocallyConnected1D(2, 9)(Input((5, 3))), "windows must fit"),
    (lambda: LocallyConnected2D(2, 3, padding="same"), "'valid' is required"),
    (lambda: Conv1D(2, 3, padding="reflect"), "'same', 'valid', 'causal'"),
    (lambda: Conv2D(2, 3, padding="causal"), "'same', 'valid' is required"),
    (lambda: Conv3D(2, 3)(Input((4, 4, 4))), "5 axes are required"),
    (lambda: SeparableConv2D(2, 3, depth_multiplier=0), "depth_multiplier"),
    (lambda: Conv2D(2, 3)(Input((4, 4, None))), "number of channels must be known"),
    (lambda: Conv2D.from_config(dict(Conv2D(2, 3).get_config(), groups=2)), "groups must be 1")])
def test_what_convolutions_refuse(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_configs_of_tf_keras():
    config = dict(SeparableConv2D(2, 3).get_config(), groups=1, kernel_initializer="zeros",
                  kernel_regularizer=None, kernel_constraint=None)
    assert SeparableConv2D.from_config(config).filters == 2
    config = dict(Conv3DTranspose(2, 3).get_config(), groups=1, dilation_rate=(1, 1, 1))
    assert Conv3DTranspose.from_config(config).filters == 2
    config = dict(LocallyConnected1D(2, 3).get_config(), implementation=1)
    assert LocallyConnected1D.from_config(config).filters == 2
    with pytest.raises(ValueError, match="implementation must be 1"):
        LocallyConnected1D.from_config(dict(config, implementation=2))
    config = dict(Conv3DTranspose(2, 3).get_config(), dilation_rate=(1, 1, 1))
    with pytest.raises(ValueError, match="dilation_rate must be 1"):
        Conv3DTranspose.from_config(dict(config, dilation_rate=(2, 2, 2)))


# ---- pooling

@pytest.mark.parametrize("cls, shape, size, reduce", [
    (MaxPooling1D, (2, 7, 3), (2,), np.max), (AveragePooling1D, (2, 7, 3), (3,), np.mean),
    (MaxPooling3D, (2, 4, 5, 6, 2), (2, 2, 3), np.max),
    (AveragePooling3D, (2, 4, 5, 6, 2), (2, 3, 2), np.mean)])
@pytest.mark.parametrize("step", [None, 1])
def test_pooling_reduces_windows(cls, shape, size, reduce, step):
    values, rank = data(*shape), len(size)
    found, _ = run(cls(size, strides=step), values)
    seen = windows(values, size, size if step is None else (step,) * rank)
    close(found, reduce(seen, axis=tuple(range(1 + rank, 1 + 2 * rank))))


@pytest.mark.parametrize("cls, shape, size", [(AveragePooling1D, (1, 5, 1), 2),
                                              (AveragePooling3D, (1, 3, 3, 3, 1), 2)])
def test_padding_does_not_count_in_means(cls, shape, size):
    found, _ = run(cls(size, padding="same"), np.ones(shape, "float32"))
    np.testing.assert_array_equal(found, 1)


def test_global_pooling_of_volumes():
    values = data(2, 3, 4, 5, 2)
    close(run(GlobalAveragePooling3D(), values)[0], values.mean(axis=(1, 2, 3)))
    close(run(GlobalMaxPooling3D(data_format="channels_first"), values)[0],
          values.max(axis=(2, 3, 4)))


# ---- padding, cropping, repeating

@pytest.mark.parametrize("padding, sides", [(2, (2, 2)), ((1, 2), (1, 2)), ([0, 3], (0, 3))])
def test_padding_and_cropping_of_sequences(padding, sides):
    values = data(2, 7, 3)
    close(run(ZeroPadding1D(padding), values)[0], np.pad(values, ((0, 0), sides, (0, 0))))
    close(run(Cropping1D(padding), values)[0], values[:, sides[0]:7 - sides[1]])


@pytest.mark.parametrize("data_format, first", [("channels_last", 1), ("channels_first", 2)])
def test_padding_and_cropping_of_volumes(data_format, first):
    values, sides = data(2, 4, 5, 6, 7), ((1, 0), (0, 2), (1, 1))
    whole = ((0, 0),) * first + sides + ((0, 0),) * (2 - first)
    close(run(ZeroPadding3D(sides, data_format), values)[0], np.pad(values, whole))
    kept = tuple(slice(before, size - after) for size, (before, after) in zip(values.shape, whole))
    close(run(Cropping3D(sides, data_format), values)[0], values[kept])


def test_cropping_of_images_of_any_size():
    x = Input((None, None, 2))
    y = Cropping2D(((1, 0), (2, 1)))(x)
    assert K.int_shape(y) == (None, None, None, 2)
    values = data(2, 5, 6, 2)
    np.testing.assert_array_equal(Model(x, y).predict(values), values[:, 1:, 2:5])


@pytest.mark.parametrize("make, text", [
    (lambda: Cropping1D((3, 2))(Input((5, 2))), "less than the input must be removed"),
    (lambda: Cropping2D((1, 2, 3)), "cropping"), (lambda: ZeroPadding1D((1, 2, 3)), "padding"),
    (lambda: ZeroPadding3D(-1), "padding"), (lambda: UpSampling1D(0), "size"),
    (lambda: UpSampling2D(interpolation="cubic"), "'nearest' or 'bilinear'")])
def test_what_resizing_refuses(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_up_sampling_repeats():
    close(run(UpSampling1D(2), np.arange(3.0).reshape(1, 3, 1))[0][0, :, 0], [0, 0, 1, 1, 2, 2])
    values = data(2, 3, 2, 2, 2)
    found, _ = run(UpSampling3D((2, 1, 3)), values)
    close(found, values.repeat(2, axis=1).repeat(3, axis=3))


# ---- sizes

@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize("window, step, rate", [(1, 1, 1), (2, 1, 1), (3, 2, 1), (2, 3, 1),
                                                (2, 1, 3)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_sizes_of_convolutions(size, window, step, rate, padding):
    layer = Conv1D(1, window, strides=step, padding=padding, dilation_rate=rate)
    count = K.int_shape(layer(Input((size, 1))))[1]
    assert conv_output_length(size, window, padding, step, rate) == count
    if padding == "valid" and rate == 1:
        smallest = conv_input_length(count, window, padding, step)
        assert smallest <= size < smallest + step
        assert deconv_length(count, step, window, padding, None) >= smallest


def test_sizes_that_are_unknown_stay_so():
    assert conv_output_length(None, 3, "valid", 1) is None
    assert conv_input_length(None, 3, "valid", 1) is None
    assert deconv_length(None, 2, 3, "same", None) is None
    assert conv_output_length(6, 3, "full", 1) == 8 and conv_output_length(6, 3, "causal", 2) == 3


def test_kernels_of_the_other_convention():
    kernel = data(2, 3, 4, 5)
    np.testing.assert_array_equal(convert_kernel(kernel), kernel[::-1, ::-1])
    with pytest.raises(ValueError, match="3 to 5 axes"):
        convert_kernel(data(2, 3))
    assert normalize_padding("SAME") == "same"
    with pytest.raises(ValueError, match="'valid', 'same' or 'causal'"):
        normalize_padding("full")
