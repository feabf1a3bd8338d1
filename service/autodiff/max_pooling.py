"""Rules of max pooling: dy goes back to where the largest elements were. Images are (N, C, D1, …, Dn)."""

import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dtype, operand, shape_of, zeros_like


@vjp("MaxPool")
def max_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Add dy to the largest element of each window, the first in row order where several are equal (as in PyTorch).

    The node is run a second time for the indices of these elements, which the operator has as its second output.
    """
    x = operand(node, 0)
    attributes = {name: a for name, a in node.attributes.items() if name != "storage_order"}
    _, indices = op.several("MaxPool", 2, x, **attributes)
    indices.dtype = ir.DataType.INT64
    flat = op.constant([-1])
    half = dtype(x) == ir.DataType.FLOAT16  # ONNX Runtime has no ScatterElements that adds in float16 on a CPU
    wide = op.Cast(dy, to=ir.DataType.FLOAT) if half else dy
    zeros = op.Reshape(zeros_like(op, x, kind=wide), flat)
    dx = op.ScatterElements(zeros, op.Reshape(indices, flat), op.Reshape(wide, flat), axis=0, reduction="add")
    return [op.Reshape(op.CastLike(dx, x) if half else dx, shape_of(op, x))]


@vjp("GlobalMaxPool")
def global_max_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Give dy to the largest element of each channel, the first where several are equal."""
    x = operand(node, 0)
    rows = op.Reshape(x, op.constant([0, 0, -1]))
    index = op.ArgMax(rows, axis=2, keepdims=1)
    first = op.Reshape(dy, op.constant([0, 0, 1]))
    zeros = op.Reshape(zeros_like(op, x), op.constant([0, 0, -1]))
    return [op.Reshape(op.ScatterElements(zeros, index, first, axis=2), shape_of(op, x))]
