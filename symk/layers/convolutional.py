"""Convolution layers of sequences, images and volumes. `resizing` has padding and cropping."""
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.conv_utils import conv_output_length, deconv_length, normalize_tuple
from .parametric import Parametric, with_sequence_shape
from .pooling import (AveragePooling1D, AveragePooling2D, AveragePooling3D, MaxPooling1D,
                      MaxPooling2D, MaxPooling3D)
from .resizing import (Cropping1D, Cropping2D, Cropping3D, UpSampling1D, UpSampling2D,
                       UpSampling3D, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D)

__all__ = ["AtrousConv1D", "AtrousConv2D", "AtrousConvolution1D", "AtrousConvolution2D",
           "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "Conv1D", "Conv2D",
           "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Convolution1D", "Convolution2D",
           "Convolution2DTranspose", "Convolution3D", "Cropping1D", "Cropping2D", "Cropping3D",
           "Deconv2D", "Deconv3D", "Deconvolution2D", "Deconvolution3D", "DepthwiseConv2D",
           "InputSpec", "Layer", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
           "SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D",
           "SeparableConvolution2D", "UpSampling1D", "UpSampling2D", "UpSampling3D",
           "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"]


class _Windowed(Parametric):
    """What all convolutions share: windows over `rank` axes, a bias and an activation.

    A subclass makes its kernels in `build_kernels` and uses them in `convolve`.
    """

    rank = None
    default_format = None       # None: the setting
    paddings = ("same", "valid")

    def __init__(self, kernel_size, strides, padding, data_format, dilation_rate, use_bias,
                 **kwargs):
        super().__init__(**with_sequence_shape(kwargs))
        self.kernel_size = normalize_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = normalize_tuple(strides, self.rank, "strides")
        self.padding = K.normalize_padding(padding, self.paddings)
        self.data_format = K.normalize_data_format(data_format or self.default_format)
        self.dilation_rate = normalize_tuple(dilation_rate, self.rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("[%s] strides or dilation_rate must be 1; strides=%s and "
                             "dilation_rate=%s were given."
                             % (type(self).__name__, self.strides, self.dilation_rate))
        self.use_bias = use_bias
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def channel_axis(self):
        return -1 if self.data_format == "channels_last" else 1

    def build(self, input_shape):
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise ValueError('in layer "%s" (%s): [build] the number of channels must be known; '
                             "the input has the shape %s, its axis %d is unknown."
                             % (self.name, type(self).__name__, input_shape, self.channel_axis))
        outputs = self.build_kernels(channels)
        self.bias = self._add("bias", (outputs,)) if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        self.built = True

    def build_kernels(self, channels):
        """Makes the kernels for a number of input channels; returns that of the output."""
        raise NotImplementedError

    def convolve(self, inputs):
        """The output before bias and activation."""
        raise NotImplementedError

    def call(self, inputs):
        outputs = self.convolve(inputs)
        if self.use_bias:
            outputs = K.bias_add(outputs, self.bias, data_format=self.data_format)
        return self.activation(outputs)

    def get_config(self):
        return dict(super().get_config(), kernel_size=self.kernel_size, strides=self.strides,
                    padding=self.padding, data_format=self.data_format,
                    dilation_rate=self.dilation_rate, use_bias=self.use_bias)

    @classmethod
    def from_config(cls, config):
        """Also from tf.keras, which writes a number of groups."""
        config = dict(config)
        if config.pop("groups", 1) != 1:
            raise ValueError('[%s] groups must be 1 in the config of "%s".'
                             % (cls.__name__, config.get("name")))
        return cls(**config)


class _Conv(_Windowed):
    """activation(convolution with a kernel + bias)."""

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None,
                 dilation_rate=1, activation=None, use_bias=True,
                 kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, use_bias,
                         **kwargs)
        self.filters = normalize_tuple(filters, 1, "filters")[0]
        self._keep(activation=activation, kernel_initializer=kernel_initializer,
                   bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
                   bias_regularizer=bias_regularizer, activity_regularizer=activity_regularizer,
                   kernel_constraint=kernel_constraint, bias_constraint=bias_constraint)

    def build_kernels(self, channels):
        self.kernel = self._add("kernel", self.kernel_size + (channels, self.filters))
        return self.filters

    def get_config(self):
        return dict(super().get_config(), filters=self.filters)


@register("layer")
class Conv1D(_Conv):
    """Convolution of sequences.

    # Arguments
        filters: number of output channels.
        kernel_size: number of steps of the window.
        strides: steps from one window to the next.
        padding: "valid"; "same" for ceil(steps / stride) outputs; or "causal", so that no output
            depends on later steps.
        data_format: "channels_last" (by default) or "channels_first".
        dilation_rate: distance of the window's points. Not with strides.
        activation, use_bias, and the initializers, regularizers, constraints: as in `Dense`.

    # Input shape
        `(batch, steps, channels)`.

    # Output shape
        `(batch, new_steps, filters)`.
    """

    rank = 1
    default_format = "channels_last"
    paddings = ("same", "valid", "causal")

    def convolve(self, inputs):
        return K.conv1d(inputs, self.kernel, self.strides[0], self.padding, self.data_format,
                        self.dilation_rate[0])


@register("layer")
class Conv2D(_Conv):
    """Convolution of images.

    # Arguments
        filters: number of output channels.
        kernel_size: integer or pair: height and width of the window.
        strides: integer or pair: steps of the window.
        padding: "valid", or "same" for ceil(size / stride) outputs.
        data_format: "channels_last", "channels_first" or None for the setting.
        dilation_rate: integer or pair: distance of the window's points. Not with strides.
        activation, use_bias, and the initializers, regularizers, constraints: as in `Dense`.

    # Input shape
        `(batch, rows, columns, channels)`, or `(batch, channels, rows, columns)`.

    # Output shape
        The same with `filters` channels.
    """

    rank = 2

    def convolve(self, inputs):
        return K.conv2d(inputs, self.kernel, self.strides, self.padding, self.data_format,
                        self.dilation_rate)


@register("layer")
class Conv3D(_Conv):
    """Convolution of volumes. Arguments as in `Conv2D`, with three sizes each.

    # Input shape
        `(batch, planes, rows, columns, channels)`, or with the channels after the batch.

    # Output shape
        The same with `filters` channels.
    """

    rank = 3

    def convolve(self, inputs):
        return K.conv3d(inputs, self.kernel, self.strides, self.padding, self.data_format,
                        self.dilation_rate)


class _Transposed(_Conv):
    """The gradient of a convolution with regard to its input, as a layer: it enlarges."""

    def __init__(self, filters, kernel_size, strides, padding, output_padding, data_format,
                 dilation_rate, **kwargs):
        super().__init__(filters, kernel_size, strides, padding, data_format, dilation_rate,
                         **kwargs)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = normalize_tuple(output_padding, self.rank, "output_padding",
                                                  minimum=0)
            if any(more >= stride for more, stride in zip(self.output_padding, self.strides)):
                raise ValueError("[%s] output_padding must be less than strides; output_padding=%s "
                                 "and strides=%s were given."
                                 % (type(self).__name__, self.output_padding, self.strides))

    declared_shape = None       # `output_shape` of Keras 1, with the batch

    def _declared_padding(self):
        """What the declared sizes add to the least that the convolution can come from."""
        sizes = self._declared_sizes()
        windows = tuple(zip(self.strides, self.kernel_size, self.dilation_rate))
        given = [conv_output_length(size, kernel, self.padding, stride, rate)
                 for size, (stride, kernel, rate) in zip(sizes, windows)]
        least, usual = (tuple(deconv_length(length, stride, kernel, self.padding, more, rate)
                              for length, (stride, kernel, rate) in zip(given, windows))
                        for more in (0, None))
        if None in sizes or sizes == usual:
            return self.output_padding
        return tuple(size - low for size, low in zip(sizes, least))

    def _declared_sizes(self):
        shape = tuple(self.declared_shape)
        return shape[1:-1] if self.data_format == "channels_last" else shape[2:]

    def build_kernels(self, channels):
        if self.declared_shape is not None:
            self.output_padding = self._declared_padding()
        self.kernel = self._add("kernel", self.kernel_size + (self.filters, channels))
        return self.filters

    def _output_shape(self, inputs):
        """The output's shape in the order of `data_format`."""
        last = self.data_format == "channels_last"
        sizes = inputs.shape[1:-1] if last else inputs.shape[2:]
        sizes = tuple(
            deconv_length(size, stride, window, self.padding, more, rate)
            for size, stride, window, more, rate in zip(
                sizes, self.strides, self.kernel_size, self.output_padding or (None,) * self.rank,
                self.dilation_rate))
        self._check_declared(sizes)
        channels = (self.filters,)
        return inputs.shape[:1] + (sizes + channels if last else channels + sizes)

    def _check_declared(self, sizes):
        if self.declared_shape is None:
            return
        for size, wanted in zip(sizes, self._declared_sizes()):
            if isinstance(size, int) and wanted is not None and size != wanted:
                raise ValueError('in layer "%s" (%s): [output_shape] a size that input, kernel and '
                                 "strides allow is required, as %d; %d was declared."
                                 % (self.name, type(self).__name__, size, wanted))

    def get_config(self):
        return dict(super().get_config(), output_padding=self.output_padding)


@register("layer")
class Conv2DTranspose(_Transposed):
    """Transposed convolution of images: goes from the shape of a convolution's output to that of
    its input.

    # Arguments
        filters, kernel_size, strides, padding, data_format, dilation_rate: as in `Conv2D`; sizes
            grow by `strides`.
        output_padding: integer or pair, below `strides`: rows and columns added to the output;
            None gives the size that padding and strides ask for.
        activation, use_bias, and the initializers, regularizers, constraints: as in `Dense`.

    # References
        Dumoulin & Visin 2016, https://arxiv.org/abs/1603.07285
        Zeiler et al. 2010, Deconvolutional Networks.
    """

    rank = 2

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", output_padding=None,
                 data_format=None, dilation_rate=(1, 1), activation=None, use_bias=True,
                 kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate,
            activation=activation, use_bias=use_bias, kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer, activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint, **kwargs)

    def convolve(self, inputs):
        return K.conv2d_transpose(inputs, self.kernel, self._output_shape(inputs), self.strides,
                                  self.padding, self.data_format, self.dilation_rate)


@register("layer")
class Conv3DTranspose(_Transposed):
    """Transposed convolution of volumes. Arguments as in `Conv2DTranspose`; not dilated."""

    rank = 3

    def __init__(self, filters, kernel_size, strides=(1, 1, 1), padding="valid",
                 output_padding=None, data_format=None, activation=None, use_bias=True,
                 kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, 1,
            activation=activation, use_bias=use_bias, kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer, activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint, **kwargs)

    def convolve(self, inputs):
        return K.conv3d_transpose(inputs, self.kernel, self._output_shape(inputs), self.strides,
                                  self.padding, self.data_format)

    def get_config(self):
        config = super().get_config()
        del config["dilation_rate"]
        return config

    @classmethod
    def from_config(cls, config):
        """Also from tf.keras, which writes a dilation rate."""
        config = dict(config)
        if set(config.pop("dilation_rate", (1,))) != {1}:
            raise ValueError('[Conv3DTranspose] dilation_rate must be 1 in the config of "%s".'
                             % config.get("name"))
        return super().from_config(config)


class _Separable(_Windowed):
    """A convolution of each channel by itself, then one over single points that mixes them."""

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None,
                 dilation_rate=1, depth_multiplier=1, activation=None, use_bias=True,
                 depthwise_initializer="glorot_uniform", pointwise_initializer="glorot_uniform",
                 bias_initializer="zeros", depthwise_regularizer=None, pointwise_regularizer=None,
                 bias_regularizer=None, activity_regularizer=None, depthwise_constraint=None,
                 pointwise_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, use_bias,
                         **kwargs)
        self.filters = normalize_tuple(filters, 1, "filters")[0]
        self.depth_multiplier = normalize_tuple(depth_multiplier, 1, "depth_multiplier")[0]
        self._keep(activation=activation, depthwise_initializer=depthwise_initializer,
                   pointwise_initializer=pointwise_initializer, bias_initializer=bias_initializer,
                   depthwise_regularizer=depthwise_regularizer,
                   pointwise_regularizer=pointwise_regularizer, bias_regularizer=bias_regularizer,
                   activity_regularizer=activity_regularizer,
                   depthwise_constraint=depthwise_constraint,
                   pointwise_constraint=pointwise_constraint, bias_constraint=bias_constraint)

    def build_kernels(self, channels):
        inner = channels * self.depth_multiplier
        self.depthwise_kernel = self._add("depthwise",
                                          self.kernel_size + (channels, self.depth_multiplier),
                                          "depthwise_kernel")
        self.pointwise_kernel = self._add("pointwise", (1,) * self.rank + (inner, self.filters),
                                          "pointwise_kernel")
        return self.filters

    def get_config(self):
        return dict(super().get_config(), filters=self.filters,
                    depth_multiplier=self.depth_multiplier)

    @classmethod
    def from_config(cls, config):
        """Also from tf.keras, which writes options of a kernel that the layer does not have."""
        return super().from_config({name: value for name, value in config.items()
                                    if not name.startswith("kernel_") or name == "kernel_size"})


@register("layer")
class SeparableConv1D(_Separable):
    """Separable convolution of sequences.

    # Arguments
        filters, kernel_size, strides, data_format, dilation_rate: as in `Conv1D`.
        padding: "valid" or "same".
        depth_multiplier: number of channels that the first step makes of each.
        activation, use_bias, and the initializers, regularizers, constraints: as in `Dense`; of
            the kernel of each channel ("depthwise") and of that which mixes ("pointwise").
    """

    rank = 1
    default_format = "channels_last"

    def convolve(self, inputs):
        return K.separable_conv1d(inputs, self.depthwise_kernel, self.pointwise_kernel,
                                  self.strides[0], self.padding, self.data_format,
                                  self.dilation_rate[0])


@register("layer")
class SeparableConv2D(_Separable):
    """Separable convolution of images. Arguments as in `SeparableConv1D`, with two sizes each.

    # References
        Chollet 2016, https://arxiv.org/abs/1610.02357
    """

    rank = 2

    def convolve(self, inputs):
        return K.separable_conv2d(inputs, self.depthwise_kernel, self.pointwise_kernel,
                                  self.strides, self.padding, self.data_format,
                                  self.dilation_rate)


@register("layer")
class DepthwiseConv2D(_Windowed):
    """Convolution of each channel of images by itself.

    # Arguments
        kernel_size, strides, padding, data_format, dilation_rate: as in `Conv2D`.
        depth_multiplier: number of output channels for each input channel.
        activation, use_bias, and the initializers, regularizers, constraints: as in `Dense`.

    # Output shape
        `(batch, new_rows, new_columns, channels * depth_multiplier)`, or with the channels after
        the batch.
    """

    rank = 2

    def __init__(self, kernel_size, strides=(1, 1), padding="valid", depth_multiplier=1,
                 data_format=None, dilation_rate=(1, 1), activation=None, use_bias=True,
                 depthwise_initializer="glorot_uniform", bias_initializer="zeros",
                 depthwise_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 depthwise_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, use_bias,
                         **kwargs)
        self.depth_multiplier = normalize_tuple(depth_multiplier, 1, "depth_multiplier")[0]
        self._keep(activation=activation, depthwise_initializer=depthwise_initializer,
                   bias_initializer=bias_initializer, depthwise_regularizer=depthwise_regularizer,
                   bias_regularizer=bias_regularizer, activity_regularizer=activity_regularizer,
                   depthwise_constraint=depthwise_constraint, bias_constraint=bias_constraint)

    def build_kernels(self, channels):
        self.depthwise_kernel = self._add("depthwise",
                                          self.kernel_size + (channels, self.depth_multiplier),
                                          "depthwise_kernel")
        return channels * self.depth_multiplier

    def convolve(self, inputs):
        return K.depthwise_conv2d(inputs, self.depthwise_kernel, self.strides, self.padding,
                                  self.data_format, self.dilation_rate)

    def get_config(self):
        return dict(super().get_config(), depth_multiplier=self.depth_multiplier)


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
Convolution2DTranspose = Deconvolution2D = Deconv2D = Conv2DTranspose
Deconvolution3D = Deconv3D = Conv3DTranspose


# ---- as Keras 1 called dilated convolutions

def AtrousConvolution1D(*args, **kwargs):
    """`Conv1D` with `dilation_rate=atrous_rate`."""
    return Conv1D(*args, **_with_dilation(kwargs))


def AtrousConvolution2D(*args, **kwargs):
    """`Conv2D` with `dilation_rate=atrous_rate`."""
    return Conv2D(*args, **_with_dilation(kwargs))


def _with_dilation(arguments):
    if "atrous_rate" not in arguments:
        return arguments
    rest = dict(arguments)
    return dict(rest, dilation_rate=rest.pop("atrous_rate"))


AtrousConv1D = AtrousConvolution1D
AtrousConv2D = AtrousConvolution2D
