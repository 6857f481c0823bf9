"""Pooling layers: the greatest or the mean value of windows, or of whole images."""
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.conv_utils import normalize_tuple

__all__ = ["AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "AvgPool1D", "AvgPool2D",
           "AvgPool3D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
           "GlobalAveragePooling3D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D",
           "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D", "GlobalMaxPooling1D",
           "GlobalMaxPooling2D", "GlobalMaxPooling3D", "InputSpec", "Layer", "MaxPool1D",
           "MaxPool2D", "MaxPool3D", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D"]


class _Pooling(Layer):
    """Windows over `rank` axes, to one value per channel each; `mode` is K.pool2d's."""

    rank = None
    mode = None
    default_format = None       # None: the setting

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = normalize_tuple(pool_size, self.rank, "pool_size")
        self.strides = self.pool_size if strides is None \
            else normalize_tuple(strides, self.rank, "strides")
        self.padding = K.normalize_padding(padding)
        self.data_format = K.normalize_data_format(data_format or self.default_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs):
        pool = K.pool2d if self.rank == 2 else K.pool3d
        return pool(inputs, self.pool_size, strides=self.strides, padding=self.padding,
                    data_format=self.data_format, pool_mode=self.mode)

    def get_config(self):
        return dict(super().get_config(), pool_size=self.pool_size, padding=self.padding,
                    strides=self.strides, data_format=self.data_format)


class _Pooling1D(_Pooling):
    """Sequences, as images of one column."""

    rank = 1
    default_format = "channels_last"

    def call(self, inputs):
        column = 2 if self.data_format == "channels_last" else 3
        outputs = K.pool2d(K.expand_dims(inputs, column), self.pool_size + (1,),
                           strides=self.strides + (1,), padding=self.padding,
                           data_format=self.data_format, pool_mode=self.mode)
        return K.squeeze(outputs, column)


@register("layer")
class MaxPooling1D(_Pooling1D):
    """The greatest value of each window of steps.

    # Arguments
        pool_size: number of steps of the window.
        strides: steps from one window to the next; `pool_size` by default.
        padding: "valid" or "same".
        data_format: "channels_last" (by default) for `(batch, steps, features)`, or
            "channels_first".
    """

    mode = "max"


@register("layer")
class AveragePooling1D(_Pooling1D):
    """The mean of each window of steps. Arguments as in `MaxPooling1D`."""

    mode = "avg"


@register("layer")
class MaxPooling2D(_Pooling):
    """The greatest value of each window of images.

    # Arguments
        pool_size: integer or pair: height and width of the window.
        strides: integer or pair; `pool_size` by default.
        padding: "valid" or "same".
        data_format: "channels_last", "channels_first" or None for the setting.
    """

    rank = 2
    mode = "max"


@register("layer")
class AveragePooling2D(_Pooling):
    """The mean of each window; padding does not count. Arguments as in `MaxPooling2D`."""

    rank = 2
    mode = "avg"


@register("layer")
class MaxPooling3D(_Pooling):
    """The greatest value of each window of volumes. Arguments as in `MaxPooling2D`."""

    rank = 3
    mode = "max"


@register("layer")
class AveragePooling3D(_Pooling):
    """The mean of each window of volumes. Arguments as in `MaxPooling2D`."""

    rank = 3
    mode = "avg"


class _GlobalPooling(Layer):
    """All positions to one value per channel; `rank` is the number of axes of positions."""

    rank = None
    default_format = None       # None: the setting
    reduce = None               # the function of K that makes one value of many

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = K.normalize_data_format(data_format or self.default_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def axes(self):
        """The axes of positions."""
        first = 1 if self.data_format == "channels_last" else 2
        return list(range(first, first + self.rank))

    def call(self, inputs):
        return self.reduce(inputs, axis=self.axes)

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
        data_format: "channels_last" (by default) for `(batch, steps, features)`, or
            "channels_first".
    """

    rank = 1
    default_format = "channels_last"

    def __init__(self, data_format=None, **kwargs):
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
    default_format = "channels_last"
    reduce = staticmethod(K.max)


@register("layer")
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel: `(batch, rows, columns, channels)` -> `(batch, channels)`."""

    rank = 2
    reduce = staticmethod(K.mean)


@register("layer")
class GlobalMaxPooling2D(_GlobalPooling):
    """The greatest value of each channel of images."""

    rank = 2
    reduce = staticmethod(K.max)


@register("layer")
class GlobalAveragePooling3D(_GlobalPooling):
    """The mean of each channel of volumes."""

    rank = 3
    reduce = staticmethod(K.mean)


@register("layer")
class GlobalMaxPooling3D(_GlobalPooling):
    """The greatest value of each channel of volumes."""

    rank = 3
    reduce = staticmethod(K.max)


MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
