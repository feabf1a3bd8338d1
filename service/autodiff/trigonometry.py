"""Rules of trigonometric and hyperbolic functions and their inverses."""

import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import operand


def _one_plus_square(op: Ops, v: ir.Value) -> ir.Value:
    return op.Add(op.Mul(v, v), 1)


def _one_minus_square(op: Ops, v: ir.Value) -> ir.Value:
    return op.Sub(op.constant(1, like=v), op.Mul(v, v))


@vjp("Tan")
def tan(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · (1 + y²)."""
    return [op.Mul(dy, _one_plus_square(op, node.outputs[0]))]


@vjp("Asin")
def asin(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / √(1 − x²)."""
    return [op.Div(dy, op.Sqrt(_one_minus_square(op, operand(node, 0))))]


@vjp("Acos")
def acos(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = −dy / √(1 − x²)."""
    return [op.Neg(op.Div(dy, op.Sqrt(_one_minus_square(op, operand(node, 0)))))]


@vjp("Atan")
def atan(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / (1 + x²)."""
    return [op.Div(dy, _one_plus_square(op, operand(node, 0)))]


@vjp("Sinh")
def sinh(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · cosh x."""
    return [op.Mul(dy, op.Cosh(node.inputs[0]))]


@vjp("Cosh")
def cosh(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · sinh x."""
    return [op.Mul(dy, op.Sinh(node.inputs[0]))]


@vjp("Asinh")
def asinh(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / √(1 + x²)."""
    return [op.Div(dy, op.Sqrt(_one_plus_square(op, operand(node, 0))))]


@vjp("Acosh")
def acosh(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / √(x² − 1)."""
    return [op.Div(dy, op.Sqrt(op.Neg(_one_minus_square(op, operand(node, 0)))))]


@vjp("Atanh")
def atanh(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / (1 − x²)."""
    return [op.Div(dy, _one_minus_square(op, operand(node, 0)))]
