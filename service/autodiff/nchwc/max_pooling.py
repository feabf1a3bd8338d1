"""The max pool by comparisons that are depthwise convolutions."""

from collections.abc import Sequence

import onnx_ir as ir

from service.autodiff import max_pooling
from service.autodiff.errors import NotDifferentiable
from service.autodiff.nchwc.activations import STEEPEST
from service.autodiff.nchwc.polyphase import Polyphase, interleaved
from service.autodiff.nchwc.pooled_axis import PooledAxis
from service.autodiff.nchwc.taps import EVERY, DepthwiseTaps
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents
from service.autodiff.shapes import dtype, known_dim, operand, rank
from service.autodiff.windows import Window, window

BLOCK = 16  # channels that the layout keeps together


def max_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Add dy to the first of the largest elements of each window, for pools over two axes and whole blocks of channels.

    A pool over rows and columns is one over columns and then one over rows, and the first of equals in row order is in
    the first row that has the maximum, in the first column there that has it. So each axis is undone by itself. All
    steps are depthwise convolutions, products and sums of equal shapes; the runtime has these for its blocked layout,
    and computes a sum and an activation as part of the convolution. On a CPU the search for indices, which the textbook
    rule needs, takes more than half the time of all convolutions of the network.
    """
    x, y = operand(node, 0), node.outputs[0]
    channels = known_dim(x, 1)
    try:
        win = window(node, list(node.attributes["kernel_shape"].as_ints()))
    except NotDifferentiable:  # the padding depends on sizes that are open; indices are found without it
        return max_pooling.max_pool(op, node, dy)
    is_plain = rank(x) == 4 and set(win.dilations) == {1} and dtype(x) != ir.DataType.FLOAT16
    if not is_plain or channels is None or channels % BLOCK:
        return max_pooling.max_pool(op, node, dy)
    padded = _padded(op, node, win, x)
    sizes = [known_dim(x, axis) if padded is x else None for axis in (2, 3)]
    rows, columns = (PooledAxis.of(win.size[i], win.strides[i], sizes[i]) for i in (0, 1))
    shape = y.shape and ir.Shape([y.shape[0], channels, rows.places(y.shape[2]), columns.places(y.shape[3])])
    tap = DepthwiseTaps(op, channels, x, shape)
    widest = op.MaxPool(padded, kernel_shape=[1, columns.size], strides=[1, columns.stride])
    below = tap(y, rows.windows, columns.windows, -1)
    elements = [tap(widest, rows.element(j), columns.windows) for j in range(rows.size - 1)]
    parts: dict[tuple[int, int], ir.Value] = {}
    for r, d_row in enumerate(_undo(tap, rows, tap(dy, rows.windows, columns.windows), below, elements)):
        below = tap(widest, rows.phase(r), columns.windows, -1)
        elements = [tap(padded, rows.phase(r), columns.element(j)) for j in range(columns.size - 1)]
        parts |= {(r, c): part for c, part in enumerate(_undo(tap, columns, d_row, below, elements, across=True))}
    begin = (rows.begin + win.begin[0], columns.begin + win.begin[1])
    return [interleaved(op, Polyphase((rows.stride, columns.stride), begin, parts), x)]


def _undo(
    tap: DepthwiseTaps,
    axis: PooledAxis,
    dy: ir.Value,
    below: ir.Value,
    elements: Sequence[ir.Value],
    across: bool = False,
) -> list[ir.Value]:
    """Undo the pool over one axis.

    Args:
        tap: Moves values to their places.
        axis: The axis.
        dy: The cotangent of the pooled values.
        below: The pooled values, negated.
        elements: The first, second, … element of each window, but not the last.
        across: Whether the axis is that of the columns.

    Returns:
        The cotangent of the elements, one value for each phase.
    """
    op, left, parts = tap.op, dy, []
    for element in elements:
        # max(0, 1 − 3.4e38 · (y − x)) is 1 where x is the maximum, else 0.
        part = op.Mul(left, op.HardSigmoid(op.Add(element, below), alpha=STEEPEST, beta=1.0))
        left = op.Add(tap(part, EVERY, EVERY, -1), left)
        parts.append(part)
    phases: dict[int, list[ir.Value]] = {r: [] for r in range(axis.stride)}
    for j, part in enumerate([*parts, left]):  # what no other element has taken belongs to the last
        r, move = axis.place(j)
        phases[r].append(tap(part, *((EVERY, move) if across else (move, EVERY))))
    return [op.total(placed) if placed else tap(dy, EVERY, EVERY, 0) for placed in phases.values()]


def _padded(op: Ops, node: ir.Node, win: Window, x: ir.Value) -> ir.Value:
    """``x`` with the padding that windows see: from the first element of the first window to the last of the last."""
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
    lowest = op.constant(-STEEPEST, like=x)  # in float64 too, so that the slope of the comparison does not overflow
    return op.Pad(x, op.Concat(zeros, op.constant(win.begin), zeros, end, axis=0), lowest)
