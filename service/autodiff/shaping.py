"""Rules of operators that move, cut, join and pick elements without changing them."""

from itertools import zip_longest

import numpy as np
import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import (
    constant_value,
    dim,
    known_dim,
    operand,
    optional_operand,
    positions,
    rank,
    shape_of,
    zeros_like,
)


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
    """Dx is zero but at the positions that were cut out.

    Where they are known they tell how much to pad; elsewhere slicing the row of positions tells them.
    """
    x, bounds = operand(node, 0), [operand(node, i) for i in (1, 2)]
    axes = _constant(node, 3, default=np.arange(rank(x)))
    steps = optional_operand(node, 4)
    known = [constant_value(bound) for bound in bounds]
    strides = np.ones(len(axes), np.int64) if steps is None else constant_value(steps)
    for i, axis in reversed(list(enumerate(axes.tolist()))):
        size = known_dim(x, axis)
        if known[0] is not None and known[1] is not None and strides is not None and size is not None:
            places = range(size)[slice(int(known[0][i]), int(known[1][i]), int(strides[i]))]
            spread = _spread(op, dy, places, size, axis % rank(x), x)
            if spread is not None:
                dy = spread
                continue
        pick = [op.Slice(v, op.constant([i]), op.constant([i + 1])) for v in bounds]
        step = op.Slice(steps, op.constant([i]), op.constant([i + 1])) if steps is not None else None
        dy = _scatter(op, dy, op.Slice(positions(op, x, axis), *pick, op.constant([0]), step), axis, x)
    return [dy, *[None] * (len(node.inputs) - 1)]


def _spread(op: Ops, dy: ir.Value, places: range, size: int, axis: int, x: ir.Value) -> ir.Value | None:
    """Zeros along the axis with the slices of dy at the places; None if that is no matter of padding."""
    behind = [known_dim(x, a) for a in range(axis + 1, rank(x))]  # these axes have their sizes of x by now
    if places.step < 1 or not places or (places.step > 1 and None in behind):
        return None
    if places.step > 1:
        apart = op.Unsqueeze(dy, op.constant([axis + 1]))
        pads = np.zeros((2, rank(x) + 1), np.int64)
        pads[1, axis + 1] = places.step - 1
        dy = op.Reshape(
            op.Pad(apart, op.constant(pads.ravel())), op.constant([*[0] * axis, -1, *map(int, filter(None, behind))])
        )
    pads = np.zeros((2, rank(x)), np.int64)
    pads[:, axis] = places.start, size - places.start - len(places) * places.step
    return op.Pad(dy, op.constant(pads.ravel())) if pads.any() else dy


@vjp("Pad")
def pad(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Constant padding is undone by negative padding; in other modes elements of dy go back to where they were read."""
    x, pads = operand(node, 0), operand(node, 1)
    mode = node.attributes.get_string("mode", "constant")
    axes = optional_operand(node, 3)
    if mode == "constant":
        dx = op.Pad(dy, op.Neg(pads), None, axes)
        d_value = op.Sub(op.ReduceSum(dy, keepdims=0), op.ReduceSum(dx, keepdims=0))
        return [dx, None, d_value, None]
    chosen = _constant(node, 3, default=np.arange(rank(x))).tolist()
    for i, axis in enumerate(chosen):
        both = op.Gather(pads, op.constant([i, i + len(chosen)]))
        places = op.Pad(positions(op, x, axis), both, mode=mode)
        dy = _scatter(op, dy, places, axis, x)
    return [dy, None, None, None]


@vjp("Gather")
def gather(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each slice of dy is added where it was read; the axes of the indices are made one first."""
    x, indices = operand(node, 0), operand(node, 1)
    axis = node.attributes.get_int("axis", 0) % rank(x)
    index, size = constant_value(indices), known_dim(x, axis)
    if index is not None and index.size == 1 and size is not None:
        return [_padded(op, dy, int(index.item()) % size, axis, x), None]
    flat = [dim(op, x, a) if a != axis else op.constant([-1]) for a in range(rank(x))]
    rows = op.Reshape(dy, op.Concat(*flat, axis=0))
    return [_scatter(op, rows, op.Reshape(indices, op.constant([-1])), axis, x), None]


def _padded(op: Ops, dy: ir.Value, index: int, axis: int, x: ir.Value) -> ir.Value:
    """Zeros in the shape of ``x`` with dy as the slice at the index."""
    sizes = [dim(op, x, a) if a != axis else op.constant([1]) for a in range(rank(x))]
    pads = np.zeros((2, rank(x)), np.int64)  # of all axes: ONNX Runtime moves transpositions past a Pad of some wrongly
    pads[:, axis] = index, (known_dim(x, axis) or 0) - index - 1
    return op.Pad(op.Reshape(dy, op.Concat(*sizes, axis=0)), op.constant(pads.ravel()))


@vjp("GatherElements")
def gather_elements(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each element of dy is added where it was read."""
    x, indices = operand(node, 0), operand(node, 1)
    axis = node.attributes.get_int("axis", 0)
    return [op.ScatterElements(zeros_like(op, x), indices, dy, axis=axis, reduction="add"), None]


@vjp("ScatterElements")
def scatter_elements(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Updates receive what stands in their places; what they have replaced receives nothing."""
    indices, updates = operand(node, 1), operand(node, 2)
    axis, added = node.attributes.get_int("axis", 0), _is_added(node)
    d_data = dy if added else op.ScatterElements(dy, indices, zeros_like(op, updates), axis=axis)
    return [d_data, None, op.GatherElements(dy, indices, axis=axis)]


@vjp("ScatterND")
def scatter_nd(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Updates receive what stands in their places; what they have replaced receives nothing."""
    indices, updates = operand(node, 1), operand(node, 2)
    d_data = dy if _is_added(node) else op.ScatterND(dy, indices, zeros_like(op, updates))
    return [d_data, None, op.GatherND(dy, indices)]


def _is_added(node: ir.Node) -> bool:
    reduction = node.attributes.get_string("reduction", "none")
    if reduction not in ("none", "add"):
        raise NotDifferentiable(f"{node.op_type} with reduction {reduction!r} has no rule (node {node.name!r})")
    return reduction == "add"


@vjp("GatherND")
def gather_nd(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Each slice of dy is added where it was read."""
    if node.attributes.get_int("batch_dims", 0):
        raise NotDifferentiable(f"GatherND with batch_dims has no rule (node {node.name!r})")
    return [op.ScatterND(zeros_like(op, operand(node, 0)), operand(node, 1), dy, reduction="add"), None]


@vjp("Tile")
def tile(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The sum of the copies."""
    x, repeats = operand(node, 0), operand(node, 1)
    each = [op.Unsqueeze(v, op.constant([1])) for v in (repeats, shape_of(op, x))]
    copies = op.Reshape(op.Concat(*each, axis=1), op.constant([-1]))  # r1, d1, r2, d2, …
    return [op.ReduceSum(op.Reshape(dy, copies), op.constant(list(range(0, 2 * rank(x), 2))), keepdims=0), None]


@vjp("Trilu")
def trilu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The same triangle of dy."""
    k = optional_operand(node, 1)
    return [op.Trilu(dy, k, upper=node.attributes.get_int("upper", 1)), None]


@vjp("DepthToSpace")
def depth_to_space(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The blocks of dy go back to their channels."""
    x, block = operand(node, 0), node.attributes["blocksize"].as_int()
    if node.attributes.get_string("mode", "DCR") == "DCR":
        return [op.SpaceToDepth(dy, blocksize=block)]
    height, width = dim(op, x, 2), dim(op, x, 3)
    blocks = op.Concat(op.constant([0, 0]), height, op.constant([block]), width, op.constant([block]), axis=0)
    return [op.Reshape(op.Transpose(op.Reshape(dy, blocks), perm=[0, 1, 3, 5, 2, 4]), shape_of(op, x))]


@vjp("SpaceToDepth")
def space_to_depth(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The channels of dy go back to their blocks."""
    return [op.DepthToSpace(dy, blocksize=node.attributes["blocksize"].as_int(), mode="DCR")]


def _scatter(op: Ops, dy: ir.Value, positions: ir.Value, axis: int, x: ir.Value) -> ir.Value:
    """Zeros of the size of ``x`` on the axis, plus the slices of ``dy`` along the axis, each at its position."""
    axes = [a for a in range(rank(x)) if a != axis % rank(x)]
    shape = op.Shape(dy)
    wide = op.ScatterElements(shape, op.constant([axis % rank(x)]), dim(op, x, axis))
    zero = op.ConstantOfShape(wide, value=ir.tensor(np.zeros(1, dy.dtype.numpy() if dy.dtype else np.float32)))
    index = op.Expand(op.Unsqueeze(positions, op.constant(axes)), shape)
    return op.ScatterElements(zero, index, dy, axis=axis, reduction="add")


def _constant(node: ir.Node, i: int, default: np.ndarray) -> np.ndarray:
    """Input ``i`` as a constant; the default where it is absent."""
    x = optional_operand(node, i)
    if x is None:
        return default
    value = constant_value(x)
    if value is None:
        raise NotDifferentiable(f"input {i} of {node.op_type} (node {node.name!r}) must be a constant")
    return value
