"""NASNet-A, found by a search over architectures (Zoph et al. 2017, arXiv:1707.07012)."""
from .. import backend as K
from ..layers import (Activation, AveragePooling2D, BatchNormalization, Conv2D, Cropping2D,
                      MaxPooling2D, SeparableConv2D, ZeroPadding2D, add, concatenate)
from .common import Builder, WeightsFile, channel_axis
from .imagenet_utils import decode_predictions
from .imagenet_utils import preprocess_input as _preprocess_input

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

_BASE = "https://github.com/titu1994/Keras-NASNet/releases/download/v1.2/"
_LARGE = WeightsFile(_BASE + "NASNet-large.h5", "11577c9a518f0070763c2b964a382f17",
                     _BASE + "NASNet-large-no-top.h5", "d81d89dc07e6e56530c4e77faddd61b5")
_MOBILE = WeightsFile(_BASE + "NASNet-mobile.h5", "020fb642bf7360b370c678b08e0adf61",
                      _BASE + "NASNet-mobile-no-top.h5", "1ed92395b5b598bdda52abe5c0dbfd63")


def NASNetLarge(input_shape=None, include_top=True, weights="imagenet", input_tensor=None,
                pooling=None, classes=1000, **kwargs):
    """NASNet-A (6 @ 4032); images of 331x331, at least 32x32.

    Args:     see `common.Builder`.
    """
    builder = Builder("NASNetLarge", include_top, weights, input_tensor, input_shape, pooling,
                      classes, kwargs, default_size=331, min_size=32)
    return _nasnet(builder, 4032, 6, 96, True, _LARGE)


def NASNetMobile(input_shape=None, include_top=True, weights="imagenet", input_tensor=None,
                 pooling=None, classes=1000, **kwargs):
    """NASNet-A (4 @ 1056); images of 224x224, at least 32x32.

    Args:     see `common.Builder`.
    """
    builder = Builder("NASNetMobile", include_top, weights, input_tensor, input_shape, pooling,
                      classes, kwargs, default_size=224, min_size=32)
    return _nasnet(builder, 1056, 4, 32, False, _MOBILE)


def _nasnet(builder, last_filters, depth, stem_filters, skip_reduction, official):
    """Three stacks of normal cells with reduction cells before and between.

    Args:     skip_reduction: whether a stack also sees what was before the reduction.
    """
    filters = last_filters // 24
    x = Conv2D(stem_filters, 3, strides=2, use_bias=False, kernel_initializer="he_normal",
               name="stem_conv1")(builder.inputs)
    x = _norm(x, "stem_bn1")
    x, before = _reduction_cell(x, None, filters // 4, "stem_1")
    x, before = _reduction_cell(x, before, filters // 2, "stem_2")
    for stack in range(3):
        if stack:
            x, reduced_from = _reduction_cell(x, before, filters << stack,
                                              "reduce_%d" % (stack * depth))
            before = before if skip_reduction else reduced_from
        for number in range(depth):
            x, before = _normal_cell(x, before, filters << stack,
                                     str(stack * depth + min(stack, 1) + number))
    x = Activation("relu")(x)
    return builder.model(builder.classifier(x, pool_name=None), "NASNet", official)


def _norm(x, name):
    return BatchNormalization(axis=channel_axis(), momentum=0.9997, epsilon=1e-3, name=name)(x)


def _conv(x, filters, name):
    return Conv2D(filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal",
                  name=name)(x)


def _separable(x, filters, kernel, name, strides=1):
    """Twice activation, separable convolution, normalisation; the stride in the first."""
    for number, stride in ((1, strides), (2, 1)):
        x = Activation("relu")(x)
        x = SeparableConv2D(filters, kernel, strides=stride, padding="same", use_bias=False,
                            depthwise_initializer="he_normal", pointwise_initializer="he_normal",
                            name="separable_conv_%d_%s" % (number, name))(x)
        x = _norm(x, "separable_conv_%d_bn_%s" % (number, name))
    return x


def _average(x, name, strides=1):
    return AveragePooling2D(3, strides=strides, padding="same", name=name)(x)


def _adjusted(before, x, filters, name):
    """What was before x, with its rows, columns and `filters` channels."""
    if before is None:
        return x
    rows = 2 if K.image_data_format() == "channels_first" else 1
    if K.int_shape(before)[rows] != K.int_shape(x)[rows]:
        before = Activation("relu", name="adjust_relu_1_" + name)(before)
        shifted = ZeroPadding2D(((0, 1), (0, 1)))(before)
        shifted = Cropping2D(((1, 0), (1, 0)))(shifted)
        halves = []
        for number, source in ((1, before), (2, shifted)):
            half = AveragePooling2D(1, strides=2, name="adjust_avg_pool_%d_%s" % (number, name))(
                source)
            halves.append(_conv(half, filters // 2, "adjust_conv_%d_%s" % (number, name)))
        return _norm(concatenate(halves, axis=channel_axis()), "adjust_bn_" + name)
    if K.int_shape(before)[channel_axis()] != filters:
        before = Activation("relu")(before)
        before = _conv(before, filters, "adjust_conv_projection_" + name)
        return _norm(before, "adjust_bn_" + name)
    return before


def _squeezed(x, filters, kind, name):
    x = _conv(Activation("relu")(x), filters, "%s_conv_1_%s" % (kind, name))
    return _norm(x, "%s_bn_1_%s" % (kind, name))


def _normal_cell(x, before, filters, name):
    """A cell that keeps the size (figure 4, left). Returns its output and x."""
    p = _adjusted(before, x, filters, name)
    h = _squeezed(x, filters, "normal", name)
    one = add([_separable(h, filters, 5, "normal_left1_" + name),
               _separable(p, filters, 3, "normal_right1_" + name)], name="normal_add_1_" + name)
    two = add([_separable(p, filters, 5, "normal_left2_" + name),
               _separable(p, filters, 3, "normal_right2_" + name)], name="normal_add_2_" + name)
    three = add([_average(h, "normal_left3_" + name), p], name="normal_add_3_" + name)
    four = add([_average(p, "normal_left4_" + name), _average(p, "normal_right4_" + name)],
               name="normal_add_4_" + name)
    five = add([_separable(h, filters, 3, "normal_left5_" + name), h], name="normal_add_5_" + name)
    return concatenate([p, one, two, three, four, five], axis=channel_axis(),
                       name="normal_concat_" + name), x


def _reduction_cell(x, before, filters, name):
    """A cell that halves rows and columns (figure 4, right). Returns its output and x."""
    p = _adjusted(before, x, filters, name)
    h = _squeezed(x, filters, "reduction", name)

    def largest(name):
        return MaxPooling2D(3, strides=2, padding="same", name=name)(h)

    one = add([_separable(h, filters, 5, "reduction_left1_" + name, 2),
               _separable(p, filters, 7, "reduction_right1_" + name, 2)],
              name="reduction_add_1_" + name)
    two = add([largest("reduction_left2_" + name),
               _separable(p, filters, 7, "reduction_right2_" + name, 2)],
              name="reduction_add_2_" + name)
    three = add([_average(h, "reduction_left3_" + name, 2),
                 _separable(p, filters, 5, "reduction_right3_" + name, 2)],
                name="reduction_add3_" + name)
    four = add([two, _average(one, "reduction_left4_" + name)])
    five = add([_separable(one, filters, 3, "reduction_left4_" + name),
                largest("reduction_right5_" + name)], name="reduction_add4_" + name)
    return concatenate([two, three, four, five], axis=channel_axis(),
                       name="reduction_concat_" + name), x


def preprocess_input(x, data_format=None, **kwargs):
    """Values from -1 to 1: see `imagenet_utils.preprocess_input`."""
    return _preprocess_input(x, data_format, mode="tf", **kwargs)
