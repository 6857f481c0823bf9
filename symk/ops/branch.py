"""Branches: `cond` computes one of two inner graphs, chosen by a scalar when the function runs.

The functions that build the sides are called once each. What they use of what was there before is
computed in any case; what they make themselves is computed only on their side.
"""
from ..graph import (GraphError, InnerGraph, Op, Placeholder, ShapeError, apply, nodes_of, op,
                     rebuild)
from ..graph.node import mark
from ..graph.reference import evaluate
from .checks import FLOATS, need_type
from .convert import as_variable, cast, meet
from .elementwise import mul, sin, where
from .samples import sample, values
from .shape import full
from .trace import captured

__all__ = ["Cond", "branch", "cond"]


def _example():
    """The sides x * y and sin(x) of x (2, 3) and y (3)."""
    x, y = Placeholder("float64", (2, 3)), Placeholder("float64", (3,))
    return dict(then=InnerGraph([x, y], [mul(x, y)]), otherwise=InnerGraph([x, y], [sin(x)]))


def _sample(predicate, x=(2, 3), error=None):
    kind = "bool" if isinstance(predicate, bool) else "float64"
    return sample(values((), kind, exact=predicate), values(x, "float64", -1, 1),
                  values((3,), "float64", -1, 1), error=error, **_example())


@op("cond", kind="branch")
class Cond(Op):
    """`then` of the operands where the predicate is True, else `otherwise`; only one is computed.

    Shapes: predicate (), operands as the sides take them -> as the sides give them.
    Dtypes: predicate bool; any.
    """

    then: object = None
    otherwise: object = None

    accepts = FLOATS
    smooth = True

    @property
    def bodies(self):
        return self.then, self.otherwise

    def with_bodies(self, bodies):
        """The same branch with other sides of the same inputs and outputs."""
        return Cond(*bodies)

    def describe(self):
        """Empty: listings show the sides by themselves."""
        return ""

    def infer(self, predicate, *types):
        if predicate.dtype != "bool" or predicate.ndim:
            raise ShapeError("[cond] the predicate must be () bool; it is %r." % (predicate,))
        sides = [[variable.type for variable in side.inputs] for side in self.bodies]
        if len(types) != len(sides[0]) or len(types) != len(sides[1]):
            raise GraphError("[cond] the sides take %d and %d operands; %d were given."
                             % (len(sides[0]), len(sides[1]), len(types)))
        for side in sides:
            for number, (given, needed) in enumerate(zip(types, side)):
                need_type(self.name, "operand %d must be as the sides take it" % number, given,
                          needed)
        results = [[variable.type for variable in side.outputs] for side in self.bodies]
        for number, (one, other) in enumerate(zip(*results)):
            need_type(self.name, "both sides must give the same type of result %d" % number,
                      other, one)
        return tuple(results[0])

    def reference(self, predicate, *arrays):
        side = self.then if predicate else self.otherwise
        return tuple(evaluate(side.outputs, dict(zip(side.inputs, arrays))))

    def expand(self, predicate, *inputs):
        """Both sides, and a choice between their results."""
        return tuple(where(predicate, one, other)
                     for one, other in zip(*(side.at(inputs) for side in self.bodies)))

    def pull_back(self, walk, node, gradients):
        def back(side, seeds):
            starts = {}
            for output, seed in zip(side.outputs, seeds):
                if seed is not None:
                    starts.setdefault(output, []).append(seed)
            return walk(starts, side.inputs, side.inputs)
        return [None] + _derived(node, gradients, back, node.inputs[1:])

    def push_forward(self, walk, node, tangents):
        def forward(side, seeds):
            pushed = walk(side.outputs, {inside: seed for inside, seed in zip(side.inputs, seeds)
                                         if seed is not None})
            return [pushed.get(output) for output in side.outputs]
        return _derived(node, tangents[1:], forward, node.outputs)

    samples = [_sample(True), _sample(False)]
    bad = [_sample(True, (3, 2), error="operand 0 must be as the sides take it"),
           _sample(1.0, error="the predicate must be () bool")]


def _derived(node, arriving, derive, targets):
    """The derivatives of a branch, which are a branch.

    Args:     derive(side, placeholders of what arrives) -> a derivative or None for each target.
    """
    predicate, *operands = node.inputs
    seeds = [None if x is None else Placeholder(x.dtype, x.shape) for x in arriving]
    sides = [derive(side, seeds) for side in node.op.bodies]
    found = [number for number, pair in enumerate(zip(*sides)) if pair != (None, None)]
    outer = operands + [x for x in arriving if x is not None]
    graphs = []
    for side, derivatives in zip(node.op.bodies, sides):
        inputs = list(side.inputs) + [seed for seed in seeds if seed is not None]
        graphs.append(InnerGraph(inputs, [
            _or_zeros(derivatives[number], targets[number]) for number in found]))
    made = iter(branch(predicate, graphs, outer) if found else ())
    return [next(made) if number in found else None for number in range(len(targets))]


def _or_zeros(derivative, target):
    return full(target.shape, 0, target.dtype) if derivative is None else derivative


def branch(predicate, sides, operands):
    """Makes the node, with the operands that a side uses: a tuple of outputs."""
    used = set().union(*(side.used for side in sides))
    kept = [position for position in range(len(operands))
            if any(side.inputs[position] in used for side in sides)]
    graphs = [InnerGraph([side.inputs[position] for position in kept], side.outputs)
              for side in sides]
    return apply(Cond(*graphs), predicate, *(operands[position] for position in kept))


def cond(predicate, then, otherwise):
    """What `then()` gives if the predicate is not 0, else what `otherwise()` gives.

    Args:
        predicate: a scalar tensor.
        then, otherwise: functions of nothing, called once, that give a tensor or lists of equally
            many tensors. They may use any other tensor.
    Returns:  a tensor, or a list of them.
    Raises:   ShapeError, DtypeError when the sides give different types.
    """
    predicate = cast(as_variable(predicate), "bool")
    if predicate.ndim:
        raise ShapeError("[cond] the predicate must be a scalar; it is %r. Use where to choose "
                         "elementwise." % (predicate.type,))
    since = mark()
    given = then(), otherwise()
    lists = [isinstance(results, (list, tuple)) for results in given]
    if lists[0] != lists[1] or lists[0] and len(given[0]) != len(given[1]):
        raise GraphError("[cond] both sides must give a tensor, or lists of equally many tensors; "
                         "they give %r and %r." % given)
    pairs = [meet(*pair) for pair in (zip(*given) if lists[0] else [given])]
    made = branch(predicate, *_sides([list(side) for side in zip(*pairs)], since))
    return list(made) if lists[0] else made[0]


def _sides(results, since):
    """The inner graphs of both sides, and what they take."""
    outside = captured(nodes_of(results[0] + results[1], since=since), results[0] + results[1])
    return ([InnerGraph(outside.values(), rebuild(side, outside)) for side in results],
            list(outside))
