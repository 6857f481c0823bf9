"""Pictures as `scipy.misc` read, wrote and resized them, by Pillow. SciPy has them no more."""
import numpy as np

from ..extras import extra

__all__ = ["bytescale", "fromimage", "imread", "imresize", "imsave", "toimage"]

_FILTERS = {"nearest": "NEAREST", "lanczos": "LANCZOS", "bilinear": "BILINEAR",
            "bicubic": "BICUBIC", "cubic": "BICUBIC"}


def imread(name, flatten=False, mode=None):
    """A file as an array (rows, columns) or (rows, columns, colours)."""
    with extra("PIL.Image", "imread").open(name) as image:
        return fromimage(image, flatten, mode)


def imsave(name, arr, format=None):
    """Writes an array; what is not uint8 is stretched from its least to its largest value."""
    image = toimage(arr)
    image.save(name) if format is None else image.save(name, format)


def imresize(arr, size, interp="bilinear", mode=None):
    """An array as a picture of another size, uint8.

    Args:     size: (rows, columns), a float (a factor) or an integer (per cent).
              interp: "nearest", "lanczos", "bilinear", "bicubic" or "cubic".
    """
    if interp not in _FILTERS:
        raise ValueError("[imresize] interp must be one of %s; %r was given."
                         % (", ".join(sorted(_FILTERS)), interp))
    image = toimage(arr, mode=mode)
    if isinstance(size, (tuple, list, np.ndarray)):
        new = int(size[1]), int(size[0])
    else:
        factor = size / 100 if isinstance(size, (int, np.integer)) else size
        new = int(image.size[0] * factor), int(image.size[1] * factor)
    method = getattr(extra("PIL.Image", "imresize").Resampling, _FILTERS[interp])
    return fromimage(image.resize(new, method))


def toimage(arr, high=255, low=0, cmin=None, cmax=None, mode=None):
    """An array of 2 axes, or of 3 where one has 3 or 4 colours, as a picture of Pillow."""
    arr = np.asarray(arr)
    image = extra("PIL.Image", "toimage")
    if mode == "F":
        return image.fromarray(arr.astype(np.float32))
    if arr.ndim == 3:
        axis = next((axis for axis in (2, 0, 1) if arr.shape[axis] in (3, 4)), None)
        if axis is None:
            raise ValueError("[toimage] an axis of 3 or 4 colours is required; the shape %s was "
                             "given." % (arr.shape,))
        arr = np.moveaxis(arr, axis, 2)
    elif arr.ndim != 2:
        raise ValueError("[toimage] 2 or 3 axes are required; the shape %s was given."
                         % (arr.shape,))
    made = image.fromarray(np.ascontiguousarray(bytescale(arr, cmin, cmax, high, low)))
    return made if mode in (None, made.mode) else made.convert(mode)


def fromimage(im, flatten=False, mode=None):
    """A picture of Pillow as an array; of one axis of colours, or grey float32 if `flatten`."""
    if mode is not None:
        im = im.convert(mode)
    elif im.mode == "P":
        im = im.convert("RGBA" if "transparency" in im.info else "RGB")
    elif im.mode == "1":
        im = im.convert("L")
    return np.array(im.convert("F") if flatten else im)


def bytescale(data, cmin=None, cmax=None, high=255, low=0):
    """uint8 from `low` to `high` for values from `cmin` to `cmax`; uint8 stays as it is."""
    data = np.asarray(data)
    if data.dtype == np.uint8:
        return data
    cmin = data.min() if cmin is None else cmin
    cmax = data.max() if cmax is None else cmax
    scale = (high - low) / ((float(cmax) - float(cmin)) or 1.0)
    return (np.clip((data - float(cmin)) * scale + low, low, high) + 0.5).astype(np.uint8)
