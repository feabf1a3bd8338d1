"""Other ways through a Relu than the derivative. They exchange the rule: ``RULES | GUIDED``."""

import onnx_ir as ir

from service.autodiff.elementwise import step
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, Rule


def guided_relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = max(dy, 0) · [y > 0] (Springenberg et al. 2014, figure 1)."""
    return [op.Mul(op.Relu(dy), step(op, node.outputs[0]))]


def deconvnet_relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = max(dy, 0) (Zeiler & Fergus 2013, section 2.1)."""
    return [op.Relu(dy)]


GUIDED = {"Relu": Rule(guided_relu)}
DECONVNET = {"Relu": Rule(deconvnet_relu)}
