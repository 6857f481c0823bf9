"""Loops and branches: `scan` is ONNX's Scan, `cond` its If. The bodies see the values outside."""
from ...graph import dims
from .moves import numbers
from .table import rule

__all__ = []


@rule("scan")
def _scan(w, node):
    op, body = node.op, node.op.body
    if not isinstance(op.length, dims.Dim) and op.length == 0:
        return NotImplemented
    (rows, states, _), outside = op.split(body.inputs), op.split(node.inputs)
    invariants = dict(zip(op.split(body.inputs)[2], outside[2]))
    sequences = [w.name(variable) for variable in outside[0]]
    graph = w.inner(body, invariants, (*states, *rows))
    if not sequences:      # ONNX counts the steps by the rows of a sequence
        sequences = [numbers(w, op.length)]
        graph.input.append(w.onnx.helper.make_tensor_value_info(
            w.unique(w.scope + "step"), w.element_type("int64"), []))
    directions = {"scan_input_directions": [1] * len(sequences),
                  "scan_output_directions": [1] * op.outputs} if op.reverse else {}
    made = w.emit("Scan", *map(w.name, outside[1]), *sequences, outputs=len(node.outputs),
                  body=graph, num_scan_inputs=len(sequences),
                  **{key: value for key, value in directions.items() if value})
    return made if isinstance(made, list) else [made]


@rule("cond")
def _cond(w, node):
    predicate, *operands = node.inputs
    sides = [w.inner(side, dict(zip(side.inputs, operands))) for side in node.op.bodies]
    made = w.emit("If", w.name(predicate), outputs=len(node.outputs), then_branch=sides[0],
                  else_branch=sides[1])
    return made if isinstance(made, list) else [made]
