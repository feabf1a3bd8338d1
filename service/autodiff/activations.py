"""Rules of activation functions. ``x`` is the input, ``y`` the output, ``dx`` and ``dy`` their cotangents."""

from math import pi, sqrt

import onnx_ir as ir

from service.autodiff.elementwise import mask
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import operand


@vjp("Relu")
def relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy where y > 0, else 0."""
    return [mask(op, op.Greater(node.outputs[0], 0), dy)]


@vjp("LeakyRelu")
def leaky_relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy where x > 0, else α·dy."""
    x, alpha = node.inputs[0], node.attributes.get_float("alpha", 0.01)
    return [op.Where(op.Greater(x, 0), dy, op.Mul(dy, alpha))]


@vjp("ThresholdedRelu")
def thresholded_relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy where x > α, else 0."""
    return [mask(op, op.Greater(node.inputs[0], node.attributes.get_float("alpha", 1.0)), dy)]


@vjp("PRelu", core_axes=0)
def prelu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy where x > 0, else slope·dy; dslope = x·dy where x ≤ 0."""
    x, slope = operand(node, 0), operand(node, 1)
    positive = op.Greater(x, 0)
    return [op.Where(positive, dy, op.Mul(dy, slope)), mask(op, op.Not(positive), op.Mul(dy, x))]


@vjp("Elu")
def elu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy where x > 0, else (y + α)·dy."""
    alpha = node.attributes.get_float("alpha", 1.0)
    return [op.Where(op.Greater(node.inputs[0], 0), dy, op.Mul(dy, op.Add(node.outputs[0], alpha)))]


@vjp("Celu")
def celu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy where x > 0, else (y/α + 1)·dy."""
    alpha = node.attributes.get_float("alpha", 1.0)
    return [op.Where(op.Greater(node.inputs[0], 0), dy, op.Mul(dy, op.Add(op.Div(node.outputs[0], alpha), 1)))]


@vjp("Selu")
def selu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = γ·dy where x > 0, else (y + γ·α)·dy."""
    alpha = node.attributes.get_float("alpha", 1.6732632423543772)
    gamma = node.attributes.get_float("gamma", 1.0507009873554805)
    return [
        op.Where(op.Greater(node.inputs[0], 0), op.Mul(dy, gamma), op.Mul(dy, op.Add(node.outputs[0], gamma * alpha)))
    ]


@vjp("Sigmoid")
def sigmoid(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · y · (1 − y)."""
    y = node.outputs[0]
    return [op.Mul(dy, op.Sub(y, op.Mul(y, y)))]


@vjp("Tanh")
def tanh(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · (1 − y²)."""
    y = node.outputs[0]
    return [op.Sub(dy, op.Mul(dy, op.Mul(y, y)))]


@vjp("HardSigmoid")
def hard_sigmoid(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = α·dy where 0 < y < 1, else 0."""
    y = node.outputs[0]
    inside = op.And(op.Greater(y, 0), op.Less(y, 1))
    return [op.Mul(mask(op, inside, dy), node.attributes.get_float("alpha", 0.2))]


@vjp("HardSwish")
def hard_swish(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = x·h with h = HardSigmoid(x; 1/6, 1/2): dx = (h + x/6 where 0 < h < 1)·dy."""
    x = operand(node, 0)
    h = op.HardSigmoid(x, alpha=1 / 6, beta=0.5)
    inside = op.And(op.Greater(h, 0), op.Less(h, 1))
    return [op.Mul(dy, op.Add(h, mask(op, inside, op.Mul(x, 1 / 6))))]


@vjp("Softplus")
def softplus(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · σ(x)."""
    return [op.Mul(dy, op.Sigmoid(node.inputs[0]))]


@vjp("Softsign")
def softsign(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / (1 + |x|)²."""
    size = op.Add(op.Abs(node.inputs[0]), 1)
    return [op.Div(dy, op.Mul(size, size))]


@vjp("Mish")
def mish(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = x·t with t = tanh(softplus x): dx = (t + x·σ(x)·(1 − t²))·dy."""
    x = operand(node, 0)
    t = op.Tanh(op.Softplus(x))
    slope = op.Mul(op.Mul(x, op.Sigmoid(x)), op.Sub(op.constant(1, like=x), op.Mul(t, t)))
    return [op.Mul(dy, op.Add(t, slope))]


@vjp("Erf")
def erf(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = 2/√π · exp(−x²) · dy."""
    x = operand(node, 0)
    return [op.Mul(op.Mul(dy, op.Exp(op.Neg(op.Mul(x, x)))), 2 / sqrt(pi))]


@vjp("Gelu")
def gelu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = x·Φ(x): dx = (Φ + x·φ)·dy; with ``approximate="tanh"`` Φ = (1 + tanh u)/2, u = √(2/π)·(x + 0.044715·x³)."""
    x = operand(node, 0)
    square = op.Mul(x, x)
    if node.attributes.get_string("approximate", "none") == "tanh":
        t = op.Tanh(op.Mul(op.Mul(x, op.Add(op.Mul(square, 0.044715), 1)), sqrt(2 / pi)))
        du = op.Mul(op.Add(op.Mul(square, 3 * 0.044715), 1), sqrt(2 / pi))
        share, slope = op.Mul(op.Add(t, 1), 0.5), op.Mul(op.Mul(op.Sub(op.constant(1, like=x), op.Mul(t, t)), du), 0.5)
    else:
        share = op.Mul(op.Add(op.Erf(op.Mul(x, sqrt(0.5))), 1), 0.5)
        slope = op.Mul(op.Exp(op.Mul(square, -0.5)), 1 / sqrt(2 * pi))
    return [op.Mul(dy, op.Add(share, op.Mul(x, slope)))]
