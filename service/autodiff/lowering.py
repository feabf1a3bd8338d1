"""Operators that are written out in simpler ones before anything else, since shape inference must see these."""

from collections.abc import Callable, Mapping, Sequence

import onnx
import onnx_ir as ir
from onnx_ir import convenience
from onnx_ir.passes import common as passes

from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops
from service.autodiff.shapes import known_dim, operand

# From a node to the values that replace its outputs; None for an output that is never read.
Lowering = Callable[[Ops, ir.Node], Sequence[ir.Value | None]]

LOWERINGS: dict[str, Lowering] = {}


def lowers(*op_types: str) -> Callable[[Lowering], Lowering]:
    """Register the decorated function as what writes out the operators ``op_types`` (default domain).

    It raises `NotDifferentiable` for a node that it cannot write out. The node then stays as it is, and is reported if
    a gradient has to pass it.
    """

    def register(apply: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(op_types, apply))
        return apply

    return register


def lower(model: onnx.ModelProto, rules: Mapping[str, object]) -> onnx.ModelProto:
    """The model without such operators, unless they have a rule; the same object if nothing could be written out."""
    table = {op_type: apply for op_type, apply in LOWERINGS.items() if op_type not in rules}
    if not any(node.op_type in table for node in model.graph.node):
        return model
    copy = ir.from_proto(onnx.shape_inference.infer_shapes(model, data_prop=True))
    return ir.to_proto(copy) if write_out(copy, table) else model


def write_out(model: ir.Model, table: Mapping[str, Lowering], domain: str = "") -> bool:
    """Write out the operators of the domain that the table has; returns whether any could be.

    What is written out must have inferred shapes. Attributes with constants become initializers.
    """
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    nodes = [node for node in model.graph if node.op_type in table and node.domain == domain]
    written_out = [_replace(model.graph, node, table[node.op_type]) for node in nodes]
    model.graph.sort()
    return any(written_out)


def _replace(graph: ir.Graph, node: ir.Node, lowering: Lowering) -> bool:
    """Put what the node is written out as in its place; False where that cannot be done."""
    try:
        values = lowering(Ops(graph, scope=node.name or f"lowered_{node.outputs[0].name}"), node)
    except NotDifferentiable:
        return False
    for old, value in zip(node.outputs, values, strict=False):
        if value is not None:
            convenience.replace_all_uses_with(old, value, replace_graph_outputs=True)
            value.name, value.type, old.name = old.name, old.type or value.type, None
            if value.is_graph_output():
                value.shape = old.shape
    graph.remove(node)
    return True


@lowers("GroupNormalization")
def group_normalization(op: Ops, node: ir.Node) -> list[ir.Value]:
    """Instance normalization of the groups, then scale and bias: per channel, before opset 21 per group.

    The standard's own function takes the variance as E[x²] − E[x]², which is less exact.
    """
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
    return [op.Reshape(moved, op.Shape(x))]


@lowers("MeanVarianceNormalization")
def mean_variance_normalization(op: Ops, node: ir.Node) -> list[ir.Value]:
    """(x − mean) / (σ + 1e-9). The standard's own function takes E[x²] − E[x]² here too, and has float32 constants."""
    x, axes = operand(node, 0), op.constant(list(node.attributes.get_ints("axes", [0, 2, 3])))
    centred = op.Sub(x, op.ReduceMean(x, axes, keepdims=1))
    sigma = op.Sqrt(op.ReduceMean(op.Mul(centred, centred), axes, keepdims=1))
    return [op.Div(centred, op.Add(sigma, 1e-9))]
