"""Layers that add noise in training and do nothing in testing."""
import math

from .. import backend as K
from ..engine import Layer
from ..registry import register

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise", "Layer"]

# Self-normalising networks keep their mean and variance if dropped units get this value.
# Source: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515: -scale * alpha of selu.
_ALPHA_PRIME = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


@register("layer")
class GaussianNoise(Layer):
    """x + normal noise.

    # Arguments
        stddev: standard deviation of the noise.
    """

    def __init__(self, stddev, **kwargs):
        super().__init__(**kwargs)
        self.stddev = stddev
        self.supports_masking = True

    def call(self, inputs, training=None):
        return K.in_train_phase(
            lambda: inputs + K.random_normal(inputs.shape, 0.0, self.stddev, inputs.dtype),
            inputs, training=training)

    def get_config(self):
        return dict(super().get_config(), stddev=self.stddev)


class _Rate(Layer):
    """A layer with a rate of dropping."""

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError("[%s] a rate from 0 to below 1 is required; %r was given."
                             % (type(self).__name__, rate))
        self.rate = rate
        self.supports_masking = True

    def noised(self, inputs):
        """The output in training."""
        raise NotImplementedError

    def call(self, inputs, training=None):
        if self.rate == 0.0:
            return inputs
        return K.in_train_phase(lambda: self.noised(inputs), inputs, training=training)

    def get_config(self):
        return dict(super().get_config(), rate=self.rate)


@register("layer")
class GaussianDropout(_Rate):
    """x times normal noise of mean 1.

    # Arguments
        rate: the noise has the standard deviation sqrt(rate / (1 - rate)).

    # References
        Srivastava et al. 2014, Dropout, section 10.
    """

    def noised(self, inputs):
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return inputs * K.random_normal(inputs.shape, 1.0, stddev, inputs.dtype)


@register("layer")
class AlphaDropout(_Rate):
    """Dropout that keeps mean and variance of self-normalising networks (selu).

    # Arguments
        rate: the part that is dropped.
        noise_shape: shape of the mask; the input's by default.
        seed: of the random stream.

    # References
        Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(rate, **kwargs)
        self.noise_shape = noise_shape
        self.seed = seed

    def noised(self, inputs):
        shape = inputs.shape if self.noise_shape is None else tuple(self.noise_shape)
        kept = K.random_binomial(shape, 1.0 - self.rate, inputs.dtype, seed=self.seed)
        scale = ((1.0 - self.rate) * (1.0 + self.rate * _ALPHA_PRIME ** 2)) ** -0.5
        shift = -scale * _ALPHA_PRIME * self.rate
        return scale * (inputs * kept + _ALPHA_PRIME * (1.0 - kept)) + shift
