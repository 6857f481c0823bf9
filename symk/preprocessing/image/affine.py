"""Transforms of one image: rotation, shift, shear, zoom, and changes of its values."""
import numpy as np

from ... import renames
from ...extras import extra
from .arrays import array_to_img, img_to_array

__all__ = ["random_rotation", "random_shift", "random_shear", "random_zoom",
           "random_channel_shift", "random_brightness", "apply_affine_transform",
           "apply_channel_shift", "apply_brightness_shift", "flip_axis", "apply_transform",
           "random_barrel_transform",
           "transform_matrix_offset_center"]


@renames.accepts("affine")
def random_rotation(x, rg, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0,
                    interpolation_order=1):
    """An image turned by an angle between -rg and rg degrees; see `apply_affine_transform`."""
    theta = np.random.uniform(-rg, rg)
    return apply_affine_transform(x, theta=theta, row_axis=row_axis, col_axis=col_axis,
                                  channel_axis=channel_axis, fill_mode=fill_mode, cval=cval,
                                  order=interpolation_order)


@renames.accepts("affine")
def random_shift(x, wrg, hrg, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest",
                 cval=0.0, interpolation_order=1):
    """An image shifted by at most the fractions wrg of its width and hrg of its height."""
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return apply_affine_transform(x, tx=tx, ty=ty, row_axis=row_axis, col_axis=col_axis,
                                  channel_axis=channel_axis, fill_mode=fill_mode, cval=cval,
                                  order=interpolation_order)


@renames.accepts("affine")
def random_shear(x, intensity, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest",
                 cval=0.0, interpolation_order=1):
    """An image sheared by an angle between -intensity and intensity degrees."""
    shear = np.random.uniform(-intensity, intensity)
    return apply_affine_transform(x, shear=shear, row_axis=row_axis, col_axis=col_axis,
                                  channel_axis=channel_axis, fill_mode=fill_mode, cval=cval,
                                  order=interpolation_order)


@renames.accepts("affine")
def random_zoom(x, zoom_range, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest",
                cval=0.0, interpolation_order=1):
    """An image zoomed by factors between the two numbers of zoom_range; below 1 it grows."""
    if len(zoom_range) != 2:
        raise ValueError("[random_zoom] zoom_range must be two numbers; %r was given."
                         % (zoom_range,))
    zx, zy = ((1, 1) if tuple(zoom_range) == (1, 1)
              else np.random.uniform(zoom_range[0], zoom_range[1], 2))
    return apply_affine_transform(x, zx=zx, zy=zy, row_axis=row_axis, col_axis=col_axis,
                                  channel_axis=channel_axis, fill_mode=fill_mode, cval=cval,
                                  order=interpolation_order)


@renames.accepts("random_channel_shift")
def random_channel_shift(x, intensity_range, channel_axis=0):
    """An image with a number between -intensity_range and intensity_range added."""
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range),
                               channel_axis=channel_axis)


def random_brightness(x, brightness_range):
    """An image with its brightness multiplied by a number from a range of two."""
    if len(brightness_range) != 2:
        raise ValueError("[random_brightness] brightness_range must be two numbers; %r was given."
                         % (brightness_range,))
    return apply_brightness_shift(x, np.random.uniform(*brightness_range))


def apply_channel_shift(x, intensity, channel_axis=0):
    """x + intensity, cut off at the smallest and the largest value of x.

    Args:     channel_axis: where the channels are; all are shifted alike.
    """
    if not -x.ndim <= channel_axis < x.ndim:
        raise ValueError("[apply_channel_shift] the axis must be one of the image's; it is %d for "
                         "the shape %s." % (channel_axis, x.shape))
    return np.clip(x + intensity, np.min(x), np.max(x))


def apply_brightness_shift(x, brightness):
    """An image (K's data format) with its brightness multiplied, by Pillow."""
    enhance = extra("PIL.ImageEnhance", "apply_brightness_shift")
    return img_to_array(enhance.Brightness(array_to_img(x)).enhance(brightness))


def flip_axis(x, axis):
    """x with an axis reversed."""
    return np.flip(np.asarray(x), axis)


def transform_matrix_offset_center(matrix, x, y):
    """A 3x3 transform around the middle of an image of x rows and y columns."""
    center_x, center_y = x / 2 + 0.5, y / 2 + 0.5
    offset = np.array([[1, 0, center_x], [0, 1, center_y], [0, 0, 1]])
    reset = np.array([[1, 0, -center_x], [0, 1, -center_y], [0, 0, 1]])
    return offset @ matrix @ reset


def apply_affine_transform(x, theta=0, tx=0, ty=0, shear=0, zx=1, zy=1, row_axis=0, col_axis=1,
                           channel_axis=2, fill_mode="nearest", cval=0.0, order=1):
    """An image turned, shifted, sheared and zoomed around its middle, in one interpolation.

    Args:
        theta, shear: degrees.
        tx, ty: shift in rows and in columns.
        zx, zy: zoom along rows and columns.
        row_axis, col_axis, channel_axis: where they are in x.
        fill_mode: what lies outside: "constant" (cval), "nearest", "reflect" or "wrap".
        order: of the spline: 0 nearest, 1 linear, up to 5.
    """
    matrix = _transform_matrix(theta, tx, ty, shear, zx, zy)
    if matrix is None:
        return x
    matrix = transform_matrix_offset_center(matrix, x.shape[row_axis], x.shape[col_axis])
    return _transformed(x, matrix, channel_axis, fill_mode, cval, order)


def _transformed(x, matrix, channel_axis, fill_mode, cval, order):
    """An image whose pixels come from where a 3x3 matrix says, channel by channel."""
    ndimage = extra("scipy.ndimage", "apply_affine_transform")
    channels = [ndimage.affine_transform(channel, matrix[:2, :2], matrix[:2, 2], order=order,
                                         mode=fill_mode, cval=cval)
                for channel in np.moveaxis(x, channel_axis, 0)]
    return np.stack(channels, axis=channel_axis)


@renames.accepts("affine")
def apply_transform(x, transform_matrix, channel_axis=0, fill_mode="nearest", cval=0.0):
    """An image transformed by a 3x3 matrix that has its offsets, as Keras 1 had it: the nearest
    pixel is taken, and the rows and columns are the axes that are not the channels'."""
    return _transformed(x, np.asarray(transform_matrix), channel_axis, fill_mode, cval, order=0)


def random_barrel_transform(x, intensity):
    """Refuses, as Keras 1 has only the name."""
    raise NotImplementedError("[random_barrel_transform] Keras 1 names this function, but it does "
                              "nothing there. Use apply_affine_transform, or a preprocessing "
                              "function of your own.")


def _transform_matrix(theta, tx, ty, shear, zx, zy):
    """The 3x3 product of the parts that do something; None where none does."""
    turn, slant = np.deg2rad(theta), np.deg2rad(shear)
    parts = []
    if theta != 0:
        parts.append([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    if tx != 0 or ty != 0:
        parts.append([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    if shear != 0:
        parts.append([[1, -np.sin(slant), 0], [0, np.cos(slant), 0], [0, 0, 1]])
    if zx != 1 or zy != 1:
        parts.append([[zx, 0, 0], [0, zy, 0], [0, 0, 1]])
    matrix = None
    for part in parts:
        matrix = np.array(part) if matrix is None else matrix @ np.array(part)
    return matrix
