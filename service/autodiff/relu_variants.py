"""Other ways through a Relu than the derivative. Each takes rules and returns them with another one for Relu."""

from collections.abc import Mapping

import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, Rule


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
