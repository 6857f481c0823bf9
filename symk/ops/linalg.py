"""Matrix products. Their epilogue is used by the optimiser's fusion only."""
import numpy as np

from ..graph import Op, ShapeError, TensorType, apply, op
from .checks import FLOATS, broadcast_shapes, need_dtype, need_equal_dtypes, same_size
from .convert import fit, meet
from .epilogue import apply_epilogue, check_epilogue, reference_epilogue
from .products import check_products, rounded
from .samples import sample, values
from .shape import reshape

__all__ = ["matmul"]


def _rounded_sample(*shapes, **attributes):
    """A sample of products that only float32 has."""
    return sample(*(values(shape, dtype="float32") for shape in shapes), products="bfloat16",
                  **attributes)


_ROUNDED = [_rounded_sample((3, 4), (4, 5)), _rounded_sample((3, 5), (4, 5), transpose_b=True),
            _rounded_sample((5, 3), (5, 4), transpose_a=True), _rounded_sample((1, 1), (1, 1)),
            _rounded_sample((2, 3, 7), (2, 7, 5)), _rounded_sample((3, 0), (0, 5)),
            _rounded_sample((19, 33), (33, 37)), _rounded_sample((1, 33), (33, 37))]


@op("matmul", kind="linalg")
class Matmul(Op):
    """a @ b over the last two axes; leading axes broadcast.

    `transpose_a`, `transpose_b` swap the last two axes of an operand first. What `epilogue`,
    `activation` and `limit` do to the result is said in `epilogue.py`, what `products` is in
    `products.py`.

    Shapes: a (..., m, k), b (..., k, n), operands of the epilogue -> (..., m, n).
    Dtypes: floats -> same.
    """

    transpose_a: bool = False
    transpose_b: bool = False
    activation: str = ""
    limit: float = None
    epilogue: tuple = ()
    products: str = None

    accepts = FLOATS
    domain = (-1.0, 1.0)
    smooth = True

    def infer(self, a, b, *operands):
        need_dtype(self.name, "a", a, self.accepts)
        need_equal_dtypes(self.name, a, b, *operands)
        check_products(self, a)
        if a.ndim < 2 or b.ndim < 2:
            raise ShapeError("[matmul] each operand must have at least two axes; a is %r, b is %r."
                             % (a, b))
        rows, inner_a = _swapped(a.shape[-2:], self.transpose_a)
        inner_b, columns = _swapped(b.shape[-2:], self.transpose_b)
        same_size(self.name, inner_a, inner_b, "inner sizes must agree; a is %r%s, b is %r%s"
                  % (a, ", transposed" * self.transpose_a, b, ", transposed" * self.transpose_b))
        lead = broadcast_shapes(self.name, a.with_shape(a.shape[:-2]), b.with_shape(b.shape[:-2]))
        result = TensorType(a.dtype, lead + (rows, columns))
        check_epilogue(self, result, operands)
        return result

    def reference(self, a, b, *operands):
        a, b = rounded(self, a, b)
        a = np.swapaxes(a, -1, -2) if self.transpose_a else a
        b = np.swapaxes(b, -1, -2) if self.transpose_b else b
        return reference_epilogue(self, np.matmul(a, b), operands)

    def grad(self, a, b, *rest):
        g = rest[-1]
        if self.activation or self.epilogue:
            return NotImplemented
        if self.transpose_a:
            da = matmul(b, g, transpose_a=self.transpose_b, transpose_b=True)
        else:
            da = matmul(g, b, transpose_b=not self.transpose_b)
        if b.ndim == 2 and not self.transpose_a:
            a, g = _rows(a), _rows(g)
        if self.transpose_b:
            db = matmul(g, a, transpose_a=True, transpose_b=self.transpose_a)
        else:
            db = matmul(a, g, transpose_a=not self.transpose_a)
        return da, db

    @classmethod
    def flops(cls, inputs, outputs):
        a, rows = inputs[0], outputs[0].shape[-2]
        inner = a.shape[-1] * a.shape[-2] // rows if rows else 0
        return 2 * outputs[0].size * inner

    def expand(self, a, b, *operands):
        """The product and its epilogue as ops of their own; None if it has none."""
        if not self.epilogue and not self.activation:
            return None
        plain = Matmul(self.transpose_a, self.transpose_b, products=self.products)
        return apply_epilogue(self, apply(plain, a, b), operands)

    samples = [sample((3, 4), (4, 5)), sample((3, 4), (5, 4), transpose_b=True),
               sample((4, 3), (4, 5), transpose_a=True),
               sample((4, 3), (5, 4), transpose_a=True, transpose_b=True),
               sample((2, 3, 4), (2, 4, 5)), sample((2, 1, 3, 4), (5, 4, 2)),
               sample((2, 3, 4), (4, 5)), sample((1, 1), (1, 1)), sample((0, 4), (4, 5)),
               sample((3, 0), (0, 5)), sample((19, 33), (33, 21)),
               sample((3, 4), (4, 5), (5,), epilogue=("bias",)),
               sample((3, 4), (4, 5), (5,), epilogue=("bias",), activation="tanh"),
               sample((2, 3, 4), (4, 5), activation="sigmoid"),
               sample(values((19, 8), low=0.1), values((8, 37), low=0.1, high=0.5),
                      values((37,), low=0.1), epilogue=("bias",), activation="relu", limit=2.0),
               sample((1, 40), (40, 5), (1, 5), epilogue=("factor",), activation="relu", limit=1),
               sample((19, 300), values((300, 37), low=-0.1, high=0.1), (19, 37), (37,), (37,),
                      (19, 37), activation="tanh", epilogue=("addend", "scale", "bias", "factor")),
               sample((1, 40), (40, 5), (1, 5), (5,), epilogue=("factor", "scale")),
               sample((3, 2, 4), (3, 4, 5), (3, 2, 5), epilogue=("addend",)),
               *_ROUNDED]
    bad = [sample((32, 10), (12, 4), error="inner sizes must agree; a is (32, 10) float32"),
           sample((3,), (3, 4), error="at least two axes"),
           sample((2, 3, 4), (3, 4, 5), error="the shapes must broadcast"),
           sample((3, 4), (4, 5), (4,), epilogue=("bias",),
                  error="the bias must have one element per column"),
           sample((3, 4), (4, 5), (5,), epilogue=("addend",),
                  error="the addend must have the shape of the result"),
           sample((3, 4), (4, 5), (5,), error="must name the operands from the third on"),
           sample((3, 4), (4, 5), (5,), epilogue=("shift",), error="an epilogue must name"),
           sample((3, 4), (4, 5), activation="relu", limit=-1.0, error="not negative"),
           sample((3, 4), (4, 5), activation="nothing", error="name of a unary op"),
           sample((3, 4), (4, 5), products="float8", error="products must be one of")]


def _rows(x):
    """The leading axes as rows of one matrix: so they are summed by one product."""
    return x if x.ndim == 2 else reshape(x, (-1, x.shape[-1]))


def _swapped(pair, swap):
    return pair[::-1] if swap else pair


def matmul(a, b, transpose_a=False, transpose_b=False):
    """a @ b over the last two axes, each transposed first if so wished; leading axes broadcast."""
    a, b = (fit(v, FLOATS) for v in meet(a, b))
    return apply(Matmul(bool(transpose_a), bool(transpose_b)), a, b)
