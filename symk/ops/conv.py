"""Convolution over one, two or three axes, channels last, and its two transposes, which are each
other's gradients. The NumPy meaning adds one matrix product per position of the window.
"""
import dataclasses

import numpy as np

from ..graph import Op, ShapeError, TensorType, apply, dims, op
from .checks import FLOATS, at_least, need_dtype, need_equal_dtypes, need_rank, same_size
from .convert import as_variable, fit, meet
from .epilogue import apply_epilogue, check_epilogue, reference_epilogue
from .products import check_products, rounded
from .samples import sample, values
from .sizes import as_sizes
from .window import AXES, check_geometry, inside, output_size, pad_widths, per_axis, tap

__all__ = ["conv", "conv_transpose"]

PADDINGS = ("same", "valid", "causal")


@dataclasses.dataclass(frozen=True, repr=False)
class _Convolution(Op):
    """What the three ops share. Group i of the results sees group i of the channels of x."""

    strides: tuple = (1, 1)
    dilation: tuple = (1, 1)
    padding: str = "valid"
    groups: int = 1

    accepts = FLOATS
    domain = (-1.0, 1.0)
    smooth = True

    def _geometry(self):
        """The attributes that the three ops share."""
        return dict(strides=self.strides, dilation=self.dilation, padding=self.padding,
                    groups=self.groups)

    def _result_shape(self, x, w):
        """The shape of the convolution of x with w."""
        need_dtype(self.name, "x", x, self.accepts)
        rank = check_geometry(self.name, x, self.padding, PADDINGS, strides=self.strides,
                              dilation=self.dilation)
        need_rank(self.name, "w", w, rank + 2, "(window, channels in, channels out)")
        need_equal_dtypes(self.name, x, w)
        check_products(self, x)
        for size in w.shape[:rank]:
            at_least(self.name, size, 1, "a window must have a size; w is %r" % (w,))
        self._check_channels(x, w)
        sizes = tuple(output_size(self.name, *along, self.padding) for along in zip(
            x.shape[1:], w.shape[:rank], self.strides, self.dilation))
        return (x.shape[0],) + sizes + (w.shape[-1],)

    def _check_channels(self, x, w):
        """Raises ShapeError unless the channels fit each other and the groups."""
        at_least(self.name, self.groups, 1, "there must be a group")
        what = ("the channels must agree; x is %r, w is %r, in %s groups" % (x, w, self.groups)
                if self.groups != 1 else "the channels must agree; x is %r, w is %r" % (x, w))
        same_size(self.name, x.shape[-1], w.shape[-2] * self.groups, what)
        whole = dims.floor_div(w.shape[-1], self.groups) * self.groups
        same_size(self.name, whole, w.shape[-1],
                  "groups must divide the channels out; w is %r, in %s groups" % (w, self.groups))

    def _check_result(self, x, w, g):
        """Checks that g can be the gradient of the convolution of x with w."""
        wanted = self._result_shape(x, w)
        need_rank(self.name, "g", g, len(wanted), AXES[len(wanted) - 2])
        need_equal_dtypes(self.name, g, w)
        for size, given in zip(wanted, g.shape):
            same_size(self.name, size, given, "g must have the shape %s of the convolution; it is "
                      "%r" % (wanted, g))

    def _padded(self, x, window):
        """x with its padding, its region inside, and the number of windows along each axis."""
        counts, before, after = zip(*(
            pad_widths(*along, self.padding)
            for along in zip(x.shape[1:], window, self.strides, self.dilation)))
        widths = ((0, 0),) + tuple(zip(before, after)) + ((0, 0),)
        return np.pad(x, widths), inside(widths, x.shape), counts

    def _tap(self, array, position, counts):
        """What one position of the window sees of a padded array."""
        return tap(array, np.multiply(position, self.dilation), counts, self.strides)

    def _by_group(self, product, *arrays):
        """product(...) of the channels of each group, joined."""
        groups = zip(*(np.split(array, self.groups, axis=-1) for array in arrays))
        return np.concatenate([product(*group) for group in groups], axis=-1)


def _products(y, w):
    """Multiplications and additions of a convolution with result y and kernel w."""
    return 2 * y.size * w.size // w.shape[-1] if w.shape[-1] else 0


def _rows(first, second, **attribute):
    """Samples of one op; each argument chooses an operand (or attribute) from (x, w, y)."""
    two = dict(strides=(1, 1), dilation=(1, 1))
    shapes = [  # x, w, y, attributes
        ((2, 5, 6, 3), (3, 2, 3, 4), (2, 3, 5, 4), {}),
        ((1, 5, 5, 2), (3, 3, 2, 3), (1, 5, 5, 3), dict(padding="same")),
        ((2, 7, 6, 2), (3, 2, 2, 3), (2, 3, 3, 3), dict(strides=(2, 2))),
        ((1, 6, 7, 1), (3, 3, 1, 2), (1, 3, 3, 2), dict(strides=(2, 3), padding="same")),
        ((1, 7, 7, 2), (2, 3, 2, 1), (1, 5, 3, 1), dict(dilation=(2, 2))),
        ((1, 6, 6, 2), (3, 3, 2, 2), (1, 6, 6, 2), dict(dilation=(2, 1), padding="same")),
        ((2, 3, 3, 4), (1, 1, 4, 5), (2, 3, 3, 5), {}),
        ((1, 4, 4, 1), (2, 2, 1, 1), (1, 1, 1, 1), dict(strides=(3, 3))),
        ((0, 5, 5, 2), (3, 3, 2, 3), (0, 3, 3, 3), {}),
        # groups, and one channel in each
        ((2, 4, 5, 6), (3, 3, 2, 9), (2, 2, 3, 9), dict(groups=3)),
        ((1, 5, 5, 4), (3, 3, 2, 2), (1, 3, 3, 2),
         dict(groups=2, strides=(2, 2), padding="same")),
        ((2, 5, 6, 5), (3, 2, 1, 5), (2, 5, 6, 5), dict(groups=5, padding="same")),
        ((1, 6, 5, 3), (3, 3, 1, 6), (1, 3, 3, 6),
         dict(groups=3, strides=(2, 2), padding="same")),
        ((1, 7, 6, 20), (2, 2, 1, 20), (1, 5, 4, 20), dict(groups=20, dilation=(2, 2))),
        # one axis and three
        ((2, 7, 3), (3, 3, 4), (2, 5, 4), dict(strides=(1,), dilation=(1,))),
        ((2, 8, 3), (3, 3, 2), (2, 4, 2), dict(strides=(2,), dilation=(2,), padding="causal")),
        ((2, 8, 3), (3, 1, 3), (2, 8, 3),
         dict(strides=(1,), dilation=(1,), padding="causal", groups=3)),
        ((1, 3, 4, 5, 2), (2, 3, 2, 2, 3), (1, 2, 2, 4, 3),
         dict(strides=(1, 1, 1), dilation=(1, 1, 1))),
        ((1, 4, 3, 4, 2), (3, 2, 3, 2, 3), (1, 2, 3, 2, 3),
         dict(strides=(2, 1, 2), dilation=(1, 2, 1), padding="same")),
        ((1, 3, 3, 4, 2), (2, 2, 2, 1, 4), (1, 3, 3, 4, 4),
         dict(strides=(1, 1, 1), dilation=(1, 1, 1), padding="same", groups=2)),
    ]
    rows = []
    for x, w, y, attributes in shapes:
        named = dict(x=x, w=w, y=y)
        extra = {key: named[value] for key, value in attribute.items()}
        rows.append(sample(named[first], named[second], **dict(two, **attributes), **extra))
    return rows


def _rounded_rows(first, second, **attribute):
    """The samples of products that only float32 has."""
    return [sample(*(values(drawn.shape, dtype="float32") for drawn in row.inputs),
                   products="bfloat16", **row.attributes)
            for row in _rows(first, second, **attribute)]


@op("conv", kind="conv")
class Conv(_Convolution):
    """The sum over window and input channels of x and w, at each position of the window.

    What `epilogue`, `activation` and `limit` do to the result is said in `epilogue.py`.

    Shapes: x (b, ..., groups * ci), w (window ..., ci, co), operands of the epilogue ->
            (b, ..., co), with as many axes between as `strides` has numbers: one to three.
    Dtypes: floats -> same.  Raises: ShapeError when the channels differ or the window is too large.
    """

    activation: str = ""
    limit: float = None
    epilogue: tuple = ()
    products: str = None

    @property
    def in_place(self):
        """Each element of the result is written once: an addend may be overwritten."""
        return ((0, 2 + self.epilogue.index("addend")),) if "addend" in self.epilogue else ()

    def infer(self, x, w, *operands):
        result = x.with_shape(self._result_shape(x, w))
        need_equal_dtypes(self.name, x, *operands)
        check_epilogue(self, result, operands)
        return result

    def reference(self, x, w, *operands):
        self.infer(*(TensorType(v.dtype, v.shape) for v in (x, w) + operands))
        x, w = rounded(self, x, w)
        padded, _, counts = self._padded(x, w.shape[:-2])
        y = np.zeros((x.shape[0],) + counts + (w.shape[-1],), x.dtype)
        for position in np.ndindex(*w.shape[:-2]):
            y += self._by_group(np.matmul, self._tap(padded, position, counts), w[position])
        return reference_epilogue(self, y, operands)

    def grad(self, x, w, *rest):
        g = rest[-1]
        if self.activation or self.epilogue:
            return NotImplemented
        return (apply(ConvGradInput(shape=x.shape, **self._geometry()), g, w),
                apply(ConvGradKernel(shape=w.shape, **self._geometry()), x, g))

    @classmethod
    def flops(cls, inputs, outputs):
        return _products(outputs[0], inputs[1])

    def expand(self, x, w, *operands):
        """The convolution and its epilogue as ops of their own; None if it has none."""
        if not self.epilogue and not self.activation:
            return None
        plain = Conv(products=self.products, **self._geometry())
        return apply_epilogue(self, apply(plain, x, w), operands)

    samples = _rows("x", "w") + _rounded_rows("x", "w") + [
        sample((2, 4, 4, 2), (3, 3, 2, 3), (3,), padding="same", epilogue=("bias",)),
        sample((2, 4, 4, 2), (3, 3, 2, 3), (3,), padding="same", epilogue=("bias",),
               activation="tanh"),
        sample((2, 5, 5, 2), (3, 3, 2, 37), (37,), (2, 3, 3, 37), (37,), (2, 3, 3, 37),
               epilogue=("scale", "addend", "bias", "factor"), activation="sigmoid"),
        sample((2, 4, 4, 6), (3, 3, 2, 3), (3,), (2, 2, 2, 3), groups=3,
               epilogue=("bias", "addend")),
        sample((2, 4, 4, 2), (3, 3, 2, 3), (3,), padding="same", epilogue=("bias",),
               activation="relu", limit=0.25),
        sample(values((1, 5, 4, 3), low=0.1), values((3, 3, 1, 6), low=0.1), (1, 5, 4, 6),
               padding="same", groups=3, epilogue=("factor",), activation="relu", limit=2.0),
        sample((2, 5, 4, 3), (3, 3, 1, 6), (6,), (2, 5, 4, 6), (6,), (2, 5, 4, 6), padding="same",
               groups=3, epilogue=("scale", "addend", "bias", "factor"), activation="sigmoid")]
    bad = [sample((1, 5, 5, 3), (3, 3, 2, 4), error="the channels must agree"),
           sample((1, 5, 5, 4), (3, 3, 2, 3), groups=2, error="groups must divide the channels"),
           sample((1, 5, 5, 4), (3, 3, 2, 4), groups=4, error="the channels must agree"),
           sample((5, 5, 3), (3, 3, 3, 4), error="x must have 4 axes"),
           sample((1, 5, 5, 3), (3, 3, 4), error="w must have 4 axes"),
           sample((5, 3), (3, 3, 4), strides=(), dilation=(), error="x must have 3 to 5 axes"),
           sample((1, 2, 5, 3), (3, 3, 3, 4), error="at least as large as a window"),
           sample((1, 5, 5, 3), (3, 3, 3, 4), padding="full", error="padding must be"),
           sample((1, 5, 5, 3), (3, 3, 3, 4), activation="add", error="name of a unary op"),
           sample((1, 5, 5, 3), (3, 3, 3, 4), activation="tanh", limit=6.0,
                  error="a limit must be that of relu"),
           sample((1, 5, 5, 3), (3, 3, 3, 4), strides=(0, 1), error="strides must be")]


@op("conv_grad_input", kind="conv")
class ConvGradInput(_Convolution):
    """The gradient of conv with respect to x, which has `shape`; its transpose in x.

    Shapes: g (b, ..., co), w (window ..., ci, co) -> shape.  Dtypes: floats -> same.
    """

    shape: tuple = ()
    products: str = None

    def infer(self, g, w):
        x = g.with_shape(self.shape)
        self._check_result(x, w, g)
        return x

    def reference(self, g, w):
        g, w = rounded(self, g, w)
        padded, region, counts = self._padded(np.zeros(self.shape, g.dtype), w.shape[:-2])
        for position in np.ndindex(*w.shape[:-2]):
            self._tap(padded, position, counts)[...] += self._by_group(
                lambda g, w: g @ w.T, g, w[position])
        return padded[region]

    def grad(self, g, w, x, v):
        return (apply(Conv(**self._geometry()), v, w),
                apply(ConvGradKernel(shape=w.shape, **self._geometry()), v, g))

    @classmethod
    def flops(cls, inputs, outputs):
        return _products(*inputs)

    samples = _rows("y", "w", shape="x") + _rounded_rows("y", "w", shape="x")
    bad = [sample((1, 4, 4, 2), (3, 3, 2, 2), shape=(1, 5, 5, 2), error="g must have the shape")]


@op("conv_grad_kernel", kind="conv")
class ConvGradKernel(_Convolution):
    """The gradient of conv with respect to w, which has `shape`; its transpose in w.

    Shapes: x (b, ..., groups * ci), g (b, ..., co) -> shape.  Dtypes: floats -> same.
    """

    shape: tuple = ()
    products: str = None

    def infer(self, x, g):
        w = x.with_shape(self.shape)
        self._check_result(x, w, g)
        return w

    def reference(self, x, g):
        x, g = rounded(self, x, g)
        window = self.shape[:-2]
        padded, _, counts = self._padded(x, window)
        pixels = tuple(range(x.ndim - 1))
        w = np.zeros(self.shape, x.dtype)
        for position in np.ndindex(*window):
            w[position] = self._by_group(lambda x, g: np.tensordot(x, g, (pixels, pixels)),
                                         self._tap(padded, position, counts), g)
        return w

    def grad(self, x, g, w, v):
        return (apply(ConvGradInput(shape=x.shape, **self._geometry()), g, v),
                apply(Conv(**self._geometry()), x, v))

    @classmethod
    def flops(cls, inputs, outputs):
        return _products(inputs[1], outputs[0])

    samples = _rows("x", "y", shape="w") + _rounded_rows("x", "y", shape="w")
    bad = [sample((1, 5, 5, 2), (1, 4, 4, 2), shape=(3, 3, 2, 2), error="g must have the shape")]


def conv(x, w, strides=1, padding="valid", dilation=1, groups=1):
    """The convolution (cross-correlation) of lines, images or volumes, channels last.

    Args:     strides, dilation: a positive integer, or one for each axis. padding: "valid", or
              "same" by TensorFlow's rule: ceil(size / stride) windows, the odd element of padding
              at the end, or "causal": as many windows, none of which sees what comes after it.
              groups: the channels in and out are cut into as many groups, each of which sees its
              own; with one channel in each it is a depthwise convolution.
    Shapes:   x (b, ..., groups * ci), w (window ..., ci, co) -> (b, ..., co).
    """
    x, w = (fit(v, FLOATS) for v in meet(x, w))
    return apply(Conv(*_attributes("conv", x, strides, padding, dilation, groups)), x, w)


def conv_transpose(x, w, shape, strides=1, padding="valid", dilation=1, groups=1):
    """The transpose of a convolution: from its results to what they came from.

    Args:     shape: of the result; the convolution of that shape must have the shape of x.
    Shapes:   x (b, ..., co), w (window ..., ci, co) -> shape (b, ..., groups * ci).
    """
    x, w = (fit(v, FLOATS) for v in meet(x, w))
    shape = as_sizes(shape)
    attributes = _attributes("conv_transpose", x, strides, padding, dilation, groups)
    given = Conv(*attributes).infer(x.type.with_shape(shape), w.type)
    if any(map(dims.known_different, given.shape, x.shape)):
        raise ShapeError("[conv_transpose] shape must be one whose convolution has the shape of x; "
                         "with %s it has %s, x is %r." % (shape, given.shape, x.type))
    return apply(ConvGradInput(*attributes, shape=shape), x, w)


def _attributes(name, x, strides, padding, dilation, groups):
    """(strides, dilation, padding, groups) for an op over the axes of x."""
    rank = as_variable(x).ndim - 2
    if rank not in AXES:
        raise ShapeError("[%s] x must have 3 to 5 axes, batch first and channels last; it is %r."
                         % (name, x.type))
    return (per_axis(name, "strides", strides, rank), per_axis(name, "dilation", dilation, rank),
            padding, groups)
