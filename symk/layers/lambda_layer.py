"""Lambda: a function of tensors as a layer, and how such a layer is saved.

A function that is registered under its name is saved by the name. Any other one is saved as its
bytecode, as Keras does. Where this process has saved the same function, loading gives that one;
other bytecode is refused unless the caller allows it for this layer.
"""
import collections
import json
import types

import numpy as np

from .. import backend as K
from .. import registry
from ..engine import Layer
from ..graph import dims
from ..registry import accepts, register
from ..utils.generic_utils import func_dump, func_load, to_list

__all__ = ["Lambda"]

_ALLOWED = "bytecode"       # what stands for a layer's name in custom_objects to allow its bytecode

_saved_here = collections.OrderedDict()     # what stands for a function in a config -> the function
_MOST_SAVED = 1000                          # how many are kept: loops must not fill the memory


@register("layer")
class Lambda(Layer):
    """The output of a function of K for the input.

    # Arguments
        function: takes a tensor, or a list of them; it may also take `mask`.
        output_shape: the shape of a sample of the output, if K cannot know it; or a function from
            the shape of the input to that of the output, with the batch axis.
        mask: the mask of the output, or a function from the input and its mask to it; None is no
            mask.
        arguments: dict of keyword arguments of the function.

    # Saving
        Register a named function (`get_custom_objects()`), and it is saved by its name. Others
        are saved as bytecode, which the process that saved them takes for the function it
        has. To load a model with such a layer elsewhere, pass
        `custom_objects={"lambda_1": function}`, where `lambda_1` is the name of the layer; or, if
        you trust the file, and this version of Python has written it,
        `custom_objects={"lambda_1": "bytecode"}`.
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError("[Lambda] a function of tensors is required; %r was given."
                            % (function,))
        if not (output_shape is None or callable(output_shape)
                or isinstance(output_shape, (tuple, list))):
            raise TypeError("[Lambda] output_shape must be None, a tuple or a function; %r was "
                            "given." % (output_shape,))
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = tuple(output_shape) if isinstance(output_shape, list) \
            else output_shape

    def call(self, inputs, mask=None):
        arguments = dict(self.arguments)
        if accepts(self.function, "mask"):
            arguments["mask"] = mask
        outputs = self.function(inputs, **arguments)
        if self._output_shape is None:
            return outputs
        return self._with_declared_sizes(inputs, outputs)

    def compute_mask(self, inputs, mask=None):
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def _with_declared_sizes(self, inputs, outputs):
        """Outputs that have the sizes that `output_shape` says, where K does not know them."""
        shapes = self._declared_shapes(inputs)
        tensors = to_list(outputs, allow_tuple=True)
        if len(shapes) != len(tensors):
            raise ValueError('in layer "%s" (Lambda): [output_shape] a shape for each of %d '
                             "outputs is required; %s was given."
                             % (self.name, len(tensors), shapes))
        sized = [self._sized(tensor, shape) for tensor, shape in zip(tensors, shapes)]
        return sized if isinstance(outputs, (list, tuple)) else sized[0]

    def _declared_shapes(self, inputs):
        """The shape of each output, with the batch axis."""
        given = [K.int_shape(tensor) for tensor in to_list(inputs)]
        if callable(self._output_shape):
            shapes = self._output_shape(given if isinstance(inputs, list) else given[0])
            several = all(isinstance(shape, (tuple, list)) for shape in shapes)
            return [tuple(shape) for shape in (shapes if several else [shapes])]
        return [given[0][:1] + self._output_shape]

    def _sized(self, tensor, shape):
        actual = tensor.shape
        if len(shape) != len(actual) or any(
                want is not None and dims.known_different(want, have)
                for want, have in zip(shape, actual)):
            raise ValueError('in layer "%s" (Lambda): [output_shape] the shape of the output is '
                             "required; %s was given, the output is %r."
                             % (self.name, shape, tensor.type))
        if all(want is None or not isinstance(have, dims.Dim)
               for want, have in zip(shape, actual)):
            return tensor
        return K.reshape(tensor, tuple(have if want is None else want
                                       for want, have in zip(shape, actual)))

    # ---- configs

    def get_config(self):
        function, kind = _saved(self.function)
        shape, shape_kind = (_saved(self._output_shape) if callable(self._output_shape)
                             else (self._output_shape, "raw"))
        config = dict(super().get_config(), function=function, function_type=kind,
                      output_shape=shape, output_shape_type=shape_kind,
                      arguments={name: _saved_argument(value)
                                 for name, value in self.arguments.items()})
        if self.mask is not None:
            config["mask"], config["mask_type"] = _saved(self.mask)
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The layer of a config.

        # Raises
            ValueError: for bytecode that the caller did not allow, or an unknown name.
        """
        config = dict(config)
        custom = dict(registry.custom_objects(), **custom_objects or {})
        name = config.get("name")
        for part in ("function", "output_shape", "mask"):
            kind = config.pop(part + "_type", "raw")
            config[part] = _loaded(config.get(part), kind, part, name, custom)
            config.pop(part + "_module", None)      # of tf.keras; names are looked up here alone
        config.pop("module", None)
        config["arguments"] = {key: _loaded_argument(value)
                               for key, value in (config.get("arguments") or {}).items()}
        return cls(**config)


def _saved(function):
    """(what stands for a function in a config, its type)."""
    name = getattr(function, "__name__", None)
    if name is not None and function in (registry.custom_objects().get(name),
                                         registry.lookup("function", name)):
        return name, "function"
    if isinstance(function, types.FunctionType):
        dumped = func_dump(function)
        _saved_here[_key(dumped)] = function
        if len(_saved_here) > _MOST_SAVED:
            _saved_here.popitem(last=False)
        return dumped, "lambda"
    raise ValueError("[Lambda] a function that is saved must be registered by its name or written "
                     "in Python; %r is neither. Put it into get_custom_objects()." % (function,))


def _key(dumped):
    """The text of what `func_dump` gave; it is the same after a config went through a file."""
    return json.dumps(dumped, default=lambda value: "%s %d" % (type(value).__name__, id(value)))


def _own(value):
    """The function that this process has saved as this value, if it still is what it was."""
    function = _saved_here.get(_key(value))
    return function if function is not None and _key(func_dump(function)) == _key(value) else None


def _loaded(value, kind, part, layer, custom):
    """The function, or the plain value, that a config holds."""
    if kind == "raw":
        return tuple(value) if isinstance(value, list) else value
    if kind == "function":
        return registry.deserialize(value, registry.table("function"), custom,
                                    "function in Lambda layer")
    own = custom.get(layer)
    if part == "function" and callable(own):
        return own
    if own == _ALLOWED:
        return func_load(value, globs=dict({"K": K, "np": np}, **custom))
    if part == "output_shape" and own is not None:
        return None     # the function is the caller's, and K knows the shape
    if _own(value) is not None:
        return _own(value)
    raise ValueError(
        'in layer "%s" (Lambda): [load] bytecode is not run; the file has the %s of this layer as '
        "bytecode. Pass custom_objects={%r: your_function}, or, if you trust the file, "
        "custom_objects={%r: %r}." % (layer, part, layer, layer, _ALLOWED))


def _saved_argument(value):
    """Arrays as Keras writes them; anything else itself."""
    return {"type": "ndarray", "value": value.tolist()} if isinstance(value, np.ndarray) else value


def _loaded_argument(value):
    if isinstance(value, dict) and value.get("type") == "ndarray":
        return np.array(value["value"])
    return value
