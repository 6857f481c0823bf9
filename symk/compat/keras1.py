"""Keras 1's meaning of names that Keras 2 uses otherwise, for `install(keras=1)`.

Tables say the positional order and the defaults of Keras 1. A class made from them gives the same
objects as Keras 2's: calling it translates the arguments. `REPLACED` maps what symk has under a
name to what Keras 1 means by it; `answer.py` shows the modules of symk through it.
"""
import functools

from .. import backend as K
from .. import initializations, initializers, layers, models, optimizers
from ..backend.common import backend as _own_backend
from ..engine import legacy
from ..models.legacy import modern_arrays, old_arrays, old_count
from ..models.weights import flipped_kernels

__all__ = ["ArrayLayout", "REPLACED"]

# ---- positional order of the arguments, where it is not that of Keras 2

_CONVOLUTION = "init activation weights border_mode {} W_regularizer b_regularizer " \
    "activity_regularizer W_constraint b_constraint bias"
_DENSE = "output_dim init activation weights W_regularizer b_regularizer activity_regularizer " \
    "W_constraint b_constraint bias input_dim"
_SEQUENCE = "nb_filter filter_length " + _CONVOLUTION.format("subsample_length") \
    + " input_dim input_length"
_IMAGE = "nb_filter nb_row nb_col " + _CONVOLUTION.format("subsample dim_ordering")
_STATE = "W_regularizer U_regularizer b_regularizer dropout_W dropout_U"

POSITIONS = {
    "Dense": _DENSE,
    "TimeDistributedDense": _DENSE + " input_length",
    "Embedding": "input_dim output_dim init input_length W_regularizer activity_regularizer "
                 "W_constraint mask_zero weights dropout",
    "BatchNormalization": "epsilon mode axis momentum weights beta_init gamma_init "
                          "gamma_regularizer beta_regularizer",
    "Lambda": "function output_shape arguments",
    "Flatten": "",
    "PReLU": "init weights shared_axes",
    "Conv1D": _SEQUENCE, "LocallyConnected1D": _SEQUENCE,
    "Conv2D": _IMAGE, "LocallyConnected2D": _IMAGE,
    "Conv3D": "nb_filter kernel_dim1 kernel_dim2 kernel_dim3 "
              + _CONVOLUTION.format("subsample dim_ordering"),
    "Conv2DTranspose": "nb_filter nb_row nb_col output_shape "
                       + _CONVOLUTION.format("subsample dim_ordering"),
    "SeparableConv2D": "nb_filter nb_row nb_col init activation weights border_mode subsample "
                       "depth_multiplier dim_ordering depthwise_regularizer "
                       "pointwise_regularizer b_regularizer activity_regularizer "
                       "depthwise_constraint pointwise_constraint b_constraint bias",
    "SimpleRNN": "output_dim init inner_init activation " + _STATE,
    "GRU": "output_dim init inner_init activation inner_activation " + _STATE,
    "LSTM": "output_dim init inner_init forget_bias_init activation inner_activation " + _STATE,
    "ConvLSTM2D": "nb_filter nb_row nb_col init inner_init forget_bias_init activation "
                  "inner_activation dim_ordering border_mode subsample " + _STATE,
    "SGD": "lr momentum decay nesterov",
    "RMSprop": "lr rho epsilon decay", "Adadelta": "lr rho epsilon decay",
    "Adagrad": "lr epsilon decay",
    "Adam": "lr beta_1 beta_2 epsilon decay", "Adamax": "lr beta_1 beta_2 epsilon decay",
    "Nadam": "lr beta_1 beta_2 epsilon schedule_decay",
    "Recurrent": "weights return_sequences go_backwards stateful unroll consume_less input_dim "
                 "input_length",
}

# Function of Keras 1 -> (its class, its positional order).
_DILATED = {
    "AtrousConvolution1D": ("Conv1D", _SEQUENCE.replace("subsample_length",
                                                        "subsample_length atrous_rate")),
    "AtrousConvolution2D": ("Conv2D", _IMAGE.replace("subsample", "subsample atrous_rate")),
}

# ---- defaults that are others than those of Keras 2

_RECURRENT = {"recurrent_activation": "hard_sigmoid", "recurrent_initializer": "orthogonal"}
_GATED = dict(_RECURRENT, implementation=1)
_EPSILON = {"epsilon": 1e-8}
DEFAULTS = {
    "LSTM": _GATED, "GRU": _GATED, "SimpleRNN": {"recurrent_initializer": "orthogonal"},
    "ConvLSTM2D": _RECURRENT,
    "BatchNormalization": {"corrects": False},
    "Flatten": {"data_format": "channels_last"},
    "RMSprop": _EPSILON, "Adagrad": _EPSILON, "Adadelta": _EPSILON, "Adam": _EPSILON,
    "Adamax": _EPSILON, "Nadam": _EPSILON,
}

# Initializers whose numbers are others: normal ones are not cut off, orthogonal ones are 1.1 long.
_INITIALIZERS = ("glorot_normal", "he_normal", "orthogonal")


def _initializer(name):
    """An initializer of Keras 1 for kernels that are laid out as in Keras 2."""
    function = getattr(initializations, name)

    def values(shape, dtype=None):
        if name == "orthogonal":
            return initializers.Orthogonal(gain=1.1)(shape, dtype)
        return K.get_value(function(shape, dim_ordering="tf"))
    values.__name__ = name      # under which files have it
    return values


# ---- classes

class _Meaning(type):
    """The type of a class of Keras 1: its own calls give objects of Keras 2's class."""

    def __call__(cls, *args, **kwargs):
        if "modern" in vars(cls):
            return cls.modern(**cls.translated(args, kwargs))
        return super().__call__(*args, **kwargs)

    def __instancecheck__(cls, thing):
        return isinstance(thing, vars(cls).get("modern", ())) or super().__instancecheck__(thing)

    def __subclasscheck__(cls, other):
        modern = vars(cls).get("modern")
        return modern is not None and issubclass(other, modern) or super().__subclasscheck__(other)


def _translated(name, order, args, kwargs):
    """The arguments of Keras 2 for those that a call has by the order of Keras 1."""
    words = order.split() if order else []
    if len(args) > len(words):
        raise TypeError("[%s] at most %d arguments without names are taken in Keras 1's order; %d "
                        "were given." % (name, len(words), len(args)))
    given = dict(zip(words, args))
    twice = sorted(set(given).intersection(kwargs))
    if twice:
        raise TypeError("[%s] an argument must be given once; %s was given twice."
                        % (name, ", ".join(twice)))
    arguments = dict(DEFAULTS.get(name, {}), **legacy.with_new_names(name, dict(given, **kwargs)))
    return {word: _initializer(value) if word.endswith("_initializer")
            and isinstance(value, str) and value in _INITIALIZERS else value
            for word, value in arguments.items()}


def _class(modern, order, name=None):
    """A class with the arguments of Keras 1, over one of Keras 2."""
    name = name or modern.__name__

    def translated(args, kwargs):
        return _translated(modern.__name__, order, args, kwargs)

    def __init__(self, *args, **kwargs):
        modern.__init__(self, **translated(args, kwargs))
    made = _Meaning(name, (modern,), {"__doc__": modern.__doc__, "modern": modern,
                                      "translated": staticmethod(translated)})
    made.__init__ = __init__    # last, as Layer wraps the constructors of its subclasses
    return made


class Layer(layers.Layer, metaclass=_Meaning):
    """The base of layers, whose `add_weight` has the order of Keras 1."""

    def add_weight(self, shape, initializer=None, name=None, trainable=True, regularizer=None,
                   constraint=None, **kwargs):
        """A new weight: (shape, initializer, name, ...); also with Keras 2's words."""
        if isinstance(shape, str):
            shape, initializer, name = initializer, kwargs.pop("initializer", None), shape
        return super().add_weight(name=name, shape=shape, initializer=initializer,
                                  trainable=trainable, regularizer=regularizer,
                                  constraint=constraint, **kwargs)


# ---- models

def _short(metrics):
    """Metrics with the name that the accuracy had."""
    if isinstance(metrics, dict):
        return {output: _short(metric) for output, metric in metrics.items()}
    if isinstance(metrics, (list, tuple)):
        return [_short(metric) for metric in metrics]
    return "acc" if metrics == "accuracy" else metrics


def _given(**arguments):
    """The arguments that were given."""
    return {name: value for name, value in arguments.items() if value is not None}


class _Training:
    """The defaults and the order of arguments of training in Keras 1."""

    def compile(self, optimizer, loss=None, metrics=None, **kwargs):
        """As in Keras 2; the accuracy is reported as "acc". Names mean Keras 1's defaults."""
        if isinstance(optimizer, str):
            optimizer = optimizers.get(optimizer)
            given = DEFAULTS.get(type(optimizer).__name__)
            optimizer = type(optimizer)(**given) if given else optimizer
        super().compile(optimizer, loss, metrics=_short(metrics), **kwargs)

    def fit(self, x=None, y=None, batch_size=32, nb_epoch=None, verbose=1, callbacks=None,
            validation_split=0.0, validation_data=None, shuffle=True, class_weight=None,
            sample_weight=None, initial_epoch=0, **kwargs):
        """Trains for 10 epochs, if no number is given."""
        if nb_epoch is None:
            kwargs.setdefault("epochs", 10)
        return super().fit(x, y, batch_size=batch_size, verbose=verbose, callbacks=callbacks,
                           validation_split=validation_split, validation_data=validation_data,
                           shuffle=shuffle, class_weight=class_weight,
                           sample_weight=sample_weight, initial_epoch=initial_epoch,
                           **_given(nb_epoch=nb_epoch), **kwargs)

    def fit_generator(self, generator, samples_per_epoch, nb_epoch=None, verbose=1, callbacks=None,
                      validation_data=None, nb_val_samples=None, class_weight=None,
                      max_q_size=None, nb_worker=None, pickle_safe=None, initial_epoch=0):
        """Trains on batches of a generator; the second argument counts samples."""
        if nb_epoch is None:
            raise TypeError("[fit_generator] nb_epoch is required; it was not given.")
        return super().fit_generator(
            generator, samples_per_epoch=samples_per_epoch, nb_epoch=nb_epoch, verbose=verbose,
            callbacks=callbacks, validation_data=validation_data, class_weight=class_weight,
            initial_epoch=initial_epoch,
            **_given(nb_val_samples=nb_val_samples, max_q_size=max_q_size, nb_worker=nb_worker,
                     pickle_safe=pickle_safe))

    def evaluate_generator(self, generator, val_samples, max_q_size=None, nb_worker=None,
                           pickle_safe=None):
        """The loss over a number of samples."""
        return super().evaluate_generator(generator, val_samples=val_samples, **_given(
            max_q_size=max_q_size, nb_worker=nb_worker, pickle_safe=pickle_safe))

    def predict_generator(self, generator, val_samples, max_q_size=None, nb_worker=None,
                          pickle_safe=None):
        """The outputs for a number of samples."""
        return super().predict_generator(generator, val_samples=val_samples, **_given(
            max_q_size=max_q_size, nb_worker=nb_worker, pickle_safe=pickle_safe))


class Model(_Training, models.Model):
    """A Model with the methods of Keras 1."""


class Sequential(_Training, models.Sequential):
    """A Sequential with the methods of Keras 1."""

    def train_on_batch(self, x, y, class_weight=None, sample_weight=None, **kwargs):
        """One step on one batch; class_weight comes before sample_weight."""
        return super().train_on_batch(x, y, sample_weight=sample_weight,
                                      class_weight=class_weight, **kwargs)


_MODELS = {models.Model: Model, models.Sequential: Sequential}


def _loading(function):
    """A function that makes a model, which then has the methods of Keras 1."""
    @functools.wraps(function)
    def load(*args, **kwargs):
        model = function(*args, **kwargs)
        model.__class__ = _MODELS.get(type(model), type(model))
        return model
    return load


# ---- K

def _output_first(function):
    """A cross-entropy that is called (output, target, from_logits)."""
    @functools.wraps(function)
    def call(output, target, from_logits=False):
        return function(target, output, from_logits=from_logits)
    return call


def _convolution(function):
    """A convolution whose kernel is laid out, and on Theano turned, as in Keras 1."""
    @functools.wraps(function)
    def call(x, kernel, *args, **kwargs):
        if K.backend() == "theano" and K.backend is not _own_backend:
            th = kwargs.get("dim_ordering", args[2] if len(args) > 2 else "default")
            th = th == "th" or th == "default" and K.image_data_format() == "channels_first"
            places = range(2, K.ndim(kernel)) if th else range(K.ndim(kernel) - 2)
            kernel = K.reverse(kernel, list(places))
        if len(args) < 3:
            kwargs.setdefault("dim_ordering", "default")
        else:
            kwargs["dim_ordering"], args = args[2], args[:2] + args[3:]
        return function(x, kernel, *args, **kwargs)
    return call


# ---- arrays of weights

class ArrayLayout:
    """The arrays of `get_weights` and `set_weights` as Keras 1 laid them out.

    On Theano, kernels of convolutions are kept turned, as its convolution turns them again.
    """

    @staticmethod
    def old_count(layer):
        return old_count(layer, joins=True)

    @staticmethod
    def old_arrays(layer, arrays):
        return old_arrays(layer, _turned(layer, arrays))

    @staticmethod
    def modern_arrays(layer, arrays):
        return _turned(layer, modern_arrays(layer, arrays))


def _turned(layer, arrays):
    return flipped_kernels(layer, arrays) if K.backend() == "theano" else arrays


def _known(name):
    return getattr(layers, name, None) or getattr(optimizers, name)


REPLACED = {_known(name): _class(_known(name), order) for name, order in POSITIONS.items()}
REPLACED.update({getattr(layers, name): _class(getattr(layers, class_name), order, name)
                 for name, (class_name, order) in _DILATED.items()})
REPLACED.update(_MODELS)
REPLACED[layers.Layer] = Layer
REPLACED.update({function: _loading(function) for function in (
    models.load_model, models.model_from_config, models.model_from_json, models.model_from_yaml)})
REPLACED.update({function: _output_first(function) for function in (
    K.categorical_crossentropy, K.binary_crossentropy, K.sparse_categorical_crossentropy)})
REPLACED.update({function: _convolution(function) for function in (K.conv2d, K.conv3d)})
