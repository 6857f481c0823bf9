"""The type of a tensor: its dtype and its shape. The only place where a shape is kept."""
from . import dims
from .dtype import canonical
from .errors import ShapeError

__all__ = ["TensorType"]


class TensorType:
    """A dtype and a shape; a shape is a tuple of ints and `Dim`s. Frozen and comparable."""

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype, shape):
        self.dtype = canonical(dtype)
        self.shape = tuple(shape)
        for size in self.shape:
            if not isinstance(size, dims.Dim) and size < 0:
                raise ShapeError("[type] sizes must not be negative; the shape is %s." % (self,))

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        """The number of elements: an int or a Dim."""
        return dims.product(self.shape)

    def with_shape(self, shape):
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype):
        return TensorType(dtype, self.shape)

    def __eq__(self, other):
        return (isinstance(other, TensorType) and self.dtype == other.dtype
                and self.shape == other.shape)

    def __hash__(self):
        return hash((self.dtype, self.shape))

    def __repr__(self):
        """As in messages: (batch, 28, 28, 1) float32."""
        inner = ", ".join(map(repr, self.shape)) + ("," if len(self.shape) == 1 else "")
        return "(%s) %s" % (inner, self.dtype)
