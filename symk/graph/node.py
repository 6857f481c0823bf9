"""What an expression is made of: Variable, Op, Node, and `apply`, which joins them.

A *Variable* is a symbolic tensor: a type and where it comes from. It comes from a *Node*, one use
of an *Op* on other Variables, or it has a source of its own: a Placeholder is fed at each call, a
Constant is a fixed array, a Shared is an array that lives between calls. An Op is a frozen value.
"""
import dataclasses
import itertools

import numpy as np

from . import dims, origin
from .dtype import canonical
from .errors import GraphError, ShapeError, SymkError
from .type import TensorType

__all__ = ["Variable", "Placeholder", "Constant", "Shared", "Storage", "Op", "Node", "apply",
           "mark", "op", "registered_ops"]

_serial = itertools.count()
_REGISTRY = {}


class Variable:
    """A symbolic tensor. `node` made it as its output number `index`; sources have no node."""

    is_sparse = False   # see sparse.py

    def __init__(self, type, node=None, index=0, name=None):
        self.type = type
        self.node = node
        self.index = index
        self.name = name

    @property
    def dtype(self):
        return self.type.dtype

    @property
    def shape(self):
        """A tuple of ints and `Dim`s."""
        return self.type.shape

    @property
    def ndim(self):
        return len(self.type.shape)

    @property
    def origin(self):
        return self.node.origin if self.node is not None else None

    def __repr__(self):
        label = self.name or (self.node.op.name if self.node is not None else "variable")
        return "<%s %r>" % (label, self.type)

    def __bool__(self):
        raise GraphError("[graph] a symbolic tensor has no truth value while the graph is built; "
                         "%r was used as a condition. Use K.switch." % (self,))

    def __len__(self):
        if not self.shape or isinstance(self.shape[0], dims.Dim):
            raise GraphError("[graph] only a tensor whose first size is known has a length; "
                             "this is %r." % (self,))
        return self.shape[0]

    __hash__ = object.__hash__


class Placeholder(Variable):
    """A tensor that is fed at each call.

    Args:
        dtype, shape: `None` in the shape is an unknown size; a Dim is a size shared with others.
        default: the value used when a function does not list the placeholder among its inputs.
    """

    def __init__(self, dtype, shape, name=None, default=None):
        name = name or "input_%d" % next(_serial)
        shape = tuple(dims.Size.new("%s.%d" % (name, axis)) if size is None else size
                      for axis, size in enumerate(shape))
        super().__init__(TensorType(dtype, shape), name=name)
        self.default = None if default is None else np.asarray(default, dtype=self.dtype)


class Constant(Variable):
    """A fixed array. `value` is read-only and C-contiguous."""

    def __init__(self, value, dtype=None, name=None):
        value = np.array(value, dtype=canonical(dtype) if dtype else None, order="C")
        value.setflags(write=False)
        super().__init__(TensorType(value.dtype, value.shape), name=name)
        self.value = value


class Storage:
    """Where the value of a Shared lives: an aligned array of the host, and a version.

    The version changes whenever the value does; who keeps something derived from the value (packed
    weights) compares versions. `symk.compile.native` puts a native tensor in its place, with the
    same three methods.
    """

    def __init__(self, value):
        # One number repeated stays one number until it is changed: an optimizer's zeros take no
        # memory before they are used.
        repeated = value.size > 1 and not any(value.strides)
        self._array = (np.broadcast_to(value.flat[0], value.shape) if repeated
                       else np.array(value, order="C"))
        self.version = 1

    def peek(self):
        """The value, to be read at once; it is no copy."""
        return self._array

    def read(self):
        """A copy of the value."""
        return self._array.copy(order="C")

    def write(self, value):
        """Replaces the value; dtype and shape stay."""
        if not self._array.flags.writeable:
            self._array = np.empty(self._array.shape, self._array.dtype)
        self._array[...] = value
        self.version += 1


class Shared(Variable):
    """A tensor that lives between calls; functions update it, and all functions see one value.

    Args:
        value: the initial array.
        default_update: a function of this variable giving the expression that every function
            which uses it assigns to it after the call (the state of a random stream), or None.
    """

    def __init__(self, value, dtype=None, name=None, default_update=None):
        value = np.asarray(value, dtype=canonical(dtype) if dtype else None)
        super().__init__(TensorType(value.dtype, value.shape),
                         name=name or "variable_%d" % next(_serial))
        self.storage = Storage(value)
        self.default_update = default_update(self) if default_update else None

    def get_value(self):
        """A copy of the value."""
        return self.storage.read()

    def set_value(self, value):
        """Replaces the value.

        Raises:   ShapeError when the shape differs.
        """
        value = np.asarray(value)
        if value.shape != self.shape:
            raise ShapeError("[set_value] the shape must stay %s for variable %r; %s was given."
                             % (self.shape, self.name, value.shape))
        self.storage.write(value.astype(self.dtype, copy=False))


class Op:
    """A verb of the vocabulary: a frozen dataclass of static attributes and its rules.

    A definition states (see `symk/ops`):
        name: the word in plans, and the name of its kernel.
        kind: stages ask it: "elementwise", "reduce", "shape" (the same elements in the same order,
            an alias), "index" (moves or chooses elements), "random", "composition" (has no kernel:
            its expansion is what runs), or the name of a family.
        infer(*types): the TensorType of the result, or a tuple of them. The only shape rule.
        reference(*arrays): the meaning, in NumPy: an array, or a tuple of them.
        grad(*inputs, *outputs, *gradients): a gradient or None for each input; a gradient of an
            output may be None. The walk casts and sums each to its input's dtype and shape.
            NotImplemented: the gradient is that of the expansion.
        jvp(*inputs, *outputs, *tangents): a tangent or None for each output; a tangent of an input
            may be None. NotImplemented: it is derived from `grad`.
        expand(*inputs): the same result by smaller ops, or None where there is none.
        bodies: the InnerGraphs among the attributes; with_bodies(graphs): the op with others.
        pull_back(walk, node, gradients), push_forward(walk, node, tangents): `grad` and `jvp` of
            an op with bodies, which take the walk itself: walk({variable: [gradients]}, variables,
            stop) -> gradients, walk(outputs, {variable: tangent}) -> {variable: tangent}.
        flops(inputs, outputs): the arithmetic operations for these types, for profiles.
        in_place: pairs (output, input): the kernel may write the output over the input.
        effect: True for an op that does more than compute (it prints): it runs once in each call
            that uses its result, also where that is known before.
        finish(array): what a function does to the op's first result when it gives it out, or None.
        samples, bad: rows of the generated tests.
    An attribute is an int, float, bool, str, None, a size (int or Dim), a flat tuple of those, or
    an InnerGraph.
    """

    name = None
    kind = "other"
    effect = False
    finish = None
    in_place = ()
    bodies = ()
    samples = ()
    bad = ()

    def infer(self, *types):
        raise NotImplementedError

    def reference(self, *arrays):
        raise NotImplementedError

    def grad(self, *values):
        return NotImplemented

    def pull_back(self, walk, node, gradients):
        return self.grad(*node.inputs, *node.outputs, *gradients)

    def jvp(self, *values):
        return NotImplemented

    def push_forward(self, walk, node, tangents):
        return self.jvp(*node.inputs, *node.outputs, *tangents)

    def expand(self, *inputs):
        return None

    @classmethod
    def flops(cls, inputs, outputs):
        if cls.kind in ("index", "shape", "size"):
            return 0
        return max(type.size for type in (*inputs, *outputs))

    def attributes(self):
        """The static attributes as a dict, in the order of their definition."""
        return {field: getattr(self, field) for field in self.__dataclass_fields__}

    def describe(self):
        """The attributes that are not at their defaults, as text for listings."""
        defaults = {name: field.default for name, field in self.__dataclass_fields__.items()}
        return ", ".join("%s=%s" % (name, value) for name, value in self.attributes().items()
                         if value != defaults[name])

    def __repr__(self):
        inner = self.describe()
        return "%s(%s)" % (self.name, inner) if inner else self.name


def op(name, kind="other", replace=False):
    """Class decorator: registers an Op under its name and freezes it; only once, unless asked."""
    def decorate(cls):
        cls = dataclasses.dataclass(frozen=True, repr=False)(cls)
        cls.name, cls.kind = name, kind
        if name in _REGISTRY and not replace:
            raise GraphError("[op] the name %r is taken." % name)
        _REGISTRY[name] = cls
        return cls
    return decorate


def registered_ops():
    """All ops by name: {name: class}."""
    return dict(_REGISTRY)


def mark():
    """A number between those of the nodes made until now and those of the nodes made later."""
    return next(_serial)


class Node:
    """One use of an op: its inputs, its outputs, and who made it.

    Nodes are numbered in the order in which they are made.
    """

    __slots__ = ("op", "inputs", "outputs", "origin", "number")

    def __init__(self, op, inputs, types, origin):
        self.op = op
        self.inputs = tuple(inputs)
        self.origin = origin
        self.number = next(_serial)
        self.outputs = tuple(Variable(type, self, index) for index, type in enumerate(types))

    def __repr__(self):
        return "%r(%s)" % (self.op, ", ".join(map(repr, self.inputs)))


def apply(op, *inputs, origin_=None):
    """Uses an op on Variables: infers the types, makes the node.

    Args:     origin_: who made the node; by default the current layer and the user's line.
    Returns:  the output, or a tuple of outputs for an op with several.
    Raises:   what `infer` raises, with the layer named.
    """
    try:
        types = op.infer(*(variable.type for variable in inputs))
    except SymkError as error:
        layer = origin_.layer if origin_ is not None else origin.current_layer()
        if layer is None or getattr(error, "layer_named", False):
            raise
        named = type(error)("in layer %s: %s" % (layer, error))
        named.layer_named = True
        raise named from None
    single = isinstance(types, TensorType)
    node = Node(op, inputs, (types,) if single else types, origin_ or origin.here())
    return node.outputs[0] if single else node.outputs
