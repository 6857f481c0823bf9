"""What all applications share: their arguments, their input, their end, and the weights' files.

An application is a function that builds one model, with the layer names of Keras 2.3.1
(keras_applications 1.0.8), so that its official weights fit. `weights` is None for random
weights, a file, or "imagenet" for the official file, which is downloaded into Keras's cache.
"""
import collections
import os

from .. import backend as K
from ..layers import (Activation, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D,
                      GlobalMaxPooling2D, Input)
from ..models import Model
from ..utils.downloads import get_file
from ..utils.layer_utils import get_source_inputs
from .imagenet_utils import _obtain_input_shape

__all__ = ["Builder", "WeightsFile", "normalized_conv", "channel_axis"]

# The address of a file of weights and its MD5 (None: the publisher gave none), with the classifier
# and without.
WeightsFile = collections.namedtuple("WeightsFile", "with_top hash without_top hash_without_top")


def channel_axis():
    """The axis of the channels in K's data format, as Keras's configs have it."""
    return 3 if K.image_data_format() == "channels_last" else 1


def normalized_conv(x, filters, kernel, strides=1, padding="same", activation="relu", name=None,
                    conv_name=None, norm_name=None, **norm):
    """Convolution without bias, batch normalisation, activation; a None name is numbered.

    Args:
        name, conv_name, norm_name: of the activation and of the two layers before.
        norm: arguments of BatchNormalization.
    """
    x = Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=False, name=conv_name)(x)
    x = BatchNormalization(axis=channel_axis(), name=norm_name, **norm)(x)
    return x if activation is None else Activation(activation, name=name)(x)


class Builder:
    """Checks an application's arguments, and makes its first and its last layers.

    Args:
        name: of the application, for messages.
        include_top: whether the classifier is part of the model.
        weights: None, "imagenet" or the path of a file.
        input_tensor: what the model is applied to; None for an input of its own.
        input_shape: without the batch; None for the default.
        pooling: None, "avg" or "max": the end of a model without classifier.
        classes: number of classes of the classifier.
        old_arguments: what else was given; Keras hands over its modules so, all else is an error.
        default_size, min_size: rows and columns.
        fixed_size: whether a classifier needs sizes that are known.
    Raises:   ValueError, TypeError.
    """

    def __init__(self, name, include_top, weights, input_tensor, input_shape, pooling, classes,
                 old_arguments, default_size, min_size, fixed_size=True):
        unknown = set(old_arguments) - {"backend", "layers", "models", "utils"}
        if unknown:
            raise TypeError("[%s] the arguments of Keras 2.3 are required; %s were given."
                            % (name, sorted(unknown)))
        if weights not in (None, "imagenet") and not os.path.exists(weights):
            raise ValueError('[%s] weights must be None, "imagenet" or the path of a file; %r is '
                             "none of these." % (name, weights))
        if weights == "imagenet" and include_top and classes != 1000:
            raise ValueError('[%s] weights="imagenet" has 1000 classes; %r were asked for. Use '
                             "include_top=False, or weights=None." % (name, classes))
        if pooling not in (None, "avg", "max"):
            raise ValueError('[%s] pooling must be None, "avg" or "max"; %r was given.'
                             % (name, pooling))
        self.name = name
        self.include_top = include_top
        self.weights = weights
        self.pooling = pooling
        self.classes = classes
        self.input_tensor = input_tensor
        self.input_shape = _obtain_input_shape(
            input_shape, default_size, min_size, K.image_data_format(),
            fixed_size and include_top, weights, name)
        self.inputs = self._inputs()

    def _inputs(self):
        if self.input_tensor is None:
            return Input(shape=self.input_shape)
        if K.is_keras_tensor(self.input_tensor):
            return self.input_tensor
        return Input(tensor=self.input_tensor, shape=self.input_shape)

    @property
    def rows(self):
        """The number of rows of the input; None when it is not known."""
        return self.input_shape[1 if K.image_data_format() == "channels_first" else 0]

    def classifier(self, x, name="predictions", pool_name="avg_pool", max_name=None):
        """The usual end: mean over the image and a softmax, or only the pooling."""
        if self.include_top:
            x = GlobalAveragePooling2D(name=pool_name)(x)
            return Dense(self.classes, activation="softmax", name=name)(x)
        return self.pooled(x, pool_name if max_name else None, max_name)

    def pooled(self, x, average_name=None, max_name=None):
        """The end of a model without classifier."""
        if self.pooling == "avg":
            return GlobalAveragePooling2D(name=average_name)(x)
        return GlobalMaxPooling2D(name=max_name)(x) if self.pooling == "max" else x

    def model(self, x, name, official):
        """The Model that ends in x, with its weights.

        Args:     official: a WeightsFile, or None when there is none for these arguments.
        """
        inputs = self.inputs if self.input_tensor is None else get_source_inputs(self.input_tensor)
        model = Model(inputs, x, name=name)
        if self.weights == "imagenet":
            model.load_weights(self._official(official))
        elif self.weights is not None:
            model.load_weights(self.weights)
        return model

    def _official(self, official):
        if official is None:
            raise ValueError('[%s] weights="imagenet" needs one of the published variants; there '
                             "is none for these arguments. Use weights=None." % self.name)
        address, digest = official[:2] if self.include_top else official[2:]
        return get_file(address.rsplit("/", 1)[1], address, cache_subdir="models",
                        file_hash=digest)
