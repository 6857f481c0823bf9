"""Bias, activation and transposes into matmul and conv, whose kernels do them on the way.

What only the result's reader can tell stands here as a walk: a product may take in what reads it
only if nothing else does.
"""
import collections
import dataclasses

from ..graph.node import apply
from ..graph.walk import clients_of, nodes_of
from .pattern import number_of
from .rewrite import remake

__all__ = ["read_from_result", "take_in_epilogues", "take_in_transposes"]

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
    """Bias and activation into the products, and how many."""
    counts = collections.Counter()
    for name, take in (("product + bias -> one", _with_bias),
                       ("activation(product) -> one", _with_activation)):
        results, count = _take_in(results, take)
        counts[name] += count
    return results, +counts


def _take_in(results, take):
    """Walks; `take(node, inputs, is_free)` gives the node's new result or None."""
    nodes = nodes_of(results)
    clients, kept = clients_of(nodes), set(results)
    new, count = {}, 0
    for node in nodes:
        inputs = [new.get(variable, variable) for variable in node.inputs]
        free = [variable not in kept and len(clients[variable]) == 1 for variable in node.inputs]
        taken = take(node, inputs, free)
        if taken is not None and taken.type == node.outputs[0].type:
            new[node.outputs[0]] = taken
            taken.name = node.outputs[0].name
            count += 1
        elif any(a is not b for a, b in zip(inputs, node.inputs)):
            new.update(zip(node.outputs, remake(node, inputs)))
    return [new.get(variable, variable) for variable in results], count


def _is_product(variable):
    return variable.node is not None and variable.node.op.name in _PRODUCTS


def _with_bias(node, inputs, free):
    """product + b, where b is a vector along the last axis."""
    if node.op.name != "add":
        return None
    for product, bias, is_free in zip(inputs, inputs[::-1], free):
        if is_free and _is_product(product) and len(product.node.inputs) == 2:
            made = product.node
            vector = _as_vector(bias)
            if (vector is not None and not made.op.activation
                    and vector.shape[0] == product.shape[-1]):
                return apply(made.op, *made.inputs, vector, origin_=made.origin)
    return None


def _as_vector(bias):
    """A bias of shape (n,), also where it was given axes of size 1 in front, or None."""
    if bias.ndim > 1 and bias.node is not None and bias.node.op.name == "reshape":
        source = bias.node.inputs[0]
        if source.ndim == 1 and bias.shape == (1,) * (bias.ndim - 1) + source.shape:
            bias = source
    return bias if bias.ndim == 1 else None


def _with_activation(node, inputs, free):
    """f(product) for a unary f of floats."""
    if node.op.kind != "elementwise" or len(inputs) != 1 or not free[0] or node.op.attributes():
        return None
    product, = inputs
    if (not _is_product(product) or product.node.op.activation
            or product.dtype != node.outputs[0].dtype):
        return None
    op = dataclasses.replace(product.node.op, activation=node.op.name)
    return apply(op, *product.node.inputs, origin_=node.origin)


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
