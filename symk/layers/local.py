"""Convolutions with a kernel of its own at each position."""
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.conv_utils import conv_output_length, normalize_tuple
from .parametric import Parametric, with_sequence_shape

__all__ = ["InputSpec", "Layer", "LocallyConnected1D", "LocallyConnected2D"]


class _LocallyConnected(Parametric):
    """Windows over `rank` axes of known sizes, each with a kernel and a bias of its own."""

    rank = None
    default_format = None       # None: the setting

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None,
                 activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, bias_constraint=None,
                 **kwargs):
        super().__init__(**with_sequence_shape(kwargs))
        self.filters = normalize_tuple(filters, 1, "filters")[0]
        self.kernel_size = normalize_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = normalize_tuple(strides, self.rank, "strides")
        self.padding = K.normalize_padding(padding, ("valid",))
        self.data_format = K.normalize_data_format(data_format or self.default_format)
        self.use_bias = use_bias
        self._keep(activation=activation, kernel_initializer=kernel_initializer,
                   bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
                   bias_regularizer=bias_regularizer, activity_regularizer=activity_regularizer,
                   kernel_constraint=kernel_constraint, bias_constraint=bias_constraint)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def build(self, input_shape):
        first = 1 if self.data_format == "channels_last" else 2
        sizes = input_shape[first:first + self.rank]
        channels = input_shape[-1 if first == 1 else 1]
        if None in sizes or channels is None:
            raise ValueError('in layer "%s" (%s): [build] all sizes but the batch must be known, '
                             "as each position has weights; the input has the shape %s."
                             % (self.name, type(self).__name__, input_shape))
        self.output_sizes = tuple(map(conv_output_length, sizes, self.kernel_size,
                                      (self.padding,) * self.rank, self.strides))
        if min(self.output_sizes) < 1:
            raise ValueError('in layer "%s" (%s): [build] windows must fit into the input; they '
                             "are %s, the input has the shape %s."
                             % (self.name, type(self).__name__, self.kernel_size, input_shape))
        positions, inner = 1, channels
        for count, window in zip(self.output_sizes, self.kernel_size):
            positions, inner = positions * count, inner * window
        self.kernel = self._add("kernel", (positions, inner, self.filters))
        self.bias = self._add("bias", self.output_sizes + (self.filters,)) \
            if self.use_bias else None
        self.input_spec = InputSpec(shape=(None,) + tuple(input_shape[1:]))
        self.built = True

    def convolve(self, inputs):
        """The output before bias and activation."""
        raise NotImplementedError

    def call(self, inputs):
        outputs = self.convolve(inputs)
        if self.use_bias:
            outputs = K.bias_add(outputs, self.bias, data_format=self.data_format)
        return self.activation(outputs)

    def get_config(self):
        config = dict(super().get_config(), filters=self.filters, kernel_size=self.kernel_size,
                      strides=self.strides, padding=self.padding, use_bias=self.use_bias)
        if self.data_format != self.default_format:
            config["data_format"] = self.data_format
        return config

    @classmethod
    def from_config(cls, config):
        """Also from tf.keras, which writes how the weights are stored."""
        config = dict(config)
        if config.pop("implementation", 1) != 1:
            raise ValueError('[%s] implementation must be 1 in the config of "%s": one kernel for '
                             "each position." % (cls.__name__, config.get("name")))
        return cls(**config)


@register("layer")
class LocallyConnected1D(_LocallyConnected):
    """`Conv1D` with weights of its own at each position.

    # Arguments
        filters, kernel_size, strides: as in `Conv1D`.
        padding: "valid".
        data_format: "channels_last" (by default) or "channels_first".
        activation, use_bias, and the initializers, regularizers, constraints: as in `Dense`.

    # Input shape
        `(batch, steps, channels)`; the number of steps must be known.
    """

    rank = 1
    default_format = "channels_last"

    def convolve(self, inputs):
        return K.local_conv1d(inputs, self.kernel, self.kernel_size, self.strides,
                              self.data_format)


@register("layer")
class LocallyConnected2D(_LocallyConnected):
    """`Conv2D` with weights of its own at each position.

    # Arguments
        filters, kernel_size, strides, data_format: as in `Conv2D`.
        padding: "valid".
        activation, use_bias, and the initializers, regularizers, constraints: as in `Dense`.

    # Input shape
        `(batch, rows, columns, channels)`, or `(batch, channels, rows, columns)`; all sizes but
        the batch must be known.
    """

    rank = 2

    def convolve(self, inputs):
        return K.local_conv2d(inputs, self.kernel, self.kernel_size, self.strides,
                              self.output_sizes, self.data_format)
