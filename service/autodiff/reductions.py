"""Rules of reductions and of the soft maximum."""

import numpy as np
import onnx_ir as ir

from service.autodiff.elementwise import mask
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dtype, fixed_dims, operand, optional_operand, rank, shape_of


def _stretch(op: Ops, node: ir.Node, reduced: ir.Value) -> ir.Value:
    """Put the reduced axes back into a tensor of the shape of the node's output, with size 1."""
    axes = optional_operand(node, 1)
    if node.attributes.get_int("keepdims", 1) or (axes is None and node.attributes.get_int("noop_with_empty_axes", 0)):
        return reduced
    x = operand(node, 0)
    if axes is None:
        axes = op.constant(list(range(rank(x))))
    return op.Unsqueeze(reduced, axes)


@vjp("ReduceSum")
def reduce_sum(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy at each of the elements summed."""
    x = operand(node, 0)
    return [op.Expand(_stretch(op, node, dy), shape_of(op, x)), None]


@vjp("ReduceMean")
def reduce_mean(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy / n at each of the n elements averaged."""
    x, y = operand(node, 0), node.outputs[0]
    before, after = fixed_dims(x), fixed_dims(y)
    if before is not None and after is not None:
        share = op.constant(np.prod(after) / np.prod(before), like=dy)
    else:
        share = op.Div(op.CastLike(op.Size(y), dy), op.CastLike(op.Size(x), dy))
    return [op.Expand(_stretch(op, node, op.Mul(dy, share)), shape_of(op, x)), None]


@vjp("ReduceL1")
def reduce_l1(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · sign x."""
    return [op.Mul(_stretch(op, node, dy), op.Sign(node.inputs[0])), None]


@vjp("ReduceL2")
def reduce_l2(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · x / y, and 0 where y is 0."""
    y = _stretch(op, node, node.outputs[0])
    nonzero = op.Greater(y, 0)
    share = op.Div(_stretch(op, node, dy), op.Where(nonzero, y, op.constant(1, like=y)))
    return [op.Mul(operand(node, 0), mask(op, nonzero, share)), None]


@vjp("ReduceSumSquare")
def reduce_sum_square(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = 2 · dy · x."""
    return [op.Mul(op.Mul(operand(node, 0), _stretch(op, node, dy)), 2), None]


@vjp("ReduceLogSumExp")
def reduce_log_sum_exp(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · exp(x − y)."""
    return [op.Mul(_stretch(op, node, dy), op.Exp(op.Sub(operand(node, 0), _stretch(op, node, node.outputs[0])))), None]


@vjp("CumSum")
def cumulative_sum(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The cumulative sum of dy from the other end."""
    reverse = 1 - node.attributes.get_int("reverse", 0)
    return [op.CumSum(dy, node.inputs[1], exclusive=node.attributes.get_int("exclusive", 0), reverse=reverse), None]


@vjp("ReduceMax", "ReduceMin")
def reduce_extremum(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dy goes to the extreme elements, in equal parts where several are (as torch.amax has it)."""
    x, y = operand(node, 0), node.outputs[0]
    axes = optional_operand(node, 1)
    chosen = op.Cast(op.Equal(x, _stretch(op, node, y)), to=dtype(x))
    noop = node.attributes.get_int("noop_with_empty_axes", 0)
    count = op.ReduceSum(chosen, axes, keepdims=1, noop_with_empty_axes=noop)
    return [op.Mul(chosen, op.Div(_stretch(op, node, dy), count)), None]


@vjp("Softmax")
def softmax(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = y · (dy − Σ dy·y)."""
    y, axis = node.outputs[0], node.attributes.get_int("axis", -1)
    total = op.ReduceSum(op.Mul(dy, y), op.constant([axis]), keepdims=1)
    return [op.Mul(y, op.Sub(dy, total))]


@vjp("LogSoftmax")
def log_softmax(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy − exp(y) · Σ dy."""
    y, axis = node.outputs[0], node.attributes.get_int("axis", -1)
    total = op.ReduceSum(dy, op.constant([axis]), keepdims=1)
    return [op.Sub(dy, op.Mul(op.Exp(y), total))]
