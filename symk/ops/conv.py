"""Convolution over two axes, channels last, and its two transposes, which are each other's
gradients. The NumPy meaning adds one matrix product per position of the window.
"""
import numpy as np

from ..graph import Op, TensorType, apply, op
from .checks import FLOATS, at_least, need_dtype, need_equal_dtypes, need_rank, same_size
from .convert import fit, meet
from .epilogue import apply_epilogue, check_epilogue, reference_epilogue
from .samples import sample
from .window import check_geometry, output_size, pad_widths, pair, tap

__all__ = ["conv2d"]


class _Convolution(Op):
    """What the three ops share."""

    accepts = FLOATS
    domain = (-1.0, 1.0)
    smooth = True

    def _result_shape(self, x, w):
        """The shape of conv2d(x, w)."""
        check_geometry(self.name, x, self.padding, strides=self.strides, dilation=self.dilation)
        need_dtype(self.name, "x", x, self.accepts)
        need_rank(self.name, "w", w, 4, "(rows, columns, channels in, channels out)")
        need_equal_dtypes(self.name, x, w)
        for size in w.shape[:2]:
            at_least(self.name, size, 1, "a window must have a size; w is %r" % (w,))
        same_size(self.name, x.shape[3], w.shape[2],
                  "the channels must agree; x is %r, w is %r" % (x, w))
        rows, columns = (
            output_size(self.name, x.shape[k + 1], w.shape[k], self.strides[k], self.dilation[k],
                        self.padding) for k in (0, 1))
        return (x.shape[0], rows, columns, w.shape[3])

    def _check_result(self, x, w, g):
        """Checks that g can be the gradient of conv2d(x, w)."""
        wanted = self._result_shape(x, w)
        need_rank(self.name, "g", g, 4, "(batch, rows, columns, channels)")
        need_equal_dtypes(self.name, g, w)
        for size, given in zip(wanted, g.shape):
            same_size(self.name, size, given, "g must have the shape %s of the convolution; it is "
                      "%r" % (wanted, g))

    def _padded(self, x, window):
        """x with its padding, its region inside, and the number of windows along both axes."""
        (rows, top, bottom), (columns, left, right) = (
            pad_widths(x.shape[k + 1], window[k], self.strides[k], self.dilation[k], self.padding)
            for k in (0, 1))
        inside = (slice(None), slice(top, top + x.shape[1]), slice(left, left + x.shape[2]))
        return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0))), inside, (rows, columns)

    def _tap(self, array, i, j, counts):
        return tap(array, i * self.dilation[0], j * self.dilation[1], counts, self.strides)


def _products(y, w):
    """Multiplications and additions of a convolution with result y and kernel w."""
    return 2 * y.size * w.size // w.shape[-1] if w.shape[-1] else 0


_DEFAULTS = dict(strides=(1, 1), dilation=(1, 1), padding="valid")


def _rows(first, second, **attribute):
    """Samples of one op; each argument chooses an operand (or attribute) from (x, w, y)."""
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
    ]
    rows = []
    for x, w, y, attributes in shapes:
        named = dict(x=x, w=w, y=y)
        extra = {key: named[value] for key, value in attribute.items()}
        rows.append(sample(named[first], named[second], **dict(_DEFAULTS, **attributes), **extra))
    return rows


@op("conv2d", kind="conv")
class Conv2d(_Convolution):
    """The sum over window and input channels of x and w, at each position of the window.

    What `epilogue` and `activation` do to the result is said in `epilogue.py`.

    Shapes: x (b, h, w, ci), w (kh, kw, ci, co), operands of the epilogue -> (b, oh, ow, co).
    Dtypes: floats -> same.  Raises: ShapeError when the channels differ or the window is too large.
    """

    strides: tuple = (1, 1)
    dilation: tuple = (1, 1)
    padding: str = "valid"
    activation: str = ""
    epilogue: tuple = ()

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
        padded, _, counts = self._padded(x, w.shape[:2])
        y = np.zeros((x.shape[0],) + counts + (w.shape[3],), x.dtype)
        for i, j in np.ndindex(*w.shape[:2]):
            y += self._tap(padded, i, j, counts) @ w[i, j]
        return reference_epilogue(self, y, operands)

    def grad(self, x, w, *rest):
        g = rest[-1]
        if self.activation or self.epilogue:
            return NotImplemented
        geometry = (self.strides, self.dilation, self.padding)
        return (apply(Conv2dGradInput(*geometry, x.shape), g, w),
                apply(Conv2dGradKernel(*geometry, w.shape), x, g))

    @classmethod
    def flops(cls, inputs, outputs):
        return _products(outputs[0], inputs[1])

    def expand(self, x, w, *operands):
        """The convolution and its epilogue as ops of their own; None if it has none."""
        if not self.epilogue and not self.activation:
            return None
        plain = Conv2d(self.strides, self.dilation, self.padding)
        return apply_epilogue(self, apply(plain, x, w), operands)

    samples = _rows("x", "w") + [
        sample((2, 4, 4, 2), (3, 3, 2, 3), (3,), padding="same", epilogue=("bias",)),
        sample((2, 4, 4, 2), (3, 3, 2, 3), (3,), padding="same", epilogue=("bias",),
               activation="tanh"),
        sample((2, 5, 5, 2), (3, 3, 2, 37), (37,), (2, 3, 3, 37), (37,), (2, 3, 3, 37),
               epilogue=("scale", "addend", "bias", "factor"), activation="sigmoid")]
    bad = [sample((1, 5, 5, 3), (3, 3, 2, 4), error="the channels must agree"),
           sample((5, 5, 3), (3, 3, 3, 4), error="x must have 4 axes"),
           sample((1, 2, 5, 3), (3, 3, 3, 4), error="at least as large as a window"),
           sample((1, 5, 5, 3), (3, 3, 3, 4), padding="full", error="padding must be"),
           sample((1, 5, 5, 3), (3, 3, 3, 4), activation="add", error="name of a unary op"),
           sample((1, 5, 5, 3), (3, 3, 3, 4), strides=(0, 1), error="strides must be")]


@op("conv2d_grad_input", kind="conv")
class Conv2dGradInput(_Convolution):
    """The gradient of conv2d with respect to x, which has `shape`; its transpose in x.

    Shapes: g (b, oh, ow, co), w (kh, kw, ci, co) -> shape.  Dtypes: floats -> same.
    """

    strides: tuple = (1, 1)
    dilation: tuple = (1, 1)
    padding: str = "valid"
    shape: tuple = ()

    def infer(self, g, w):
        x = g.with_shape(self.shape)
        self._check_result(x, w, g)
        return x

    def reference(self, g, w):
        padded, inside, counts = self._padded(np.zeros(self.shape, g.dtype), w.shape[:2])
        for i, j in np.ndindex(*w.shape[:2]):
            self._tap(padded, i, j, counts)[...] += g @ w[i, j].T
        return padded[inside]

    def grad(self, g, w, x, v):
        geometry = (self.strides, self.dilation, self.padding)
        return apply(Conv2d(*geometry), v, w), apply(Conv2dGradKernel(*geometry, w.shape), v, g)

    @classmethod
    def flops(cls, inputs, outputs):
        return _products(*inputs)

    samples = _rows("y", "w", shape="x")
    bad = [sample((1, 4, 4, 2), (3, 3, 2, 2), shape=(1, 5, 5, 2), error="g must have the shape")]


@op("conv2d_grad_kernel", kind="conv")
class Conv2dGradKernel(_Convolution):
    """The gradient of conv2d with respect to w, which has `shape`; its transpose in w.

    Shapes: x (b, h, w, ci), g (b, oh, ow, co) -> shape.  Dtypes: floats -> same.
    """

    strides: tuple = (1, 1)
    dilation: tuple = (1, 1)
    padding: str = "valid"
    shape: tuple = ()

    def infer(self, x, g):
        w = x.with_shape(self.shape)
        self._check_result(x, w, g)
        return w

    def reference(self, x, g):
        padded, _, counts = self._padded(x, self.shape[:2])
        w = np.zeros(self.shape, x.dtype)
        for i, j in np.ndindex(*self.shape[:2]):
            w[i, j] = np.tensordot(self._tap(padded, i, j, counts), g, ((0, 1, 2), (0, 1, 2)))
        return w

    def grad(self, x, g, w, v):
        geometry = (self.strides, self.dilation, self.padding)
        return apply(Conv2dGradInput(*geometry, x.shape), g, v), apply(Conv2d(*geometry), x, v)

    @classmethod
    def flops(cls, inputs, outputs):
        return _products(inputs[1], outputs[0])

    samples = _rows("x", "y", shape="w")
    bad = [sample((1, 5, 5, 2), (1, 4, 4, 2), shape=(3, 3, 2, 2), error="g must have the shape")]


def conv2d(x, w, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """The convolution (cross-correlation) of images and kernels, channels last.

    Args:     strides, dilation: one or two positive integers. padding: "valid", or "same" by
              TensorFlow's rule: ceil(size / stride) windows, the odd element of padding at the end.
    Shapes:   x (b, h, w, ci), w (kh, kw, ci, co) -> (b, oh, ow, co).
    """
    x, w = (fit(v, FLOATS) for v in meet(x, w))
    strides, dilation = pair("conv2d", "strides", strides), pair("conv2d", "dilation", dilation)
    return apply(Conv2d(strides, dilation, padding), x, w)
