"""Less memory for more time: a part of a graph whose inner values are computed again for gradients.

The part is an inner graph. Forward it is what it says. Its gradient is taken of a second copy,
whose inputs stand `after` the gradient that arrives: so the copy cannot be joined with the first,
runs when it is needed, and nothing inside of the first copy has to be kept until then. Both copies
compute the same from the same, dropout included.
Source:   Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.
"""
from ..graph import GraphError, InnerGraph, Op, Placeholder, Variable, apply, nodes_of, op, rebuild
from ..graph.reference import evaluate
from .checks import FLOATS, need_type
from .elementwise import mul, sin
from .samples import sample, values
from .shape import reshape
from .trace import captured

__all__ = ["checkpoint"]


@op("after", kind="shape")
class After(Op):
    """x, not to be used before `other` is there.  Shapes: x, other -> that of x.  Dtypes: any."""

    accepts = FLOATS
    smooth = True

    def infer(self, x, other):
        return x

    def reference(self, x, other):
        return x

    def grad(self, x, other, y, g):
        return g, None

    samples = [sample((3, 4), (2,)), sample((), ())]


def _example(dtype):
    """x * sin(x) * y of x (2, 3) and y (3)."""
    x, y = Placeholder(dtype, (2, 3)), Placeholder(dtype, (3,))
    return InnerGraph([x, y], [mul(mul(x, sin(x)), y)])


@op("checkpoint", kind="composition")
class Checkpoint(Op):
    """The body of the operands; its inner values are computed again for gradients.

    Shapes: as the body takes them -> as it gives them.  Dtypes: any.
    """

    body: object = None

    accepts = FLOATS
    smooth = True

    @property
    def bodies(self):
        return (self.body,)

    def with_bodies(self, bodies):
        """The op over another form of its body."""
        return Checkpoint(*bodies)

    def describe(self):
        """How much is computed again."""
        return "%d nodes" % len(self.body.nodes)

    def infer(self, *types):
        if len(types) != len(self.body.inputs):
            raise GraphError("[checkpoint] the body takes %d operands; %d were given."
                             % (len(self.body.inputs), len(types)))
        for number, (given, wanted) in enumerate(zip(types, self.body.inputs)):
            need_type(self.name, "operand %d must be as the body takes it" % number, given,
                      wanted.type)
        return tuple(variable.type for variable in self.body.outputs)

    def reference(self, *arrays):
        return tuple(evaluate(self.body.outputs, dict(zip(self.body.inputs, arrays))))

    def expand(self, *inputs):
        # Where the operands' sizes are known later than the body's, so are those of its results.
        return tuple(reshape(made, wanted.shape)
                     for made, wanted in zip(self.body.at(inputs), self.body.outputs))

    def pull_back(self, walk, node, gradients):
        arrived = next(gradient for gradient in gradients if gradient is not None)
        held = [apply(After(), variable, arrived) for variable in node.inputs]
        starts = {}
        for output, gradient in zip(self.body.at(held), gradients):
            if gradient is not None:
                starts.setdefault(output, []).append(gradient)
        return walk(starts, held, held)

    def push_forward(self, walk, node, tangents):
        seeds = {variable: tangent for variable, tangent in zip(node.inputs, tangents)
                 if tangent is not None}
        outputs = self.body.at(node.inputs)
        pushed = walk(outputs, seeds)
        return [pushed.get(output) for output in outputs]

    samples = [sample(values((2, 3), "float64", -1, 1), values((3,), "float64", -1, 1),
                      body=_example("float64"))]
    bad = [sample(values((3, 2), "float64", -1, 1), values((3,), "float64", -1, 1),
                  body=_example("float64"), error="operand 0 must be as the body takes it"),
           sample(values((2, 3), "float64", -1, 1), body=_example("float64"),
                  error="the body takes 2 operands")]


def checkpoint(outputs, inputs):
    """The same outputs, between which and `inputs` nothing is kept for gradients.

    Args:     outputs, inputs: lists of Variables. What is on the way from inputs to outputs is
              computed again; what does not depend on the inputs is kept.
    Raises:   GraphError when there is nothing on the way, or something that does more than compute.
    """
    for variable in [*outputs, *inputs]:
        if not isinstance(variable, Variable):
            raise GraphError("[checkpoint] symbolic tensors are required; %r is among them."
                             % (variable,))
    inputs = list(dict.fromkeys(inputs))
    touched, inside = set(inputs), []
    for node in nodes_of(outputs, stop=inputs):
        if touched.intersection(node.inputs):
            inside.append(node)
            touched.update(node.outputs)
            if node.op.effect:
                raise GraphError("[checkpoint] what is computed again must only compute; %s does "
                                 "more. Leave it out." % node.op.name)
    for output in outputs:
        if output not in touched or output in inputs:
            raise GraphError("[checkpoint] each output must be computed from the inputs; %r is "
                             "not." % (output,))
    stand_ins = {variable: Placeholder(variable.dtype, variable.shape, variable.name)
                 for variable in inputs}
    stand_ins.update(captured(inside, outputs, inputs))
    body = InnerGraph(stand_ins.values(), rebuild(outputs, stand_ins))
    made = apply(Checkpoint(body), *stand_ins)
    return list(made) if isinstance(made, tuple) else [made]
