"""The order of axes: transposes move towards the results and cancel on the way.

Convolutions and pools want the channels last, so K transposes before and after each of them where a
model has them first. Here what stands between takes the order of axes that comes out of the one and
goes into the next: elementwise ops, reductions, softmax, concat, pad and slices do the same on
transposed operands along transposed axes. What is left is one transpose at each border.

A node is moved where its result is transposed back later, or reduced. Each variable met is known by
its value or as (other variable, perm): the transpose is made when somebody needs the value itself.
"""
import collections
import dataclasses

from .. import ops
from ..graph.node import apply
from ..graph.origin import acting_for
from ..graph.walk import nodes_of
from ..ops.kinds import Reduction
from .rewrite import remake

__all__ = ["move_transposes"]

_CANCELLED = "transpose(transpose(x)) -> x, ops between"
_MOVED = "f(transpose(x)) -> transpose(f(x))"

_REDUCED = "reduced"  # among the perms wanted: in whatever order, the result is smaller


def move_transposes(results):
    """The results with transposes moved and cancelled, and how often each."""
    walk = _Layout(results)
    for node in nodes_of(results):
        walk.add(node)
    return [walk.value(result) for result in results], +walk.counts


class _Layout:
    """One walk: `values` are variables in the new graph, `turned` those known by a transpose."""

    def __init__(self, results):
        self.values, self.turned = {}, {}
        self.wanted = _wanted_perms(nodes_of(results))
        self.counts = collections.Counter()

    def value(self, variable):
        """The variable itself in the new graph."""
        if variable not in self.values and variable in self.turned:
            source, perm = self.turned[variable]
            self.values[variable] = self._transposed(variable, source, perm)
        return self.values.get(variable, variable)

    def _transposed(self, variable, source, perm):
        node = variable.node
        if node.op.name == "transpose" and node.inputs[0] is source and node.op.perm == perm:
            return variable
        with acting_for(node.origin):
            made = ops.transpose(source, perm)
        made.name = variable.name
        return made

    def add(self, node):
        """Gives the results of a node."""
        if node.op.name == "transpose":
            source, perm = self.turned.get(node.inputs[0], (None, None))
            if source is None:
                self._set(node.outputs[0], self.value(node.inputs[0]), node.op.perm)
            else:
                self._set(node.outputs[0], source, tuple(perm[axis] for axis in node.op.perm))
        elif not self._move(node):
            inputs = [self.value(variable) for variable in node.inputs]
            if any(a is not b for a, b in zip(inputs, node.inputs)):
                self.values.update(zip(node.outputs, remake(node, inputs)))

    def _set(self, variable, source, perm):
        """variable = transpose(source, perm)."""
        if perm == tuple(range(len(perm))) and source.type == variable.type:
            self.values[variable] = source
            self.counts[_CANCELLED] += 1
        else:
            self.turned[variable] = (source, perm)

    def _move(self, node):
        """Does a node on transposed operands, if that helps."""
        rule = _rule_of(node.op)
        perm = self._perm_for(node) if rule is not None else None
        if perm is None:
            return False
        with acting_for(node.origin):
            operands = [self._operand(variable, perm) for variable in node.inputs]
            made, result_perm = rule(node.op, operands, perm)
            if tuple(made.shape[axis] for axis in result_perm) != node.outputs[0].shape:
                return False
        self.counts[_MOVED] += 1
        self._set(node.outputs[0], made, result_perm)
        return True

    def _perm_for(self, node):
        """The perm in which the operands should come: one that they have and a reader undoes."""
        whole = node.inputs[0] if _makes_smaller(node.op) else node.outputs[0]
        inputs = dict.fromkeys(node.inputs)
        perms = collections.Counter(self.turned[variable][1] for variable in inputs
                                    if variable in self.turned and variable.ndim == whole.ndim)
        if not perms:
            return None
        perm, count = perms.most_common(1)[0]
        wanted = self.wanted.get(node.outputs[0], ())
        if not (_makes_smaller(node.op) or _REDUCED in wanted or _inverse(perm) in wanted):
            return None
        others = sum(self._is_large(variable, node) for variable in inputs
                     if self.turned.get(variable, (None, None))[1] != perm)
        return perm if others <= count else None

    def _is_large(self, variable, node):
        """Whether a transpose of this operand would cost as much as one of the result."""
        made_by = variable.node.op.name if variable.node is not None else None
        return (node.op.name == "concat" or variable.shape == node.outputs[0].shape) and (
            made_by != "broadcast_to")

    def _operand(self, variable, perm):
        """The variable whose transpose by `perm` is an operand, with axes of size 1 in front where
        the operand has fewer."""
        source, known = self.turned.get(variable, (None, None))
        if known == perm:
            return source
        x = self.value(variable)
        if x.ndim == 0:
            return x
        if x.ndim < len(perm):
            x = ops.reshape(x, (1,) * (len(perm) - x.ndim) + x.shape)
        return ops.transpose(x, _inverse(perm))


def _inverse(perm):
    return tuple(perm.index(axis) for axis in range(len(perm)))


def _wanted_perms(nodes):
    """{variable: the perms that transpose it, or what is made of it without moving axes}."""
    wanted = collections.defaultdict(set)
    for node in reversed(nodes):
        if node.op.name == "transpose":
            wanted[node.inputs[0]].add(node.op.perm)
        elif _makes_smaller(node.op):
            wanted[node.inputs[0]].add(_REDUCED)
        elif _rule_of(node.op) is not None:
            result = node.outputs[0]
            for variable in node.inputs:
                if variable.ndim == result.ndim:
                    wanted[variable] |= wanted[result]
    return wanted


def _makes_smaller(op):
    return isinstance(op, Reduction) or op.name == "sum_to"


# --- rules: (op, operands, perm) -> (result on them, the perm that makes it the op's result) ---

def _elementwise(op, operands, perm):
    return apply(op, *operands), perm


def _reduction(op, operands, perm):
    axes = tuple(sorted(perm[axis] for axis in op.axes))
    made = apply(dataclasses.replace(op, axes=axes), *operands)
    if op.keepdims:
        return made, perm
    left = [axis for axis in range(len(perm)) if axis not in axes]
    return made, tuple(left.index(axis) for k, axis in enumerate(perm) if k not in op.axes)


def _sum_to(op, operands, perm):
    """A shape with fewer axes has its missing ones in front: they are put back, and taken off."""
    missing = len(perm) - len(op.shape)
    shape = (1,) * missing + op.shape
    made = apply(dataclasses.replace(op, shape=_turn(shape, perm)), *operands)
    if not missing:
        return made, perm
    made = ops.reshape(ops.transpose(made, perm), op.shape)
    return made, tuple(range(made.ndim))


def _along_axis(op, operands, perm):
    return apply(dataclasses.replace(op, axis=perm[op.axis]), *operands), perm


def _per_axis(op, operands, perm):
    """An op all of whose tuples have an entry for each axis."""
    turned = {name: _turn(value, perm) for name, value in op.attributes().items()
              if isinstance(value, tuple)}
    return apply(dataclasses.replace(op, **turned), *operands), perm


def _turn(entries, perm):
    """Entries for the axes of a transpose, in the order of what is transposed."""
    return tuple(entries[axis] for axis in _inverse(perm))


_RULES = {"softmax": _along_axis, "log_softmax": _along_axis, "softmax_grad": _along_axis,
          "log_softmax_grad": _along_axis, "concat": _along_axis, "pad": _per_axis,
          "slice": _per_axis, "slice_grad": _per_axis, "broadcast_to": _per_axis,
          "sum_to": _sum_to}


def _rule_of(op):
    """The rule of an op, or None if it needs the axes where they are."""
    if op.kind == "elementwise":
        return _elementwise
    if isinstance(op, Reduction):
        return _reduction
    return _RULES.get(op.name)
