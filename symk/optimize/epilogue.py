"""Scale, bias, sums, activation, transposes and padding into matmul and conv, whose kernels do
them on the way. So batch normalisation with fixed statistics costs a few operations per column
and call.

What only the result's reader can tell stands here as a walk: a product may take in what reads it
only if nothing else does.
"""
import collections
import dataclasses
import math

from .. import ops
from ..graph import dims
from ..graph.node import apply
from ..graph.origin import acting_for
from ..graph.walk import clients_of, nodes_of
from ..ops.window import pad_widths
from .pattern import number_of
from .rewrite import remake

__all__ = ["read_from_result", "take_in_epilogues", "take_in_padding", "take_in_transposes"]

_PRODUCTS = ("matmul", "conv")
# Gradient tests on the operand of relu that hold for its result as well: relu(x) > 0 iff x > 0.
_SAME_FOR_RESULT = ("greater",)


def read_from_result(results):
    """x > 0 -> relu(x) > 0 where relu(x) is there: then nobody needs x after relu."""
    nodes = nodes_of(results)
    relu_of = {node.inputs[0]: node.outputs[0] for node in nodes if node.op.name == "relu"}
    new, counts = {}, collections.Counter()
    for node in nodes:
        inputs = [new.get(variable, variable) for variable in node.inputs]
        relu = relu_of.get(node.inputs[0]) if node.inputs else None
        if relu is not None and node.op.name in _SAME_FOR_RESULT and number_of(inputs[1]) == 0:
            counts["x > 0 -> relu(x) > 0"] += 1
            inputs[0] = _made_before(relu, new, node)
        if any(a is not b for a, b in zip(inputs, node.inputs)):
            new.update(zip(node.outputs, remake(node, inputs)))
    return [new.get(variable, variable) for variable in results], counts


def _made_before(relu, new, reader):
    """The relu in the new graph; made now if the walk has not come to it."""
    if relu not in new:
        source = relu.node.inputs[0]
        if source in new:
            new[relu] = remake(relu.node, [new[source]])[0]
    return new.get(relu, relu)


def take_in_epilogues(results):
    """What products can do with their results, and how often which."""
    nodes = nodes_of(results)
    clients, kept = clients_of(nodes), set(results)
    new, counts = {}, collections.Counter()
    for node in nodes:
        inputs = [new.get(variable, variable) for variable in node.inputs]
        use = _Use(node, inputs, clients, kept)
        name, taken = next(((name, made) for name, made in use.attempts() if made is not None),
                           (None, None))
        if taken is not None and taken.type == node.outputs[0].type:
            new[node.outputs[0]] = taken
            taken.name = node.outputs[0].name
            counts[name] += 1
        elif any(a is not b for a, b in zip(inputs, node.inputs)):
            new.update(zip(node.outputs, remake(node, inputs)))
    return [new.get(variable, variable) for variable in results], counts


def _is_product(variable):
    return variable.node is not None and variable.node.op.name in _PRODUCTS


class _Use:
    """A node that may be taken into a product that it reads."""

    def __init__(self, node, inputs, clients, kept):
        self.node, self.inputs = node, inputs
        self._clients, self._kept = clients, kept

    def attempts(self):
        """(what is done, the product that does it or None), one after the other."""
        if self.node.op.kind != "elementwise":
            return
        name = self.node.op.name
        if name in ("minimum", "clip"):
            yield "min(relu(product), number) -> one", self._limited()
            return
        for position, product in enumerate(self.inputs):
            if not _is_product(product) or not self._is_free(position):
                continue
            if len(self.inputs) == 1:
                yield "activation(product) -> one", self._activated(product)
            elif len(self.inputs) == 2:
                other = self.inputs[1 - position]
                vector = _as_vector(other, product)
                if vector is not None and (position == 0 or name != "sub"):
                    yield from self._with_vector(product, vector)
                elif name == "add" and self._pays(1 - position):
                    yield "product + x -> one", self._extended(product, "addend", other)
                elif name == "mul" and self._pays(1 - position):
                    yield "product * x -> one", self._scaled(product, other)

    def _is_free(self, position):
        variable = self.node.inputs[position]
        return variable not in self._kept and len(self._clients[variable]) == 1

    def _pays(self, position):
        """Whether a pass over memory is saved: not if a program does this operation anyway."""
        other = self.inputs[position]
        if other.node is not None and other.node.op.kind == "elementwise" \
                and self._is_free(position):
            return False
        readers = self._clients.get(self.node.outputs[0], ())
        return all(reader.op.kind != "elementwise" or len(reader.inputs) == 1
                   for reader, _ in readers)

    def _activated(self, product):
        """f(product) for a unary f of floats."""
        if (self.node.op.attributes() or "factor" in product.node.op.epilogue
                or product.node.op.activation or product.dtype != self.node.outputs[0].dtype):
            return None
        return self._with(product, {}, activation=self.node.op.name)

    def _limited(self):
        """minimum(relu(product), number) or clip(product, 0, number)."""
        product, *numbers = self.inputs
        limit = number_of(numbers[-1])
        if (not _is_product(product) or not self._is_free(0) or limit is None
                or not 0 <= limit < math.inf):
            return None
        op = product.node.op
        wanted = "relu" if self.node.op.name == "minimum" else ""
        if op.activation != wanted or op.limit is not None or "factor" in op.epilogue:
            return None
        if self.node.op.name == "clip" and number_of(numbers[0]) != 0:
            return None
        return self._with(product, {}, activation="relu", limit=float(limit))

    def _with_vector(self, product, vector):
        """A bias, or a scale together with what it does to the bias that is there."""
        given = _operands(product)
        if product.node.op.activation or "factor" in given:
            return
        bias = given.get("bias")
        with acting_for(self.node.origin):
            if self.node.op.name in ("add", "sub"):
                added = vector if self.node.op.name == "add" else ops.neg(vector)
                yield "product + bias -> one", self._with(
                    product, {"bias": added if bias is None else ops.add(bias, added)})
            elif self.node.op.name == "mul" and "addend" not in given:
                scale = given.get("scale")
                changed = {"scale": vector if scale is None else ops.mul(scale, vector)}
                if bias is not None:
                    changed["bias"] = ops.mul(bias, vector)
                yield "product * scale -> one", self._with(product, changed)

    def _extended(self, product, name, other):
        if product.node.op.activation or other.type != product.type or {name, "factor"} & set(
                product.node.op.epilogue):
            return None
        return self._with(product, {name: other})

    def _scaled(self, product, other):
        if other.type != product.type or "factor" in product.node.op.epilogue:
            return None
        return self._with(product, {"factor": other})

    def _with(self, product, changed, **attributes):
        """The product with some operands of its epilogue replaced or added."""
        given = dict(_operands(product), **changed)
        op = dataclasses.replace(product.node.op, epilogue=tuple(given), **attributes)
        origin = self.node.origin if attributes else product.node.origin
        return apply(op, *product.node.inputs[:2], *given.values(), origin_=origin)


def _operands(product):
    """{name: operand} of a product's epilogue."""
    return dict(zip(product.node.op.epilogue, product.node.inputs[2:]))


def _as_vector(variable, product):
    """A variable of one element per column, also where it was given axes of size 1 in front."""
    if variable.ndim > 1 and variable.node is not None and variable.node.op.name == "reshape":
        source = variable.node.inputs[0]
        if source.ndim == 1 and variable.shape == (1,) * (variable.ndim - 1) + source.shape:
            variable = source
    fits = variable.ndim == 1 and variable.shape[0] == product.shape[-1]
    return variable if fits else None


def take_in_transposes(results):
    """matmul(transpose(a), b) -> matmul with the flag set, where the last two axes were swapped."""
    new, count = {}, 0
    for node in nodes_of(results):
        inputs = [new.get(variable, variable) for variable in node.inputs]
        op = node.op
        if op.name == "matmul":
            op, inputs, taken = _with_flags(op, inputs)
            count += taken
        if any(a is not b for a, b in zip(inputs, node.inputs)):
            made = apply(op, *inputs, origin_=node.origin)
            new.update(zip(node.outputs, made if isinstance(made, tuple) else (made,)))
    return ([new.get(variable, variable) for variable in results],
            +collections.Counter({"matmul(transpose(a), b) -> matmul": count}))


def take_in_padding(results):
    """conv(pad(x, 0)) -> conv(x) with padding "same", where that pads as much, in known sizes."""
    nodes = nodes_of(results)
    clients, kept = clients_of(nodes), set(results)
    new, count = {}, 0
    for node in nodes:
        inputs = [new.get(variable, variable) for variable in node.inputs]
        if node.op.name == "conv" and node.op.padding == "valid" \
                and node.inputs[0] not in kept and len(clients[node.inputs[0]]) == 1 \
                and _pads_as_same(node.op, *inputs[:2]):
            op = dataclasses.replace(node.op, padding="same")
            made = apply(op, inputs[0].node.inputs[0], *inputs[1:], origin_=node.origin)
            made.name = node.outputs[0].name
            new[node.outputs[0]] = made
            count += 1
        elif any(a is not b for a, b in zip(inputs, node.inputs)):
            new.update(zip(node.outputs, remake(node, inputs)))
    return ([new.get(variable, variable) for variable in results],
            +collections.Counter({"conv(pad(x)) -> conv(x), same padding": count}))


def _pads_as_same(op, padded, kernel):
    """Whether a valid convolution of `padded` is one of what was padded, with padding "same"."""
    if padded.node is None or padded.node.op.name != "pad" or padded.node.op.value != 0:
        return False
    pad, x = padded.node.op, padded.node.inputs[0]
    axes = len(op.strides)
    sizes, window = x.shape[1:-1], kernel.shape[:axes]
    widths = list(zip(pad.before, pad.after))
    if any(isinstance(size, dims.Dim) for size in (*sizes, *window, *pad.before, *pad.after)):
        return False
    if widths[0] != (0, 0) or widths[-1] != (0, 0):
        return False
    same = [pad_widths(*geometry, "same")
            for geometry in zip(sizes, window, op.strides, op.dilation)]
    valid = [pad_widths(size + before + after, *geometry, "valid")[0]
             for size, (before, after), *geometry in zip(sizes, widths[1:-1], window, op.strides,
                                                         op.dilation)]
    return (widths[1:-1] == [(before, after) for _, before, after in same]
            and valid == [count for count, _, _ in same])


def _with_flags(op, inputs):
    flags, operands, taken = [op.transpose_a, op.transpose_b], list(inputs), 0
    for position in (0, 1):
        variable = operands[position]
        if variable.node is not None and _swaps_last_axes(variable.node):
            operands[position] = variable.node.inputs[0]
            flags[position] = not flags[position]
            taken += 1
    return (dataclasses.replace(op, transpose_a=flags[0], transpose_b=flags[1]), operands, taken)


def _swaps_last_axes(node):
    if node.op.name != "transpose":
        return False
    rank = len(node.op.perm)
    return node.op.perm == tuple(range(rank - 2)) + (rank - 1, rank - 2)
