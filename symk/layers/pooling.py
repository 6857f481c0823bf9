"""Pooling layers: the greatest or the mean value of windows, or of whole images."""
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.conv_utils import normalize_tuple

__all__ = ["AveragePooling2D", "AvgPool2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
           "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalMaxPool1D", "GlobalMaxPool2D",
           "GlobalMaxPooling1D", "GlobalMaxPooling2D", "MaxPool2D", "MaxPooling2D"]


class _Pooling2D(Layer):
    """Images, window by window; `mode` is K.pool2d's."""

    mode = None

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = normalize_tuple(pool_size, 2, "pool_size")
        self.strides = self.pool_size if strides is None else normalize_tuple(strides, 2, "strides")
        self.padding = K.normalize_padding(padding)
        self.data_format = K.normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs):
        return K.pool2d(inputs, self.pool_size, strides=self.strides, padding=self.padding,
                        data_format=self.data_format, pool_mode=self.mode)

    def get_config(self):
        return dict(super().get_config(), pool_size=self.pool_size, padding=self.padding,
                    strides=self.strides, data_format=self.data_format)


@register("layer")
class MaxPooling2D(_Pooling2D):
    """The greatest value of each window.

    # Arguments
        pool_size: integer or pair: height and width of the window.
        strides: integer or pair; `pool_size` by default.
        padding: "valid" or "same".
        data_format: "channels_last", "channels_first" or None for the setting.
    """

    mode = "max"


@register("layer")
class AveragePooling2D(_Pooling2D):
    """The mean of each window; padding does not count. Arguments as in `MaxPooling2D`."""

    mode = "avg"


class _GlobalPooling(Layer):
    """All positions to one value per channel; `rank` is the number of axes of positions."""

    rank = None

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = K.normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def axes(self):
        """The axes of positions."""
        first = 1 if self.data_format == "channels_last" else 2
        return list(range(first, first + self.rank))

    def get_config(self):
        return dict(super().get_config(), data_format=self.data_format)

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if config.pop("keepdims", False):
            raise ValueError('[%s] keepdims must be False in the config of "%s".'
                             % (cls.__name__, config.get("name")))
        return cls(**config)


@register("layer")
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over the steps of a sequence; steps that a mask hides do not count.

    # Arguments
        data_format: "channels_last" for `(batch, steps, features)`, or "channels_first".
    """

    rank = 1

    def __init__(self, data_format="channels_last", **kwargs):
        super().__init__(data_format, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        axis, = self.axes
        if mask is None:
            return K.mean(inputs, axis=axis)
        mask = K.expand_dims(K.cast(mask, K.dtype(inputs)), 3 - axis)
        return K.sum(inputs * mask, axis=axis) / K.sum(mask, axis=axis)

    def compute_mask(self, inputs, mask=None):
        return None


@register("layer")
class GlobalMaxPooling1D(_GlobalPooling):
    """The greatest value over the steps of a sequence."""

    rank = 1

    def __init__(self, data_format="channels_last", **kwargs):
        super().__init__(data_format, **kwargs)

    def call(self, inputs):
        return K.max(inputs, axis=self.axes)


@register("layer")
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel: `(batch, rows, columns, channels)` -> `(batch, channels)`."""

    rank = 2

    def call(self, inputs):
        return K.mean(inputs, axis=self.axes)


@register("layer")
class GlobalMaxPooling2D(_GlobalPooling):
    """The greatest value of each channel."""

    rank = 2

    def call(self, inputs):
        return K.max(inputs, axis=self.axes)


GlobalMaxPool1D = GlobalMaxPooling1D
GlobalAvgPool1D = GlobalAveragePooling1D
MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
