"""Layers that only Keras 1 had, and Merge with the function `merge`.

Most are a few expressions. A mode of Merge that has a name is the layer of Keras 2 that does it.
"""
from .. import backend as K
from .. import initializers, renames
from ..engine import Input, InputSpec, Layer, legacy
from ..engine.layer import mask_of
from ..engine.network import Network, layer_from_config
from ..registry import register
from ..utils.generic_utils import to_list, unpack_singleton
from .core import Dense
from .lambda_layer import Lambda

__all__ = ["Merge", "ParametricSoftplus", "SReLU", "TimeDistributedDense", "merge_tensors",
           "time_distributed_dense"]


# ---- merging

@register("layer")
class Merge(Layer):
    """Joins the outputs of models, or tensors, by a mode.

    With models it is the first layer of a Sequential, which then has the inputs of all of them.

    # Arguments
        layers: list of models; None to call the layer on a list of tensors.
        mode: "sum", "mul", "concat", "ave", "max", "dot", "cos", or a function of a list.
        concat_axis: the axis of "concat".
        dot_axes: the axes that "dot" and "cos" sum over.
        output_shape, output_mask, arguments: of a function, as in `Lambda`.
        node_indices, tensor_indices: for layers that are no models: which of their calls and
            outputs.
    """

    def __init__(self, layers=None, mode="sum", concat_axis=-1, dot_axes=-1, output_shape=None,
                 output_mask=None, arguments=None, node_indices=None, tensor_indices=None,
                 name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.supports_masking = True
        self.mode = mode
        self.concat_axis = concat_axis
        self.dot_axes = dot_axes
        self.layers = list(layers or [])
        self._inner = _merger(mode, concat_axis, dot_axes, output_shape, output_mask, arguments)
        self._mask = None
        self.origins = self._places = None      # of a first layer of a Sequential: see make_inputs
        models = [isinstance(layer, Network) for layer in self.layers]
        if self.layers and not all(models):
            if any(models):
                raise ValueError("[Merge] models, or other layers, are required; both were given. "
                                 "Put the layers into a Sequential.")
            joined, self.layers = self.layers, []
            self.add_inbound_node(joined, node_indices, tensor_indices)
        self._sublayers = self.layers + [self._inner]

    @property
    def flattened(self):
        """The layers of the models that are joined."""
        return [layer for model in self.layers for layer in model.flattened_layers]

    def make_inputs(self):
        """New inputs like those of the models, in their order; one for all that models share."""
        if not self.layers:
            raise ValueError("[Merge] models are required in the first layer of a Sequential; none "
                             "were given. Call the layer on tensors of a Model instead.")
        named = [pair for model in self.layers for pair in zip(_origins(model), model.input_names)]
        names = dict(reversed(named))
        self.origins = list(dict(named))
        self._places = [[self.origins.index(tensor) for tensor in _origins(model)]
                        for model in self.layers]
        return [Input(batch_shape=K.int_shape(tensor), dtype=tensor.dtype, name=names[tensor])
                for tensor in self.origins]

    def call(self, inputs, mask=None):
        tensors = to_list(inputs)
        if self.layers:
            tensors = self._outputs_of_models(tensors)
        output = self._inner(tensors)
        self._mask = mask_of(output)
        return output

    def _outputs_of_models(self, inputs):
        outputs = []
        for model, places in zip(self.layers, self._places):
            outputs += to_list(model(unpack_singleton([inputs[place] for place in places])))
        return outputs

    # A model may stand in several places; what it has counts once.

    def _all_trainable_weights(self):
        return _once(super()._all_trainable_weights())

    @property
    def non_trainable_weights(self):
        return _once(super().non_trainable_weights)

    @non_trainable_weights.setter
    def non_trainable_weights(self, weights):
        Layer.non_trainable_weights.fset(self, weights)

    def loss_entries(self):
        return _once(super().loss_entries())

    def update_entries(self):
        return _once(super().update_entries())

    def compute_mask(self, inputs, mask=None):
        """What the layer that joins gave to its output."""
        return self._mask

    def get_config(self):
        config = dict(super().get_config(), mode=self.mode, concat_axis=self.concat_axis,
                      dot_axes=self.dot_axes,
                      layers=[{"class_name": type(layer).__name__, "config": layer.get_config()}
                              for layer in self.layers])
        if callable(self.mode):
            config["mode"] = {"class_name": "Lambda", "config": self._inner.get_config()}
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        config["layers"] = [layer_from_config(layer, custom_objects)
                            for layer in config.get("layers") or []]
        for name in ("mode_type", "output_shape_type", "output_mask_type"):
            if config.pop(name, "raw") not in ("raw", None):
                raise ValueError("[Merge] a mode with a name is required in a file of Keras 1; a "
                                 "function was given. Make the model again in a program.")
        mode = config.get("mode")
        if isinstance(mode, dict):
            function = layer_from_config(mode, custom_objects)
            config.update(mode=function.function, arguments=function.arguments)
        return cls(**config)


def _origins(model):
    """The inputs of a model as they were first made, before it was joined with others."""
    first = model.layers[0] if model.layers else None
    return first.origins if isinstance(first, Merge) and first.origins else model.inputs


def _once(things):
    """Without repetitions, by identity."""
    return list({id(thing): thing for thing in things}.values())


def _merger(mode, concat_axis, dot_axes, output_shape, output_mask, arguments):
    """The layer of Keras 2 that does what a mode says."""
    if callable(mode):
        return Lambda(mode, output_shape=output_shape, mask=output_mask, arguments=arguments or {})
    name, config = legacy.modern("Merge", {"mode": mode, "concat_axis": concat_axis,
                                           "dot_axes": dot_axes})
    return layer_from_config({"class_name": name, "config": config})


def merge_tensors(inputs, mode="sum", concat_axis=-1, dot_axes=-1, output_shape=None,
                  output_mask=None, arguments=None, name=None):
    """Keras 1's function `merge`: joins tensors by a mode of `Merge`."""
    renames.told("merge", "merge(mode=%r)" % (mode,), _new_name(mode))
    layer = Merge(mode=mode, concat_axis=concat_axis, dot_axes=dot_axes, output_shape=output_shape,
                  output_mask=output_mask, arguments=arguments, name=name)
    return layer(inputs)


def _new_name(mode):
    if callable(mode):
        return "Lambda"
    return legacy.modern("Merge", {"mode": mode})[0].lower()


# ---- layers

@register("layer")
class TimeDistributedDense(Dense):
    """A Dense layer for each step of a sequence; in Keras 2, Dense does this.

    # Arguments
        output_dim, init, activation, weights, W_regularizer, b_regularizer, activity_regularizer,
        W_constraint, b_constraint, bias, input_dim: as those of Dense in Keras 1.
        input_length: number of steps.
    """

    def __init__(self, units, activation=None, input_dim=None, input_length=None, **kwargs):
        if input_dim and "input_shape" not in kwargs:
            kwargs["input_shape"] = (input_length, input_dim)
        super().__init__(units, activation, **kwargs)


def time_distributed_dense(x, w, b=None, dropout=None, input_dim=None, output_dim=None,
                           timesteps=None):
    """x . w + b for each step of a sequence.

    # Arguments
        dropout: the part of the inputs that is dropped in training, the same in all steps.
        input_dim, output_dim, timesteps: the sizes, where they are not known from x and w.
    """
    known = K.int_shape(x)
    if dropout:
        mask = K.dropout(K.ones_like(x[:, 0, :]), dropout)
        x = K.in_train_phase(x * K.expand_dims(mask, 1), x)
    sizes = (-1, timesteps or known[1] or K.shape(x)[1], output_dim or K.int_shape(w)[1])
    rows = K.dot(K.reshape(x, (-1, input_dim or known[2])), w)
    return K.reshape(rows if b is None else rows + b, sizes)


@register("layer")
class ParametricSoftplus(Layer):
    """alpha * log(1 + exp(beta * x)), alpha and beta weights of each feature.

    # Arguments
        alpha_init, beta_init: their initial values.
        weights: their initial arrays.
    """

    def __init__(self, alpha_init=0.2, beta_init=5.0, weights=None, **kwargs):
        super().__init__(weights=weights, **kwargs)
        self.supports_masking = True
        self.alpha_init = float(alpha_init)
        self.beta_init = float(beta_init)

    def build(self, input_shape):
        shape = input_shape[1:]
        self.alphas = self.add_weight("alphas", shape,
                                      initializer=initializers.Constant(self.alpha_init))
        self.betas = self.add_weight("betas", shape,
                                     initializer=initializers.Constant(self.beta_init))
        self.built = True

    def call(self, inputs):
        return K.softplus(self.betas * inputs) * self.alphas

    def get_config(self):
        return dict(super().get_config(), alpha_init=self.alpha_init, beta_init=self.beta_init)


@register("layer")
class SReLU(Layer):
    """Three straight lines, whose borders and outer slopes are weights of each feature.

    # Arguments
        t_left_init, a_left_init, t_right_init, a_right_init: initializers of the left border and
            slope, of the distance of the right border, and of the right slope.

    # References
        Jin et al. 2016, https://arxiv.org/abs/1512.07030
    """

    _roles = ("t_left", "a_left", "t_right", "a_right")

    def __init__(self, t_left_init="zero", a_left_init="glorot_uniform",
                 t_right_init="glorot_uniform", a_right_init="one", shared_axes=None, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.t_left_init = t_left_init
        self.a_left_init = a_left_init
        self.t_right_init = t_right_init
        self.a_right_init = a_right_init
        self.shared_axes = None if shared_axes is None else to_list(shared_axes, allow_tuple=True)

    def build(self, input_shape):
        shared = self.shared_axes or ()
        shape = tuple(1 if axis in shared else size
                      for axis, size in enumerate(input_shape) if axis > 0)
        for role in self._roles:
            setattr(self, role, self.add_weight(
                role, shape, initializer=initializers.get(getattr(self, role + "_init"))))
        self.input_spec = InputSpec(ndim=len(input_shape))
        self.built = True

    def call(self, inputs):
        width = K.abs(self.t_right)
        above = inputs - self.t_left
        middle = K.minimum(K.relu(above), width) - self.a_left * K.relu(-above)
        return self.t_left + middle + self.a_right * K.relu(above - width)

    def get_config(self):
        named = {role + "_init": initializers.serialize(getattr(self, role + "_init"))
                 if not isinstance(getattr(self, role + "_init"), str)
                 else getattr(self, role + "_init") for role in self._roles}
        return dict(super().get_config(), shared_axes=self.shared_axes, **named)
