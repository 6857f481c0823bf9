"""Parametric: a layer with options that users give by name, by config or as objects.

What an option is, its name says: an activation, or the initializer, regularizer or constraint of
a weight, as in "kernel_initializer".
"""
from .. import activations, constraints, initializers, regularizers
from ..engine import Layer

__all__ = ["Parametric", "with_sequence_shape"]

_FAMILIES = {"activation": activations, "initializer": initializers, "regularizer": regularizers,
             "constraint": constraints}


def _family(name):
    """The module that reads and writes an option."""
    return _FAMILIES[name.rpartition("_")[2]]


class Parametric(Layer):
    """Keeps options as attributes, saves them, and makes weights with them."""

    _options = ()

    def _keep(self, **options):
        """Options become attributes of their names, and parts of the config."""
        self._options += tuple(options)
        for name, option in options.items():
            setattr(self, name, _family(name).get(option))

    def _add(self, role, shape, name=None, initializer=None):
        """A weight with the options of its role: "kernel" has `kernel_initializer`, ..."""
        return self.add_weight(name or role, shape,
                               initializer=initializer or getattr(self, role + "_initializer"),
                               regularizer=getattr(self, role + "_regularizer"),
                               constraint=getattr(self, role + "_constraint"))

    def get_config(self):
        return dict(super().get_config(), **{
            name: _family(name).serialize(getattr(self, name)) for name in self._options})


def with_sequence_shape(arguments):
    """Keyword arguments of a layer of sequences in which `input_shape` replaces Keras 1's words.

    These are `input_dim`, the number of features, and `input_length`, that of steps.
    """
    words = {"input_length": None, "input_dim": None}
    rest = {name: value for name, value in arguments.items() if name not in words}
    if len(rest) == len(arguments) or "input_shape" in arguments:
        return rest
    return dict(rest, input_shape=tuple(arguments.get(word) for word in words))
