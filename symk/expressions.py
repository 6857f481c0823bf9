"""The graph as a tool of its own, for those who build expressions and no models.

What `symk.placeholder`, `symk.function`, `symk.grad` and the like are; the ops are in `ops`. K does
the same in Keras's words. Derivatives are taken of stable forms: of softplus(x) where log(1 +
exp(x)) is written, since the derivative of that is inf / inf for large x.
"""
import os

from . import autodiff, ops
from . import compile as compiler
from .compile.native import load_kernels
from .compile.request import checked_replacements
from .config import settings
from .graph import GraphError, Placeholder, ShapeError, Shared, Variable, dims, rebuild
from .graph.draw import to_dot, to_svg
from .optimize import stable

__all__ = ["placeholder", "shared", "function", "clone", "grad", "jvp", "hessian_vector",
           "jacobian", "draw", "load_kernels", "get_include"]


def placeholder(shape=(), dtype=None, name=None):
    """A tensor that is fed at each call.

    Args:     shape: None is a size that is known only at a call; a size of another tensor,
              x.shape[0], is the same unknown size. dtype: floatx by default.
    """
    shape = tuple(shape)
    for size in shape:
        if size is not None and not isinstance(size, dims.Dim) and not hasattr(size, "__index__"):
            raise ShapeError("[placeholder] a size must be an integer, or None if it is known only "
                             "at a call; the shape %r was given." % (shape,))
    return Placeholder(dtype or settings.floatx, shape, name=name)


def shared(value, name=None, dtype=None):
    """A tensor that lives between calls, and that functions may update.

    `get_value()` and `set_value(value)` copy: nobody else's array is ever part of it.

    Args:     value: the initial array. dtype: an array keeps its own by default; Python floats
              take floatx, integers int32.
    """
    constant = ops.constant(value, dtype)
    return Shared(constant.value, constant.dtype, name)


def function(inputs, outputs, updates=(), givens=None, on_unused_input="raise", name=None,
             mode=None, check_nan=None, profile=False, products=None):
    """A callable: `f(*arrays)` gives an array, or a list of them if `outputs` is a list.

    Args:
        inputs: placeholders, in the order in which arrays are given.
        outputs: an expression, or a list of them; values are constants.
        updates: pairs (shared, new value) or a dict. New values are computed from the old ones,
            and assigned when everything has been computed.
        givens: {variable: replacement}, done first: any tensor of the graph may be replaced.
        on_unused_input: "raise", "warn" or "ignore", for an input that no result needs.
        name: used in messages.
        mode: "native", or "reference" for the NumPy meaning of each op, without any rewrite.
        check_nan: stop at the first NaN or infinity, naming op, layer and line; by default what
            SYMK_CHECK_NAN says.
        profile: time every step of every call, for `f.show("profile")`.
        products: "bfloat16", "float16" or "tf32" for matrix products and convolutions of float32
            that round their operands so and add up in float32, "winograd" for 3x3 convolutions
            that are faster and less exact; by default what SYMK_PRODUCTS says.
    Returns:  a symk.compile.Function; `f.show(...)` tells what became of the expressions.
    Raises:   GraphError, ShapeError, DtypeError for a request that does not fit together.
    """
    several = isinstance(outputs, (list, tuple))
    outputs = [ops.as_variable(v) for v in outputs] if several else ops.as_variable(outputs)
    return compiler.function(inputs, outputs, updates, givens, on_unused_input, name, mode,
                             check_nan=check_nan, profile=profile, products=products)


def grad(loss, wrt, known=None, disconnected="none"):
    """The derivatives of a loss in `wrt`: one for a tensor, a list for several.

    Args:
        loss: a float tensor; of one that is no scalar, the sum is meant. None: `known` only.
        known: {tensor: gradient}: where a gradient is known already, besides the loss.
        disconnected: for a tensor that the loss does not depend on, or only through what has no
            derivative: "none" (None), "zero" (zeros), or "raise": GraphError with op and path.
    """
    known = dict(known or {})
    starts = ([] if loss is None else [loss]) + list(known)
    forms = stable(starts, _listed(wrt))
    loss = None if loss is None else forms.pop(0)
    gradients = {}
    for form, (tensor, gradient) in zip(forms, known.items()):
        gradient = ops.as_variable(gradient, like=tensor)
        # Two tensors may have one stable form.
        gradients[form] = gradient if form not in gradients else gradients[form] + gradient
    return autodiff.grad(loss, wrt, gradients, disconnected)


def jvp(outputs, wrt, tangents, disconnected="zero"):
    """How outputs move when the tensors `wrt` move along `tangents`: the Jacobian times them.

    Args:     each argument is one tensor, or a list; tangents may be arrays.
              disconnected: for an output that does not move: "zero", "none" or "raise".
    """
    forms = stable(_listed(outputs), _listed(wrt))
    return autodiff.jvp(_as_given(outputs, forms), wrt, tangents, disconnected)


def hessian_vector(loss, wrt, vectors, disconnected="zero"):
    """The second derivatives of a loss times vectors, for about three gradients' work.

    Args:     vectors: of the shape of each in `wrt`; tensors or arrays. disconnected: as `jvp`.
    """
    form, = stable([loss], _listed(wrt))
    return autodiff.hessian_vector(form, wrt, vectors, disconnected)


def jacobian(expression, wrt, disconnected="zero"):
    """All derivatives of the elements of an expression.

    Shapes:   expression (a, b), wrt (m, n) -> (a, b, m, n).
    """
    form, = stable([expression], _listed(wrt))
    return autodiff.jacobian(form, wrt, disconnected)


def _listed(tensors):
    return [tensors] if isinstance(tensors, Variable) else list(tensors)


def _as_given(tensors, changed):
    """What was changed, single where a single one was given."""
    return changed[0] if isinstance(tensors, Variable) else changed


def clone(outputs, replace=None):
    """The same expressions with some tensors replaced.

    What does not depend on a replaced tensor is shared with the original, since expressions never
    change. Unknown sizes follow the replacement of a placeholder.

    Args:     outputs: an expression, or a list of them.
              replace: {tensor: replacement}, or pairs; a value is a constant.
    Raises:   GraphError, ShapeError, DtypeError where a replacement does not fit.
    """
    made = rebuild(_listed(outputs), checked_replacements("clone", replace))
    return _as_given(outputs, made)


def draw(what, path, view="graph"):
    """Writes a drawing of an expression, or of what a function has become.

    Args:     what: an expression, a list of them, or a function.
              path: the file; its name ends in .svg (drawn here), or in .dot or .gv (for Graphviz).
              view: "graph"; of a function also "memory", its map of memory after a call, as .svg.
    """
    path = os.fspath(path)
    kind = os.path.splitext(path)[1].lower()
    drawings = {(".svg", "graph"): "svg", (".dot", "graph"): "dot", (".gv", "graph"): "dot",
                (".svg", "memory"): "memory svg"}
    if (kind, view) not in drawings:
        raise GraphError('[draw] a .svg, or .dot or .gv for the view "graph", is required; the '
                         "view %r of %r was asked for." % (view, path))
    name = drawings[kind, view]
    if hasattr(what, "show"):
        text = what.show(name)
    elif view == "graph":
        text = to_svg(what) if name == "svg" else to_dot(what)
    else:
        raise GraphError("[draw] only a function has a map of memory; %r was given." % (what,))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def get_include():
    """The folder of the C headers `symk_kernel.h` and `symk_runtime.h`, for compilers."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
