"""Layers of several inputs: sums, products, concatenation; each also as a function."""
from functools import reduce

from .. import backend as K
from ..engine import Layer
from ..registry import register

__all__ = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract",
           "add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"]


class _Merge(Layer):
    """A list of tensors to one. Inputs with fewer axes get new ones after the batch axis."""

    fewest, most = 2, None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        if not isinstance(input_shape, list) or not self._takes(len(input_shape)):
            count = len(input_shape) if isinstance(input_shape, list) else 1
            raise ValueError('in layer "%s" (%s): [call] a list of %s%d tensors is required; %d '
                             "given." % (self.name, type(self).__name__,
                                         "" if self.most else "at least ", self.fewest, count))
        self.check_shapes(input_shape)
        self.built = True

    def check_shapes(self, shapes):
        """Raises ValueError unless tensors of these shapes can be merged."""
        most = max(map(len, shapes))
        full = [shape[:1] + (1,) * (most - len(shape)) + shape[1:] for shape in shapes]
        for sizes in zip(*full):
            if len({size for size in sizes if size not in (None, 1)}) > 1:
                raise ValueError('in layer "%s" (%s): [call] inputs of one shape are required, or '
                                 "with 1 where they differ; the shapes %s were given."
                                 % (self.name, type(self).__name__,
                                    " and ".join(map(str, shapes))))

    def _takes(self, count):
        return self.fewest <= count <= (self.most or count)

    def call(self, inputs):
        most = max(tensor.ndim for tensor in inputs)
        return self._merge_function([_with_axes(tensor, most) for tensor in inputs])

    def _merge_function(self, inputs):
        """The output for inputs of as many axes."""
        raise NotImplementedError

    def compute_mask(self, inputs, mask=None):
        """True where all masks are; inputs without a mask do not count."""
        _check_masks(self, inputs, mask)
        masks = [one for one in mask or [] if one is not None]
        if not masks:
            return None
        return reduce(_both, masks)


def _check_masks(layer, inputs, mask):
    """A list of masks, one for each of a list of inputs, or None."""
    if mask is not None and not (isinstance(mask, list) and isinstance(inputs, list)
                                 and len(mask) == len(inputs)):
        raise ValueError('in layer "%s" (%s): [compute_mask] a list with a mask or None for each '
                         "input is required; %r was given for %r."
                         % (layer.name, type(layer).__name__, mask, inputs))


def _with_axes(tensor, ndim):
    for _ in range(ndim - tensor.ndim):
        tensor = K.expand_dims(tensor, axis=1)
    return tensor


def _both(one, other):
    return K.all(K.stack([one, other], axis=0), axis=0)


@register("layer")
class Add(_Merge):
    """The sum of its inputs."""

    def _merge_function(self, inputs):
        return reduce(lambda a, b: a + b, inputs)


@register("layer")
class Subtract(_Merge):
    """The first of two inputs minus the second."""

    most = 2

    def _merge_function(self, inputs):
        return inputs[0] - inputs[1]


@register("layer")
class Multiply(_Merge):
    """The elementwise product of its inputs."""

    def _merge_function(self, inputs):
        return reduce(lambda a, b: a * b, inputs)


@register("layer")
class Average(_Merge):
    """The mean of its inputs."""

    def _merge_function(self, inputs):
        return reduce(lambda a, b: a + b, inputs) / len(inputs)


@register("layer")
class Maximum(_Merge):
    """The greatest of its inputs, element by element."""

    def _merge_function(self, inputs):
        return reduce(K.maximum, inputs)


@register("layer")
class Minimum(_Merge):
    """The least of its inputs, element by element."""

    def _merge_function(self, inputs):
        return reduce(K.minimum, inputs)


@register("layer")
class Concatenate(_Merge):
    """Its inputs one after the other along an axis.

    # Arguments
        axis: the axis; -1 is the last.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def check_shapes(self, shapes):
        """All sizes but those along `axis` must be equal."""
        rest = {shape[:self.axis] + (shape[self.axis:][1:]) for shape in shapes}
        known = [{size for size in sizes if size is not None} for sizes in zip(*rest)]
        if len(set(map(len, shapes))) > 1 or any(len(sizes) > 1 for sizes in known):
            raise ValueError('in layer "%s" (Concatenate): [call] inputs of one shape but for axis '
                             "%d are required; the shapes %s were given."
                             % (self.name, self.axis, " and ".join(map(str, shapes))))

    def call(self, inputs):
        return K.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs, mask=None):
        """The masks one after the other, or, if features were joined, where all are true."""
        _check_masks(self, inputs, mask)
        if mask is None or all(one is None for one in mask):
            return None
        masks = [_full_mask(tensor, one) for tensor, one in zip(inputs, mask)]
        joined = K.concatenate(masks, axis=self.axis)
        return K.all(joined, axis=-1)

    def get_config(self):
        return dict(super().get_config(), axis=self.axis)


def _full_mask(tensor, mask):
    """A mask with the shape of its tensor; all true where there is none."""
    everywhere = K.cast(K.ones_like(tensor), "bool")
    if mask is None:
        return everywhere
    if mask.ndim < tensor.ndim:
        mask = K.expand_dims(mask)
    return K.all(K.stack([everywhere, K.cast(K.ones_like(tensor) * K.cast(mask, tensor.dtype),
                                             "bool")], axis=0), axis=0)


@register("layer")
class Dot(_Merge):
    """The sum of products of two inputs over an axis of each, for each sample.

    # Arguments
        axes: the axis of both, or a pair of axes.
        normalize: whether the inputs are first scaled to the norm 1 along these axes, so that the
            output is the cosine of their angle.
    """

    most = 2

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        pair = axes if isinstance(axes, (list, tuple)) else [axes, axes]
        if len(pair) != 2 or not all(isinstance(axis, int) for axis in pair):
            raise ValueError("[Dot] axes must be an integer or a pair of integers; %r was given."
                             % (axes,))
        self.axes = axes
        self.normalize = normalize

    def _pair(self, ndims):
        """The axis of each input, counted from the front."""
        pair = self.axes if isinstance(self.axes, (list, tuple)) else [self.axes, self.axes]
        return [axis % ndim for axis, ndim in zip(pair, ndims)]

    def check_shapes(self, shapes):
        one, other = (shape[axis] for shape, axis in zip(shapes, self._pair(map(len, shapes))))
        if one is not None and other is not None and one != other:
            raise ValueError('in layer "%s" (Dot): [call] the sizes along axes %s must be equal; '
                             "the shapes %s and %s were given." % ((self.name, self.axes)
                                                                   + tuple(shapes)))

    def call(self, inputs):
        axes = self._pair([tensor.ndim for tensor in inputs])
        if self.normalize:
            inputs = [K.l2_normalize(tensor, axis=axis) for tensor, axis in zip(inputs, axes)]
        return K.batch_dot(inputs[0], inputs[1], axes)

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        return dict(super().get_config(), axes=self.axes, normalize=self.normalize)


def add(inputs, **kwargs):
    """The sum of a list of tensors."""
    return Add(**kwargs)(inputs)


def subtract(inputs, **kwargs):
    """The first of two tensors minus the second."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs, **kwargs):
    """The elementwise product of a list of tensors."""
    return Multiply(**kwargs)(inputs)


def average(inputs, **kwargs):
    """The mean of a list of tensors."""
    return Average(**kwargs)(inputs)


def maximum(inputs, **kwargs):
    """The greatest of a list of tensors, element by element."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs, **kwargs):
    """The least of a list of tensors, element by element."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs, axis=-1, **kwargs):
    """A list of tensors one after the other along an axis."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs, axes, normalize=False, **kwargs):
    """The sum of products of two tensors over an axis of each, for each sample."""
    return Dot(axes=axes, normalize=normalize, **kwargs)(inputs)
