"""BatchNormalization."""
from .. import backend as K
from .. import constraints, initializers, regularizers
from ..engine import InputSpec, Layer
from ..registry import register

__all__ = ["BatchNormalization"]


@register("layer")
class BatchNormalization(Layer):
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
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def build(self, input_shape):
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ValueError('in layer "%s" (BatchNormalization): [axis] an axis of the input is '
                             "required; axis=%d, the input has the shape %s."
                             % (self.name, self.axis, input_shape))
        size = input_shape[self.axis]
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight("gamma", (size,), initializer=self.gamma_initializer,
                                         regularizer=self.gamma_regularizer,
                                         constraint=self.gamma_constraint)
        if self.center:
            self.beta = self.add_weight("beta", (size,), initializer=self.beta_initializer,
                                        regularizer=self.beta_regularizer,
                                        constraint=self.beta_constraint)
        self.moving_mean = self.add_weight("moving_mean", (size,), trainable=False,
                                           initializer=self.moving_mean_initializer)
        self.moving_variance = self.add_weight("moving_variance", (size,), trainable=False,
                                               initializer=self.moving_variance_initializer)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})
        self.built = True

    def call(self, inputs, training=None):
        if training in (0, False) and training is not None:
            return self._with_moving_values(inputs)
        axes = [axis for axis in range(inputs.ndim) if axis != self.axis % inputs.ndim]
        output, mean, variance = K.normalize_batch_in_training(
            inputs, self.gamma, self.beta, axes, epsilon=self.epsilon)
        self._move(inputs, mean, variance)
        return K.in_train_phase(output, lambda: self._with_moving_values(inputs),
                                training=training)

    def _with_moving_values(self, inputs):
        return K.batch_normalization(inputs, self.moving_mean, self.moving_variance, self.beta,
                                     self.gamma, axis=self.axis, epsilon=self.epsilon)

    def _move(self, inputs, mean, variance):
        """Moves the moving values towards those of the batch."""
        count = K.cast(K.size(inputs), K.dtype(variance)) / inputs.shape[self.axis]
        variance = variance * (count / (count - (1.0 + self.epsilon)))
        self.add_update([K.moving_average_update(self.moving_mean, mean, self.momentum),
                         K.moving_average_update(self.moving_variance, variance, self.momentum)],
                        inputs)

    def get_config(self):
        return dict(
            super().get_config(), axis=self.axis, momentum=self.momentum, epsilon=self.epsilon,
            center=self.center, scale=self.scale,
            beta_initializer=initializers.serialize(self.beta_initializer),
            gamma_initializer=initializers.serialize(self.gamma_initializer),
            moving_mean_initializer=initializers.serialize(self.moving_mean_initializer),
            moving_variance_initializer=initializers.serialize(self.moving_variance_initializer),
            beta_regularizer=regularizers.serialize(self.beta_regularizer),
            gamma_regularizer=regularizers.serialize(self.gamma_regularizer),
            beta_constraint=constraints.serialize(self.beta_constraint),
            gamma_constraint=constraints.serialize(self.gamma_constraint))

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
