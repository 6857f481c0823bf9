"""Activations that are layers of their own, with arguments or weights."""
from .. import activations
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from .parametric import Parametric

__all__ = ["ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU"]


class _Elementwise(Layer):
    """A layer whose output has the shape of its input."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True


@register("layer")
class LeakyReLU(_Elementwise):
    """x above 0, alpha * x below.

    # Arguments
        alpha: slope below 0.

    # References
        Maas et al. 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models.
    """

    def __init__(self, alpha=0.3, **kwargs):
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, inputs):
        return K.relu(inputs, alpha=self.alpha)

    def get_config(self):
        return dict(super().get_config(), alpha=self.alpha)


@register("layer")
class PReLU(Parametric):
    """x above 0, alpha * x below, with alpha a weight.

    # Arguments
        alpha_initializer, alpha_regularizer, alpha_constraint: of the weight.
        shared_axes: axes along which alpha is the same, such as [1, 2] for one per channel.

    # References
        He et al. 2015, https://arxiv.org/abs/1502.01852
    """

    def __init__(self, alpha_initializer="zeros", alpha_regularizer=None, alpha_constraint=None,
                 shared_axes=None, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self._keep(alpha_initializer=alpha_initializer, alpha_regularizer=alpha_regularizer,
                   alpha_constraint=alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes

    def build(self, input_shape):
        shared = self.shared_axes or ()
        shape = tuple(1 if axis in shared else size
                      for axis, size in enumerate(input_shape) if axis > 0)
        self.alpha = self._add("alpha", shape)
        self.input_spec = InputSpec(ndim=len(input_shape),
                                    axes={axis: size for axis, size in enumerate(input_shape)
                                          if axis > 0 and axis not in shared})
        self.built = True

    def call(self, inputs):
        return K.relu(inputs) - self.alpha * K.relu(-inputs)

    def get_config(self):
        return dict(super().get_config(), shared_axes=self.shared_axes)


@register("layer")
class ELU(_Elementwise):
    """x above 0, alpha * (exp(x) - 1) below.

    # Arguments
        alpha: scale below 0.

    # References
        Clevert et al. 2015, https://arxiv.org/abs/1511.07289
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, inputs):
        return K.elu(inputs, self.alpha)

    def get_config(self):
        return dict(super().get_config(), alpha=self.alpha)


@register("layer")
class ThresholdedReLU(_Elementwise):
    """x above theta, else 0.

    # Arguments
        theta: the threshold, at least 0.

    # References
        Konda et al. 2014, https://arxiv.org/abs/1402.3337
    """

    def __init__(self, theta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.theta = float(theta)

    def call(self, inputs):
        return inputs * K.cast(K.greater(inputs, self.theta), K.dtype(inputs))

    def get_config(self):
        return dict(super().get_config(), theta=self.theta)


@register("layer")
class Softmax(_Elementwise):
    """exp(x) / sum(exp(x)) along an axis.

    # Arguments
        axis: the axis.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs):
        return activations.softmax(inputs, axis=self.axis)

    def get_config(self):
        return dict(super().get_config(), axis=self.axis)


@register("layer")
class ReLU(_Elementwise):
    """x from `threshold` up to `max_value`; below, negative_slope * (x - threshold).

    # Arguments
        max_value: greatest output, None for no limit.
        negative_slope: slope below the threshold.
        threshold: where the output begins to be x.
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0:
            raise ValueError("[ReLU] max_value must be at least 0; %r was given." % (max_value,))
        if negative_slope < 0:
            raise ValueError("[ReLU] negative_slope must be at least 0; %r was given."
                             % (negative_slope,))
        self.max_value = None if max_value is None else float(max_value)
        self.negative_slope = float(negative_slope)
        self.threshold = float(threshold)

    def call(self, inputs):
        return K.relu(inputs, alpha=self.negative_slope, max_value=self.max_value,
                      threshold=self.threshold)

    def get_config(self):
        return dict(super().get_config(), max_value=self.max_value,
                    negative_slope=self.negative_slope, threshold=self.threshold)
