"""Other ways through a Relu than the derivative. Each takes rules and returns them with another one for Relu."""

from collections.abc import Mapping

import onnx_ir as ir

from service.autodiff.elementwise import mask
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, Rule
from service.autodiff.shapes import rank


def guided(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Guided backpropagation: dx = max(dy, 0) · [y > 0] (Springenberg et al. 2014, figure 1)."""
    relu = rules["Relu"]

    def guided_relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
        return relu.apply(op, node, op.Relu(dy))

    return {**rules, "Relu": Rule(guided_relu)}


def deconvnet(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The deconvolutional network: dx = max(dy, 0) (Zeiler & Fergus 2013, section 2.1)."""

    def deconvnet_relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:  # noqa: ARG001 - rules share one signature
        return [op.Relu(dy)]

    return {**rules, "Relu": Rule(deconvnet_relu)}


def rectgrad(rules: Mapping[str, Rule], percent: float) -> dict[str, Rule]:
    """Rectified gradients: dx = dy where y · dy is among the largest of its image (Kim et al. 2019, section 4).

    percent: how much of each layer is held back.
    """

    def rectified(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
        y = node.outputs[0]
        importance = op.Mul(y, dy)
        flat = op.Reshape(importance, op.constant([0, -1]))
        size = op.CastLike(op.Shape(flat, start=1), flat)
        passing = op.Cast(op.Ceil(op.Mul(size, 1 - percent / 100)), to=ir.DataType.INT64)
        largest, indices = op.several("TopK", 2, flat, passing)
        indices.dtype = ir.DataType.INT64
        least = op.ReduceMin(largest, op.constant([1]), keepdims=0)
        threshold = op.Reshape(least, op.constant([-1] + [1] * (rank(y) - 1)))
        passes = op.And(op.GreaterOrEqual(importance, threshold), op.Greater(importance, 0))
        return [mask(op, passes, dy)]

    return {**rules, "Relu": Rule(rectified)}
