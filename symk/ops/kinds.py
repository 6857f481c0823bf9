"""Constructors of the op rows: `unary`, `binary`, `ternary` and `reduction`.

A row states name, meaning, NumPy reference and gradient; the constructor makes the op class,
registers it, and returns the function that users call (its class is the function's `op`). No row
mentions broadcasting: the gradient walk sums a gradient back to its input's shape. A row without
`grad` is constant almost everywhere, and stops gradients.
"""
import dataclasses

from ..graph import Op, TensorType, apply, op
from .checks import (FLOATS, axes_in, broadcast_shapes, flag, need_axes, need_dtype,
                     need_equal_dtypes)
from .convert import as_variable, fit, meet
from .samples import sample, values
from .shape import reshape

__all__ = ["Elementwise", "Reduction", "unary", "binary", "ternary", "reduction"]


class Elementwise(Op):
    """One result element from one element of each operand; operands broadcast.

    accepts: the dtypes of the operands. result: the dtype of the result, or None for theirs.
    domain: where tests draw the operands. smooth: False if there are kinks, to be kept clear of.
    """

    accepts = FLOATS
    result = None
    operands = ("x",)
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, *types):
        for operand, type in zip(self.operands, types):
            need_dtype(self.name, operand, type, self.accepts)
        need_equal_dtypes(self.name, *types)
        return TensorType(self.result or types[0].dtype, broadcast_shapes(self.name, *types))


@dataclasses.dataclass(frozen=True, repr=False)
class Reduction(Op):
    """Fewer axes: `axes` are sorted, counted from the front; `keepdims` leaves them with size 1."""

    axes: tuple = ()
    keepdims: bool = False

    accepts = FLOATS
    result = None
    domain = (-2.0, 2.0)
    smooth = True

    def infer(self, x):
        need_dtype(self.name, "x", x, self.accepts)
        need_axes(self.name, self.axes, x.ndim)
        if self.keepdims:
            shape = tuple(1 if axis in self.axes else size for axis, size in enumerate(x.shape))
        else:
            shape = tuple(size for axis, size in enumerate(x.shape) if axis not in self.axes)
        return TensorType(self.result or x.dtype, shape)


def unary(name, doc, reference, grad=None, accepts=FLOATS, result=None, domain=(-2.0, 2.0),
          smooth=True):
    """A row `y = name(x)`; grad(x, y, g)."""
    rows = [sample((3, 4)), sample(()), sample((1, 1)), sample((0, 3)), sample((67,))]
    bad = [sample(values((3,), _refused(accepts)), error="the dtype must be one of")]
    instance = _define(name, doc, Elementwise, reference, grad, dict(
        accepts=accepts, result=result, domain=domain, smooth=smooth, operands=("x",),
        in_place=((0, 0),), samples=rows, bad=bad if _refused(accepts) else ()))()

    def call(x):
        return apply(instance, fit(as_variable(x), accepts))
    return _named(call, name, doc, instance)


def binary(name, doc, reference, grad=None, accepts=FLOATS, result=None, domain=(-2.0, 2.0),
           smooth=True, operands=("a", "b")):
    """A row `z = name(a, b)`; grad(a, b, z, g)."""
    rows = [sample((3, 4), (3, 4)), sample((3, 4), (4,)), sample((), (2, 3)),
            sample((3, 1), (1, 4)), sample((0, 4), (1, 4)), sample((37,), (37,))]
    bad = [sample((3,), (4,), error="the shapes must broadcast")]
    instance = _define(name, doc, Elementwise, reference, grad, dict(
        accepts=accepts, result=result, domain=domain, smooth=smooth, operands=operands,
        in_place=((0, 0), (0, 1)), samples=rows, bad=bad))()

    def call(a, b):
        a, b = (fit(v, accepts) for v in meet(a, b))
        return apply(instance, a, b)
    return _named(call, name, doc, instance)


def ternary(name, doc, reference, grad, base=Elementwise, **members):
    """A row of three operands; grad(a, b, c, y, g). Returns the op's one instance."""
    return _define(name, doc, base, reference, grad, members)()


def reduction(name, doc, reference, grad=None, accepts=FLOATS, result=None, domain=(-2.0, 2.0),
              smooth=True, convert=None):
    """A row `y = name(x, axes, keepdims)`.

    Args:     reference(x, axes, keepdims), grad(x, y, g, axes) where y and g have kept axes,
              convert: what the function does first to an operand of a dtype not accepted.
    """
    def run_reference(self, x):
        return reference(x, self.axes, self.keepdims)

    def run_grad(self, x, y, g):
        return grad(x, _kept(y, x, self.axes), _kept(g, x, self.axes), self.axes)

    rows = [sample((3, 4), axes=(0,)), sample((3, 4), axes=(1,)), sample((3, 4), axes=(0, 1)),
            sample((2, 3, 5), axes=(1,), keepdims=True), sample((2, 3, 5), axes=(0, 2)),
            sample((2, 1, 3), axes=(1,)), sample((7, 67), axes=(1,)), sample((0, 3), axes=(1,)),
            sample((45, 19), axes=(0,)), sample((3, 150), axes=(1,)), sample((3, 37, 5), axes=(1,))]
    bad = [sample((3,), axes=(2,), error="axis 2 is outside rank 1"),
           sample((3, 4), axes=(1, 1), error="an axis may be named once")]
    cls = _define(name, doc, Reduction, run_reference, run_grad if grad else None, dict(
        accepts=accepts, result=result, domain=domain, smooth=smooth, samples=rows, bad=bad),
        kind="reduce")

    def call(x, axes=None, keepdims=False):
        x = as_variable(x)
        x = convert(x) if convert and x.dtype not in accepts else fit(x, accepts)
        axes = axes_in(name, axes, x.ndim)
        keepdims = flag(name, "keepdims", keepdims)
        return apply(cls(axes, keepdims), x) if axes else x
    return _named(call, name, doc, cls)


def _kept(value, x, axes):
    """A reduced value with the reduced axes back, as size 1."""
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    return reshape(value, shape)


def _refused(accepts):
    """A dtype that an op with these dtypes must refuse, or None."""
    return next((dtype for dtype in ("bool", "int32", "float32") if dtype not in accepts), None)


def _define(name, doc, base, reference, grad, members, kind="elementwise"):
    """Makes and registers the class of a row."""
    static = base is not Reduction
    members = dict(members, __doc__=doc, __module__=__name__,
                   reference=staticmethod(reference) if static else reference)
    members["grad"] = staticmethod(grad or _no_gradient) if static or not grad else grad
    title = "".join(word.capitalize() for word in name.split("_"))
    return op(name, kind)(type(title, (base,), members))


def _no_gradient(*values):
    """The gradient of a row that states none: no operand gets any."""
    return None


def _named(call, name, doc, thing):
    """The user's function with its name, meaning and op."""
    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    call.op = thing if isinstance(thing, type) else type(thing)
    return call
