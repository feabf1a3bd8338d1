"""Straight-through rules of quantization: the rounding passes as if it were not there.

Bengio et al. 2013, "Estimating or Propagating Gradients Through Stochastic Neurons", section 4.
The cotangent of a quantized value is with respect to the number that it stands for.
"""

import onnx_ir as ir

from service.autodiff.elementwise import mask
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dtype, operand, optional_operand


@vjp("QuantizeLinear")
def quantize_linear(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy where x is in the range of the quantized type, else 0; what lies beyond was cut off."""
    x, scale, zero_point = operand(node, 0), operand(node, 1), optional_operand(node, 2)
    axis = {"axis": node.attributes.get_int("axis", 1)}
    stood_for = op.DequantizeLinear(node.outputs[0], scale, zero_point, **axis)
    stood_for.dtype = dtype(x)
    # What is only rounded moves by half a step; what is cut off moves farther, or ends at the end of the range.
    return [
        mask(op, op.LessOrEqual(op.Abs(op.Sub(x, stood_for)), op.ReduceMax(op.Abs(scale), keepdims=0)), dy),
        None,
        None,
    ]


@vjp("DequantizeLinear")
def dequantize_linear(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The cotangent of a quantized value is that of the number that it stands for."""
    return [dy, None, None]
