"""The max pool's backward, in the two forms that are worth having."""

from collections.abc import Sequence

import onnx_ir as ir

from service.autodiff.elementwise import STEEPEST
from service.autodiff.ops import Ops
from service.autodiff.polyphase import Phases, interleaved
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dtype, known_dim, operand, rank, shape_of, zeros_like
from service.autodiff.strided_taps import EVERY, Picker, PooledAxis
from service.autodiff.windows import Window, window

BLOCK = 16  # channels that the blocked layout of a CPU keeps together


def max_pool_by_indices(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Scatter dy to where the largest element of each window was, the first in row order where several are (as PyTorch has it).

    Few nodes, and the form for a GPU. On a CPU the search for the indices costs more than half of what all convolutions do.
    """
    x = operand(node, 0)
    attributes = {name: a for name, a in node.attributes.items() if name != "storage_order"}
    _, indices = op.several("MaxPool", 2, x, **attributes)
    indices.dtype = ir.DataType.INT64
    flat = op.constant([-1])
    half = dtype(x) == ir.DataType.FLOAT16  # whose sums a CPU runtime does not scatter
    wide = op.Cast(dy, to=ir.DataType.FLOAT) if half else dy
    zeros = op.Reshape(zeros_like(op, x, kind=wide), flat)
    dx = op.ScatterElements(zeros, op.Reshape(indices, flat), op.Reshape(wide, flat), axis=0, reduction="add")
    return [op.Reshape(op.CastLike(dx, x) if half else dx, shape_of(op, x))]


@vjp("MaxPool")
def max_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The same, by comparisons, for pools over two axes; the form for a CPU.

    A pool over rows and columns is one over columns and then one over rows, and the first of equals in row order is the first row that has
    the maximum and the first column in it. So each axis is undone by itself. All is said in depthwise convolutions, products and sums of
    equal shapes: a CPU runtime has these for its blocked layout, a sum and an activation as part of the convolution.
    """
    x, y = operand(node, 0), node.outputs[0]
    channels, win = known_dim(x, 1), window(node, list(node.attributes["kernel_shape"].as_ints()))
    if (
        rank(x) != 4
        or set(win.dilations) != {1}
        or dtype(x) == ir.DataType.FLOAT16
        or channels is None
        or channels % BLOCK
    ):
        return max_pool_by_indices(op, node, dy)
    padded = _padded(op, node, win, x)
    sizes = [known_dim(x, axis) if padded is x else None for axis in (2, 3)]
    rows, columns = (PooledAxis.of(win.size[i], win.strides[i], sizes[i]) for i in (0, 1))
    shape = y.shape and ir.Shape([y.shape[0], channels, rows.places(y.shape[2]), columns.places(y.shape[3])])
    pick = Picker(op, channels, x, shape)
    widest = op.MaxPool(padded, kernel_shape=[1, columns.size], strides=[1, columns.stride])
    below = pick(y, rows.windows, columns.windows, -1)
    elements = [pick(widest, rows.element(j), columns.windows) for j in range(rows.size - 1)]
    parts: dict[tuple[int, int], ir.Value] = {}
    for r, d_row in enumerate(_undo(pick, rows, pick(dy, rows.windows, columns.windows), below, elements)):
        below = pick(widest, rows.phase(r), columns.windows, -1)
        elements = [pick(padded, rows.phase(r), columns.element(j)) for j in range(columns.size - 1)]
        parts |= {(r, c): part for c, part in enumerate(_undo(pick, columns, d_row, below, elements, across=True))}
    begin = (rows.begin + win.begin[0], columns.begin + win.begin[1])
    return [interleaved(op, Phases((rows.stride, columns.stride), begin, parts), x)]


def _undo(
    pick: Picker, axis: PooledAxis, dy: ir.Value, below: ir.Value, elements: Sequence[ir.Value], across: bool = False
) -> list[ir.Value]:
    """Undo the pool over one axis: dx in phases.

    below: −y. elements: the first, second, … of each window, without the last. across: whether the axis is that of the columns.
    """
    op, left, parts = pick.op, dy, []
    for element in elements:
        # max(0, 1 − 3.4e38 · (y − x)) is 1 where x is the maximum, else 0.
        part = op.Mul(left, op.HardSigmoid(op.Add(element, below), alpha=STEEPEST, beta=1.0))
        left = op.Add(pick(part, EVERY, EVERY, -1), left)
        parts.append(part)
    phases: dict[int, list[ir.Value]] = {r: [] for r in range(axis.stride)}
    for j, part in enumerate([*parts, left]):  # what is left by all others belongs to the last
        r, way = axis.place(j)
        phases[r].append(pick(part, *((EVERY, way) if across else (way, EVERY))))
    return [op.total(placed) if placed else pick(dy, EVERY, EVERY, 0) for placed in phases.values()]


def _padded(op: Ops, node: ir.Node, win: Window, x: ir.Value) -> ir.Value:
    """``x`` with what windows see beyond its edges: from the first element of the first window at least to the last of the last one."""
    y, axes = node.outputs[0], list(zip(win.size, win.strides, win.begin, strict=True))
    if not any([*win.begin, *win.end]) and not node.attributes.get_int("ceil_mode", 0):
        return x
    before, after = ([known_dim(v, axis) for axis in (2, 3)] for v in (x, y))
    known = [(n, m) for n, m in zip(before, after, strict=True) if n is not None and m is not None]
    if len(known) == 2:
        more = [max(0, (m - 1) * s + k - n - b) for (n, m), (k, s, b) in zip(known, axes, strict=True)]
        if not any([*win.begin, *more]):
            return x
        end = op.constant(more)
    else:
        reach = op.Add(
            op.Mul(op.Shape(y, start=2), op.constant(win.strides)), op.constant([k - s - b for k, s, b in axes])
        )
        end = op.Max(op.Sub(reach, op.Shape(x, start=2)), op.constant([0]))
    zeros = op.constant([0, 0])
    lowest = op.constant(-STEEPEST, like=x)  # not more in float64, so that the slope does not overflow
    return op.Pad(x, op.Concat(zeros, op.constant(win.begin), zeros, end, axis=0), lowest)
