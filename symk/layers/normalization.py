"""BatchNormalization."""
from .. import backend as K
from ..engine import InputSpec, Layer
from ..registry import register
from .parametric import Parametric

__all__ = ["BatchNormalization", "InputSpec", "Layer"]


@register("layer")
class BatchNormalization(Parametric):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    In training, mean and variance are those of the batch and move the moving ones, which are used
    in testing. Keras 2.3.1 corrects the variance that it moves to by n / (n - 1 - epsilon).

    # Arguments
        axis: the axis that keeps its own mean and variance, usually the channels.
        momentum: part of the moving values that stays in each step.
        epsilon: added to the variance.
        center, scale: whether there are beta and gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer,
        moving_variance_initializer, beta_regularizer, gamma_regularizer, beta_constraint,
        gamma_constraint: of the weights.

    # References
        Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167
    """

    # Of Keras 1: 1 normalises each sample, 2 always takes mean and variance of the batch.
    mode = 0

    # Whether the variance is corrected before it moves the moving one; Keras 1 did not.
    corrects = True

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True,
                 beta_initializer="zeros", gamma_initializer="ones",
                 moving_mean_initializer="zeros", moving_variance_initializer="ones",
                 beta_regularizer=None, gamma_regularizer=None, beta_constraint=None,
                 gamma_constraint=None, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self._keep(beta_initializer=beta_initializer, gamma_initializer=gamma_initializer,
                   moving_mean_initializer=moving_mean_initializer,
                   moving_variance_initializer=moving_variance_initializer,
                   beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer,
                   beta_constraint=beta_constraint, gamma_constraint=gamma_constraint)

    def build(self, input_shape):
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ValueError('in layer "%s" (BatchNormalization): [axis] an axis of the input is '
                             "required; axis=%d, the input has the shape %s."
                             % (self.name, self.axis, input_shape))
        size = input_shape[self.axis]
        self.gamma = self._add("gamma", (size,)) if self.scale else None
        self.beta = self._add("beta", (size,)) if self.center else None
        self.moving_mean = self.add_weight("moving_mean", (size,), trainable=False,
                                           initializer=self.moving_mean_initializer)
        self.moving_variance = self.add_weight("moving_variance", (size,), trainable=False,
                                               initializer=self.moving_variance_initializer)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})
        self.built = True

    def call(self, inputs, training=None):
        if self.mode == 1:
            return self._by_sample(inputs)
        if self.mode == 2:
            training = 1
        if training in (0, False) and training is not None:
            return self._with_moving_values(inputs)
        axes = [axis for axis in range(inputs.ndim) if axis != self.axis % inputs.ndim]
        output, mean, variance = K.normalize_batch_in_training(
            inputs, self.gamma, self.beta, axes, epsilon=self.epsilon)
        self._move(inputs, mean, variance)
        return K.in_train_phase(output, lambda: self._with_moving_values(inputs),
                                training=training)

    def _by_sample(self, inputs):
        """Each sample with the mean and the deviation of its own features."""
        centred = inputs - K.mean(inputs, axis=-1, keepdims=True)
        deviation = K.sqrt(K.var(inputs, axis=-1, keepdims=True) + self.epsilon)
        output = centred / (deviation + self.epsilon)
        output = output * self.gamma if self.scale else output
        return output + self.beta if self.center else output

    def _with_moving_values(self, inputs):
        return K.batch_normalization(inputs, self.moving_mean, self.moving_variance, self.beta,
                                     self.gamma, axis=self.axis, epsilon=self.epsilon)

    def _move(self, inputs, mean, variance):
        """Moves the moving values towards those of the batch."""
        if self.corrects:
            count = K.cast(K.size(inputs), K.dtype(variance)) / inputs.shape[self.axis]
            variance = variance * (count / (count - (1.0 + self.epsilon)))
        self.add_update([K.moving_average_update(self.moving_mean, mean, self.momentum),
                         K.moving_average_update(self.moving_variance, variance, self.momentum)],
                        inputs)

    def get_config(self):
        config = dict(super().get_config(), axis=self.axis, momentum=self.momentum,
                      epsilon=self.epsilon, center=self.center, scale=self.scale)
        return dict(config, mode=self.mode) if self.mode else config

    @classmethod
    def from_config(cls, config):
        """Also from tf.keras, which writes the axis as a list of one."""
        config = dict(config)
        axis = config.get("axis", -1)
        if isinstance(axis, (list, tuple)):
            if len(axis) != 1:
                raise ValueError('[BatchNormalization] one axis is required in the config of "%s"; '
                                 "%r was given." % (config.get("name"), axis))
            config["axis"] = axis[0]
        return cls(**config)
