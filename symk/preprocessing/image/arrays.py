"""Image files, Pillow's images and arrays: one into another."""
import os
import warnings

import numpy as np

from ... import backend as K
from ... import renames
from ...extras import extra

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "list_pictures",
           "COLOR_CHANNELS"]

# color_mode -> the number of channels
COLOR_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}

_GREY_MODES = ("L", "I;16", "I")
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


@renames.accepts("image file")
def array_to_img(x, data_format=None, scale=True, dtype=None):
    """A Pillow image of an array (rows, columns, channels), or channels first.

    Args:
        data_format: "channels_last" or "channels_first"; None for the setting of K.
        scale: whether the smallest value becomes black and the largest white.
        dtype: in which this is computed; None for K.floatx().
    Returns:  mode RGBA for 4 channels, RGB for 3, L for 1 (I when a value exceeds 255).
    """
    image_module = extra("PIL.Image", "array_to_img")
    x = np.asarray(x, dtype=dtype or K.floatx())
    if x.ndim != 3:
        raise ValueError("[array_to_img] an array of 3 axes is required; the shape is %s."
                         % (x.shape,))
    if K.normalize_data_format(data_format) == "channels_first":
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - np.min(x)
        largest = np.max(x)
        x = x * (255 / largest) if largest else x
    channels = x.shape[2]
    if channels not in COLOR_CHANNELS.values():
        raise ValueError("[array_to_img] 1, 3 or 4 channels are required; the shape is %s."
                         % (x.shape,))
    if channels == 1 and np.max(x) > 255:
        return image_module.fromarray(x[:, :, 0].astype("int32"))
    return image_module.fromarray((x[:, :, 0] if channels == 1 else x).astype("uint8"))


@renames.accepts("image file")
def img_to_array(img, data_format=None, dtype=None):
    """An array (rows, columns, channels) of a Pillow image, or channels first.

    Args:     dtype: None for K.floatx().
    """
    x = np.asarray(img, dtype=dtype or K.floatx())
    if x.ndim not in (2, 3):
        raise ValueError("[img_to_array] an image of 2 or 3 axes is required; the shape is %s."
                         % (x.shape,))
    x = x[:, :, None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if K.normalize_data_format(data_format) == "channels_first" else x


def load_img(path, grayscale=False, color_mode="rgb", target_size=None, interpolation="nearest"):
    """A Pillow image from a file.

    Args:
        path: a path or an open file.
        grayscale: Keras 1's way to say color_mode="grayscale".
        color_mode: "grayscale", "rgb" or "rgba".
        target_size: (rows, columns) to resize to; None keeps the size.
        interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos".
    """
    if grayscale:
        warnings.warn('load_img\'s argument grayscale is color_mode="grayscale" in Keras 2.',
                      stacklevel=2)
        color_mode = "grayscale"
    if color_mode not in COLOR_CHANNELS:
        raise ValueError("[load_img] color_mode must be one of %s; %r was given."
                         % (", ".join(COLOR_CHANNELS), color_mode))
    if interpolation not in _INTERPOLATIONS:
        raise ValueError("[load_img] interpolation must be one of %s; %r was given."
                         % (", ".join(_INTERPOLATIONS), interpolation))
    image_module = extra("PIL.Image", "load_img")
    img = image_module.open(path)
    if color_mode == "grayscale":
        img = img if img.mode in _GREY_MODES else img.convert("L")
    else:
        img = img.convert(color_mode.upper())
    if target_size is not None and img.size != (target_size[1], target_size[0]):
        resample = getattr(image_module, "Resampling", image_module)   # its home since Pillow 9.1
        img = img.resize((target_size[1], target_size[0]), getattr(resample, interpolation.upper()))
    return img


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs):
    """Writes an array as an image file.

    Args:
        file_format: None takes it from the path.
        scale: as in `array_to_img`.
        kwargs: go to Pillow's `save`.
    """
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and file_format in ("jpg", "jpeg"):
        warnings.warn("JPEG has no transparency: the image is saved as RGB.", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format="jpeg" if file_format == "jpg" else file_format, **kwargs)


def list_pictures(directory, ext=("jpg", "jpeg", "bmp", "png", "ppm", "tif", "tiff")):
    """The paths of the pictures in a folder and the folders below.

    Args:     ext: endings, as a tuple, or as a text with | between.
    """
    ext = tuple("." + e for e in (ext.split("|") if isinstance(ext, str) else ext))
    return [os.path.join(root, name) for root, _, names in os.walk(directory) for name in names
            if name.lower().endswith(ext)]
