"""Input: where a model's graph begins."""
from .. import backend as K
from .. import renames
from ..graph import Variable, dims
from ..registry import register
from .edges import Node, mark
from .layer import Layer, placeholder_of

__all__ = ["Input", "InputLayer"]


@register("layer")
class InputLayer(Layer):
    """The layer that holds an input of a model. `Input` makes one and returns its tensor.

    # Arguments
        input_shape: shape without the batch axis.
        batch_size: size of the batch axis, None if any.
        batch_input_shape: shape with the batch axis.
        dtype: dtype of the data.
        input_tensor: a tensor to use, in place of a new placeholder.
        sparse: whether the data are sparse matrices of SciPy.
        name: name of the layer.
    """

    @renames.accepts("InputLayer")
    def __init__(self, input_shape=None, batch_size=None, batch_input_shape=None, dtype=None,
                 input_tensor=None, sparse=False, name=None):
        super().__init__(dtype=_dtype_of(dtype, input_tensor),
                         name=name or "input_%d" % K.get_uid("input"))
        self.batch_input_shape = _full_shape(input_shape, batch_size, batch_input_shape,
                                             input_tensor)
        self.trainable = False
        self.built = True
        self.sparse = bool(sparse) if input_tensor is None else K.is_sparse(input_tensor)
        self.is_placeholder = input_tensor is None
        if input_tensor is None:
            input_tensor = self._placeholder()
        mark(input_tensor, self, 0, 0)
        Node.of_source(self, [input_tensor], [input_tensor], [None])

    def _placeholder(self):
        if self.sparse:
            return K.placeholder(self.batch_input_shape, dtype=self.dtype, sparse=True,
                                 name=self.name)
        return placeholder_of(self.dtype, self.batch_input_shape, name=self.name)

    def get_config(self):
        return {"batch_input_shape": self.batch_input_shape, "dtype": self.dtype,
                "sparse": self.sparse, "name": self.name}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if config.pop("ragged", False):
            raise ValueError('[Input] ragged must be False in the config of "%s"; symk has no '
                             "ragged tensors." % config.get("name"))
        config.pop("optional", None)
        return cls(**config)


def _dtype_of(dtype, tensor):
    return dtype or (tensor.dtype if tensor is not None else K.floatx())


def _full_shape(input_shape, batch_size, batch_input_shape, tensor):
    """The shape with the batch axis, None where a size is unknown."""
    if batch_input_shape is not None:
        shape = batch_input_shape
    elif input_shape is not None:
        shape = (batch_size,) + tuple(input_shape)
    elif tensor is not None:
        return K.int_shape(tensor)
    else:
        raise ValueError("[Input] a shape is required; give shape (without the batch axis) or "
                         "batch_shape (with it).")
    for size in shape:
        if size is not None and (not hasattr(size, "__index__") or isinstance(size, dims.Dim)
                                 or size < 0):
            raise ValueError("[Input] a shape of integers and None is required; %r was given."
                             % (shape,))
    return tuple(None if size is None else int(size) for size in shape)


def Input(shape=None, batch_shape=None, name=None, dtype=None, sparse=False, tensor=None):
    """A symbolic tensor that a model can begin with.

    # Arguments
        shape: tuple without the batch axis: `(32,)` is a batch of vectors of 32. None is any size.
        batch_shape: tuple with the batch axis.
        name: name of the input, unique in a model.
        dtype: dtype of the data, `K.floatx()` by default.
        sparse: whether the data are sparse matrices of SciPy; K.dot and K.concatenate take such
            tensors, and with them Dense and Concatenate.
        tensor: a tensor to use, in place of a new placeholder.
    """
    if tensor is not None and not isinstance(tensor, Variable):
        raise ValueError("[Input] tensor must be a symbolic tensor; %r was given." % (tensor,))
    if shape is None and batch_shape is None and tensor is None:
        raise ValueError("[Input] shape or batch_shape is required; neither was given. Example: "
                         "Input(shape=(28, 28, 1)).")
    if batch_shape is None and shape is not None:
        shape = (shape,) if isinstance(shape, int) else shape
        batch_shape = (None,) + tuple(shape)
    layer = InputLayer(batch_input_shape=batch_shape, name=name, dtype=dtype, sparse=sparse,
                       input_tensor=tensor)
    return layer._inbound_nodes[0].output_tensors[0]
