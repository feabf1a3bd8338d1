"""Nodes that compute what others compute, from other inputs."""

from collections.abc import Sequence

import onnx_ir as ir

from service.autodiff.ops import Ops


def twin(op: Ops, node: ir.Node, inputs: Sequence[ir.Value | None]) -> ir.Node:
    """Append the same node with other inputs, which have the types and shapes of its own."""
    for value, like in zip(inputs, node.inputs, strict=False):
        if value is not None and like is not None:
            value.type, value.shape = value.type or like.type, value.shape or like.shape
    found = ir.node(node.op_type, inputs, dict(node.attributes), num_outputs=len(node.outputs))
    op.adopt([found])
    for output, like in zip(found.outputs, node.outputs, strict=True):
        output.type, output.shape = like.type, like.shape
    return found
