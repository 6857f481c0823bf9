"""Images as the models of ImageNet want them, and their predictions as names."""
import json
import warnings

import numpy as np

from .. import backend as K
from ..utils.downloads import get_file

__all__ = ["preprocess_input", "decode_predictions"]

_CLASSES = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_CLASSES_HASH = "c2c37ea517e94d9795004a39431a14cb"

# The means of ImageNet's channels: blue, green, red of 0..255; red, green, blue of 0..1.
_CAFFE_MEAN = (103.939, 116.779, 123.68)
_TORCH_MEAN, _TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_class_index = {}


def _obtain_input_shape(input_shape, default_size, min_size, data_format=None,
                        require_flatten=True, weights=None, name="input_shape", **old):
    """The shape of the images of a model, checked; models of users ask for it too.

    Args:
        input_shape: what the user gave, or None.
        default_size, min_size: rows and columns.
        data_format: "channels_last" or "channels_first"; `dim_ordering` of Keras 1 too.
        require_flatten: whether the sizes must be known; `include_top` before Keras 2.1.
        weights: "imagenet" needs three channels, and with require_flatten the default size.
    """
    require_flatten = old.pop("include_top", require_flatten)
    data_format = old.pop("dim_ordering", data_format)
    if old:
        raise TypeError("[_obtain_input_shape] unknown arguments: %s." % ", ".join(sorted(old)))
    first = data_format in ("channels_first", "th")
    if input_shape is None:
        size = (default_size if require_flatten else None,) * 2
        return (3,) + size if first else size + (3,)
    shape = tuple(input_shape)
    if len(shape) != 3:
        raise ValueError("[%s] input_shape must have three numbers; it is %s." % (name, shape))
    sizes, channels = (shape[1:], shape[0]) if first else (shape[:2], shape[2])
    if weights == "imagenet":
        if channels != 3:
            raise ValueError('[%s] weights="imagenet" needs 3 channels; input_shape is %s.'
                             % (name, shape))
        if require_flatten and sizes != (default_size, default_size):
            raise ValueError('[%s] weights="imagenet" with a classifier needs images of %dx%d; '
                             "input_shape is %s. Use include_top=False."
                             % (name, default_size, default_size, shape))
    elif channels not in (1, 3):
        warnings.warn("%s: 1 or 3 channels are expected; input_shape is %s." % (name, shape),
                      stacklevel=5)
    if require_flatten and None in sizes:
        raise ValueError("[%s] known sizes are needed for the classifier; input_shape is %s."
                         % (name, shape))
    if any(size is not None and size < min_size for size in sizes):
        raise ValueError("[%s] images of at least %dx%d are required; input_shape is %s."
                         % (name, min_size, min_size, shape))
    return shape


def preprocess_input(x, data_format=None, mode="caffe", **kwargs):
    """Images with values 0..255 as a model wants them.

    Args:
        x: an array or a tensor, of rank 3 or 4. A float array is changed in place, as in Keras.
        data_format: None for K's.
        mode: "caffe" (blue, green, red, minus their means), "tf" (from -1 to 1), "torch" (from 0
            to 1, minus the means, over the deviations).
    """
    _check_arguments(kwargs)
    if mode not in ("caffe", "tf", "torch"):
        raise ValueError('[preprocess_input] mode must be "caffe", "tf" or "torch"; %r was given.'
                         % (mode,))
    first = K.normalize_data_format(data_format) == "channels_first"
    if isinstance(x, np.ndarray):
        x = x if np.issubdtype(x.dtype, np.floating) else x.astype(K.floatx())
        return _preprocess_array(x, first, mode)
    return _preprocess_tensor(x, first, mode)


def _check_arguments(kwargs):
    unknown = set(kwargs) - {"backend", "layers", "models", "utils"}
    if unknown:
        raise TypeError("[applications] the arguments of Keras 2.3 are required; %s were given."
                        % sorted(unknown))


def _along_channels(values, rank, first):
    """Values per channel in a shape that broadcasts."""
    return np.reshape(values, (-1,) + (1,) * 2 if first else (1,) * (rank - 1) + (-1,))


def _preprocess_array(x, first, mode):
    if mode == "tf":
        x /= 127.5
        x -= 1.0
        return x
    if mode == "torch":
        x /= 255.0
        x -= _along_channels(_TORCH_MEAN, x.ndim, first)
        x /= _along_channels(_TORCH_DEVIATION, x.ndim, first)
        return x
    x = np.flip(x, x.ndim - 3 if first else -1)
    x -= _along_channels(_CAFFE_MEAN, x.ndim, first)
    return x


def _preprocess_tensor(x, first, mode):
    if mode == "tf":
        return x / 127.5 - 1.0
    rank, dtype = K.ndim(x), K.dtype(x)

    def constant(values):
        return K.constant(_along_channels(values, rank, first), dtype=dtype)

    if mode == "torch":
        return (x / 255.0 - constant(_TORCH_MEAN)) / constant(_TORCH_DEVIATION)
    return K.reverse(x, rank - 3 if first else rank - 1) - constant(_CAFFE_MEAN)


def decode_predictions(preds, top=5, **kwargs):
    """The most probable classes of predictions.

    Args:
        preds: an array (samples, 1000).
        top: how many classes of each sample.
    Returns:  for each sample a list of (WordNet id, name, probability), the most probable first.
    """
    _check_arguments(kwargs)
    if np.ndim(preds) != 2 or preds.shape[1] != 1000:
        raise ValueError("[decode_predictions] an array (samples, 1000) is required; the shape is "
                         "%s." % (np.shape(preds),))
    if not _class_index:
        path = get_file("imagenet_class_index.json", _CLASSES, cache_subdir="models",
                        file_hash=_CLASSES_HASH)
        with open(path, encoding="utf-8") as file:
            _class_index.update(json.load(file))
    return [[tuple(_class_index[str(number)]) + (row[number],)
             for number in np.argsort(-row, kind="stable")[:top]] for row in preds]
