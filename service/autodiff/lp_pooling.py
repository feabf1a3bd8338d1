"""Rules of pools that take the p-norm, (Σ |x|^p)^(1/p), of each window or channel."""

import onnx_ir as ir

from service.autodiff.average_pooling import spread_over_windows
from service.autodiff.elementwise import mask
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import operand
from service.autodiff.windows import window


def _signed_power(op: Ops, x: ir.Value, p: int) -> ir.Value:
    """Sign x · |x|^p; for p = 1 this is x."""
    return x if p == 1 else op.Mul(op.Sign(x), op.Pow(op.Abs(x), op.constant(float(p), like=x)))


def _share(op: Ops, dy: ir.Value, y: ir.Value, p: int) -> ir.Value:
    """The quotient dy / y^(p−1), and 0 where the norm is zero, which has no gradient there."""
    positive = op.Greater(y, 0)
    norm = op.Where(positive, y, op.constant(1, like=y))
    return mask(op, positive, op.Div(dy, op.Pow(norm, op.constant(p - 1.0, like=y))))


@vjp("GlobalLpPool")
def global_lp_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = sign x · |x|^(p−1) · dy / y^(p−1)."""
    p = node.attributes.get_int("p", 2)
    return [op.Mul(_signed_power(op, operand(node, 0), p - 1), _share(op, dy, node.outputs[0], p))]


@vjp("LpPool")
def lp_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The same, summed over the windows that each element lies in."""
    x, p = operand(node, 0), node.attributes.get_int("p", 2)
    win = window(node, list(node.attributes["kernel_shape"].as_ints()))
    spread = spread_over_windows(op, _share(op, dy, node.outputs[0], p), win, x)
    return [op.Mul(_signed_power(op, x, p - 1), spread)]
