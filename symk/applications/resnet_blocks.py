"""The blocks of ResNet, ResNetV2 and ResNeXt, and the model around them.

He et al. 2015 (arXiv:1512.03385) and 2016 (arXiv:1603.05027), Xie et al. 2016 (arXiv:1611.05431).
"""
from .. import backend as K
from ..layers import (Activation, Add, BatchNormalization, Conv2D, DepthwiseConv2D, Lambda,
                      MaxPooling2D, ZeroPadding2D)
from ..registry import register
from .common import Builder, WeightsFile, channel_axis

__all__ = ["basic_block", "preactivated_block", "grouped_block", "resnet"]

_BASE = "https://github.com/keras-team/keras-applications/releases/download/resnet/"
_HASHES = {
    "resnet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet50v2": ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152v2": ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
    "resnext50": ("67a5b30d522ed92f75a1f16eef299d1a", "62527c363bdd9ec598bed41947b379fc"),
    "resnext101": ("34fb605428fcc7aa4d62f44404c11509", "0f678c91647380debd923963594981b3"),
}
_GROUPS = 32


def _norm(x, name):
    return BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name=name)(x)


def _relu(x, name):
    return Activation("relu", name=name)(x)


def basic_block(x, filters, stride, widen, name):
    """Three convolutions and a shortcut; the normalisation after each convolution."""
    shortcut = x
    if widen:
        shortcut = Conv2D(4 * filters, 1, strides=stride, name=name + "_0_conv")(x)
        shortcut = _norm(shortcut, name + "_0_bn")
    x = Conv2D(filters, 1, strides=stride, name=name + "_1_conv")(x)
    x = _relu(_norm(x, name + "_1_bn"), name + "_1_relu")
    x = Conv2D(filters, 3, padding="same", name=name + "_2_conv")(x)
    x = _relu(_norm(x, name + "_2_bn"), name + "_2_relu")
    x = Conv2D(4 * filters, 1, name=name + "_3_conv")(x)
    x = Add(name=name + "_add")([shortcut, _norm(x, name + "_3_bn")])
    return _relu(x, name + "_out")


def preactivated_block(x, filters, stride, widen, name):
    """ResNetV2: normalisation and activation before each convolution."""
    ready = _relu(_norm(x, name + "_preact_bn"), name + "_preact_relu")
    if widen:
        shortcut = Conv2D(4 * filters, 1, strides=stride, name=name + "_0_conv")(ready)
    else:
        shortcut = MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = Conv2D(filters, 1, use_bias=False, name=name + "_1_conv")(ready)
    x = _relu(_norm(x, name + "_1_bn"), name + "_1_relu")
    x = ZeroPadding2D(1, name=name + "_2_pad")(x)
    x = Conv2D(filters, 3, strides=stride, use_bias=False, name=name + "_2_conv")(x)
    x = _relu(_norm(x, name + "_2_bn"), name + "_2_relu")
    x = Conv2D(4 * filters, 1, name=name + "_3_conv")(x)
    return Add(name=name + "_out")([shortcut, x])


def grouped_block(x, filters, stride, widen, name):
    """ResNeXt: the 3x3 convolution in 32 groups, as a depthwise one and a sum."""
    wide = 64 // _GROUPS * filters
    shortcut = x
    if widen:
        shortcut = Conv2D(wide, 1, strides=stride, use_bias=False, name=name + "_0_conv")(x)
        shortcut = _norm(shortcut, name + "_0_bn")
    x = Conv2D(filters, 1, use_bias=False, name=name + "_1_conv")(x)
    x = _relu(_norm(x, name + "_1_bn"), name + "_1_relu")
    width = filters // _GROUPS
    x = ZeroPadding2D(1, name=name + "_2_pad")(x)
    x = DepthwiseConv2D(3, strides=stride, depth_multiplier=width, use_bias=False,
                        name=name + "_2_conv")(x)
    x = Lambda(sum_in_groups, arguments={"width": width}, name=name + "_2_reduce")(x)
    x = _relu(_norm(x, name + "_2_bn"), name + "_2_relu")
    x = Conv2D(wide, 1, use_bias=False, name=name + "_3_conv")(x)
    x = Add(name=name + "_add")([shortcut, _norm(x, name + "_3_bn")])
    return _relu(x, name + "_out")


@register("function")
def sum_in_groups(x, width):
    """Sums, for each group, what its inputs gave to each of its outputs.

    Args:
        x: channels in the order (group, input, output), as a depthwise convolution gives them.
        width: inputs, and outputs, of a group.
    """
    if K.image_data_format() == "channels_first":
        return K.permute_dimensions(_summed(K.permute_dimensions(x, (0, 2, 3, 1)), width),
                                    (0, 3, 1, 2))
    return _summed(x, width)


def _summed(x, width):
    channels = K.int_shape(x)[-1]
    sizes = [K.shape(x)[axis] for axis in range(3)]
    parted = K.reshape(x, K.stack(sizes + [channels // width ** 2, width, width]))
    return K.reshape(K.sum(parted, axis=4), K.stack(sizes + [channels // width]))


def _stack(x, block, filters, depth, stride, stride_last, name):
    """Some blocks of one size; the first has the stride, or the last (ResNetV2)."""
    for number in range(1, depth + 1):
        at_stride = number == (depth if stride_last else 1)
        x = block(x, filters, stride if at_stride else 1, number == 1,
                  "%s_block%d" % (name, number))
    return x


def resnet(title, name, block, depths, arguments, filters=64, bias=True):
    """A model of four stacks of blocks.

    Args:
        title, name: of the function and of the model.
        block: one of the functions above.
        depths: the number of blocks in each stack.
        arguments: (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs).
        filters: of the first stack; each next has twice as many.
        bias: whether the first convolution has one.
    """
    builder = Builder(title, *arguments, default_size=224, min_size=32)
    version_2 = block is preactivated_block
    x = ZeroPadding2D(3, name="conv1_pad")(builder.inputs)
    x = Conv2D(64, 7, strides=2, use_bias=bias, name="conv1_conv")(x)
    if not version_2:
        x = _relu(_norm(x, "conv1_bn"), "conv1_relu")
    x = ZeroPadding2D(1, name="pool1_pad")(x)
    x = MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    strides = (2, 2, 2, 1) if version_2 else (1, 2, 2, 2)
    for number, (depth, stride) in enumerate(zip(depths, strides)):
        x = _stack(x, block, filters << number, depth, stride, version_2, "conv%d" % (number + 2))
    if version_2:
        x = _relu(_norm(x, "post_bn"), "post_relu")
    x = builder.classifier(x, name="probs", max_name="max_pool")
    stem = _BASE + name + "_weights_tf_dim_ordering_tf_kernels"
    with_top, without_top = _HASHES[name]
    return builder.model(x, name, WeightsFile(stem + ".h5", with_top, stem + "_notop.h5",
                                              without_top))
