"""Neural network functions: activations, dropout, cross-entropies, normalisation, biases."""
import numpy as np

from .. import ops
from ..config import settings
from ..graph import GraphError, ShapeError, dims
from ..graph.dtype import floating
from ..ops.checks import axes_in, axis_in, flag, number, whole
from .common import listed, normalize_data_format

__all__ = ["relu", "elu", "softmax", "softplus", "softsign", "sigmoid", "hard_sigmoid", "tanh",
           "dropout", "categorical_crossentropy", "sparse_categorical_crossentropy",
           "binary_crossentropy", "in_top_k", "normalize_batch_in_training",
           "batch_normalization", "bias_add"]


# ---- activations

def relu(x, alpha=0.0, max_value=None, threshold=0.0):
    """x from `threshold` up to `max_value`; below, alpha * (x - threshold).

    With a `max_value`, what is between a negative threshold and 0 is 0, as in Keras.
    """
    x = ops.as_variable(x)
    if number("relu", "threshold", threshold) == 0:
        above = ops.relu(x)
    else:
        above = x * ops.cast(ops.greater(x, threshold), floating(x.dtype))
    if max_value is not None:
        above = ops.minimum(ops.relu(above) if threshold < 0 else above, max_value)
    if isinstance(alpha, (int, float)) and alpha == 0:
        return above
    below = ops.relu(threshold - x if threshold else -x)
    return above - alpha * below


def elu(x, alpha=1.0):
    """x above 0, alpha * (exp(x) - 1) below."""
    return ops.elu(x, alpha)


def softmax(x, axis=-1):
    """exp(x) / sum(exp(x)) along an axis."""
    return ops.softmax(x, axis)


def softplus(x):
    """log(1 + exp(x))."""
    return ops.softplus(x)


def softsign(x):
    """x / (1 + |x|)."""
    return ops.softsign(x)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def hard_sigmoid(x):
    """0.2 * x + 0.5, kept between 0 and 1."""
    return ops.clip(0.2 * ops.as_variable(x) + 0.5, 0.0, 1.0)


def tanh(x):
    return ops.tanh(x)


def dropout(x, level, noise_shape=None, seed=None):
    """x with elements set to 0 at random, the others scaled so that the mean stays.

    Args:     level: the part of the elements that is set to 0, in [0, 1).
              noise_shape: the shape of what is drawn; size 1 drops along the whole axis at once,
              None in it is the size of x.
              seed: an integer, or None to draw one from NumPy.
    """
    if not 0 <= number("dropout", "level", level) < 1:
        raise ValueError("[dropout] level must be in [0, 1); %r was given." % (level,))
    x = ops.as_variable(x)
    if noise_shape is None:
        noise_shape = x.shape
    elif len(listed("dropout", noise_shape)) != x.ndim:
        raise ShapeError("[dropout] noise_shape must have a size for each axis of %r; %r was "
                         "given." % (x.type, noise_shape))
    else:
        noise_shape = [size if given is None else given
                       for given, size in zip(listed("dropout", noise_shape), x.shape)]
    key = ops.random_key(np.random.randint(10 ** 7) if seed is None else seed)
    return x * ops.random_bernoulli(key, noise_shape, 1.0 - level, x.dtype, 1.0 / (1.0 - level))


# ---- cross-entropies

def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-sum(target * log(output)) along `axis`, which holds the classes.

    Where `output` is the softmax of a matrix, its input is taken as with from_logits, as Keras
    does: so a probability near 0 still has a gradient.

    Args:     output: probabilities, which are scaled to the sum 1 and kept `epsilon` away from
              0 and 1; or, with from_logits, what a softmax would be applied to.
    """
    output = ops.as_variable(output)
    target = ops.as_variable(target, like=output)
    axis = _class_axis(output, axis)
    from_logits = flag("categorical_crossentropy", "from_logits", from_logits)
    if not from_logits and _is_softmax_of_matrix(output):
        output, from_logits = output.node.inputs[0], True
    if from_logits:
        return ops.softmax_cross_entropy(_axis_last(output, axis),
                                         _axis_last(ops.cast(target, output.dtype), axis))
    output = _clipped(output / ops.sum(output, axis, True))
    return -ops.sum(target * ops.log(output), axis)


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-log of the probability of the right class.

    Where `output` is the softmax of a matrix, its input is taken, as in `categorical_crossentropy`.

    Args:     target: the numbers of the right classes, with or without a last axis of size 1.
              output: as in `categorical_crossentropy`.
    Shapes:   target (...) or (..., 1), output (..., classes) -> (...).
    """
    output = ops.as_variable(output)
    output = _axis_last(output, _class_axis(output, axis))
    if not flag("sparse_categorical_crossentropy", "from_logits", from_logits):
        output = output.node.inputs[0] if _is_softmax_of_matrix(output) \
            else ops.log(_clipped(output))
    labels = ops.reshape(ops.cast(target, "int64"), output.shape[:-1])
    return ops.sparse_softmax_cross_entropy(output, labels)


def binary_crossentropy(target, output, from_logits=False):
    """-(target * log(output + e) + (1 - target) * log(1 - output + e)), e being `epsilon`.

    Where `output` is a sigmoid, its input is taken as with from_logits, as Keras does.

    Args:     output: probabilities, which are kept `epsilon` away from 0 and 1; or, with
              from_logits, what a sigmoid would be applied to.
    """
    output = ops.as_variable(output)
    target = ops.cast(ops.as_variable(target, like=output), output.dtype)
    if flag("binary_crossentropy", "from_logits", from_logits):
        return ops.sigmoid_cross_entropy(output, target)
    if output.node is not None and output.node.op.name == "sigmoid":
        return ops.sigmoid_cross_entropy(output.node.inputs[0], target)
    output = _clipped(output)
    return -(target * ops.log(output + settings.epsilon)
             + (1.0 - target) * ops.log(1.0 - output + settings.epsilon))


def _is_softmax_of_matrix(output):
    return (output.ndim == 2 and output.node is not None and output.node.op.name == "softmax"
            and output.node.op.axis == 1)


def _clipped(probabilities):
    return ops.clip(probabilities, settings.epsilon, 1.0 - settings.epsilon)


def _class_axis(output, axis):
    return axis_in("crossentropy", axis, output.ndim)


def _axis_last(x, axis):
    """x with one axis moved to the end."""
    if axis == x.ndim - 1:
        return x
    return ops.transpose(x, [other for other in range(x.ndim) if other != axis] + [axis])


def in_top_k(predictions, targets, k):
    """Whether fewer than k predictions are greater than that of the target.

    False for a target that is no class, and for rows with NaN or infinity.
    Shapes:   predictions (batch, classes), targets (batch,) -> (batch,) bool.
    """
    return ops.in_top_k(predictions, targets, whole("in_top_k", "k", k))


# ---- normalisation and biases

def normalize_batch_in_training(x, gamma, beta, reduction_axes, epsilon=1e-3):
    """Batch normalisation with the statistics of the batch.

    Args:     gamma, beta: scale and shift, or None.
              reduction_axes: the axes over which mean and variance are taken.
    Returns:  (normalised x, mean, variance); the variance divides by the count.
    """
    x = ops.as_variable(x)
    epsilon = number("normalize_batch_in_training", "epsilon", epsilon)
    axes = axes_in("normalize_batch_in_training", reduction_axes, x.ndim)
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    if len(kept) == 1:
        channels = (x.shape[kept[0]],)
        gamma = ops.full(channels, 1, x.dtype) if gamma is None else _flat(gamma, x)
        beta = ops.full(channels, 0, x.dtype) if beta is None else _flat(beta, x)
        y, mean, variance = ops.batch_norm(_axis_last(x, kept[0]), gamma, beta, epsilon)
        return _axis_from_last(y, kept[0]), mean, variance
    mean = ops.mean(x, axes, True)
    variance = ops.mean(ops.square(x - mean), axes, True)
    shape = mean.shape
    y = _normalised(x, mean, variance,
                    *(v if v is None else ops.reshape(ops.as_variable(v, like=x), shape)
                      for v in (beta, gamma)), epsilon)
    left = [x.shape[axis] for axis in kept]
    return y, ops.reshape(mean, left), ops.reshape(variance, left)


def batch_normalization(x, mean, var, beta, gamma, axis=-1, epsilon=1e-3):
    """gamma * (x - mean) / sqrt(var + epsilon) + beta; gamma and beta may be None.

    Args:     axis: the axis of x that vectors belong to; other tensors broadcast.
    """
    x = ops.as_variable(x)
    axis = axis_in("batch_normalization", axis, x.ndim)
    if mean is None or var is None:
        raise GraphError("[batch_normalization] a mean and a variance are required; %r and %r were "
                         "given." % (mean, var))

    def aligned(value):
        if value is None:
            return None
        value = ops.as_variable(value, like=x)
        if value.ndim != 1 or axis == x.ndim - 1:
            return value
        shape = [1] * x.ndim
        shape[axis] = value.shape[0]
        return ops.reshape(value, shape)
    y = _normalised(x, aligned(mean), aligned(var), aligned(beta), aligned(gamma), epsilon)
    if y.ndim != x.ndim or any(map(dims.known_different, y.shape, x.shape)):
        raise ShapeError("[batch_normalization] mean, variance, beta and gamma must fit the "
                         "tensor; it is %r, with them it becomes %r." % (x.type, y.type))
    return y


def _normalised(x, mean, variance, beta, gamma, epsilon):
    """One multiplication and one addition per element of x."""
    epsilon = number("batch_normalization", "epsilon", epsilon)
    scale = ops.rsqrt(variance + epsilon)
    if gamma is not None:
        scale = scale * gamma
    shift = -mean * scale
    return x * scale + (shift if beta is None else beta + shift)


def _flat(value, x):
    value = ops.as_variable(value, like=x)
    return value if value.ndim == 1 else ops.reshape(value, (-1,))


def _axis_from_last(x, axis):
    """x with the last axis moved to `axis`; undoes `_axis_last`."""
    order = list(range(x.ndim - 1))
    order.insert(axis, x.ndim - 1)
    return ops.transpose(x, order)


def bias_add(x, bias, data_format=None):
    """x + bias, the bias having one value per channel, or one for all of x but the batch.

    Shapes:   x (batch, ..., channels), or (batch, channels, ...) with "channels_first";
              bias (channels,), or the shape of a sample with the channels last; with
              "channels_first" its elements are taken in their order, as Keras does.
    """
    data_format = normalize_data_format(data_format)
    x = ops.as_variable(x)
    bias = ops.as_variable(bias, like=x)
    if x.ndim < 2 or bias.ndim not in (1, x.ndim - 1):
        raise ShapeError("[bias_add] the tensor must have a batch and channels, the bias 1 axis or "
                         "one less than the tensor; they are %r and %r." % (x.type, bias.type))
    first = data_format == "channels_first" and x.ndim > 2
    if bias.ndim > 1:
        return x + (ops.reshape(bias, bias.shape[-1:] + bias.shape[:-1]) if first else bias)
    channels = x.shape[1 if first else -1]
    if dims.known_different(channels, bias.shape[0]):
        raise ShapeError("[bias_add] the bias must have one value per channel, %s of %r; it is "
                         "%r." % (channels, x.type, bias.type))
    return x + (ops.reshape(bias, bias.shape + (1,) * (x.ndim - 2)) if first else bias)
