"""Rules of operators that move, cut, join and pick elements without changing them."""

from itertools import zip_longest

import numpy as np
import onnx_ir as ir

from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import constant_value, dim, operand, rank, shape_of, zeros_like
from service.errors import NotDifferentiable


@vjp("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx is dy in the shape of x."""
    return [op.Reshape(dy, shape_of(op, operand(node, 0))), None]


@vjp("Transpose")
def transpose(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx is dy with the inverse permutation."""
    perm = node.attributes.get_ints("perm") or range(rank(operand(node, 0)))[::-1]
    return [op.Transpose(dy, perm=np.argsort(perm).tolist())]


@vjp("Concat")
def concat(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each input receives its section of dy."""
    axis = node.attributes["axis"].as_int()
    parts = len(node.inputs)
    if parts == 1:
        return [dy]
    sizes = [dim(op, operand(node, i), axis) for i in range(parts)]
    known = [constant_value(size) for size in sizes]
    split = op.Concat(*sizes, axis=0) if any(k is None for k in known) else op.constant(np.concatenate(known))  # type: ignore[arg-type]
    return op.several("Split", parts, dy, split, axis=axis)


@vjp("Split")
def split(op: Ops, node: ir.Node, *dy: ir.Value | None) -> Cotangents:
    """The cotangents of the sections, joined; zeros for sections that nothing flows back to."""
    axis = node.attributes.get_int("axis", 0)
    sections = [d or zeros_like(op, y) for y, d in zip_longest(node.outputs, dy)]
    return [op.Concat(*sections, axis=axis), None]


@vjp("Slice")
def slice_(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx is zero but at the positions that were cut out, which slicing the row of positions tells."""
    x, bounds = operand(node, 0), [operand(node, i) for i in (1, 2)]
    axes = _constant(node, 3, default=np.arange(rank(x)))
    steps = node.inputs[4] if len(node.inputs) > 4 else None
    for i, axis in reversed(list(enumerate(axes.tolist()))):
        pick = [op.Slice(v, op.constant([i]), op.constant([i + 1])) for v in bounds]
        step = op.Slice(steps, op.constant([i]), op.constant([i + 1])) if steps is not None else None
        positions = op.Slice(_positions(op, x, axis), *pick, op.constant([0]), step)
        dy = _scatter(op, dy, positions, axis, x)
    return [dy, *[None] * (len(node.inputs) - 1)]


@vjp("Pad")
def pad(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Constant padding is undone by negative padding; in other modes each element of dy goes back to where it was read."""
    x, pads = operand(node, 0), operand(node, 1)
    mode = node.attributes.get_string("mode", "constant")
    axes = node.inputs[3] if len(node.inputs) > 3 else None
    if mode == "constant":
        dx = op.Pad(dy, op.Neg(pads), None, axes)
        d_value = op.Sub(op.ReduceSum(dy, keepdims=0), op.ReduceSum(dx, keepdims=0))
        return [dx, None, d_value, None]
    chosen = _constant(node, 3, default=np.arange(rank(x))).tolist()
    for i, axis in enumerate(chosen):
        both = op.Gather(pads, op.constant([i, i + len(chosen)]))
        positions = op.Pad(_positions(op, x, axis), both, mode=mode)
        dy = _scatter(op, dy, positions, axis, x)
    return [dy, None, None, None]


@vjp("Gather")
def gather(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each slice of dy is added where it was read; the axes of the indices are made one first."""
    x, indices = operand(node, 0), operand(node, 1)
    axis = node.attributes.get_int("axis", 0) % rank(x)
    flat = [dim(op, x, a) if a != axis else op.constant([-1]) for a in range(rank(x))]
    rows = op.Reshape(dy, op.Concat(*flat, axis=0))
    return [_scatter(op, rows, op.Reshape(indices, op.constant([-1])), axis, x), None]


@vjp("GatherElements")
def gather_elements(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each element of dy is added where it was read."""
    x, indices = operand(node, 0), operand(node, 1)
    axis = node.attributes.get_int("axis", 0)
    return [op.ScatterElements(zeros_like(op, x), indices, dy, axis=axis, reduction="add"), None]


def _positions(op: Ops, x: ir.Value, axis: int) -> ir.Value:
    """0, 1, … up to the size of ``x`` along ``axis``."""
    size = op.Squeeze(dim(op, x, axis), op.constant([0]))
    return op.Range(op.constant(0), size, op.constant(1))


def _scatter(op: Ops, dy: ir.Value, positions: ir.Value, axis: int, x: ir.Value) -> ir.Value:
    """Add the slices of ``dy`` along ``axis`` to zeros, each at its position; the result has the size of ``x`` on that axis."""
    axes = [a for a in range(rank(x)) if a != axis % rank(x)]
    shape = op.Shape(dy)
    wide = op.ScatterElements(shape, op.constant([axis % rank(x)]), dim(op, x, axis))
    zero = op.ConstantOfShape(wide, value=ir.tensor(np.zeros(1, dy.dtype.numpy() if dy.dtype else np.float32)))
    index = op.Expand(op.Unsqueeze(positions, op.constant(axes)), shape)
    return op.ScatterElements(zero, index, dy, axis=axis, reduction="add")


def _constant(node: ir.Node, i: int, default: np.ndarray) -> np.ndarray:
    """Input ``i`` as a constant; the default where it is absent."""
    x = node.inputs[i] if len(node.inputs) > i else None
    if x is None:
        return default
    value = constant_value(x)
    if value is None:
        raise NotDifferentiable(f"input {i} of {node.op_type} (node {node.name!r}) must be a constant")
    return value
