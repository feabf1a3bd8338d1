"""Picking elements of images by depthwise convolutions, and the geometry of a pool that is undone in phases."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import onnx_ir as ir

from service.autodiff.ops import Ops


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
        """The pick that ends where it should.

        end: the padding after the axis, if the kernel reaches just to the element; up to ``slack`` more changes nothing. Where it is
        negative, the kernel reaches further instead.
        """
        end += min(slack, max(0, -end))
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
        """How many places before the first window."""
        return ceil(self.size / self.stride) - 1

    @property
    def begin(self) -> int:
        """How many elements before the first one."""
        return -self.size % self.stride

    @property
    def more(self) -> int:
        """How many places beside those of the windows."""
        over = self.stride - 1 if self.over is None else self.over
        return self.lead + (over > 0)

    def places(self, windows: int | ir.SymbolicDim) -> int | str:
        """The size of all values along the axis."""
        return windows + self.more if isinstance(windows, int) else f"{windows.value}+{self.more}"

    @property
    def windows(self) -> Pick:
        """Of values for n windows."""
        return Pick.of(1, -self.lead, self.more - self.lead)

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
        end = self.stride * self.more + offset + 1 - self.size - (self.over or 0)
        return Pick.of(self.stride, offset, end, slack=0 if self.over is None else self.stride - 1)


@dataclass(frozen=True)
class Picker:
    """Picks elements of images with so many channels, by a depthwise convolution. shape: of all that is picked, if it is known."""

    op: Ops
    channels: int
    like: ir.Value
    shape: ir.Shape | None

    def __call__(self, x: ir.Value, rows: Pick, columns: Pick, factor: float = 1) -> ir.Value:
        """The picked elements of x, times a factor."""
        if rows == columns == EVERY and factor == 1:
            return x
        kernel = np.zeros((self.channels, 1, rows.kernel, columns.kernel))
        kernel[:, :, max(0, rows.offset), max(0, columns.offset)] = factor
        pads = [rows.begin, columns.begin, rows.end, columns.end]
        weights = self.op.constant(kernel, like=self.like)
        picked = self.op.Conv(x, weights, strides=[rows.stride, columns.stride], pads=pads, group=self.channels)
        picked.shape = self.shape
        return picked
