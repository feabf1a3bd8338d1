"""Straight-through rules of quantization: the rounding passes as if it were not there.

Bengio et al. 2013, "Estimating or Propagating Gradients Through Stochastic Neurons", section 4.
The cotangent of a quantized value is with respect to the number that it stands for.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from service.autodiff.elementwise import mask
from service.autodiff.errors import NotDifferentiable
from service.autodiff.lowering import LOWERINGS, lowers
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import constant_value, dtype, operand, optional_operand


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


@vjp("DynamicQuantizeLinear")
def dynamic_quantize_linear(op: Ops, node: ir.Node, *dy: ir.Value | None) -> Cotangents:
    """Dx = dy: its range is that of x, so nothing is cut off. What scale and zero point depend on is left out."""
    return [dy[0]]


@dataclass(frozen=True)
class Quantized:
    """Integers that stand for numbers, (value − zero) · scale; without a zero point it is 0."""

    value: ir.Value | None
    scale: ir.Value | None
    zero: ir.Value | None = None


def dequantized(op: Ops, x: Quantized, axis: int = 1) -> ir.Value:
    """The numbers. axis: that of the scales, if there are several."""
    y = op.DequantizeLinear(x.value, x.scale, x.zero, axis=axis)
    y.dtype = ir.DataType.FLOAT
    return y


def quantized(op: Ops, x: ir.Value, scale: ir.Value | None, zero: ir.Value | None) -> ir.Value:
    """The integers that stand for ``x``."""
    y = op.QuantizeLinear(x, scale, zero)
    y.dtype = ir.DataType.UINT8 if zero is None else dtype(zero)
    return y


@lowers("QLinearConv")
def qlinear_conv(op: Ops, node: ir.Node) -> list[ir.Value]:
    """A convolution of the numbers that the integers stand for; its result is quantized again."""
    x, w = Quantized(*node.inputs[:3]), Quantized(*node.inputs[3:6])
    operands = [dequantized(op, x), dequantized(op, w, axis=0)]
    if (bias := optional_operand(node, 8)) is not None:
        operands.append(op.Mul(op.Cast(bias, to=ir.DataType.FLOAT), op.Mul(operand(node, 1), operand(node, 4))))
    return [quantized(op, op.Conv(*operands, **node.attributes), *node.inputs[6:8])]


@lowers("QLinearMatMul")
def qlinear_matmul(op: Ops, node: ir.Node) -> list[ir.Value]:
    """A product of the numbers that the integers stand for, with scales by row and by column; quantized again."""
    a = dequantized(op, Quantized(*node.inputs[:3]), axis=-2)
    b = dequantized(op, Quantized(*node.inputs[3:6]), axis=-1)
    return [quantized(op, op.MatMul(a, b), *node.inputs[6:8])]


@lowers("ConvInteger")
def conv_integer(op: Ops, node: ir.Node) -> list[ir.Value]:
    """The same sums as numbers, which what follows casts to numbers anyway."""
    x, w = _less_zero(op, node, 0, channels=1), _less_zero(op, node, 1, channels=0)
    node.outputs[0].dtype = ir.DataType.FLOAT
    return [op.Conv(x, w, **node.attributes)]


@lowers("MatMulInteger")
def matmul_integer(op: Ops, node: ir.Node) -> list[ir.Value]:
    """The same sums as numbers, which what follows casts to numbers anyway."""
    a, b = _less_zero(op, node, 0, channels=-2), _less_zero(op, node, 1, channels=-1)
    node.outputs[0].dtype = ir.DataType.FLOAT
    return [op.MatMul(a, b)]


def _less_zero(op: Ops, node: ir.Node, i: int, channels: int) -> ir.Value:
    """Input ``i`` less its zero point, which is input ``i + 2``, as numbers that gradients pass.

    The cotangent of integers is with respect to the numbers that they stand for, so these are computed first and
    divided by the scale.
    """
    x, zero = operand(node, i), optional_operand(node, i + 2)
    integers, subtracted = constant_value(x), None if zero is None else constant_value(zero)
    if integers is not None and (zero is None or subtracted is not None):
        less = integers.astype(np.float32)
        if subtracted is not None:
            shape = [1] * integers.ndim
            shape[channels] = subtracted.size
            less = less - subtracted.astype(np.float32).reshape(shape)
        return op.constant(less)
    if zero is not None and subtracted is not None and subtracted.size > 1:
        raise NotDifferentiable(f"{node.op_type} (node {node.name!r}) has a zero point for each channel of a variable")
    made = _made_by(x)
    if made is None:
        return dequantized(op, Quantized(x, op.constant(np.float32(1)), zero))
    return op.Div(dequantized(op, Quantized(x, made.scale, zero)), made.scale)


def _move_numbers(op: Ops, node: ir.Node) -> list[ir.Value]:
    """What moves integers moves the numbers that they stand for, which are quantized again to the same integers."""
    made = _made_by(operand(node, 0))
    if made is None:
        raise NotDifferentiable(f"{node.op_type} (node {node.name!r}) does not move quantized numbers")
    numbers = dequantized(op, made)
    moved = getattr(op, node.op_type)(numbers, *node.inputs[1:], **node.attributes)
    return [quantized(op, moved, made.scale, made.zero)]


_ARITHMETIC = ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
MAKE_OR_TAKE_INTEGERS = frozenset([*_ARITHMETIC, "QuantizeLinear", "DynamicQuantizeLinear"])
# Operators on integers, as operators on numbers between roundings.
INTEGER_ARITHMETIC = {
    **{name: LOWERINGS[name] for name in _ARITHMETIC},
    **dict.fromkeys("Reshape Transpose Flatten Squeeze Unsqueeze MaxPool Slice".split(), _move_numbers),
}


def _made_by(x: ir.Value) -> Quantized | None:
    """The integers with their scale and zero point; None if they were not made in the graph."""
    node = x.producer()
    if node is None or node.op_type not in ("QuantizeLinear", "DynamicQuantizeLinear"):
        return None
    if node.op_type == "DynamicQuantizeLinear":
        return Quantized(x, node.outputs[1], node.outputs[2])
    return Quantized(x, node.inputs[1], optional_operand(node, 2))
