"""What the Plan of an inner graph needs and the graph does not: all its sizes, shown by inputs."""
from .. import ops
from ..graph import InnerGraph, Placeholder, dims

__all__ = ["show_sizes"]


def show_sizes(op, inputs):
    """An op with bodies, and operands, so that some input of a body has each size that it uses.

    A size that no input has comes in as one more operand, of no bytes: of the shape (size, 0).
    """
    shown = {dims.as_size(size) for body in op.bodies for v in body.inputs for size in v.shape}
    used = {atom: True for body in op.bodies for size in body.sizes
            for atom in sorted(dims.sizes_in(size), key=repr)}
    missing = [dims.Dim((((atom,), 1),)) for atom in used if atom not in shown]
    if not missing:
        return op, inputs
    bodies = [InnerGraph([*body.inputs, *(Placeholder("int8", (size, 0)) for size in missing)],
                         body.outputs) for body in op.bodies]
    return op.with_bodies(bodies), [*inputs, *(ops.full((size, 0), 0, "int8") for size in missing)]
