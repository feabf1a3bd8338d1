"""The max pool's backward, in the two forms that are worth having."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import onnx_ir as ir

from service.autodiff.elementwise import STEEPEST
from service.autodiff.ops import Ops
from service.autodiff.phases import Phases, interleaved
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dtype, known_dim, operand, rank, shape_of, zeros_like
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
    zeros = op.Reshape(zeros_like(op, x), flat)
    dx = op.ScatterElements(zeros, op.Reshape(indices, flat), op.Reshape(dy, flat), axis=0, reduction="add")
    return [op.Reshape(dx, shape_of(op, x))]


@vjp("MaxPool")
def max_pool(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The same, by comparisons, for pools over two axes; the form for a CPU.

    A pool over rows and columns is one over columns and then one over rows, and the first of equals in row order is the first row that has
    the maximum and the first column in it. So each axis is undone by itself. All is said in depthwise convolutions, products and sums of
    equal shapes: a CPU runtime has these for its blocked layout, a sum and an activation as part of the convolution.
    """
    x, y, channels = operand(node, 0), node.outputs[0], known_dim(operand(node, 0), 1)
    win = window(node, list(node.attributes["kernel_shape"].as_ints()))
    if rank(x) != 4 or set(win.dilations) != {1} or dtype(x) == ir.DataType.FLOAT16 or channels is None or channels % BLOCK:
        return max_pool_by_indices(op, node, dy)
    padded = _padded(op, node, win, x)
    sizes = [known_dim(x, axis) if padded is x else None for axis in (2, 3)]
    rows, columns = (PooledAxis.of(win.size[i], win.strides[i], sizes[i]) for i in (0, 1))
    pick = _Picker(op, channels, x)
    widest = op.MaxPool(padded, kernel_shape=[1, columns.size], strides=[1, columns.stride])
    below = pick(y, rows.windows, columns.windows, -1)
    d_rows = _undo(pick, rows, pick(dy, rows.windows, columns.windows), below, lambda j: pick(widest, rows.element(j), columns.windows))
    parts = {}
    for r, d_row in enumerate(d_rows):
        below = pick(widest, rows.phase(r), columns.windows, -1)
        d_columns = _undo(pick, columns, d_row, below, lambda j, r=r: pick(padded, rows.phase(r), columns.element(j)), across=True)
        parts |= {(r, c): d_column for c, d_column in enumerate(d_columns)}
    begin = (rows.begin + win.begin[0], columns.begin + win.begin[1])
    return [interleaved(op, Phases((rows.stride, columns.stride), begin, channels, parts), x)]


@dataclass(frozen=True)
class Pick:
    """Along one axis: element stride·i + offset for each i; zeros beyond the axis. kernel, begin, end: of the convolution that does it."""

    kernel: int = 1
    offset: int = 0
    stride: int = 1
    begin: int = 0
    end: int = 0

    @classmethod
    def of(cls, stride: int, offset: int, end: int, slack: int = 0) -> "Pick":
        """end: the padding, with a kernel that reaches just to the element, for the wanted number of elements; up to ``slack`` more
        changes nothing. Where it is negative, the kernel reaches further instead."""
        end = end + min(slack, max(0, -end))
        return cls(max(0, offset) + 1 + max(0, -end), offset, stride, max(0, -offset), max(0, end))


EVERY = Pick()


@dataclass(frozen=True)
class PooledAxis:
    """One axis of a pool, n windows of ``size`` elements, a stride apart.

    While it is undone, all values along it have n + more elements: those for windows have the one of window w at w + lead, those of phase r
    have element stride·i + r − begin at i. So the last ``stride`` elements of each window are in place in their phases.
    over: elements after the last window, if known.
    """

    size: int
    stride: int
    over: int | None

    @classmethod
    def of(cls, size: int, stride: int, elements: int | None) -> "PooledAxis":
        """elements: along the axis, if known."""
        return cls(size, stride, None if elements is None else (elements - size) % stride)

    @property
    def lead(self) -> int:
        return max(0, ceil((self.size - self.stride) / self.stride))

    @property
    def begin(self) -> int:
        return self.stride * self.lead + self.stride - self.size

    @property
    def more(self) -> int:
        over = self.stride - 1 if self.over is None else self.over
        return max(self.lead, ceil((self.size - self.stride + over + self.begin) / self.stride))

    @property
    def windows(self) -> Pick:
        """Of values for n windows."""
        return Pick(offset=-self.lead, begin=self.lead, end=self.more - self.lead)

    def element(self, j: int) -> Pick:
        """Of the pooled elements: element ``j`` of each window."""
        return self._strided(j - self.stride * self.lead)

    def phase(self, r: int) -> Pick:
        """Of the pooled elements: those of phase ``r``."""
        return self._strided(r - self.begin)

    def place(self, j: int) -> tuple[int, Pick]:
        """Of values for windows: what belongs to element ``j`` of each. Its phase, and the way to its place there."""
        behind, r = divmod(j + self.stride - self.size, self.stride)
        return r, Pick.of(1, -behind, -behind)

    def _strided(self, offset: int) -> Pick:
        end = self.stride * self.more + max(0, offset) + 1 - self.size - max(0, -offset)
        return Pick.of(self.stride, offset, end - (self.over or 0), slack=0 if self.over is None else self.stride - 1)


@dataclass(frozen=True)
class _Picker:
    """Picks elements of images with so many channels, by a depthwise convolution."""

    op: Ops
    channels: int
    like: ir.Value

    def __call__(self, x: ir.Value, rows: Pick, columns: Pick, factor: float = 1) -> ir.Value:
        """The picked elements of x, times a factor."""
        if rows == columns == EVERY and factor == 1:
            return x
        kernel = np.zeros((self.channels, 1, rows.kernel, columns.kernel))
        kernel[:, :, max(0, rows.offset), max(0, columns.offset)] = factor
        pads = [rows.begin, columns.begin, rows.end, columns.end]
        weights = self.op.constant(kernel, like=self.like)
        return self.op.Conv(x, weights, strides=[rows.stride, columns.stride], pads=pads, group=self.channels)


def _undo(
    pick: _Picker, axis: PooledAxis, dy: ir.Value, below: ir.Value, element: Callable[[int], ir.Value], across: bool = False
) -> list[ir.Value]:
    """Undo the pool over one axis: dx in phases. below: −y. element: element j of each window. across: whether the axis is that of columns."""
    op, left = pick.op, dy
    phases: dict[int, list[ir.Value]] = {r: [] for r in range(axis.stride)}
    for j in range(axis.size):
        part = left  # what is left by all others belongs to the last
        if j < axis.size - 1:
            # max(0, 1 − 3.4e38 · (y − x)) is 1 where x is the maximum, else 0.
            part = op.Mul(left, op.HardSigmoid(op.Add(element(j), below), alpha=STEEPEST, beta=1.0))
            left = op.Add(pick(part, EVERY, EVERY, -1), left)
        r, way = axis.place(j)
        phases[r].append(pick(part, *((EVERY, way) if across else (way, EVERY))))
    return [op.total(parts) if parts else pick(dy, EVERY, EVERY, 0) for parts in phases.values()]


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
        reach = op.Add(op.Mul(op.Shape(y, start=2), op.constant(win.strides)), op.constant([k - s - b for k, s, b in axes]))
        end = op.Max(op.Sub(reach, op.Shape(x, start=2)), op.constant([0]))
    zeros = op.constant([0, 0])
    lowest = op.constant(np.finfo(dtype(x).numpy()).min, like=x)
    return op.Pad(x, op.Concat(zeros, op.constant(win.begin), zeros, end, axis=0), lowest)
