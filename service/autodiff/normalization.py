"""Rules of normalizations."""

from math import ceil, floor

import numpy as np
import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dim, operand, rank, shape_of


@vjp("BatchNormalization")
def batch_normalization(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = scale · z + bias with z = (x − mean) / σ and σ² = var + ε by channel, without statistics of the batch.

    dx = dy · scale / σ; dscale = Σ dy·z; dbias = Σ dy; dmean = −Σ dx; dvar = −Σ dx·z / 2σ.
    """
    x, (scale, _, mean, variance) = operand(node, 0), node.inputs[1:]
    axes = op.constant([axis for axis in range(rank(x)) if axis != 1])
    sigma = op.Sqrt(op.Add(variance, node.attributes.get_float("epsilon", 1e-5)))
    dx = op.Mul(dy, op.Unsqueeze(op.Div(scale, sigma), axes))
    z = op.Div(op.Sub(x, op.Unsqueeze(mean, axes)), op.Unsqueeze(sigma, axes))

    def total(v: ir.Value) -> ir.Value:
        return op.ReduceSum(v, axes, keepdims=0)

    d_variance = op.Neg(op.Div(total(op.Mul(dx, z)), op.Mul(sigma, 2)))
    return [dx, total(op.Mul(dy, z)), total(dy), op.Neg(total(dx)), d_variance]


def standardized(op: Ops, x: ir.Value, axes: ir.Value, epsilon: float) -> tuple[ir.Value, ir.Value]:
    """Z = (x − mean) / σ over the axes, and 1/σ."""
    centred = op.Sub(x, op.ReduceMean(x, axes, keepdims=1))
    variance = op.ReduceMean(op.Mul(centred, centred), axes, keepdims=1)
    inverse = op.Reciprocal(op.Sqrt(op.Add(variance, epsilon)))
    return op.Mul(centred, inverse), inverse


def _pull_back(op: Ops, dz: ir.Value, z: ir.Value, inverse: ir.Value, axes: ir.Value) -> ir.Value:
    """Dx = (dz − mean dz − z · mean(dz·z)) / σ."""
    along = op.Mul(z, op.ReduceMean(op.Mul(dz, z), axes, keepdims=1))
    return op.Mul(op.Sub(op.Sub(dz, op.ReduceMean(dz, axes, keepdims=1)), along), inverse)


@vjp("LayerNormalization", core_axes=0, broadcasts={1, 2})
def layer_normalization(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = z · scale + bias, z standardized over the last axes; scale and bias are broadcast to the shape of x."""
    x, scale = operand(node, 0), operand(node, 1)
    axis = node.attributes.get_int("axis", -1) % rank(x)
    axes = op.constant(list(range(axis, rank(x))))
    z, inverse = standardized(op, x, axes, node.attributes.get_float("epsilon", 1e-5))
    return [_pull_back(op, op.Mul(dy, scale), z, inverse, axes), op.Mul(dy, z), dy]


@vjp("RMSNormalization", core_axes=0, broadcasts={1})
def rms_normalization(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = z · scale with z = x / r and r = √(mean x² + ε) over the last axes; scale is broadcast to the shape of x.

    dx = (dz − z · mean(dz·z)) / r.
    """
    x, scale = operand(node, 0), operand(node, 1)
    axis = node.attributes.get_int("axis", -1) % rank(x)
    axes = op.constant(list(range(axis, rank(x))))
    square = op.ReduceMean(op.Mul(x, x), axes, keepdims=1)
    inverse = op.Reciprocal(op.Sqrt(op.Add(square, node.attributes.get_float("epsilon", 1e-5))))
    z, dz = op.Mul(x, inverse), op.Mul(dy, scale)
    dx = op.Mul(op.Sub(dz, op.Mul(z, op.ReduceMean(op.Mul(dz, z), axes, keepdims=1))), inverse)
    return [dx, op.Mul(dy, z)]


@vjp("InstanceNormalization")
def instance_normalization(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = z · scale + bias, z standardized over the places of each channel."""
    x, scale = operand(node, 0), operand(node, 1)
    places = list(range(2, rank(x)))
    axes, by_channel = op.constant(places), op.constant([0, *places])
    z, inverse = standardized(op, x, axes, node.attributes.get_float("epsilon", 1e-5))
    dx = _pull_back(op, op.Mul(dy, op.Unsqueeze(scale, by_channel)), z, inverse, axes)
    return [dx, op.ReduceSum(op.Mul(dy, z), by_channel, keepdims=0), op.ReduceSum(dy, by_channel, keepdims=0)]


@vjp("LRN")
def local_response_normalization(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = x · s^−β, s = bias + α/n · Σ x² over n neighbours: dx = dy·s^−β − 2αβ/n · x · Σ (dy·x·s^(−β−1))."""
    x = operand(node, 0)
    n, beta = node.attributes["size"].as_int(), node.attributes.get_float("beta", 0.75)
    share = node.attributes.get_float("alpha", 1e-4) / n
    before, after = floor((n - 1) / 2), ceil((n - 1) / 2)
    s = op.Add(op.Mul(_channel_sum(op, op.Mul(x, x), before, after), share), node.attributes.get_float("bias", 1.0))
    direct = op.Mul(dy, op.Pow(s, -beta))
    inner = op.Div(op.Mul(direct, x), s)
    return [op.Sub(direct, op.Mul(op.Mul(x, _channel_sum(op, inner, after, before)), 2 * share * beta))]


def _channel_sum(op: Ops, x: ir.Value, before: int, after: int) -> ir.Value:
    """The sum over the channels from ``before`` below to ``after`` above each one."""
    planes = op.Reshape(x, op.Concat(dim(op, x, 0), op.constant([1]), dim(op, x, 1), op.constant([-1]), axis=0))
    ones = op.constant(np.ones((1, 1, before + after + 1, 1)), like=x)
    return op.Reshape(op.Conv(planes, ones, pads=[before, 0, after, 0]), shape_of(op, x))


@vjp("LpNormalization")
def lp_normalization(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = x/‖x‖ along the axis: dx = (dy − u · Σ dy·y) / ‖x‖, u = y for p = 2 and sign x for p = 1."""
    x, y = operand(node, 0), node.outputs[0]
    axes, p = op.constant([node.attributes.get_int("axis", -1)]), node.attributes.get_int("p", 2)
    norm = op.ReduceL2(x, axes, keepdims=1) if p == 2 else op.ReduceL1(x, axes, keepdims=1)
    along = op.ReduceSum(op.Mul(dy, y), axes, keepdims=1)
    return [op.Div(op.Sub(dy, op.Mul(y if p == 2 else op.Sign(x), along)), norm)]
