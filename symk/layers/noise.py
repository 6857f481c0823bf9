"""Layers that add noise in training and do nothing in testing."""
import math

from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from .core import Dropout

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D",
           "SpatialDropout2D", "SpatialDropout3D"]

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


class _SpatialDropout(Dropout):
    """Drops whole channels."""

    ndim = None

    def __init__(self, rate, data_format=None, **kwargs):
        kwargs.pop("noise_shape", None)      # Dropout's config has it; the class decides it
        super().__init__(rate, **kwargs)
        self.data_format = K.normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.ndim)

    def _noise_shape(self, inputs):
        if self.data_format == "channels_first":
            return inputs.shape[:2] + (1,) * (self.ndim - 2)
        return inputs.shape[:1] + (1,) * (self.ndim - 2) + inputs.shape[-1:]


@register("layer")
class SpatialDropout1D(_SpatialDropout):
    """Drops whole features of sequences: `(batch, steps, features)`.

    # Arguments
        rate: the part that is dropped.

    # References
        Tompson et al. 2014, https://arxiv.org/abs/1411.4280
    """

    ndim = 3

    def __init__(self, rate, **kwargs):
        super().__init__(rate, "channels_last", **kwargs)


@register("layer")
class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of images.

    # Arguments
        rate: the part that is dropped.
        data_format: "channels_last", "channels_first" or None for the setting.

    # References
        Tompson et al. 2014, https://arxiv.org/abs/1411.4280
    """

    ndim = 4


@register("layer")
class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of volumes. Arguments as in `SpatialDropout2D`."""

    ndim = 5
