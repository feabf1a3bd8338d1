"""Rules of operators that sort, select and place elements, and others written out as gathers and scatters."""

import onnx_ir as ir

from service.autodiff.lowering import lowers
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dim, operand, optional_operand, positions, rank, shape_of, zeros_like


@vjp("TopK")
def top_k(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each element of dy goes back to where it was found."""
    x, indices = operand(node, 0), node.outputs[1]
    axis = node.attributes.get_int("axis", -1)
    return [op.ScatterElements(zeros_like(op, x), indices, dy, axis=axis), None]


@vjp("ReverseSequence")
def reverse_sequence(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """To reverse twice is to do nothing."""
    return [op.ReverseSequence(dy, node.inputs[1], **node.attributes), None]


@vjp("MaxUnpool")
def max_unpool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each element receives what stands in the place that it was written to."""
    return [op.Gather(op.Reshape(dy, op.constant([-1])), operand(node, 1)), None, None]


@lowers("Compress")
def compress(op: Ops, node: ir.Node) -> list[ir.Value]:
    """A gather at the positions where the condition holds."""
    x, flat = operand(node, 0), op.constant([-1])
    positions = op.Reshape(op.NonZero(operand(node, 1)), flat)
    if "axis" in node.attributes:
        return [op.Gather(x, positions, axis=node.attributes.get_int("axis", 0))]
    return [op.Gather(op.Reshape(x, flat), positions)]


@lowers("TensorScatter")
def tensor_scatter(op: Ops, node: ir.Node) -> list[ir.Value]:
    """A scatter along one axis: update i of batch b is written to place start[b] + i, circular mode counts round."""
    past, update = operand(node, 0), operand(node, 1)
    start, axes = optional_operand(node, 2), rank(past)
    axis = node.attributes.get_int("axis", -2) % axes
    steps = op.Unsqueeze(positions(op, update, axis), op.constant([0]))
    places = op.Add(op.Unsqueeze(start, op.constant([1])), steps) if start is not None else steps  # (batch or 1, size)
    if node.attributes.get_string("mode", "linear") == "circular":
        places = op.Mod(places, dim(op, past, axis))
    others = op.constant([a for a in range(axes) if a not in (0, axis)])
    wide = op.Expand(op.Unsqueeze(places, others), shape_of(op, update))
    return [op.ScatterElements(past, wide, update, axis=axis)]
