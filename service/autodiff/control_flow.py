"""If with a known condition, Loop and Scan with a known number of steps: their bodies take the place of the node."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir import convenience

from service.autodiff.errors import NotDifferentiable
from service.autodiff.folding import known_value
from service.autodiff.lowering import lowers
from service.autodiff.ops import Ops
from service.autodiff.shapes import known_dim, operand, optional_operand, rank

MAX_NODES = 50_000  # of all unrolled steps; a file must not be able to fill the memory


@lowers("If")
def conditional(op: Ops, node: ir.Node) -> Sequence[ir.Value]:
    """The branch that is taken."""
    condition = known_value(operand(node, 0))
    if condition is None:
        raise NotDifferentiable(f"the condition of If is not known (node {node.name!r})")
    branch = node.attributes["then_branch" if condition.all() else "else_branch"].as_graph()
    return _inlined(op, branch, [])


@lowers("Loop")
def loop(op: Ops, node: ir.Node) -> Sequence[ir.Value]:
    """One copy of the body per step; a condition may stand there as long as it is always true."""
    body, steps = node.attributes["body"].as_graph(), known_value(node.inputs[0])
    start = optional_operand(node, 1)
    begins = start is None or ((known := known_value(start)) is not None and bool(known.all()))
    if steps is None or not begins or not _is_always_true(body.outputs[0], body):
        raise NotDifferentiable(f"the number of steps of Loop is not known (node {node.name!r})")
    states: list[ir.Value] = [operand(node, i) for i in range(2, len(node.inputs))]
    _check_size(node, body, int(steps))
    rows: list[Sequence[ir.Value]] = []
    true = op.constant(np.array(True))
    for step in range(int(steps)):
        results = _inlined(op, body, [op.constant(np.int64(step)), true, *states])
        rows.append(results[1 + len(states) :])
        states = list(results[1 : 1 + len(states)])
    scans = [0] * (len(node.outputs) - len(states))
    return [op.Identity(state) for state in states] + _stacked(op, node, rows, scans, scans)


@lowers("Scan")
def scan(op: Ops, node: ir.Node) -> Sequence[ir.Value]:
    """One copy of the body per slice of the scanned inputs."""
    body, scanned = node.attributes["body"].as_graph(), node.attributes["num_scan_inputs"].as_int()
    held = len(node.inputs) - scanned
    states: list[ir.Value] = [operand(node, i) for i in range(held)]
    sequences = [operand(node, i) for i in range(held, len(node.inputs))]
    axes = [
        axis % rank(x)
        for axis, x in zip(node.attributes.get_ints("scan_input_axes", [0] * scanned), sequences, strict=True)
    ]
    length = known_dim(sequences[0], axes[0])
    if length is None:
        raise NotDifferentiable(f"the number of steps of Scan is not known (node {node.name!r})")
    _check_size(node, body, length)
    backward = node.attributes.get_ints("scan_input_directions", [0] * scanned)
    rows: list[Sequence[ir.Value]] = []
    for step in range(length):
        slices = [
            op.Gather(x, op.constant(np.int64(length - 1 - step if back else step)), axis=axis)
            for x, axis, back in zip(sequences, axes, backward, strict=True)
        ]
        results = _inlined(op, body, [*states, *slices])
        states, row = list(results[:held]), results[held:]
        rows.append(row)
    outputs = len(body.outputs) - held
    output_axes = list(node.attributes.get_ints("scan_output_axes", [0] * outputs))
    directions = node.attributes.get_ints("scan_output_directions", [0] * outputs)
    return [op.Identity(state) for state in states] + _stacked(op, node, rows, output_axes, directions)


def _stacked(
    op: Ops, node: ir.Node, rows: list[Sequence[ir.Value]], axes: Sequence[int], backward: Sequence[int]
) -> list[ir.Value]:
    """The scan outputs: what each step gave, along a new axis."""
    if axes and not rows:
        raise NotDifferentiable(f"{node.op_type} without steps has no scan outputs (node {node.name!r})")
    stacked = []
    for i, axis in enumerate(axes):
        parts = [op.Unsqueeze(row[i], op.constant([axis])) for row in rows]
        stacked.append(op.Concat(*(parts[::-1] if backward[i] else parts), axis=axis))
    return stacked


def _check_size(node: ir.Node, body: ir.Graph, steps: int) -> None:
    around = node.graph
    if steps * len(body) + (len(around) if around is not None else 0) > MAX_NODES:
        raise NotDifferentiable(f"{node.op_type} has too many steps to be unrolled (node {node.name!r})")


def _is_always_true(value: ir.Value, body: ir.Graph) -> bool:
    """Whether a condition computed in the body is true if the one before was."""
    producer = value.producer()
    if producer is not None and producer.op_type == "Identity" and producer.inputs[0] is not None:
        return _is_always_true(producer.inputs[0], body)
    known = known_value(value)
    return value is body.inputs[1] or (known is not None and bool(known.all()))


def _inlined(op: Ops, body: ir.Graph, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """A copy of the body in the graph of the node; what it puts out."""
    copy = body.clone(allow_outer_scope_values=True)
    convenience.replace_all_uses_with(copy.inputs, inputs)
    given = dict(zip(copy.inputs, inputs, strict=True))
    nodes = list(copy)
    for weight in list(copy.initializers.values()):
        renamed = op.constant(weight.const_value.numpy()) if weight.const_value is not None else weight
        convenience.replace_all_uses_with(weight, renamed)
        given[weight] = renamed
    outputs = list(copy.outputs)
    copy.outputs.clear()
    copy.remove(nodes)
    op.adopt(nodes)
    return [op.Identity(given.get(value, value)) for value in outputs]
