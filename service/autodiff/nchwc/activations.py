"""Derivatives of activations without comparisons and scalars."""

from math import ceil, log2

import numpy as np
import onnx_ir as ir

from service.autodiff import activations, elementwise
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents
from service.autodiff.shapes import constant_value, optional_operand

STEEPEST = float(np.finfo(np.float32).max)
_COMPUTED_BY = frozenset("Conv BatchNormalization Add Gemm".split())


def relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · [y > 0], the mask computed as max(0, min(1, y · 3.4e38)).

    That is one vectorized activation, several times cheaper than a comparison and a selection. In float16 the slope
    would be infinite, so there the comparison stays.
    """
    y = node.outputs[0]
    if y.dtype == ir.DataType.FLOAT16:
        return activations.relu(op, node, dy)
    return [op.Mul(dy, op.HardSigmoid(y, alpha=STEEPEST, beta=0.0))]


def sigmoid(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · y · (1 − y), where 1 − y is a HardSigmoid, since y is in [0, 1]: scalars have no blocked layout."""
    y = node.outputs[0]
    return [op.Mul(dy, op.Mul(y, op.HardSigmoid(y, alpha=-1.0, beta=1.0)))]


def clip(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · [min < y < max] for what a layer has computed, as in the Relu 6 of mobile networks.

    On a bound itself it is 0, as that of Relu; of images, which often are 0 or 1, it has to be 1, as the portable rule
    has it. Only y is read, so that the runtime can make one operator of the layer and its activation.
    """
    x, y = node.inputs[0], node.outputs[0]
    maker = x.producer() if x is not None else None
    bounds = [constant_value(optional_operand(node, i)) for i in (1, 2)]
    low, high = (None if bound is None else float(bound) for bound in bounds)
    given = [i for i in (1, 2) if optional_operand(node, i) is not None]
    is_known = all(bounds[i - 1] is not None for i in given) and bool(given)
    if not is_known or maker is None or maker.op_type not in _COMPUTED_BY or y.dtype != ir.DataType.FLOAT:
        return elementwise.clip(op, node, dy)
    return [op.Mul(dy, _between(op, y, low, high)), None, None]


def _between(op: Ops, y: ir.Value, low: float | None, high: float | None) -> ir.Value:
    """1 where low < y < high, else 0: products of very steep HardSigmoids.

    Their slope is a power of two, so that y · slope is exact, and so is the sign of its difference to a bound · slope.
    """
    largest = max(1.0, *(abs(bound) for bound in (low, high) if bound is not None and np.isfinite(bound)), 1.0)
    slope = 2.0 ** (126 - ceil(log2(largest)))
    factors = []
    if low is not None and low > -STEEPEST:
        factors.append(op.HardSigmoid(y, alpha=slope, beta=-low * slope))
    if high is not None and high < STEEPEST:
        factors.append(op.HardSigmoid(y, alpha=-slope, beta=high * slope))
    if not factors:
        return op.constant(1, like=y)
    return factors[0] if len(factors) == 1 else op.Mul(*factors)
