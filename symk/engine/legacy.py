"""Layers as Keras 1 wrote them: tables of old class names, argument names and values.

`modern` turns the class name and config of a layer from an old file into those of Keras 2;
`accept_old_names` lets a constructor take the old arguments. Knows no class, only names.
"""
import functools
import warnings

__all__ = ["ARGUMENTS", "CLASSES", "accept_old_names", "accepting_old_names", "has_old_names",
           "modern", "modern_name", "shape_first",
           "sizes_of", "with_new_names"]

CLASSES = {
    "Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D", "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D", "AtrousConv2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose", "Deconv2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D"}

_MERGES = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average",
           "max": "Maximum", "dot": "Dot", "cos": "Dot"}

# ---- new names of arguments, by class

_KERNEL = {"init": "kernel_initializer", "W_regularizer": "kernel_regularizer",
           "W_constraint": "kernel_constraint"}
_WEIGHTS = dict(_KERNEL, bias="use_bias", b_regularizer="bias_regularizer",
                b_constraint="bias_constraint")
_FORMAT = {"dim_ordering": "data_format"}
_LOCAL = dict(_WEIGHTS, **_FORMAT, nb_filter="filters", border_mode="padding",
              subsample="strides")
_LOCAL_1D = dict(_LOCAL, filter_length="kernel_size", subsample_length="strides")
_DILATED = {"atrous_rate": "dilation_rate"}
_IMAGE, _SEQUENCE = dict(_LOCAL, **_DILATED), dict(_LOCAL_1D, **_DILATED)
_STATE = dict(_WEIGHTS, inner_init="recurrent_initializer",
              U_regularizer="recurrent_regularizer", U_constraint="recurrent_constraint",
              dropout_W="dropout", dropout_U="recurrent_dropout")
_RECURRENT = dict(_STATE, output_dim="units")
_GATED = {"inner_activation": "recurrent_activation"}
_POOL = dict(_FORMAT, border_mode="padding")
_POOL_1D = dict(_POOL, pool_length="pool_size", stride="strides")
_RATE = {"p": "rate"}

_SEPARABLE = dict(_FORMAT, nb_filter="filters", border_mode="padding", subsample="strides",
                  init="depthwise_initializer", bias="use_bias",
                  b_regularizer="bias_regularizer", b_constraint="bias_constraint")

ARGUMENTS = {
    "Dense": dict(_WEIGHTS, output_dim="units"),
    "TimeDistributedDense": dict(_WEIGHTS, output_dim="units"),
    "Embedding": {"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer",
                  "W_constraint": "embeddings_constraint"},
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    "Dropout": _RATE, "SpatialDropout1D": _RATE, "GaussianDropout": _RATE, "AlphaDropout": _RATE,
    "SpatialDropout2D": dict(_RATE, **_FORMAT), "SpatialDropout3D": dict(_RATE, **_FORMAT),
    "GaussianNoise": {"sigma": "stddev"},
    "PReLU": {"init": "alpha_initializer"},
    "Conv1D": _SEQUENCE, "LocallyConnected1D": _LOCAL_1D,
    "Conv2D": _IMAGE, "Conv3D": _IMAGE, "LocallyConnected2D": _LOCAL,
    "Conv2DTranspose": dict(_IMAGE, output_shape="declared_shape"),
    "SeparableConv2D": _SEPARABLE,
    "ConvLSTM2D": dict(_STATE, **_GATED, **_FORMAT, nb_filter="filters", border_mode="padding",
                       subsample="strides"),
    "SimpleRNN": _RECURRENT, "GRU": dict(_RECURRENT, **_GATED),
    "LSTM": dict(_RECURRENT, **_GATED),
    "MaxPooling1D": _POOL_1D, "AveragePooling1D": _POOL_1D,
    "MaxPooling2D": _POOL, "AveragePooling2D": _POOL, "MaxPooling3D": _POOL,
    "AveragePooling3D": _POOL,
    "GlobalMaxPooling2D": _FORMAT, "GlobalAveragePooling2D": _FORMAT,
    "GlobalMaxPooling3D": _FORMAT, "GlobalAveragePooling3D": _FORMAT,
    "ZeroPadding2D": _FORMAT, "ZeroPadding3D": _FORMAT, "Cropping2D": _FORMAT,
    "Cropping3D": _FORMAT, "UpSampling1D": {"length": "size"}, "UpSampling2D": _FORMAT,
    "UpSampling3D": _FORMAT}

# Sizes of kernels that were given one by one: the new argument is the tuple of them.
_KERNEL_SIZES = {
    "Conv2D": ("nb_row", "nb_col"), "Conv2DTranspose": ("nb_row", "nb_col"),
    "SeparableConv2D": ("nb_row", "nb_col"), "LocallyConnected2D": ("nb_row", "nb_col"),
    "ConvLSTM2D": ("nb_row", "nb_col"),
    "Conv3D": ("kernel_dim1", "kernel_dim2", "kernel_dim3")}

# Old arguments without a new one, and the value that means nothing.
_DROPPED = {
    # The dtype of the input was not that of the weights.
    "Embedding": {"input_dtype": None},
    "LSTM": {"forget_bias_init": None, "consume_less": None},
    "ConvLSTM2D": {"forget_bias_init": None, "consume_less": None},
    "GRU": {"consume_less": None}, "SimpleRNN": {"consume_less": None}}

# Old arguments that change what the layer does; they become attributes of their names.
_KEPT = {"Embedding": ("dropout",), "BatchNormalization": ("mode", "corrects"),
         "Conv2DTranspose": ("declared_shape",)}

_DATA_FORMATS = {"tf": "channels_last", "th": "channels_first", "default": None}
_IMPLEMENTATIONS = {"cpu": 1, "mem": 1, "gpu": 2}

# ---- new forms of values

_REGULARIZERS = ("L1L2Regularizer", "WeightRegularizer", "ActivityRegularizer")
_CONSTRAINTS = {"MaxNorm": {"m": "max_value"}, "NonNeg": {}, "UnitNorm": {}}


def modern_name(class_name):
    """The name that a class of Keras 1 has in Keras 2; any other name as it is."""
    return CLASSES.get(class_name, class_name)


def modern(class_name, config):
    """(class name, config) of Keras 2 for those of a layer in a file of Keras 1 or 2."""
    if class_name == "Merge" and not config.get("layers"):
        return _merge(config)
    if class_name == "TimeDistributedDense":
        inner = {"class_name": "Dense", "config": modern("Dense", _without_place(config))[1]}
        return "TimeDistributed", dict(_place(config), layer=inner)
    class_name = modern_name(class_name)
    if class_name == "Flatten" and "data_format" not in config:
        # Before it had the argument, it took the values in the order that they have.
        return class_name, dict(config, data_format="channels_last")
    if not isinstance(config, dict) or not _old_names(class_name).intersection(config):
        return class_name, config
    config = _without_input_sizes(class_name, config)
    return class_name, with_new_names(class_name, config)


def _place(config):
    """What a config says of a layer's place in a model."""
    return {key: config[key] for key in ("name", "trainable", "batch_input_shape", "input_dtype")
            if key in config}


def _without_place(config):
    return {key: value for key, value in config.items()
            if key not in ("name", "batch_input_shape", "input_dtype", "input_length")}


def _without_input_sizes(class_name, config):
    """A saved config has the shape of the input, or is not of a first layer."""
    if class_name == "Embedding":
        return config
    return {key: value for key, value in config.items()
            if key not in ("input_dim", "input_length")}


@functools.cache
def _old_names(class_name):
    """The old arguments of a class."""
    return (frozenset(ARGUMENTS.get(class_name, ())) | frozenset(_KERNEL_SIZES.get(class_name, ()))
            | frozenset(_DROPPED.get(class_name, ())) | frozenset(_KEPT.get(class_name, ())))


def with_new_names(class_name, arguments):
    """Keyword arguments under their new names, with their new values."""
    names = ARGUMENTS.get(class_name, {})
    dropped = _DROPPED.get(class_name, {})
    sizes = _KERNEL_SIZES.get(class_name, ())
    result = {}
    for name, value in arguments.items():
        if name in dropped:
            _check_dropped(class_name, name, value, dropped[name])
        elif name in names:
            result[names[name]] = _modern_value(names[name], value)
        elif name not in sizes:
            result[name] = _modern_value(name, value)
    if sizes and all(name in arguments for name in sizes):
        result["kernel_size"] = tuple(arguments[name] for name in sizes)
    if "forget_bias_init" in arguments and "forget_bias_init" in dropped:
        result["unit_forget_bias"] = _is_ones(arguments["forget_bias_init"])
    if "consume_less" in arguments and class_name in ("GRU", "LSTM"):
        result["implementation"] = _IMPLEMENTATIONS[arguments["consume_less"]]
    return result


def _check_dropped(class_name, name, value, harmless):
    if harmless is not None and value not in harmless:
        raise ValueError("[%s] the argument %r of Keras 1 must be %r; %r was given, which Keras 2 "
                         "has nothing for." % (class_name, name, harmless[0], value))


def _is_ones(initializer):
    name = getattr(initializer, "__name__", initializer)
    if name not in ("one", "ones"):
        warnings.warn("[LSTM] forget_bias_init must be 'one' to keep its meaning; %r was given. "
                      "The bias begins with zeros." % (initializer,), stacklevel=6)
    return name in ("one", "ones")


def _modern_value(name, value):
    """A value in the form of Keras 2."""
    if name == "data_format" and value in _DATA_FORMATS:
        return _DATA_FORMATS[value]
    if not isinstance(value, dict) or "name" not in value or "class_name" in value:
        return value
    if name.endswith("_regularizer"):
        if value["name"] == "EigenvalueRegularizer":
            return {"class_name": value["name"], "config": {"k": value["k"]}}
        if value["name"] not in _REGULARIZERS:
            raise ValueError("[load] %s must be one of %s; %r was given, which Keras 2 does not "
                             "have." % (name, ", ".join(_REGULARIZERS), value["name"]))
        return {"class_name": "L1L2", "config": {key: value.get(key, 0.0) for key in ("l1", "l2")}}
    if name.endswith("_constraint") and value["name"] in _CONSTRAINTS:
        names = _CONSTRAINTS[value["name"]]
        return {"class_name": value["name"],
                "config": {names.get(key, key): one for key, one in value.items()
                           if key != "name"}}
    return value


def _merge(config):
    """The layer that a Merge with a mode of Keras 1 is."""
    mode = config.get("mode")
    if mode not in _MERGES:
        raise ValueError("[Merge] mode must be one of %s; %r was given. A function is no part of "
                         "a file; use Lambda." % (", ".join(sorted(_MERGES)), mode))
    new = _place(config)
    if mode == "concat":
        new["axis"] = config.get("concat_axis", -1)
    elif mode in ("dot", "cos"):
        axes = config.get("dot_axes", -1)
        new.update(axes=tuple(axes) if isinstance(axes, list) else axes, normalize=mode == "cos")
    return _MERGES[mode], new


# ---- constructors

def accept_old_names(cls):
    """Lets the constructor of a class take the arguments of Keras 1 too, with a warning."""
    cls.__init__ = accepting_old_names(cls.__init__, cls.__name__)


def accepting_old_names(constructor, class_name):
    """A constructor that also takes the arguments that a class had in Keras 1."""
    old = _old_names(class_name)
    sizes = _KERNEL_SIZES.get(class_name, ())

    @functools.wraps(constructor)
    def accepting(self, *args, **kwargs):
        if sizes and len(args) > len(sizes):
            args = _with_kernel_size(args, len(sizes))
        if not old.isdisjoint(kwargs):
            given = sorted(old.intersection(kwargs).difference(_KEPT.get(class_name, ())))
            kwargs = with_new_names(class_name, kwargs)
            if given:
                warnings.warn("[%s] the arguments of Keras 2 are better; %s of Keras 1 was given."
                              % (class_name, ", ".join(_renaming(class_name, given))),
                              stacklevel=2)
        kept = {name: kwargs.pop(name) for name in _KEPT.get(class_name, ()) if name in kwargs}
        constructor(self, *args, **kwargs)
        for name, value in kept.items():
            setattr(self, name, value)
    return accepting


def _renaming(class_name, given):
    """What old arguments are now, as words."""
    names = ARGUMENTS.get(class_name, {})
    sizes = _KERNEL_SIZES.get(class_name, ())
    for name in given:
        new = names.get(name, "kernel_size" if name in sizes else None)
        known = new and new not in _KEPT.get(class_name, ())
        yield "%s (now %s)" % (name, new) if known else name


def shape_first(add_weight):
    """Lets `add_weight` take the shape as its first positional argument, and a name after it."""
    @functools.wraps(add_weight)
    def accepting(layer, *args, **kwargs):
        if args and isinstance(args[0], (tuple, list)):
            kwargs["shape"], args = args[0], args[1:]
        return add_weight(layer, *args, **kwargs)
    return accepting


def sizes_of(class_name):
    """The arguments that were the sizes of a kernel in Keras 1, one by one."""
    return _KERNEL_SIZES.get(class_name, ())


def has_old_names(class_name):
    """Whether a class had other arguments in Keras 1."""
    return bool(_old_names(class_name))


def _with_kernel_size(args, count):
    """filters, rows, columns -> filters, (rows, columns)."""
    if all(isinstance(size, int) for size in args[1:1 + count]):
        return (args[0], tuple(args[1:1 + count])) + args[1 + count:]
    return args
