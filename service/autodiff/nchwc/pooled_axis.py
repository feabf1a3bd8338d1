"""The geometry of a pool along one axis: where elements, windows and phases lie while the pool is undone."""

from dataclasses import dataclass
from math import ceil

import onnx_ir as ir

from service.autodiff.nchwc.taps import Tap


@dataclass(frozen=True)
class PooledAxis:
    """One axis of a pool: n windows of ``size`` elements, ``stride`` elements apart.

    While the pool is undone, every value has n + ``more`` places along this axis:

    - a value for windows has that of window w at the place w + ``lead``;
    - a value of phase r has that of element (stride·i + r − ``begin``) at the place i.

    So each of the last ``stride`` elements of a window is at the place of the window, in one phase each.

    Args:
        size: Elements of a window.
        stride: Elements from one window to the next.
        over: Elements after the last window, if that is known.
    """

    size: int
    stride: int
    over: int | None

    @classmethod
    def of(cls, size: int, stride: int, elements: int | None) -> "PooledAxis":
        """The axis of a pool over so many ``elements``, None if their number is not known."""
        return cls(size, stride, None if elements is None else (elements - size) % stride)

    @property
    def lead(self) -> int:
        """How many places come before the first window."""
        return ceil(self.size / self.stride) - 1

    @property
    def begin(self) -> int:
        """How many elements of all phases together come before the first element of the axis."""
        return -self.size % self.stride

    @property
    def more(self) -> int:
        """How many places there are in addition to those of the windows."""
        over = self.stride - 1 if self.over is None else self.over
        return self.lead + (over > 0)

    def places(self, windows: int | ir.SymbolicDim) -> int | str:
        """The size of all values along the axis, as a number or a name."""
        return windows + self.more if isinstance(windows, int) else f"{windows.value}+{self.more}"

    @property
    def windows(self) -> Tap:
        """Puts n values, one per window, at the places of the windows."""
        return Tap.of(1, -self.lead, self.more - self.lead)

    def element(self, j: int) -> Tap:
        """Puts element ``j`` of each window at the place of the window."""
        return self._strided(j - self.stride * self.lead)

    def phase(self, r: int) -> Tap:
        """Puts the elements of phase ``r`` at their places."""
        return self._strided(r - self.begin)

    def place(self, j: int) -> tuple[int, Tap]:
        """The phase of element ``j`` of the windows, and the tap that moves values for windows to its places there."""
        behind, r = divmod(j + self.stride - self.size, self.stride)
        return r, Tap.of(1, -behind, -behind)

    def _strided(self, offset: int) -> Tap:
        end = self.stride * self.more + offset + 1 - self.size - (self.over or 0)
        return Tap.of(self.stride, offset, end, slack=0 if self.over is None else self.stride - 1)
