"""Operators that are rewritten in terms of simpler ones first, since shape inference does not know their results."""

import onnx
import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops
from service.autodiff.shapes import known_dim, operand


def lower(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with these operators rewritten; the argument itself if it has none of them."""
    if not any(node.op_type in _LOWERINGS for node in model.graph.node):
        return model
    copy = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    for node in list(copy.graph):
        if node.op_type in _LOWERINGS and not node.domain:
            op = Ops(copy.graph, scope=node.name or f"lowered_{node.outputs[0].name}")
            value, old = _LOWERINGS[node.op_type](op, node), node.outputs[0]
            old.replace_all_uses_with(value, replace_graph_outputs=True)
            copy.graph.remove(node)
            value.name, value.type = old.name, old.type
    copy.graph.sort()
    return ir.to_proto(copy)


def _group_normalization(op: Ops, node: ir.Node) -> ir.Value:
    """Instance normalization of the groups, then scale and bias: per channel, before opset 21 per group."""
    x, scale, bias = (operand(node, i) for i in range(3))
    groups, per = node.attributes["num_groups"].as_int(), known_dim(scale, 0)
    if per is None:
        raise NotDifferentiable(f"the scale of GroupNormalization has no fixed shape (node {node.name!r})")
    one, zero = ([number] * groups for number in (1.0, 0.0))
    grouped = op.Reshape(x, op.constant([0, groups, -1]))
    z = op.InstanceNormalization(
        grouped, op.constant(one, like=x), op.constant(zero, like=x), epsilon=node.attributes.get_float("epsilon", 1e-5)
    )
    columns = op.constant([0, 2])
    by_scale = op.Reshape(z, op.constant([0, per, -1]))
    moved = op.Add(op.Mul(by_scale, op.Unsqueeze(scale, columns)), op.Unsqueeze(bias, columns))
    return op.Reshape(moved, op.Shape(x))


_LOWERINGS = {"GroupNormalization": _group_normalization}
