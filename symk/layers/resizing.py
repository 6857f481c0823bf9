"""Padding, cropping and repeating along the axes of sequences, images and volumes."""
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from ..utils.conv_utils import normalize_padding_sizes, normalize_tuple, sides_of

__all__ = ["Cropping1D", "Cropping2D", "Cropping3D", "UpSampling1D", "UpSampling2D",
           "UpSampling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"]


class _Resizing(Layer):
    """A layer that changes the sizes of `rank` axes; sequences have their channels last."""

    rank = None

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = "channels_last" if self.rank == 1 \
            else K.normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def first_axis(self):
        """The first of the axes whose sizes change."""
        return 1 if self.data_format == "channels_last" else 2

    def get_config(self):
        config = super().get_config()
        return config if self.rank == 1 else dict(config, data_format=self.data_format)


# ---- padding

class _ZeroPadding(_Resizing):
    """Zeros before and after the values, along each axis."""

    def __init__(self, padding, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        if isinstance(padding, dict):
            sides = sides_of(padding, self.rank)
        else:
            sides = (padding,) if self.rank == 1 and not isinstance(padding, int) else padding
        self._sides = normalize_padding_sizes(sides, self.rank, "padding")
        self.padding = self._sides[0] if self.rank == 1 else self._sides

    def get_config(self):
        return dict(super().get_config(), padding=self.padding)


@register("layer")
class ZeroPadding1D(_ZeroPadding):
    """Steps of zeros before and after sequences.

    # Arguments
        padding: integer, or (before, after).

    # Input shape
        `(batch, steps, features)`.
    """

    rank = 1

    def __init__(self, padding=1, **kwargs):
        super().__init__(padding, **kwargs)

    def call(self, inputs):
        return K.temporal_padding(inputs, self.padding)


@register("layer")
class ZeroPadding2D(_ZeroPadding):
    """Rows and columns of zeros around images.

    # Arguments
        padding: integer; pair for rows and columns; or ((top, bottom), (left, right)).
        data_format: "channels_last", "channels_first" or None for the setting.
    """

    rank = 2

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)

    def call(self, inputs):
        return K.spatial_2d_padding(inputs, self.padding, self.data_format)


@register("layer")
class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes. Arguments as in `ZeroPadding2D`, for three axes."""

    rank = 3

    def __init__(self, padding=(1, 1, 1), data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)

    def call(self, inputs):
        return K.spatial_3d_padding(inputs, self.padding, self.data_format)


# ---- cropping

class _Cropping(_Resizing):
    """Without some values at the beginning and the end of each axis."""

    def __init__(self, cropping, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        sides = (cropping,) if self.rank == 1 and not isinstance(cropping, int) else cropping
        self._sides = normalize_padding_sizes(sides, self.rank, "cropping")
        self.cropping = self._sides[0] if self.rank == 1 else self._sides

    def call(self, inputs):
        kept = [slice(None)] * inputs.ndim
        for axis, (before, after) in enumerate(self._sides, start=self.first_axis):
            size = inputs.shape[axis]
            if isinstance(size, int) and before + after >= size:
                raise ValueError('in layer "%s" (%s): [cropping] less than the input must be '
                                 "removed; cropping is %s, the input is %r."
                                 % (self.name, type(self).__name__, self.cropping, inputs.type))
            kept[axis] = slice(before, size - after)
        return inputs[tuple(kept)]

    def get_config(self):
        return dict(super().get_config(), cropping=self.cropping)


@register("layer")
class Cropping1D(_Cropping):
    """Sequences without some of their first and last steps.

    # Arguments
        cropping: integer, or (before, after).

    # Input shape
        `(batch, steps, features)`.
    """

    rank = 1

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(cropping, **kwargs)


@register("layer")
class Cropping2D(_Cropping):
    """Images without some rows and columns at their sides.

    # Arguments
        cropping: integer; pair for rows and columns; or ((top, bottom), (left, right)).
        data_format: "channels_last", "channels_first" or None for the setting.
    """

    rank = 2

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(cropping, data_format, **kwargs)


@register("layer")
class Cropping3D(_Cropping):
    """Volumes without some of their sides. Arguments as in `Cropping2D`, for three axes."""

    rank = 3

    def __init__(self, cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(cropping, data_format, **kwargs)


# ---- repeating

@register("layer")
class UpSampling1D(_Resizing):
    """Each step of sequences several times in a row.

    # Arguments
        size: how often.

    # Input shape
        `(batch, steps, features)`.
    """

    rank = 1

    def __init__(self, size=2, **kwargs):
        super().__init__(**kwargs)
        self.size = normalize_tuple(size, 1, "size")[0]

    def call(self, inputs):
        return K.repeat_elements(inputs, self.size, axis=1)

    def get_config(self):
        return dict(super().get_config(), size=self.size)


@register("layer")
class UpSampling2D(_Resizing):
    """Larger images.

    # Arguments
        size: integer or pair: the factors of rows and columns.
        data_format: "channels_last", "channels_first" or None for the setting.
        interpolation: "nearest" repeats pixels, "bilinear" interpolates between them.
    """

    rank = 2

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(data_format, **kwargs)
        self.size = normalize_tuple(size, 2, "size")
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError("[UpSampling2D] interpolation must be 'nearest' or 'bilinear'; %r was "
                             "given." % (interpolation,))
        self.interpolation = interpolation

    def call(self, inputs):
        return K.resize_images(inputs, self.size[0], self.size[1], self.data_format,
                               self.interpolation)

    def get_config(self):
        return dict(super().get_config(), size=self.size, interpolation=self.interpolation)


@register("layer")
class UpSampling3D(_Resizing):
    """Larger volumes: voxels are repeated.

    # Arguments
        size: integer or three: the factors of planes, rows and columns.
        data_format: "channels_last", "channels_first" or None for the setting.
    """

    rank = 3

    def __init__(self, size=(2, 2, 2), data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.size = normalize_tuple(size, 3, "size")

    def call(self, inputs):
        return K.resize_volumes(inputs, *self.size, data_format=self.data_format)

    def get_config(self):
        return dict(super().get_config(), size=self.size)
