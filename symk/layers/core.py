"""Layers of any network: Dense, Activation, Dropout, and layers that change the shape."""
from .. import backend as K
from .. import regularizers
from ..engine import InputSpec, Layer
from ..graph import dims
from ..registry import register
from ..utils.conv_utils import normalize_tuple
from .lambda_layer import Lambda
from .parametric import Parametric

__all__ = ["Activation", "ActivityRegularization", "Dense", "Dropout", "Flatten", "InputSpec",
           "Lambda", "Layer", "Masking", "Permute", "RepeatVector", "Reshape",
           "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"]


@register("layer")
class Dense(Parametric):
    """activation(inputs . kernel + bias), on the last axis.

    # Arguments
        units: size of the output's last axis.
        activation: name or function; None is linear.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: initial values of the weights.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.

    # Input shape
        `(batch, ..., features)`.

    # Output shape
        `(batch, ..., units)`.
    """

    def __init__(self, units, activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, bias_constraint=None,
                 **kwargs):
        if "input_shape" not in kwargs and "input_dim" in kwargs:
            kwargs["input_shape"] = (kwargs.pop("input_dim"),)
        super().__init__(**kwargs)
        self.units = normalize_tuple(units, 1, "units")[0]
        self.use_bias = use_bias
        self._keep(activation=activation, kernel_initializer=kernel_initializer,
                   bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
                   bias_regularizer=bias_regularizer, activity_regularizer=activity_regularizer,
                   kernel_constraint=kernel_constraint, bias_constraint=bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape):
        features = input_shape[-1]
        self.kernel = self._add("kernel", (features, self.units))
        self.bias = self._add("bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})
        self.built = True

    def call(self, inputs):
        output = K.dot(inputs, self.kernel)
        if self.use_bias:
            output = K.bias_add(output, self.bias, data_format="channels_last")
        return self.activation(output)

    def get_config(self):
        return dict(super().get_config(), units=self.units, use_bias=self.use_bias)


@register("layer")
class Activation(Parametric):
    """An activation function as a layer.

    # Arguments
        activation: name of a function, or the function.
    """

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self._keep(activation=activation)
        self.supports_masking = True

    def call(self, inputs):
        return self.activation(inputs)


@register("layer")
class Dropout(Layer):
    """In training, sets a part of the inputs to 0 and scales the rest to keep the mean.

    # Arguments
        rate: the part that is dropped, from 0 to below 1.
        noise_shape: shape of the mask, with 1 where an axis shares it; the input's by default.
        seed: of the random stream.

    # References
        Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting.
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rate <= 1.0:
            raise ValueError("[Dropout] a rate from 0 to 1 is required; %r was given." % (rate,))
        self.rate = rate
        self.noise_shape = noise_shape
        self.seed = seed
        self.supports_masking = True

    def _noise_shape(self, inputs):
        """The shape of the mask for these inputs; None in `noise_shape` is the input's size."""
        if self.noise_shape is None:
            return None
        return tuple(inputs.shape[axis] if size is None else size
                     for axis, size in enumerate(self.noise_shape))

    def call(self, inputs, training=None):
        if not 0.0 < self.rate < 1.0:
            return inputs
        return K.in_train_phase(
            lambda: K.dropout(inputs, self.rate, self._noise_shape(inputs), seed=self.seed),
            inputs, training=training)

    def get_config(self):
        return dict(super().get_config(), rate=self.rate, noise_shape=self.noise_shape,
                    seed=self.seed)


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


@register("layer")
class Flatten(Layer):
    """All axes but the first as one.

    # Arguments
        data_format: "channels_first" moves the channels last before, so that weights after it
            fit networks of either format.
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = InputSpec(min_ndim=3)
        self.data_format = K.normalize_data_format(data_format)

    def call(self, inputs):
        if self.data_format == "channels_first":
            inputs = K.permute_dimensions(inputs, (0,) + tuple(range(2, inputs.ndim)) + (1,))
        return K.batch_flatten(inputs)

    def get_config(self):
        return dict(super().get_config(), data_format=self.data_format)


@register("layer")
class Reshape(Layer):
    """The same values in another shape.

    # Arguments
        target_shape: tuple of integers without the batch axis; one may be -1, for what remains.
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)

    def call(self, inputs):
        known = dims.product(size for size in self.target_shape if size != -1)
        size = dims.product(inputs.shape[1:])
        remains = -1 in self.target_shape
        if not isinstance(size, dims.Dim) and (
                size != known if not remains else not known or size % known):
            raise ValueError('in layer "%s" (Reshape): [reshape] the number of elements must stay; '
                             "the input is %r, with %d per sample, target_shape is %s."
                             % (self.name, inputs.type, size, self.target_shape))
        target = tuple(size // known if one == -1 else one for one in self.target_shape)
        return K.reshape(inputs, inputs.shape[:1] + target)

    def get_config(self):
        return dict(super().get_config(), target_shape=self.target_shape)


@register("layer")
class Permute(Layer):
    """The axes in another order.

    # Arguments
        dims: tuple of the numbers of the input's axes, from 1: `(2, 1)` swaps two. Without the
            batch axis.
    """

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError("[Permute] each of the numbers 1 to %d once is required; %r was given."
                             % (len(self.dims), dims))
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs):
        return K.permute_dimensions(inputs, (0,) + self.dims)

    def get_config(self):
        return dict(super().get_config(), dims=self.dims)


@register("layer")
class RepeatVector(Layer):
    """`(batch, features)` -> `(batch, n, features)`.

    # Arguments
        n: how often.
    """

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        self.n = normalize_tuple(n, 1, "n")[0]
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs):
        return K.repeat(inputs, self.n)

    def get_config(self):
        return dict(super().get_config(), n=self.n)


@register("layer")
class Masking(Layer):
    """Makes the mask of a sequence: steps in which every feature is `mask_value` are skipped.

    # Arguments
        mask_value: number.
    """

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return K.any(K.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs):
        kept = K.any(K.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return inputs * K.cast(kept, K.dtype(inputs))

    def get_config(self):
        return dict(super().get_config(), mask_value=self.mask_value)


@register("layer")
class ActivityRegularization(Layer):
    """Adds a penalty on its input to the loss; the output is the input.

    # Arguments
        l1, l2: factors of the sums of absolute values and of squares.
    """

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        self.l1 = l1
        self.l2 = l2
        self.activity_regularizer = regularizers.L1L2(l1=l1, l2=l2)
        self.supports_masking = True

    def get_config(self):
        return dict(super().get_config(), l1=self.l1, l2=self.l2)
