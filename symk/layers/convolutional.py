"""Convolution layers, and padding of images."""
from .. import activations, constraints, initializers, regularizers
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.conv_utils import normalize_padding_sizes, normalize_tuple

__all__ = ["Conv2D", "Convolution2D", "ZeroPadding2D"]


@register("layer")
class Conv2D(Layer):
    """activation(convolution of images with a kernel + bias).

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

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None,
                 dilation_rate=(1, 1), activation=None, use_bias=True,
                 kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = normalize_tuple(filters, 1, "filters")[0]
        self.kernel_size = normalize_tuple(kernel_size, 2, "kernel_size")
        self.strides = normalize_tuple(strides, 2, "strides")
        self.padding = K.normalize_padding(padding)
        self.data_format = K.normalize_data_format(data_format)
        self.dilation_rate = normalize_tuple(dilation_rate, 2, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("[Conv2D] strides or dilation_rate must be 1; strides=%s and "
                             "dilation_rate=%s were given." % (self.strides, self.dilation_rate))
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(ndim=4)

    def build(self, input_shape):
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        self.kernel = self.add_weight("kernel", self.kernel_size + (channels, self.filters),
                                      initializer=self.kernel_initializer,
                                      regularizer=self.kernel_regularizer,
                                      constraint=self.kernel_constraint)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), initializer=self.bias_initializer,
                                        regularizer=self.bias_regularizer,
                                        constraint=self.bias_constraint)
        self.input_spec = InputSpec(ndim=4, axes={axis: channels})
        self.built = True

    def call(self, inputs):
        output = K.conv2d(inputs, self.kernel, strides=self.strides, padding=self.padding,
                          data_format=self.data_format, dilation_rate=self.dilation_rate)
        if self.use_bias:
            output = K.bias_add(output, self.bias, data_format=self.data_format)
        return self.activation(output)

    def get_config(self):
        return dict(
            super().get_config(), filters=self.filters, kernel_size=self.kernel_size,
            strides=self.strides, padding=self.padding, data_format=self.data_format,
            dilation_rate=self.dilation_rate,
            activation=activations.serialize(self.activation), use_bias=self.use_bias,
            kernel_initializer=initializers.serialize(self.kernel_initializer),
            bias_initializer=initializers.serialize(self.bias_initializer),
            kernel_regularizer=regularizers.serialize(self.kernel_regularizer),
            bias_regularizer=regularizers.serialize(self.bias_regularizer),
            activity_regularizer=regularizers.serialize(self.activity_regularizer),
            kernel_constraint=constraints.serialize(self.kernel_constraint),
            bias_constraint=constraints.serialize(self.bias_constraint))

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if config.pop("groups", 1) != 1:
            raise ValueError('[Conv2D] groups must be 1 in the config of "%s".'
                             % config.get("name"))
        return cls(**config)


@register("layer")
class ZeroPadding2D(Layer):
    """Rows and columns of zeros around images.

    # Arguments
        padding: integer; pair for rows and columns; or ((top, bottom), (left, right)).
        data_format: as in `Conv2D`.
    """

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.padding = normalize_padding_sizes(padding, 2, "padding")
        self.data_format = K.normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs):
        return K.spatial_2d_padding(inputs, padding=self.padding, data_format=self.data_format)

    def get_config(self):
        return dict(super().get_config(), padding=self.padding, data_format=self.data_format)


Convolution2D = Conv2D
